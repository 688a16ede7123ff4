// The connection of a session: open or find it, read, and come back after a fault.
#include <algorithm>
#include <random>

#include "rpc_status.h"
#include "session.h"
#include "nanos.h"

namespace avatar {

namespace {

constexpr std::chrono::milliseconds kCallTimeout{10'000};
constexpr std::chrono::milliseconds kLeaveTimeout{1'000};
constexpr uint32_t kRetryMillis = 1'000;  // with what this process had no memory or thread for

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
    if (was_ready) {
      num_failures = 0;
      may_have_ghost_ = true;
    }
    // Our own old stream may still count as the controller until the service has noticed its end.
    const bool is_own_ghost = is_owned_ && may_have_ghost_ &&
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
  if (config_.options.encoding == AVATAR_ENCODING_H264 &&
      (capabilities_ & AVATAR_CAPABILITY_H264) == 0) {
    return fault(Reason::TRANSPORT_NOT_SUPPORTED, "the service does not encode H.264");
  }
  v1::Session session;
  bool is_new = false;
  status = find_or_create(&session, &is_new);
  if (status.ok()) status = check_schema(session.motion_schema());
  if (status.ok() && std::max(session.width_px(), session.height_px()) > AVATAR_RING_MAX_FRAME_PX) {
    status = Status::of(AVATAR_DATA_LOSS, "the service tells a frame size beyond " +
                                              std::to_string(AVATAR_RING_MAX_FRAME_PX) + " px");
  }
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
  // Pictures are packed inside gRPC alone: who asks for that does not want them raw by ZeroMQ.
  const bool wants_packed = !client_->is_loopback() && options.transports == 0 &&
                            options.encoding != 0 && options.encoding != AVATAR_ENCODING_RAW;
  if (!wants_packed &&
      may(AVATAR_TRANSPORT_ZMQ, AVATAR_CAPABILITY_ZMQ_IPC | AVATAR_CAPABILITY_ZMQ_TCP)) {
    request.add_transports(v1::TRANSPORT_ZMQ);
  }
  if (may(AVATAR_TRANSPORT_GRPC, AVATAR_CAPABILITY_GRPC)) {
    request.add_transports(v1::TRANSPORT_GRPC);
  }
  request.set_pacing(is_burst() ? v1::PACING_BURST : v1::PACING_REALTIME);
  const bool is_far = !client_->is_loopback() && (capabilities & AVATAR_CAPABILITY_JPEG) != 0;
  const uint32_t by_default = is_far ? AVATAR_ENCODING_JPEG : AVATAR_ENCODING_RAW;
  // Numerically FrameEncoding.
  request.set_frame_encoding(static_cast<v1::FrameEncoding>(
      options.encoding != 0 ? options.encoding : by_default));
  if (options.playout_delay_millis >= 0) {
    request.set_playout_delay_millis(static_cast<uint32_t>(options.playout_delay_millis));
  }
  const std::lock_guard lock(mutex_);
  *request.mutable_controls() = config_.controls;
  return request;
}

Status Session::read_stream(const v1::Session& session, uint32_t transport,
                            std::shared_ptr<RingReader> ring, const ZmqAddress& zmq) {
  grpc::ClientContext context;
  client_->prepare(&context);
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return Status::of(AVATAR_CANCELLED, "closed");
    context_ = &context;
    is_answered_ = false;
    lost_ = {};
  }
  h264_.reset();
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
  const bool is_open = ask_to_open(stream.get(), request, &context);
  std::thread sender;
  std::thread receiver;
  if (is_open) {
    {
      const std::lock_guard lock(mutex_);
      is_stream_open_ = true;
      is_over_ = false;
      has_data_ = false;
      silent_nanos_ = 0;
      last_look_nanos_ = monotonic_nanos();
      last_error_ = {};
      set_state(AVATAR_STATE_READY, "");
    }
    // No memory or no thread: what runs by now must be joined below, or the whole game ends here.
    try {
      sender = std::thread([&] { send_loop(stream.get()); });
      if (transport == AVATAR_TRANSPORT_SHM) receiver = std::thread([&] { ring_loop(ring); });
      if (transport == AVATAR_TRANSPORT_ZMQ) receiver = std::thread([&] { zmq_loop(zmq); });
      if (transport == AVATAR_TRANSPORT_GRPC) receiver = std::thread([&] { watch_loop(); });
      v1::AnimateResponse response;
      while (stream->Read(&response)) handle(response);
    } catch (const std::exception& exception) {
      context.TryCancel();
      const std::lock_guard lock(mutex_);
      lost_ = {AVATAR_RESOURCE_EXHAUSTED, {}, exception.what(), kRetryMillis};
    }
  }
  {
    const std::lock_guard lock(mutex_);
    is_stream_open_ = false;
    send_queue_changed_.notify_all();
    state_changed_.notify_all();
  }
  if (sender.joinable()) sender.join();
  if (receiver.joinable()) receiver.join();
  const Status status = from_grpc(stream->Finish());
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  if (!lost_.ok()) return lost_;
  if (!is_open && status.ok()) {
    return Status::of(AVATAR_INTERNAL, "the service did not open the stream");
  }
  return status;
}

bool Session::ask_to_open(Stream* stream, const v1::AnimateRequest& request,
                          grpc::ClientContext* context) {
  // The call lasts as long as the session and has no deadline: its first answer needs one.
  std::thread watch;
  try {
    if (config_.options.opening_millis != 0) watch = std::thread([this] { watch_opening(); });
  } catch (const std::exception& exception) {
    context->TryCancel();
    const std::lock_guard lock(mutex_);
    lost_ = {AVATAR_RESOURCE_EXHAUSTED, {}, exception.what(), kRetryMillis};
  }
  v1::AnimateResponse response;
  const bool is_answered = stream->Write(request) && stream->Read(&response);
  {
    const std::lock_guard lock(mutex_);
    is_answered_ = true;
    state_changed_.notify_all();
  }
  if (watch.joinable()) watch.join();
  // Who was refused keeps the service's own status.
  if (is_answered && !response.has_opened()) context->TryCancel();
  const std::lock_guard lock(mutex_);
  return lost_.ok() && is_answered && response.has_opened();
}

void Session::watch_opening() {
  const std::chrono::milliseconds allowed(config_.options.opening_millis);
  std::unique_lock lock(mutex_);
  if (state_changed_.wait_for(lock, allowed, [&] { return is_answered_ || is_stopping_; })) return;
  may_have_ghost_ = true;
  lost_ = Status::of(AVATAR_UNAVAILABLE, "the service did not open the stream in " +
                                             std::to_string(allowed.count()) + " ms");
  context_->TryCancel();
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
