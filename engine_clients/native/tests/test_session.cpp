// Sessions against a service inside this process, over each transport and through faults.
#include <doctest.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "avatar_client.h"
#include "fake_service.h"

using avatar::test::FakeService;
using avatar::test::kSizePx;

namespace {

constexpr uint32_t kTimeoutMillis = 30'000;

// Of text that lives on: a literal or a variable.
avatar_string text(std::string_view value) { return {value.data(), value.size()}; }

template <typename T>
T sized() {
  T record{};
  record.struct_size = sizeof record;
  return record;
}

// Waits for something that other threads bring about.
bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 3000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

struct Connection {
  explicit Connection(const std::string& target, const std::string& token = "") {
    avatar_client_options options{};
    avatar_client_options_init(&options, sizeof options);
    options.target = text(target);
    options.token = text(token);
    options.backoff_min_millis = 20;
    options.backoff_max_millis = 100;
    REQUIRE(avatar_client_create(&options, &client, nullptr) == AVATAR_OK);
  }
  ~Connection() {
    avatar_session_close(session);
    avatar_client_close(client);
  }
  void open(uint32_t transports, uint32_t encoding = 0, uint32_t pacing = 0) {
    avatar_session_options options = defaults();
    options.transports = transports;
    options.encoding = encoding;
    options.pacing = pacing;
    open(options);
  }
  static avatar_session_options defaults() {
    avatar_session_options options{};
    avatar_session_options_init(&options, sizeof options);
    options.avatar_id = text("avatar-1");
    options.fps_num = 100;
    return options;
  }
  void open(const avatar_session_options& options) {
    avatar_error error = sized<avatar_error>();
    REQUIRE(avatar_session_open(client, &options, &session, &error) == AVATAR_OK);
  }
  void open_ready(uint32_t transports, uint32_t encoding = 0) {
    open(transports, encoding);
    avatar_error error = sized<avatar_error>();
    const avatar_status status = avatar_session_wait_ready(session, kTimeoutMillis, &error);
    REQUIRE_MESSAGE(status == AVATAR_OK, error.message);
  }
  avatar_status push(int millis, uint32_t role = AVATAR_ROLE_SPEAK) {
    const std::vector<int16_t> samples(static_cast<size_t>(16 * millis), 100);
    avatar_audio audio = sized<avatar_audio>();
    audio.role = role;
    audio.format = AVATAR_AUDIO_S16;
    audio.sample_rate_hz = 16'000;
    audio.channels = 1;
    audio.samples = samples.data();
    audio.num_frames = samples.size();
    return avatar_session_push_audio(session, &audio, nullptr);
  }
  avatar_session_info info() {
    avatar_session_info record = sized<avatar_session_info>();
    CHECK(avatar_session_get_info(session, &record, nullptr) == AVATAR_OK);
    return record;
  }
  avatar_statistics statistics() {
    avatar_statistics record = sized<avatar_statistics>();
    CHECK(avatar_session_get_statistics(session, &record, nullptr) == AVATAR_OK);
    return record;
  }
  // The next event of this kind; others before it are dropped.
  bool next(uint32_t kind, avatar_event* event) {
    return eventually([&] {
      *event = sized<avatar_event>();
      do {
        avatar_session_next_event(session, event, nullptr);
      } while (event->kind != kind && event->kind != AVATAR_EVENT_NONE);
      return event->kind == kind;
    });
  }
  // Copies frames until `count` distinct ones have been checked; tolerance is JPEG's.
  void read_frames(int count, int tolerance) {
    std::vector<uint8_t> pixels(size_t{kSizePx} * kSizePx * 4);
    uint64_t seq = 0;
    for (int i = 0; i < count; ++i) {
      REQUIRE(avatar_session_wait(session, seq, kTimeoutMillis, nullptr) == AVATAR_OK);
      avatar_frame frame = sized<avatar_frame>();
      avatar_motion motion = sized<avatar_motion>();
      const avatar_status status = avatar_session_copy_frame(
          session, AVATAR_PTS_NEWEST, seq, pixels.data(), pixels.size(), &frame, &motion, nullptr);
      REQUIRE(status == AVATAR_OK);
      CHECK(frame.seq > seq);
      CHECK(motion.seq == frame.seq);
      CHECK(motion.pts_nanos == frame.pts_nanos);
      CHECK(frame.width_px == kSizePx);
      CHECK(std::abs(int{pixels[0]} - static_cast<int>(frame.seq & 0xff)) <= tolerance);
      CHECK(std::abs(int{pixels[pixels.size() - 2]} - static_cast<int>(frame.seq & 0xff)) <=
            tolerance);
      seq = frame.seq;
    }
  }

  // Shows what is newest until nothing newer is there.
  void read_all() {
    avatar_frame frame = sized<avatar_frame>();
    do {
      avatar_motion motion = sized<avatar_motion>();
      REQUIRE(avatar_session_copy_frame(session, AVATAR_PTS_NEWEST, 0, nullptr, 0, &frame, &motion,
                                        nullptr) == AVATAR_OK);
    } while (avatar_session_wait(session, frame.seq, 100, nullptr) == AVATAR_OK);
  }

  avatar_client* client = nullptr;
  avatar_session* session = nullptr;
};

}  // namespace

TEST_CASE("session: server info, avatar and its refusals") {
  FakeService service({});
  Connection c(service.target());
  avatar_server_info info = sized<avatar_server_info>();
  REQUIRE(avatar_client_get_server_info(c.client, kTimeoutMillis, &info, nullptr) == AVATAR_OK);
  CHECK(std::string(info.speaking_styles) == "neutral,lively");
  CHECK(std::string(info.motion_models) == "mixed,rules");
  info.struct_size = offsetof(avatar_server_info, motion_models);  // of an older header
  info.motion_models[0] = '?';
  REQUIRE(avatar_client_get_server_info(c.client, kTimeoutMillis, &info, nullptr) == AVATAR_OK);
  CHECK(info.motion_models[0] == '?');
  CHECK((info.capabilities & AVATAR_CAPABILITY_GRPC) != 0);
  const std::string photo_file(200'000, 'p');
  avatar_photo photo = sized<avatar_photo>();
  photo.file = {photo_file.data(), photo_file.size()};
  photo.consent_subject = text("me");
  avatar_info made = sized<avatar_info>();
  avatar_error error = sized<avatar_error>();
  CHECK(avatar_client_create_avatar(c.client, &photo, kTimeoutMillis, &made, &error) ==
        AVATAR_FAILED_PRECONDITION);
  CHECK(std::string(error.reason) == "CONSENT_REQUIRED");
  photo.consent_basis = text("my own photo");
  service.num_photo_bytes = 0;
  CHECK(avatar_client_create_avatar(c.client, &photo, kTimeoutMillis, &made, &error) == AVATAR_OK);
  CHECK(std::string(made.avatar_id) == "avatar-1");
  CHECK(service.num_photo_bytes == photo_file.size());
}

TEST_CASE("session: another major version and a wrong token are told and not tried again") {
  FakeService::Options options;
  options.api_version = "2.0";
  FakeService newer(options);
  Connection c(newer.target());
  c.open(0);
  avatar_error error = sized<avatar_error>();
  CHECK(avatar_session_wait_ready(c.session, kTimeoutMillis, &error) ==
        AVATAR_FAILED_PRECONDITION);
  CHECK(std::string(error.reason) == "PROTOCOL_MISMATCH");
  CHECK(c.info().state == AVATAR_STATE_FAILED);

  options = {};
  options.token = "right";
  FakeService guarded(options);
  Connection wrong(guarded.target(), "wrong");
  avatar_server_info info = sized<avatar_server_info>();
  CHECK(avatar_client_get_server_info(wrong.client, kTimeoutMillis, &info, &error) ==
        AVATAR_UNAUTHENTICATED);
  CHECK(std::string(error.reason) == "UNAUTHENTICATED");
  Connection right(guarded.target(), "right");
  CHECK(avatar_client_get_server_info(right.client, kTimeoutMillis, &info, &error) == AVATAR_OK);
}

TEST_CASE("session: frames over gRPC, raw and JPEG, over ZeroMQ and over the ring") {
  FakeService::Options options;
  options.has_shm = options.has_zmq = true;
  for (const uint32_t transport :
       {AVATAR_TRANSPORT_SHM, AVATAR_TRANSPORT_ZMQ, AVATAR_TRANSPORT_GRPC}) {
    CAPTURE(transport);
    FakeService service(options);
    Connection c(service.target());
    c.open_ready(transport);
    CHECK(c.info().transport == transport);
    c.read_frames(15, 0);
    CHECK(c.statistics().frames_shown == 15);
    const bool has_rubbish = transport == AVATAR_TRANSPORT_ZMQ;
    CHECK((c.statistics().messages_refused > 0) == has_rubbish);
  }
  FakeService service(options);
  Connection c(service.target());
  c.open_ready(AVATAR_TRANSPORT_GRPC, AVATAR_ENCODING_JPEG);
  c.read_frames(15, 3);
}

TEST_CASE("session: the best transport is chosen by itself; a silent one is given up") {
  FakeService::Options options;
  options.has_shm = options.has_zmq = true;
  {
    FakeService service(options);
    Connection c(service.target());
    c.open_ready(0);
    CHECK(c.info().transport == AVATAR_TRANSPORT_SHM);
  }
  options.has_shm = false;
  options.is_silent_on_zmq = true;
  FakeService service(options);
  Connection c(service.target());
  c.open_ready(0);
  CHECK(c.info().transport == AVATAR_TRANSPORT_ZMQ);
  CHECK(eventually([&] { return c.info().transport == AVATAR_TRANSPORT_GRPC; }));
  c.read_frames(3, 0);
}

TEST_CASE("session: zero-copy views over gRPC and the ring") {
  FakeService::Options options;
  options.has_shm = true;
  FakeService service(options);
  for (const uint32_t transport : {AVATAR_TRANSPORT_SHM, AVATAR_TRANSPORT_GRPC}) {
    Connection c(service.target());
    c.open_ready(transport);
    REQUIRE(avatar_session_wait(c.session, 2, kTimeoutMillis, nullptr) == AVATAR_OK);
    avatar_frame_view view = sized<avatar_frame_view>();
    avatar_frame frame = sized<avatar_frame>();
    REQUIRE(avatar_session_acquire_frame(c.session, AVATAR_PTS_NEWEST, &view, &frame, nullptr,
                                         nullptr) == AVATAR_OK);
    const uint8_t first = view.pixels[0];
    const avatar_status released = avatar_frame_release(view.token, nullptr);
    // A view of the ring may be overtaken on a busy machine: then it says so.
    CHECK((released == AVATAR_ABORTED || first == static_cast<uint8_t>(frame.seq)));
    if (transport == AVATAR_TRANSPORT_GRPC) CHECK(released == AVATAR_OK);
  }
}

TEST_CASE("session: speech, listening, controls, acknowledgement and barge-in reach the service") {
  FakeService service({});
  Connection c(service.target());
  c.open(0);
  CHECK(c.push(700) == AVATAR_OK);  // before it is ready: waits for the stream
  avatar_event event{};
  REQUIRE(c.next(AVATAR_EVENT_SEGMENT_STARTED, &event));
  CHECK(std::string(event.segment_id) == "1");
  CHECK(c.push(100, AVATAR_ROLE_LISTEN) == AVATAR_OK);
  CHECK(eventually([&] { return service.num_audio_bytes == 700 * 32; }));
  CHECK(eventually([&] { return service.num_listen_bytes == 100 * 32; }));

  avatar_controls controls{};
  avatar_controls_init(&controls, sizeof controls);
  controls.mask = AVATAR_CONTROL_DISTANCE;
  controls.distance = 0.5f;
  uint64_t change_id = 0;
  REQUIRE(avatar_session_set_controls(c.session, &controls, 0, &change_id, nullptr) == AVATAR_OK);
  REQUIRE(c.next(AVATAR_EVENT_CONTROL_APPLIED, &event));
  CHECK(event.value == change_id);
  CHECK(service.distance == 0.5f);
  CHECK(service.badge == -1);  // what is not in the mask is not sent
  for (const uint32_t badge : {1u, 0u}) {
    controls.mask = AVATAR_CONTROL_BADGE;
    controls.badge = badge;
    REQUIRE(avatar_session_set_controls(c.session, &controls, 0, &change_id, nullptr) == AVATAR_OK);
    REQUIRE(c.next(AVATAR_EVENT_CONTROL_APPLIED, &event));
    CHECK(service.badge == static_cast<int>(badge));
  }
  controls.badge = 2;
  CHECK(avatar_session_set_controls(c.session, &controls, 0, &change_id, nullptr) ==
        AVATAR_INVALID_ARGUMENT);
  CHECK(service.is_moved_by_rules == -1);
  controls.badge = 1;
  controls.mask = AVATAR_CONTROL_MOTION_MODEL;
  for (const bool by_rules : {true, false}) {
    controls.motion_model = text(by_rules ? "rules" : "mixed");
    REQUIRE(avatar_session_set_controls(c.session, &controls, 0, &change_id, nullptr) == AVATAR_OK);
    REQUIRE(c.next(AVATAR_EVENT_CONTROL_APPLIED, &event));
    CHECK(service.is_moved_by_rules == static_cast<int>(by_rules));
  }
  controls.mask = AVATAR_CONTROL_BADGE;  // of a caller that was built before there was a name
  controls.motion_model = {reinterpret_cast<const char*>(1), 99};
  controls.struct_size = offsetof(avatar_controls, motion_model);
  CHECK(avatar_session_set_controls(c.session, &controls, 0, &change_id, nullptr) == AVATAR_OK);
  controls.struct_size = sizeof controls;
  controls.mask = AVATAR_CONTROL_MOTION_MODEL << 1;
  CHECK(avatar_session_set_controls(c.session, &controls, 0, &change_id, nullptr) ==
        AVATAR_INVALID_ARGUMENT);

  for (int i = 0; i < 50; ++i) CHECK(avatar_session_ack_playback(c.session, i, nullptr) == AVATAR_OK);
  CHECK(eventually([&] { return service.num_acks >= 1; }));
  CHECK(service.num_acks < 50);  // sent at intervals only

  REQUIRE(avatar_session_interrupt(c.session, 5, nullptr) == AVATAR_OK);
  REQUIRE(c.next(AVATAR_EVENT_INTERRUPTED, &event));
  CHECK(event.epoch == 1);
  CHECK(c.info().epoch == 1);
  CHECK(avatar_session_end_segment(c.session, AVATAR_ROLE_SPEAK, nullptr) == AVATAR_OK);
  REQUIRE(c.next(AVATAR_EVENT_SEGMENT_ENDED, &event));
}

TEST_CASE("session: bad audio is refused at once") {
  FakeService service({});
  Connection c(service.target());
  c.open_ready(0);
  avatar_audio audio = sized<avatar_audio>();
  const float bad[2] = {0.0f, std::numeric_limits<float>::quiet_NaN()};
  audio.format = AVATAR_AUDIO_F32;
  audio.sample_rate_hz = 16'000;
  audio.channels = 1;
  audio.samples = bad;
  audio.num_frames = 2;
  avatar_error error = sized<avatar_error>();
  CHECK(avatar_session_push_audio(c.session, &audio, &error) == AVATAR_INVALID_ARGUMENT);
  CHECK(std::string(error.reason) == "INVALID_AUDIO");
  audio.num_frames = 1;
  CHECK(avatar_session_push_audio(c.session, &audio, &error) == AVATAR_OK);
  audio.sample_rate_hz = 48'000;  // within the segment
  CHECK(avatar_session_push_audio(c.session, &audio, &error) == AVATAR_INVALID_ARGUMENT);
  audio.sample_rate_hz = 16'000;
  const std::vector<float> long_one(16'000 * 61, 0.0f);
  audio.samples = long_one.data();
  audio.num_frames = long_one.size();
  CHECK(avatar_session_push_audio(c.session, &audio, &error) == AVATAR_RESOURCE_EXHAUSTED);
  CHECK(std::string(error.reason) == "AUDIO_TOO_FAR_AHEAD");
}

TEST_CASE("session: motion at the session's own pace, without frames") {
  FakeService::Options options;
  options.has_motion_only = true;
  FakeService service(options);
  Connection c(service.target());
  c.open_ready(0);
  REQUIRE(avatar_session_wait(c.session, 20, kTimeoutMillis, nullptr) == AVATAR_OK);
  avatar_motion motion = sized<avatar_motion>();
  CHECK(eventually([&] {
    int64_t pts = 0;
    REQUIRE(avatar_session_now(c.session, &pts, nullptr) == AVATAR_OK);
    REQUIRE(avatar_session_read_motion(c.session, pts, &motion, nullptr) == AVATAR_OK);
    return motion.presence == 1.0f;
  }));
  CHECK(motion.expression[17] == doctest::Approx(1.0));
  service.pause(true);  // starvation
  CHECK(eventually([&] {
    int64_t pts = 0;
    avatar_session_now(c.session, &pts, nullptr);
    avatar_session_read_motion(c.session, pts, &motion, nullptr);
    return motion.presence == 0.0f;
  }));
  CHECK(motion.expression[17] == 0.0f);
  CHECK((motion.flags & AVATAR_MOTION_STARVED) != 0);
  service.pause(false);
  CHECK(eventually([&] {
    int64_t pts = 0;
    avatar_session_now(c.session, &pts, nullptr);
    avatar_session_read_motion(c.session, pts, &motion, nullptr);
    return motion.presence == 1.0f;
  }));
  CHECK(c.statistics().num_starvations >= 1);
}

TEST_CASE("session: killed and restarted mid-sentence, the client comes back with a new session") {
  for (const bool has_shm : {false, true}) {
    FakeService::Options options;
    options.has_shm = has_shm;
    auto service = std::make_unique<FakeService>(options);
    options.port = service->port();
    Connection c(service->target());
    c.open_ready(0);
    CHECK(c.push(200) == AVATAR_OK);
    avatar_event event{};
    REQUIRE(c.next(AVATAR_EVENT_SEGMENT_STARTED, &event));
    service.reset();
    REQUIRE(c.next(AVATAR_EVENT_SEGMENT_ENDED, &event));
    CHECK(event.value == 1);
    REQUIRE(eventually([&] { return c.info().state == AVATAR_STATE_RECONNECTING; }));
    CHECK(c.push(20) == AVATAR_UNAVAILABLE);
    service = std::make_unique<FakeService>(options);
    service->forget_sessions();
    REQUIRE(c.next(AVATAR_EVENT_RESTARTED, &event));
    REQUIRE(eventually([&] { return c.info().state == AVATAR_STATE_READY; }));
    CHECK(c.statistics().num_reconnects == 1);
    CHECK(c.push(20) == AVATAR_OK);
    c.read_frames(5, 0);
  }
}

TEST_CASE("session: a service that tells sizes beyond all memory ends the session, not the game") {
  for (const uint32_t size_px : {0xffffffffu, 8193u}) {
    FakeService::Options options;
    options.told_size_px = size_px;
    FakeService service(options);
    Connection c(service.target());
    c.open(AVATAR_TRANSPORT_GRPC, AVATAR_ENCODING_JPEG);
    REQUIRE(eventually([&] { return c.info().state == AVATAR_STATE_FAILED; }));
    avatar_error error = sized<avatar_error>();
    CHECK(avatar_session_last_error(c.session, &error) != AVATAR_OK);
    CHECK(std::string(error.message).find("size") != std::string::npos);
  }
}

TEST_CASE("session: what changes every frame does not pile up while the service is away") {
  FakeService::Options options;
  {
    FakeService first(options);
    options.port = first.port();
  }
  Connection c("127.0.0.1:" + std::to_string(options.port));
  c.open(0);
  avatar_controls controls{};
  avatar_controls_init(&controls, sizeof controls);
  uint64_t change_id = 0;
  const int num_frames = 5000;
  for (int i = 1; i <= num_frames; ++i) {
    controls.mask = i == 1 ? AVATAR_CONTROL_BADGE : AVATAR_CONTROL_DISTANCE;
    controls.badge = 1;
    controls.distance = 0.5f + static_cast<float>(i) / (2 * num_frames);
    REQUIRE(avatar_session_set_controls(c.session, &controls, 0, &change_id, nullptr) == AVATAR_OK);
    REQUIRE(avatar_session_ack_playback(c.session, i, nullptr) == AVATAR_OK);
  }
  CHECK(c.push(100) == AVATAR_OK);  // what is said meanwhile is kept
  FakeService service(options);
  REQUIRE(avatar_session_wait_ready(c.session, kTimeoutMillis, nullptr) == AVATAR_OK);
  avatar_event event{};
  REQUIRE(c.next(AVATAR_EVENT_CONTROL_APPLIED, &event));
  CHECK(event.value == change_id);
  REQUIRE(eventually([&] { return service.num_audio_bytes == 100 * 32; }));
  CHECK(service.num_changes == 1);
  CHECK(service.distance == controls.distance);
  CHECK(service.badge == 1);  // of a change before the last
  CHECK(service.num_acks == 0);
}

TEST_CASE("session: a connection that breaks comes back to the same session") {
  auto service = std::make_unique<FakeService>(FakeService::Options{});
  Connection c(service->target());
  c.open_ready(0);
  const std::string before = c.info().session_id;
  CHECK(before == "session-1");
  service->break_streams();
  CHECK(eventually([&] { return c.statistics().num_reconnects == 1; }));
  CHECK(eventually([&] { return c.info().state == AVATAR_STATE_READY; }));
  CHECK(std::string(c.info().session_id) == before);
  CHECK(service->num_created == 1);
  avatar_event event{};
  do {
    event = sized<avatar_event>();
    avatar_session_next_event(c.session, &event, nullptr);
    CHECK(event.kind != AVATAR_EVENT_RESTARTED);
  } while (event.kind != AVATAR_EVENT_NONE);
  c.read_frames(5, 0);
}

TEST_CASE("session: a service that takes the call and never answers is left and tried again") {
  FakeService service({});
  avatar_session_options options = Connection::defaults();
  CHECK(options.opening_millis == 10'000);
  options.opening_millis = 100;
  service.leave_unanswered(3);
  Connection c(service.target());
  c.open(options);
  avatar_error error = sized<avatar_error>();
  REQUIRE(eventually([&] {
    return avatar_session_last_error(c.session, &error) == AVATAR_UNAVAILABLE &&
           std::string(error.message) == "the service did not open the stream in 100 ms";
  }));
  REQUIRE(avatar_session_wait_ready(c.session, kTimeoutMillis, &error) == AVATAR_OK);
  CHECK(service.num_created == 1);
  CHECK(c.statistics().num_reconnects == 0);
  c.read_frames(3, 0);
  service.leave_unanswered(1);  // and once it was there
  service.break_streams();
  REQUIRE(eventually([&] { return c.info().state == AVATAR_STATE_RECONNECTING; }));
  REQUIRE(avatar_session_wait_ready(c.session, kTimeoutMillis, &error) == AVATAR_OK);
  CHECK(service.num_created == 1);
  c.read_frames(3, 0);
}

TEST_CASE("session: a service that opens the stream and then hangs is left and tried again") {
  FakeService service({});
  service.pause(true);
  avatar_session_options options = Connection::defaults();
  options.opening_millis = options.statistics_millis = 100;
  Connection c(service.target());
  c.open(options);
  avatar_error error = sized<avatar_error>();
  REQUIRE(eventually([&] {
    return avatar_session_last_error(c.session, &error) == AVATAR_UNAVAILABLE &&
           std::string(error.message) ==
               "nothing came for 200 ms: the connection is taken for lost";
  }));
  service.pause(false);
  c.read_frames(3, 0);
  CHECK(service.num_created == 1);
}

TEST_CASE("session: who tells figures, or is asked for none, may take time for the first frame") {
  for (const uint32_t statistics_millis : {100u, 0u}) {
    FakeService service({});
    service.pause(true);
    service.tell_figures(true);
    avatar_session_options options = Connection::defaults();
    options.opening_millis = 400;
    options.statistics_millis = statistics_millis;
    Connection c(service.target());
    c.open(options);
    REQUIRE(avatar_session_wait_ready(c.session, kTimeoutMillis, nullptr) == AVATAR_OK);
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    service.pause(false);
    c.read_frames(3, 0);
    CHECK(c.statistics().num_reconnects == 0);
  }
}

TEST_CASE("session: in burst, who tells neither frames nor figures is left; who waits is not") {
  FakeService service({});
  avatar_session_options options = Connection::defaults();
  options.pacing = AVATAR_PACING_BURST;
  options.transports = AVATAR_TRANSPORT_GRPC;
  options.statistics_millis = 100;
  options.silence_millis = 300;
  Connection c(service.target());
  c.open(options);
  c.read_frames(3, 0);
  const auto stays = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));
    return c.info().state == AVATAR_STATE_READY && c.statistics().num_reconnects == 0;
  };
  CHECK(stays());  // a game that shows no frame for a while: the client reads none on
  service.tell_figures(true);
  service.pause(true);
  c.read_all();
  CHECK(stays());  // a service that has nothing to say
  service.tell_figures(false);
  avatar_error error = sized<avatar_error>();
  REQUIRE(eventually([&] {
    return avatar_session_last_error(c.session, &error) == AVATAR_UNAVAILABLE &&
           std::string(error.message) ==
               "nothing came for 400 ms: the connection is taken for lost";
  }));
  service.pause(false);
  c.read_frames(3, 0);
  CHECK(service.num_created == 1);
}

TEST_CASE("session: who is not to come back fails in plain words; closing does not wait") {
  FakeService service({});
  service.leave_unanswered(2);
  avatar_session_options options = Connection::defaults();
  options.opening_millis = 100;
  options.reconnect = 0;
  {
    Connection c(service.target());
    c.open(options);
    avatar_error error = sized<avatar_error>();
    CHECK(avatar_session_wait_ready(c.session, kTimeoutMillis, &error) == AVATAR_UNAVAILABLE);
    CHECK(c.info().state == AVATAR_STATE_FAILED);
    CHECK(std::string(error.message) == "the service did not open the stream in 100 ms");
  }
  options.opening_millis = 3'600'000;  // not the time of a close
  Connection c(service.target());
  c.open(options);
  CHECK(eventually([&] { return service.num_created == 2; }));
}

TEST_CASE("session: nobody there is a state, not a hang; closing ends it at once") {
  int port = 0;
  {
    FakeService gone({});
    port = gone.port();
  }
  Connection c("127.0.0.1:" + std::to_string(port));
  c.open(0);
  avatar_error error = sized<avatar_error>();
  CHECK(avatar_session_wait_ready(c.session, 200, &error) == AVATAR_DEADLINE_EXCEEDED);
  CHECK(c.info().state == AVATAR_STATE_CONNECTING);
  int64_t pts = 0;
  CHECK(avatar_session_now(c.session, &pts, nullptr) == AVATAR_NOT_FOUND);
  CHECK(avatar_session_close(c.session) == AVATAR_OK);
  CHECK(avatar_session_close(c.session) == AVATAR_OK);
  CHECK(avatar_session_now(c.session, &pts, nullptr) == AVATAR_INVALID_ARGUMENT);
}

TEST_CASE("session: closed by its client while other threads use it") {
  FakeService service({});
  for (int round = 0; round < 5; ++round) {
    Connection c(service.target());
    c.open(0);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 200; ++k) {
          avatar_motion motion = sized<avatar_motion>();
          avatar_event event = sized<avatar_event>();
          avatar_session_read_motion(c.session, k, &motion, nullptr);
          avatar_session_next_event(c.session, &event, nullptr);
          avatar_session_wait(c.session, UINT64_MAX, 1, nullptr);
          c.push(1);
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20 * round));
    avatar_client_close(c.client);
    for (std::thread& thread : threads) thread.join();
  }
}
