// What an engine reads of a session: time, motion, frames, echoed audio.
#include <algorithm>
#include <cstring>

#include "frame_views.h"
#include "nanos.h"
#include "session.h"

namespace avatar {

Status Session::now(int64_t* pts_nanos) {
  const std::lock_guard lock(mutex_);
  if (!buffer_.time_at(monotonic_nanos(), pts_nanos)) {
    return Status::of(AVATAR_NOT_FOUND, "nothing has come yet");
  }
  return {};
}

Status Session::read_motion(int64_t pts_nanos, avatar_motion* motion) {
  const std::lock_guard lock(mutex_);
  if (!buffer_.motion_at(pts_nanos, monotonic_nanos(), motion)) {
    return Status::of(AVATAR_NOT_FOUND, "nothing has come yet");
  }
  if (transport_ != AVATAR_TRANSPORT_SHM && !wants_frames()) buffer_.forget_before(pts_nanos);
  data_came_.notify_all();  // room for a producer that goes as fast as it is read
  return {};
}

Status Session::find_due(int64_t pts_nanos, DueFrame* due) {
  std::unique_lock lock(mutex_);
  if (ring_ != nullptr) {
    const std::shared_ptr<RingReader> ring = ring_;
    const EpochFloor floor = buffer_.floor();
    lock.unlock();
    const Status status = ring->find(pts_nanos, floor, &due->picture);
    if (!status.ok()) return status;
    due->ring = ring;
    due->frame = to_abi_frame(*ring, due->picture);
    due->motion = to_abi(due->picture.latent);
    return {};
  }
  uint32_t flags = 0;
  const JitterItem* item = buffer_.due(pts_nanos, wants_frames(), &flags);
  if (item == nullptr) return Status::of(AVATAR_NOT_FOUND, "nothing has come yet");
  due->pixels = item->pixels;
  due->motion = to_abi(item->latent);
  due->frame.struct_size = sizeof due->frame;
  due->frame.flags = flags;
  due->frame.seq = item->latent.seq;
  due->frame.pts_nanos = item->latent.pts_nanos;
  due->frame.published_nanos = item->published_nanos;
  due->frame.epoch = item->latent.epoch;
  if (item->pixels != nullptr) {
    due->frame.flags |= AVATAR_FRAME_PIXELS;
    due->frame.width_px = described_.width_px();
    due->frame.height_px = described_.height_px();
    due->frame.row_bytes = due->frame.width_px * 4;
    due->frame.pixel_bytes = item->pixels->size();
  }
  buffer_.forget_before(pts_nanos);
  data_came_.notify_all();
  return {};
}

Status Session::copy_frame(int64_t pts_nanos, uint64_t have_seq, uint8_t* pixels,
                           uint64_t capacity, DueFrame* due) {
  constexpr int kNumTries = 4;
  uint64_t num_torn = 0;
  for (int i = 0; i < kNumTries; ++i) {
    const Status status = find_due(pts_nanos, due);
    if (!status.ok()) return status;
    const bool is_new = due->frame.seq != have_seq;
    if (is_new) due->frame.flags |= AVATAR_FRAME_NEW;
    const bool is_wanted = is_new && pixels != nullptr && due->frame.pixel_bytes != 0;
    if (is_wanted) {
      if (capacity < due->frame.pixel_bytes) {
        return Status::of(AVATAR_OUT_OF_RANGE, "capacity is " + std::to_string(capacity) +
                                                   " bytes; the frame has " +
                                                   std::to_string(due->frame.pixel_bytes));
      }
      const uint8_t* from = due->ring != nullptr ? due->picture.pixels : due->pixels->data();
      std::memcpy(pixels, from, due->frame.pixel_bytes);
    }
    const bool is_torn = is_wanted && due->ring != nullptr && !due->ring->is_intact(due->picture);
    if (is_torn) ++num_torn;
    if (!is_torn || i + 1 == kNumTries) {
      const std::lock_guard lock(mutex_);
      counts_.reads_torn += num_torn;
      if (is_torn) break;
      if ((due->frame.flags & AVATAR_FRAME_STARVED) != 0) ++counts_.reads_starved;
      if (is_new && due->frame.seq != last_shown_seq_) ++counts_.frames_shown;
      last_shown_seq_ = due->frame.seq;
      return {};
    }
  }
  return Status::of(AVATAR_ABORTED, "the writer overtook the read several times");
}

Status Session::acquire_frame(int64_t pts_nanos, DueFrame* due) {
  const Status status = find_due(pts_nanos, due);
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  if ((due->frame.flags & AVATAR_FRAME_STARVED) != 0) ++counts_.reads_starved;
  if (due->frame.seq != last_shown_seq_) {
    ++counts_.frames_shown;
    due->frame.flags |= AVATAR_FRAME_NEW;
  }
  last_shown_seq_ = due->frame.seq;
  return {};
}

Status Session::wait(uint64_t have_seq, std::chrono::milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  std::unique_lock lock(mutex_);
  for (;;) {
    const Status over = Status::of(AVATAR_UNAVAILABLE, "the session has ended");
    if (is_stopping_) return over;
    if (ring_ == nullptr && buffer_.newest_seq() > have_seq) return {};
    if (state_ == AVATAR_STATE_ENDED || state_ == AVATAR_STATE_FAILED) {
      const bool has_newer = ring_ != nullptr && ring_->wait(have_seq, 0).ok();
      return has_newer ? Status{} : over;
    }
    const auto left = until - std::chrono::steady_clock::now();
    if (ring_ == nullptr) {
      if (left.count() <= 0) break;
      data_came_.wait_until(lock, until);
      continue;
    }
    // Straight at the ring: one thread hop less than by way of the receiver.
    const std::shared_ptr<RingReader> ring = ring_;
    const int64_t slice = std::clamp<int64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(left).count(), 0,
        100 * kNanosPerMilli);
    lock.unlock();
    const Status status = ring->wait(have_seq, slice);
    lock.lock();
    if (status.ok()) return {};
    if (left.count() <= 0) break;
    if (status.code != AVATAR_DEADLINE_EXCEEDED) {  // its writer has gone: wait for what follows
      data_came_.wait_for(lock, std::chrono::milliseconds(20));
    }
  }
  return Status::of(AVATAR_DEADLINE_EXCEEDED, "nothing newer came in time");
}

Status Session::next_audio(void* samples, uint64_t capacity, avatar_audio_chunk* chunk) {
  const std::lock_guard lock(mutex_);
  *chunk = {};
  if (echoes_.empty()) return {};
  const v1::AudioEcho& echo = echoes_.front();
  const bool is_float = echo.format() == v1::AUDIO_FORMAT_F32LE;
  const uint64_t frame_bytes = uint64_t{echo.channels()} * (is_float ? 4 : 2);
  chunk->role = to_role(echo.role());
  chunk->pts_nanos = echo.pts_nanos();
  chunk->epoch = echo.epoch();
  chunk->format = is_float ? AVATAR_AUDIO_F32 : AVATAR_AUDIO_S16;
  chunk->sample_rate_hz = echo.sample_rate_hz();
  chunk->channels = echo.channels();
  chunk->num_frames = frame_bytes == 0 ? 0 : echo.data().size() / frame_bytes;
  if (samples == nullptr || capacity < echo.data().size()) {
    return Status::of(AVATAR_OUT_OF_RANGE, "capacity is " + std::to_string(capacity) +
                                               " bytes; the chunk has " +
                                               std::to_string(echo.data().size()));
  }
  std::memcpy(samples, echo.data().data(), echo.data().size());
  echoes_.pop_front();
  return {};
}

}  // namespace avatar
