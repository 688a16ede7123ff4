// What the Animate stream brings into a session.
#include <algorithm>

#include "abi.h"
#include "jpeg.h"
#include "session.h"
#include "nanos.h"

namespace avatar {

namespace {

constexpr size_t kMaxEvents = 256;
constexpr size_t kMaxEchoes = 512;

}  // namespace

void Session::add_event(avatar_event event) {
  event.struct_size = sizeof event;
  if (events_.size() >= kMaxEvents) {
    // The newest matter: the oldest make room, and their number is told first.
    uint64_t num_lost = 1;
    if (events_.front().kind == AVATAR_EVENT_LOST) {
      num_lost += events_.front().count;
      events_.pop_front();
    }
    events_.pop_front();
    avatar_event lost{};
    lost.struct_size = sizeof lost;
    lost.kind = AVATAR_EVENT_LOST;
    lost.count = num_lost + (events_.size() + 2 > kMaxEvents ? 1 : 0);
    if (events_.size() + 2 > kMaxEvents) events_.pop_front();
    events_.push_front(lost);
  }
  events_.push_back(event);
}

void Session::set_state(uint32_t state, const std::string& why) {
  if (state_ == state) return;
  state_ = state;
  avatar_event event{};
  event.kind = AVATAR_EVENT_STATE;
  event.value = state;
  abi::put_text(event.text, why);
  add_event(event);
  state_changed_.notify_all();
  data_came_.notify_all();
}

void Session::take_item(JitterItem item, int64_t arrival_nanos) {
  ++counts_.frames_received;
  has_data_ = true;
  silent_nanos_ = 0;
  newest_pts_ = std::max(newest_pts_, item.latent.pts_nanos);
  buffer_.push(std::move(item), arrival_nanos);
  data_came_.notify_all();
}

void Session::handle(const v1::AnimateResponse& response) {
  switch (response.payload_case()) {
    case v1::AnimateResponse::kSegmentStarted:
      return handle_started(response.segment_started());
    case v1::AnimateResponse::kMotion:
      return handle_motion(response.motion());
    case v1::AnimateResponse::kFrame:
      return handle_frame(response.frame());
    case v1::AnimateResponse::kSegmentEnded:
      return handle_ended(response.segment_ended());
    case v1::AnimateResponse::kInterrupted:
      return handle_interrupted(response.interrupted());
    case v1::AnimateResponse::kAudio: {
      const std::lock_guard lock(mutex_);
      echoes_.push_back(response.audio());
      if (echoes_.size() > kMaxEchoes) echoes_.pop_front();
      return;
    }
    case v1::AnimateResponse::kControlApplied: {
      avatar_event event{};
      event.kind = AVATAR_EVENT_CONTROL_APPLIED;
      event.value = response.control_applied().change_id();
      event.pts_nanos = response.control_applied().pts_nanos();
      const std::lock_guard lock(mutex_);
      return add_event(event);
    }
    case v1::AnimateResponse::kNotice: {
      const v1::Notice& notice = response.notice();
      avatar_event event{};
      event.kind = AVATAR_EVENT_NOTICE;
      event.value = static_cast<uint64_t>(notice.kind());
      event.count = notice.count();
      event.pts_nanos = notice.pts_nanos();
      abi::put_text(event.text, notice.message());
      const std::lock_guard lock(mutex_);
      return add_event(event);
    }
    case v1::AnimateResponse::kSessionEnded: {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
      return send_queue_changed_.notify_all();
    }
    case v1::AnimateResponse::kStatistics: {
      const v1::Statistics& told = response.statistics();
      const std::lock_guard lock(mutex_);
      if (!has_data_ || is_burst()) silent_nanos_ = 0;  // else frames alone count
      counts_.server_frames_published = told.frames_published();
      counts_.server_frames_dropped = told.frames_dropped();
      counts_.server_frames_late = told.frames_late();
      counts_.server_frame_rate_hz = told.frame_rate_hz();
      counts_.server_latency_p50_millis = told.latency().p50_millis();
      counts_.server_latency_p99_millis = told.latency().p99_millis();
      counts_.server_render_p50_millis = told.render().p50_millis();
      counts_.server_audio_ahead_millis = told.audio_ahead_millis();
      counts_.playback_drift_millis = told.playback_drift_millis();
      return;
    }
    default:
      return;  // a kind that a newer service has added
  }
}

void Session::handle_motion(const v1::MotionLatent& latent) {
  JitterItem item;
  const Status status = unpack_blob(latent.blob().data(), latent.blob().size(), &item.latent);
  std::unique_lock lock(mutex_);
  counts_.bytes_received += latent.blob().size();
  if (!status.ok()) {
    ++counts_.messages_refused;
    return;
  }
  take_item(std::move(item), monotonic_nanos());
}

void Session::handle_frame(const v1::Frame& frame) {
  if (frame.location() != v1::FRAME_LOCATION_INLINE) return;  // an announcement
  uint32_t width_px = 0;
  uint32_t height_px = 0;
  {
    const std::lock_guard lock(mutex_);
    counts_.bytes_received += frame.data().size();
    width_px = described_.width_px();
    height_px = described_.height_px();
  }
  JitterItem item;
  Status status =
      unpack_blob(frame.motion().blob().data(), frame.motion().blob().size(), &item.latent);
  if (status.ok() && (frame.width_px() != width_px || frame.height_px() != height_px)) {
    status = Status::of(AVATAR_DATA_LOSS, "a frame has another size than the session");
  }
  if (status.ok()) status = decode(frame, width_px, height_px, &item);
  std::unique_lock lock(mutex_);
  if (!status.ok()) {
    ++counts_.messages_refused;
    return;
  }
  item.latent.seq = frame.seq();
  item.latent.epoch = frame.epoch();
  item.latent.pts_nanos = frame.pts_nanos();
  if (is_burst()) {  // not reading on is what slows the service down
    const size_t most = buffer_.max_frames() - 1;
    waits_for_room_ = true;
    data_came_.wait(lock, [&] { return is_stopping_ || buffer_.num_waiting() < most; });
    waits_for_room_ = false;
  }
  take_item(std::move(item), monotonic_nanos());
}

Status Session::decode(const v1::Frame& frame, uint32_t width_px, uint32_t height_px,
                       JitterItem* item) {
  const size_t pixel_bytes = size_t{width_px} * height_px * 4;
  const std::string& data = frame.data();
  if (frame.encoding() == v1::FRAME_ENCODING_RAW && data.size() == pixel_bytes) {
    item->pixels = std::make_shared<const Pixels>(data.begin(), data.end());
    return {};
  }
  Status status =
      Status::of(AVATAR_DATA_LOSS, "a frame has another encoding or size than was agreed");
  auto pixels = std::make_shared<Pixels>(pixel_bytes);
  if (frame.encoding() == v1::FRAME_ENCODING_JPEG) {
    status = decode_jpeg(data, width_px, height_px, pixels->data());
  } else if (frame.encoding() == v1::FRAME_ENCODING_H264) {
    if (h264_ == nullptr) h264_ = std::make_unique<H264Decoder>();
    status = h264_->decode(data, frame.keyframe(), width_px, height_px, pixels->data());
  }
  item->pixels = std::move(pixels);
  return status;
}

void Session::handle_started(const v1::SegmentStarted& started) {
  avatar_event event{};
  event.kind = AVATAR_EVENT_SEGMENT_STARTED;
  event.pts_nanos = started.pts_nanos();
  event.epoch = started.epoch();
  event.role = to_role(started.role());
  abi::put_text(event.segment_id, started.segment_id());
  const std::lock_guard lock(mutex_);
  open_segments_.push_back({event.role, started.segment_id()});
  add_event(event);
}

void Session::handle_ended(const v1::SegmentEnded& ended) {
  avatar_event event{};
  event.kind = AVATAR_EVENT_SEGMENT_ENDED;
  event.pts_nanos = ended.pts_nanos();
  event.epoch = ended.epoch();
  event.role = to_role(ended.role());
  event.value = ended.interrupted() ? 1 : 0;
  abi::put_text(event.segment_id, ended.segment_id());
  const std::lock_guard lock(mutex_);
  open_segments_.erase(std::remove_if(open_segments_.begin(), open_segments_.end(),
                                      [&](const OpenSegment& open) {
                                        return open.role == event.role &&
                                               open.segment_id == ended.segment_id();
                                      }),
                       open_segments_.end());
  add_event(event);
}

void Session::handle_interrupted(const v1::Interrupted& interrupted) {
  avatar_event event{};
  event.kind = AVATAR_EVENT_INTERRUPTED;
  event.epoch = interrupted.epoch();
  event.pts_nanos = interrupted.valid_through_nanos();
  abi::put_text(event.segment_id, interrupted.segment_id());
  const std::lock_guard lock(mutex_);
  buffer_.set_floor({true, interrupted.epoch(), interrupted.valid_through_nanos()});
  add_event(event);
}

}  // namespace avatar
