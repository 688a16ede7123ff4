#include "session.h"

#include <algorithm>

#include "abi.h"
#include "nanos.h"

namespace avatar {

namespace {

constexpr int64_t kMaxQueuedNanos = 60 * kNanosPerSec;
constexpr int64_t kAckIntervalNanos = 250 * kNanosPerMilli;
constexpr int64_t kPieceNanos = kNanosPerSec / 2;

bool is_at_once(const v1::AnimateRequest& request) {
  return request.has_control() && request.control().effective_pts_nanos() == 0;
}

JitterOptions jitter_options(const avatar_session_options& options) {
  JitterOptions jitter;
  jitter.interval_nanos = kNanosPerSec * options.fps_den / options.fps_num;
  jitter.min_delay_nanos = options.min_delay_millis * kNanosPerMilli;
  jitter.max_delay_nanos = options.max_delay_millis * kNanosPerMilli;
  jitter.starve_hold_nanos = options.starve_hold_millis * kNanosPerMilli;
  jitter.starve_blend_nanos = options.starve_blend_millis * kNanosPerMilli;
  jitter.recover_blend_nanos = options.recover_blend_millis * kNanosPerMilli;
  const int64_t buffered = options.buffer_millis * kNanosPerMilli / jitter.interval_nanos;
  jitter.max_frames = static_cast<size_t>(std::clamp<int64_t>(buffered, 2, 240)) + 1;
  return jitter;
}

}  // namespace

Status Session::open(std::shared_ptr<RpcClient> client, Config config,
                     std::shared_ptr<Session>* session) {
  const avatar_session_options& options = config.options;
  if (options.fps_num == 0 || options.fps_den == 0 || options.fps_num / options.fps_den > 120) {
    return fault(Reason::INVALID_FIELD, "fps_num / fps_den: 1 to 120 frames per second");
  }
  if (options.observe != 0 && config.session_id.empty()) {
    return fault(Reason::INVALID_FIELD, "observe needs the session_id to watch");
  }
  if (options.min_delay_millis > options.max_delay_millis) {
    return fault(Reason::INVALID_FIELD, "min_delay_millis is above max_delay_millis");
  }
  if (options.encoding > AVATAR_ENCODING_H264) {
    return fault(Reason::INVALID_FIELD, "encoding: AVATAR_ENCODING_*");
  }
  if (options.encoding == AVATAR_ENCODING_H264 && !kHasH264) {
    return fault(Reason::TRANSPORT_NOT_SUPPORTED,
                 "this build of the library has no H.264 decoder: ask for JPEG or raw frames");
  }
  std::shared_ptr<Session> made(new Session(client, std::move(config)));
  client->add_session(made);
  made->run_thread_ = std::thread([raw = made.get()] { raw->run(); });
  *session = std::move(made);
  return {};
}

Session::Session(std::shared_ptr<RpcClient> client, Config config)
    : client_(std::move(client)),
      config_(std::move(config)),
      session_id_(config_.session_id),
      buffer_(jitter_options(config_.options)) {}

Session::~Session() { close(); }

void Session::close() {
  std::call_once(close_once_, [this] {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
      if (context_ != nullptr) context_->TryCancel();
      state_changed_.notify_all();
      data_came_.notify_all();
      send_queue_changed_.notify_all();
    }
    if (run_thread_.joinable()) run_thread_.join();
    leave();
    const std::lock_guard lock(mutex_);
    set_state(AVATAR_STATE_ENDED, "closed");
  });
}

avatar_session_info Session::info() {
  const std::lock_guard lock(mutex_);
  avatar_session_info info{};
  info.state = state_;
  info.transport = transport_;
  info.fps_num = described_.frame_rate().num();
  info.fps_den = described_.frame_rate().den();
  info.width_px = described_.width_px();
  info.height_px = described_.height_px();
  info.epoch = buffer_.floor().epoch;
  info.pixel_bytes = wants_frames() ? uint64_t{info.width_px} * info.height_px * 4 : 0;
  info.playout_delay_millis = described_.playout_delay_millis();
  info.outputs = outputs_;
  info.camera_distance = described_.motion_schema().camera_distance();
  info.outer_eye_distance_mm = described_.motion_schema().outer_eye_distance_mm();
  abi::put_text(info.session_id, session_id_);
  return info;
}

Status Session::wait_ready(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto is_settled = [&] {
    return state_ == AVATAR_STATE_READY || state_ == AVATAR_STATE_FAILED ||
           state_ == AVATAR_STATE_ENDED || is_stopping_;
  };
  if (!state_changed_.wait_for(lock, timeout, is_settled)) {
    return Status::of(AVATAR_DEADLINE_EXCEEDED,
                      last_error_.ok() ? "not ready in time"
                                       : "not ready in time: " + last_error_.message);
  }
  if (state_ == AVATAR_STATE_READY) return {};
  if (!last_error_.ok()) return last_error_;
  return fault(Reason::SESSION_CLOSED, "the session has ended");
}

Status Session::last_error() {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

Status Session::check_sending() const {
  if (is_stopping_ || state_ == AVATAR_STATE_ENDED) {
    return fault(Reason::SESSION_CLOSED, "the session has ended");
  }
  if (state_ == AVATAR_STATE_FAILED) return last_error_;
  if (config_.options.observe != 0) {
    return fault(Reason::PERMISSION_DENIED, "an observer only watches");
  }
  if (state_ == AVATAR_STATE_RECONNECTING) {
    return Status::of(AVATAR_UNAVAILABLE, "the connection is lost; say it again when it is back");
  }
  return {};
}

Status Session::push_audio(const avatar_audio& audio) {
  v1::AnimateRequest request;
  v1::AudioChunk& chunk = *request.mutable_audio();
  Status status = to_message(audio, &chunk);
  if (!status.ok()) return status;
  const int64_t length_nanos = num_audio_nanos(chunk);
  const std::lock_guard lock(mutex_);
  status = check_sending();
  if (!status.ok()) return status;
  const uint32_t role = to_role(chunk.role());
  const auto open = pushed_format_.find(role);
  if (open != pushed_format_.end() &&
      (open->second.format() != chunk.format() || open->second.channels() != chunk.channels() ||
       open->second.sample_rate_hz() != chunk.sample_rate_hz())) {
    return fault(Reason::INVALID_AUDIO, "audio: format, rate and channels stay within a segment");
  }
  if (queued_nanos_ + length_nanos > kMaxQueuedNanos) {
    return fault(Reason::AUDIO_TOO_FAR_AHEAD, "audio: more than 60 s would wait to be sent");
  }
  if (open == pushed_format_.end()) {
    v1::AudioChunk format = chunk;
    format.clear_data();
    pushed_format_.emplace(role, std::move(format));
  }
  queued_nanos_ += length_nanos;
  if (length_nanos <= kPieceNanos) {
    queue_.push_back(std::move(request));
  } else {  // pieces, so that an interrupt need not wait behind a whole speech
    const std::string data = std::move(*chunk.mutable_data());
    const size_t frame_bytes = data.size() / audio.num_frames;
    const size_t piece_bytes = frame_bytes * (audio.sample_rate_hz / 2);
    for (size_t at = 0; at < data.size(); at += piece_bytes) {
      chunk.set_data(data.substr(at, piece_bytes));
      queue_.push_back(request);
    }
  }
  send_queue_changed_.notify_one();
  return {};
}

Status Session::push_phones(const avatar_phones& phones) {
  v1::AnimateRequest request;
  Status status = to_message(phones, request.mutable_phones());
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  status = check_sending();
  if (!status.ok()) return status;
  if (capabilities_ != 0 && (capabilities_ & AVATAR_CAPABILITY_KNOWN_PHONES) == 0) {
    return fault(Reason::TRANSPORT_NOT_SUPPORTED, "the service does not take known phones");
  }
  queue_.push_back(std::move(request));
  send_queue_changed_.notify_one();
  return {};
}

Status Session::end_segment(uint32_t role) {
  if (role > AVATAR_ROLE_LISTEN) return fault(Reason::INVALID_FIELD, "role: AVATAR_ROLE_*");
  const std::lock_guard lock(mutex_);
  const Status status = check_sending();
  if (!status.ok()) return status;
  v1::AnimateRequest request;
  request.mutable_segment_end()->set_role(to_message_role(role));
  pushed_format_.erase(to_role(to_message_role(role)));
  queue_.push_back(std::move(request));
  send_queue_changed_.notify_one();
  return {};
}

Status Session::set_controls(const avatar_controls& controls, int64_t effective_pts_nanos,
                             uint64_t* change_id) {
  v1::AnimateRequest request;
  Status status = to_message(controls, request.mutable_control()->mutable_controls());
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  status = check_sending();
  if (!status.ok()) return status;
  request.mutable_control()->set_change_id(++last_change_id_);
  request.mutable_control()->set_effective_pts_nanos(effective_pts_nanos);
  if (change_id != nullptr) *change_id = last_change_id_;
  const auto add_to = [&](v1::Controls* others) {
    if ((controls.mask & AVATAR_CONTROL_EMOTION) != 0) others->clear_emotion();
    others->MergeFrom(request.control().controls());
  };
  // A session that has to be opened anew begins with what holds now.
  if (effective_pts_nanos == 0) add_to(&config_.controls);
  // A gaze for every frame of a game that waits for its service would pile up, and be shown in
  // full when the service is there.
  if (!is_stream_open_ && !queue_.empty() && is_at_once(queue_.back()) && is_at_once(request)) {
    v1::ControlChange* waiting = queue_.back().mutable_control();
    add_to(waiting->mutable_controls());
    waiting->set_change_id(request.control().change_id());
    return {};
  }
  queue_.push_back(std::move(request));
  send_queue_changed_.notify_one();
  return {};
}

Status Session::interrupt(int64_t heard_pts_nanos) {
  const std::lock_guard lock(mutex_);
  const Status status = check_sending();
  if (!status.ok()) return status;
  queue_.erase(std::remove_if(queue_.begin(), queue_.end(),
                              [](const v1::AnimateRequest& request) {
                                return is_speech(request);
                              }),
               queue_.end());
  queued_nanos_ = 0;
  pushed_format_.clear();
  v1::AnimateRequest request;
  request.mutable_interrupt();
  if (heard_pts_nanos >= 0) request.mutable_interrupt()->set_heard_pts_nanos(heard_pts_nanos);
  queue_.push_front(std::move(request));
  send_queue_changed_.notify_one();
  return {};
}

Status Session::ack_playback(int64_t pts_nanos) {
  const int64_t now_nanos = monotonic_nanos();
  const std::lock_guard lock(mutex_);
  const Status status = check_sending();
  if (!status.ok()) return status;
  if (!is_stream_open_ || now_nanos - last_ack_nanos_ < kAckIntervalNanos) return {};
  last_ack_nanos_ = now_nanos;
  v1::AnimateRequest request;
  request.mutable_playback()->set_pts_nanos(pts_nanos);
  queue_.push_front(std::move(request));  // old by the time that speech before it has gone out
  send_queue_changed_.notify_one();
  return {};
}

avatar_event Session::next_event() {
  const std::lock_guard lock(mutex_);
  avatar_event event{};
  if (!events_.empty()) {
    event = events_.front();
    events_.pop_front();
  }
  return event;
}

avatar_statistics Session::statistics() {
  const std::lock_guard lock(mutex_);
  avatar_statistics result = counts_;
  result.transport = transport_;
  result.frames_skipped += buffer_.num_skipped();
  result.reads_starved += buffer_.num_starved_reads();
  result.num_starvations = buffer_.num_starvations();
  result.delay_nanos = buffer_.delay_nanos();
  result.jitter_nanos = buffer_.jitter_nanos();
  result.audio_queued_nanos = queued_nanos_;
  return result;
}

}  // namespace avatar
