// The connection of a session: open or find it, choose a transport, read, and come back after a
// fault.
#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "rpc_status.h"
#include "session.h"
#include "nanos.h"

#if defined(_WIN32)
#include <io.h>
#define access _access
constexpr int kReadable = 4;
#else
#include <unistd.h>
constexpr int kReadable = R_OK;
#endif

namespace avatar {

namespace {

constexpr std::chrono::milliseconds kCallTimeout{10'000};
constexpr std::chrono::milliseconds kLeaveTimeout{1'000};
constexpr int64_t kDataPollNanos = 100 * kNanosPerMilli;
// A ZeroMQ socket that brings nothing for so long while the session runs is behind a firewall.
constexpr int64_t kSilenceNanos = 5 * kNanosPerSec;
constexpr std::string_view kIpc = "ipc://";
constexpr std::string_view kTcp = "tcp://";

bool starts_with(const std::string& text, std::string_view begin) {
  return text.compare(0, begin.size(), begin) == 0;
}

// Where this host reaches the socket; empty: it does not.
std::string reachable(const std::string& address, const std::string& service_host) {
  if (starts_with(address, kIpc)) {
    return access(address.c_str() + kIpc.size(), kReadable) == 0 ? address : std::string();
  }
  if (!starts_with(address, kTcp)) return {};
  const size_t colon = address.rfind(':');
  const std::string host = address.substr(kTcp.size(), colon - kTcp.size());
  if (host != "*" && host != "0.0.0.0" && host != "[::]") return address;
  return std::string(kTcp) + service_host + address.substr(colon);
}

bool find_zmq(const v1::Session& session, bool wants_frames, const std::string& service_host,
              ZmqAddress* zmq) {
  const auto output = wants_frames ? v1::OUTPUT_FRAMES : v1::OUTPUT_MOTION;
  for (const bool is_local : {true, false}) {
    for (const auto& endpoint : session.zmq_endpoints()) {
      if (endpoint.output() != output || starts_with(endpoint.address(), kIpc) != is_local) continue;
      const std::string address = reachable(endpoint.address(), service_host);
      if (address.empty()) continue;
      *zmq = {address, endpoint.topic(), endpoint.curve_server_key()};
      return true;
    }
  }
  return false;
}

bool open_ring(const v1::RingDescriptor& descriptor, std::shared_ptr<RingReader>* ring) {
  if (descriptor.layout_id() != AVATAR_RING_LAYOUT_ID) return false;
  std::shared_ptr<RingReader> reader;
  if (!RingReader::open(descriptor.path(), &reader).ok()) return false;
  const std::string& id = descriptor.ring_id();
  if (id.size() != 16 || std::memcmp(id.data(), reader->ring_id(), 16) != 0) return false;
  *ring = std::move(reader);
  return true;
}

bool is_gone(const Status& status) {
  return status.reason == AVATAR_REASON_SESSION_NOT_FOUND ||
         status.reason == AVATAR_REASON_SESSION_CLOSED;
}

}  // namespace

void Session::run() {
  std::mt19937 random(std::random_device{}());
  std::uniform_real_distribution<double> jitter(0.75, 1.25);
  int num_failures = 0;
  for (;;) {
    bool was_ready = false;
    Status status;
    try {
      status = connect_and_read();
    } catch (const std::exception& exception) {
      status = fault(Reason::BUG, exception.what());
    }
    std::unique_lock lock(mutex_);
    if (is_stopping_) return;
    was_ready = state_ == AVATAR_STATE_READY;
    if (was_ready) num_failures = 0;
    // Our own old stream may still count as the controller until the service has noticed its end.
    const bool is_own_ghost = is_owned_ && counts_.num_reconnects > 0 &&
                              status.reason == AVATAR_REASON_SESSION_HAS_CONTROLLER;
    const bool has_ended = status.ok() || (was_ready && is_gone(status));
    const bool will_retry = !has_ended && config_.options.reconnect != 0 &&
                            (is_transient(status) || is_own_ghost);
    lose_connection(status, will_retry);
    if (has_ended) return set_state(AVATAR_STATE_ENDED, status.message);
    if (!will_retry) return set_state(AVATAR_STATE_FAILED, status.message);
    if (was_ready) {
      ++counts_.num_reconnects;
      set_state(AVATAR_STATE_RECONNECTING, status.message);
    }
    const ClientConfig& config = client_->config();
    const uint64_t doubled = uint64_t{config.backoff_min_millis} << std::min(num_failures++, 20);
    const double pause = jitter(random) * static_cast<double>(std::min<uint64_t>(
                                              doubled, config.backoff_max_millis));
    const auto millis = std::max<int64_t>(static_cast<int64_t>(pause), status.retry_millis);
    state_changed_.wait_for(lock, std::chrono::milliseconds(millis), [&] { return is_stopping_; });
    if (is_stopping_) return;
  }
}

void Session::lose_connection(const Status& status, bool will_retry) {
  is_stream_open_ = false;
  last_error_ = status;
  if (state_ != AVATAR_STATE_READY && will_retry) return;  // what waits for the start, waits on
  queue_.clear();
  queued_nanos_ = 0;
  sent_until_pts_ = 0;
  pushed_format_.clear();
  for (const OpenSegment& segment : open_segments_) {
    avatar_event event{};
    event.kind = AVATAR_EVENT_SEGMENT_ENDED;
    event.value = 1;
    event.role = segment.role;
    event.pts_nanos = newest_pts_;
    event.epoch = buffer_.floor().epoch;
    segment.segment_id.copy(event.segment_id, sizeof event.segment_id - 1);
    add_event(event);
  }
  open_segments_.clear();
}

template <typename Call>
Status Session::call_service(Call call) {
  grpc::ClientContext context;
  client_->prepare(&context);
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return Status::of(AVATAR_CANCELLED, "closed");
    context_ = &context;
  }
  const grpc::Status status = call(&context);
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  return from_grpc(status);
}

Status Session::connect_and_read() {
  v1::GetServerInfoRequest request;
  request.set_api_version(kApiVersion);
  request.set_client(client_->config().client_name.substr(0, 100));
  v1::GetServerInfoResponse info;
  Status status = call_service([&](grpc::ClientContext* context) {
    return client_->stub().GetServerInfo(context, request, &info);
  });
  if (status.ok()) status = check_version(info.api_version());
  if (!status.ok()) return status;
  {
    const std::lock_guard lock(mutex_);
    capabilities_ = 0;
    for (const int capability : info.capabilities()) {
      if (capability > 0 && capability < 64) capabilities_ |= uint64_t{1} << capability;
    }
    max_ahead_nanos_ = info.limits().max_audio_ahead_millis() * kNanosPerMilli;
  }
  v1::Session session;
  bool is_new = false;
  status = find_or_create(&session, &is_new);
  if (status.ok()) status = check_schema(session.motion_schema());
  if (!status.ok()) return status;
  std::shared_ptr<RingReader> ring;
  ZmqAddress zmq;
  const uint32_t transport = choose_transport(session, &ring, &zmq);
  if (transport == 0) {
    return fault(Reason::TRANSPORT_NOT_SUPPORTED,
                 "none of the transports allowed here reaches this session");
  }
  {
    const std::lock_guard lock(mutex_);
    if (is_new && counts_.num_reconnects > 0) {
      avatar_event event{};
      event.kind = AVATAR_EVENT_RESTARTED;
      add_event(event);
    }
    if (is_new) {
      buffer_.restart();
      newest_pts_ = 0;
    }
    session_id_ = session.session_id();
    described_ = session;
    outputs_ = output_bits(session);
    transport_ = transport;
    ring_ = ring;
  }
  return read_stream(session, transport, std::move(ring), zmq);
}

Status Session::find_or_create(v1::Session* session, bool* is_new) {
  *is_new = false;
  if (!session_id_.empty()) {
    v1::GetSessionRequest request;
    request.set_session_id(session_id_);
    v1::GetSessionResponse response;
    const Status status = call_service([&](grpc::ClientContext* context) {
      return client_->stub().GetSession(context, request, &response);
    });
    *session = response.session();
    const bool is_over =
        is_gone(status) || (status.ok() && session->state() == v1::SESSION_STATE_CLOSED);
    if (!is_over || !is_owned_) return status;
  }
  const v1::CreateSessionRequest request = create_request(capabilities_);
  v1::CreateSessionResponse response;
  const Status status = call_service([&](grpc::ClientContext* context) {
    return client_->stub().CreateSession(context, request, &response);
  });
  if (!status.ok()) return status;
  *session = response.session();
  *is_new = true;
  is_owned_ = true;
  return {};
}

v1::CreateSessionRequest Session::create_request(uint64_t capabilities) const {
  const avatar_session_options& options = config_.options;
  v1::CreateSessionRequest request;
  request.set_avatar_id(config_.avatar_id);
  request.mutable_frame_rate()->set_num(options.fps_num);
  request.mutable_frame_rate()->set_den(options.fps_den);
  if (!config_.avatar_id.empty()) request.set_width_px(options.size_px);
  if (options.outputs & AVATAR_OUTPUT_FRAMES) request.add_outputs(v1::OUTPUT_FRAMES);
  if (options.outputs & AVATAR_OUTPUT_MOTION) request.add_outputs(v1::OUTPUT_MOTION);
  if (options.outputs & AVATAR_OUTPUT_AUDIO) request.add_outputs(v1::OUTPUT_AUDIO);
  const auto may = [&](uint32_t bit, uint64_t needed) {
    const bool is_allowed = options.transports == 0 || (options.transports & bit) != 0;
    return is_allowed && (capabilities & needed) != 0;
  };
  // Shared memory beyond loopback only where it is asked for by name (one host, many addresses).
  const bool may_share = client_->is_loopback() || options.transports != 0;
  if (may_share && may(AVATAR_TRANSPORT_SHM, AVATAR_CAPABILITY_SHM)) {
    request.add_transports(v1::TRANSPORT_SHM);
  }
  if (may(AVATAR_TRANSPORT_ZMQ, AVATAR_CAPABILITY_ZMQ_IPC | AVATAR_CAPABILITY_ZMQ_TCP)) {
    request.add_transports(v1::TRANSPORT_ZMQ);
  }
  if (may(AVATAR_TRANSPORT_GRPC, AVATAR_CAPABILITY_GRPC)) {
    request.add_transports(v1::TRANSPORT_GRPC);
  }
  request.set_pacing(is_burst() ? v1::PACING_BURST : v1::PACING_REALTIME);
  const bool is_jpeg = options.encoding == AVATAR_ENCODING_JPEG ||
                       (options.encoding == 0 && !client_->is_loopback() &&
                        (capabilities & AVATAR_CAPABILITY_JPEG) != 0);
  request.set_frame_encoding(is_jpeg ? v1::FRAME_ENCODING_JPEG : v1::FRAME_ENCODING_RAW);
  if (options.playout_delay_millis >= 0) {
    request.set_playout_delay_millis(static_cast<uint32_t>(options.playout_delay_millis));
  }
  const std::lock_guard lock(mutex_);
  *request.mutable_controls() = config_.controls;
  return request;
}

uint32_t Session::choose_transport(const v1::Session& session, std::shared_ptr<RingReader>* ring,
                                   ZmqAddress* zmq) const {
  const uint32_t allowed = config_.options.transports == 0 ? ~0u : config_.options.transports;
  const uint32_t offered = transport_bits(session) & allowed & ~excluded_transports_;
  const bool has_frames = (output_bits(session) & AVATAR_OUTPUT_FRAMES) != 0;
  if ((offered & AVATAR_TRANSPORT_SHM) != 0 && open_ring(session.ring(), ring)) {
    return AVATAR_TRANSPORT_SHM;
  }
  if ((offered & AVATAR_TRANSPORT_ZMQ) != 0 &&
      find_zmq(session, has_frames, client_->host(), zmq)) {
    return AVATAR_TRANSPORT_ZMQ;
  }
  return offered & AVATAR_TRANSPORT_GRPC;
}

Status Session::read_stream(const v1::Session& session, uint32_t transport,
                            std::shared_ptr<RingReader> ring, const ZmqAddress& zmq) {
  grpc::ClientContext context;
  client_->prepare(&context);
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return Status::of(AVATAR_CANCELLED, "closed");
    context_ = &context;
  }
  const std::unique_ptr<Stream> stream = client_->stub().Animate(&context);
  v1::AnimateRequest request;
  v1::OpenStream& open = *request.mutable_open();
  open.set_session_id(session.session_id());
  open.set_role(config_.options.observe != 0 ? v1::STREAM_ROLE_OBSERVER
                                             : v1::STREAM_ROLE_CONTROLLER);
  auto& inline_outputs = *open.mutable_inline_outputs();
  const uint32_t outputs = output_bits(session);
  if (transport == AVATAR_TRANSPORT_GRPC) {  // a frame carries its latent
    inline_outputs.add_outputs((outputs & AVATAR_OUTPUT_FRAMES) != 0 ? v1::OUTPUT_FRAMES
                                                                     : v1::OUTPUT_MOTION);
  }
  if ((outputs & AVATAR_OUTPUT_AUDIO) != 0) inline_outputs.add_outputs(v1::OUTPUT_AUDIO);
  open.set_statistics_interval_millis(config_.options.statistics_millis);
  v1::AnimateResponse response;
  const bool is_open = stream->Write(request) && stream->Read(&response) && response.has_opened();
  std::thread sender;
  std::thread receiver;
  if (is_open) {
    {
      const std::lock_guard lock(mutex_);
      is_stream_open_ = true;
      last_error_ = {};
      set_state(AVATAR_STATE_READY, "");
    }
    sender = std::thread([&] { send_loop(stream.get()); });
    if (transport == AVATAR_TRANSPORT_SHM) receiver = std::thread([&] { ring_loop(ring); });
    if (transport == AVATAR_TRANSPORT_ZMQ) receiver = std::thread([&] { zmq_loop(zmq); });
    while (stream->Read(&response)) handle(response);
  } else {
    context.TryCancel();
  }
  {
    const std::lock_guard lock(mutex_);
    is_stream_open_ = false;
    send_queue_changed_.notify_all();
  }
  if (sender.joinable()) sender.join();
  if (receiver.joinable()) receiver.join();
  const Status status = from_grpc(stream->Finish());
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  if (!is_open && status.ok()) {
    return Status::of(AVATAR_INTERNAL, "the service did not open the stream");
  }
  return status;
}

bool Session::may_send(const v1::AnimateRequest& request) const {
  if (!request.has_audio() || request.audio().role() == v1::AUDIO_ROLE_LISTEN) return true;
  // Room for the service's own idea of "now", which is behind ours.
  return max_ahead_nanos_ == 0 || sent_until_pts_ - newest_pts_ < max_ahead_nanos_ * 3 / 4;
}

void Session::send_loop(Stream* stream) {
  std::unique_lock lock(mutex_);
  while (is_stream_open_ && !is_stopping_) {
    // Speech keeps its order; what is no speech overtakes speech that is too far ahead.
    const bool may_speak = queue_.empty() || may_send(queue_.front());
    const auto next =
        may_speak ? queue_.begin()
                  : std::find_if(queue_.begin(), queue_.end(), [](const v1::AnimateRequest& other) {
                      return !other.has_audio() && !other.has_segment_end();
                    });
    if (next == queue_.end()) {
      send_queue_changed_.wait_for(lock, std::chrono::milliseconds(queue_.empty() ? 500 : 20));
      continue;
    }
    const v1::AnimateRequest request = std::move(*next);
    queue_.erase(next);
    if (request.has_audio()) {
      const int64_t length_nanos = num_audio_nanos(request.audio());
      queued_nanos_ = std::max<int64_t>(0, queued_nanos_ - length_nanos);
      if (request.audio().role() != v1::AUDIO_ROLE_LISTEN) {
        sent_until_pts_ = std::max(sent_until_pts_, newest_pts_) + length_nanos;
      }
    }
    if (request.has_interrupt()) sent_until_pts_ = newest_pts_;
    lock.unlock();
    const bool is_sent = stream->Write(request);
    lock.lock();
    if (!is_sent) return;  // the reader learns why
  }
}

void Session::ring_loop(std::shared_ptr<RingReader> ring) {
  uint64_t number = 0;
  uint64_t seq = 0;
  std::vector<RingReader::Picture> pictures;
  for (;;) {
    const Status status = ring->wait(seq, kDataPollNanos);
    pictures.clear();
    uint64_t num_refused = 0;
    number = ring->latents_since(number, &pictures, &num_refused);
    std::unique_lock lock(mutex_);
    if (!is_stream_open_ || is_stopping_) return;
    counts_.messages_refused += num_refused;
    for (const RingReader::Picture& picture : pictures) {
      seq = picture.latent.seq;
      JitterItem item;
      item.latent = picture.latent;
      item.published_nanos = picture.published_nanos;
      // Writer and reader share a clock: what waited here was there when it was published.
      take_item(std::move(item), picture.published_nanos);
    }
    if (status.code == AVATAR_DATA_LOSS) {  // truncated: never touch it again
      excluded_transports_ |= AVATAR_TRANSPORT_SHM;
      ring_ = nullptr;
      if (context_ != nullptr) context_->TryCancel();
      return;
    }
    if (status.code == AVATAR_UNAVAILABLE) {  // the stream's end will tell
      send_queue_changed_.wait_for(lock, std::chrono::milliseconds(50));
    }
  }
}

void Session::zmq_loop(const ZmqAddress& address) {
  std::unique_ptr<ZmqSource> source;
  Status status = ZmqSource::open(address, &source);
  int64_t last_nanos = monotonic_nanos();
  for (;;) {
    JitterItem item;
    uint32_t width_px = 0;
    uint32_t height_px = 0;
    uint64_t num_bytes = 0;
    if (source != nullptr) {
      status = source->receive(static_cast<int>(kDataPollNanos / kNanosPerMilli), &item, &width_px,
                               &height_px, &num_bytes);
    }
    const int64_t now_nanos = monotonic_nanos();
    const std::lock_guard lock(mutex_);
    if (!is_stream_open_ || is_stopping_) return;
    counts_.bytes_received += num_bytes;
    if (status.ok()) {
      last_nanos = now_nanos;
      const bool fits = width_px == 0 || (width_px == described_.width_px() &&
                                          height_px == described_.height_px());
      if (fits) {
        take_item(std::move(item), now_nanos);
      } else {
        ++counts_.messages_refused;
      }
    } else if (status.code == AVATAR_DATA_LOSS) {
      ++counts_.messages_refused;
    }
    const bool is_silent = !is_burst() && now_nanos - last_nanos > kSilenceNanos;
    if (source == nullptr || is_silent) {  // another way, with a new stream
      excluded_transports_ |= AVATAR_TRANSPORT_ZMQ;
      if (context_ != nullptr) context_->TryCancel();
      return;
    }
  }
}

void Session::leave() {
  if (!is_owned_ || session_id_.empty()) return;
  RpcClient::Call call(*client_, kLeaveTimeout);
  call.context.set_wait_for_ready(false);
  v1::CloseSessionRequest request;
  request.set_session_id(session_id_);
  v1::CloseSessionResponse response;
  // Where the service is not there to hear it, it forgets the session by itself.
  client_->stub().CloseSession(&call.context, request, &response);
}

}  // namespace avatar
