#include "jitter_buffer.h"

#include <algorithm>
#include <cstdlib>

namespace avatar {

namespace {

// How fast the shown time may leave the even pace: slower (the delay grows) shows less than
// faster, so growing may be quicker.
constexpr int64_t kGrowDivisor = 10;    // 10 %
constexpr int64_t kShrinkDivisor = 50;  // 2 %
constexpr int64_t kJumpNanos = 500'000'000;
// Beyond this gap two latents are not joined by a straight line.
constexpr int64_t kMaxJoinIntervals = 4;
constexpr int64_t kMaxOffsetNanos = int64_t{1} << 61;
constexpr int64_t kKeepNanos = 2'000'000'000;

float smoothstep(double x) {
  x = std::clamp(x, 0.0, 1.0);
  return static_cast<float>(x * x * (3.0 - 2.0 * x));
}

// Difference of times from outside: saturates instead of overflowing.
int64_t minus(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_sub_overflow(a, b, &result)) return a < b ? INT64_MIN : INT64_MAX;
  return result;
}

}  // namespace

void JitterBuffer::push(JitterItem item, int64_t now_nanos) {
  const Latent& latent = item.latent;
  if (floor_.is_stale(latent.epoch, latent.pts_nanos)) return;
  for (const JitterItem& other : items_) {
    const bool is_overruled = is_newer_epoch(other.latent.epoch, latent.epoch) &&
                              other.latent.pts_nanos <= latent.pts_nanos;
    if (is_overruled || other.latent.seq == latent.seq) return;
  }
  items_.erase(std::remove_if(items_.begin(), items_.end(),
                              [&](const JitterItem& other) {
                                return is_newer_epoch(latent.epoch, other.latent.epoch) &&
                                       other.latent.pts_nanos >= latent.pts_nanos;
                              }),
               items_.end());
  if (latent.seq > newest_seq_) {
    if (newest_seq_ != 0) num_skipped_ += latent.seq - newest_seq_ - 1;
    newest_seq_ = latent.seq;
    measure(minus(now_nanos, latent.pts_nanos));
  }
  auto place = items_.end();
  while (place != items_.begin() && (place - 1)->latent.pts_nanos > latent.pts_nanos) --place;
  items_.insert(place, std::move(item));
  while (items_.size() > kMaxItems) items_.pop_front();
  size_t num_frames = 0;
  for (auto other = items_.rbegin(); other != items_.rend(); ++other) {
    if (other->pixels != nullptr && ++num_frames > options_.max_frames) other->pixels.reset();
  }
}

void JitterBuffer::set_floor(const EpochFloor& floor) {
  floor_ = floor;
  items_.erase(std::remove_if(items_.begin(), items_.end(),
                              [&](const JitterItem& item) {
                                return floor_.is_stale(item.latent.epoch, item.latent.pts_nanos);
                              }),
               items_.end());
}

void JitterBuffer::restart() {
  items_.clear();
  floor_ = {};
  newest_seq_ = 0;
  asked_pts_ = INT64_MIN;
  offsets_.clear();
  next_offset_ = 0;
  last_shown_pts_ = INT64_MIN;
}

size_t JitterBuffer::num_waiting() const {
  return static_cast<size_t>(std::count_if(items_.begin(), items_.end(), [&](const auto& item) {
    return item.pixels != nullptr && item.latent.pts_nanos > asked_pts_;
  }));
}

void JitterBuffer::measure(int64_t offset) {
  // A hostile time must not overflow what is computed from it.
  offset = std::clamp(offset, -kMaxOffsetNanos, kMaxOffsetNanos);
  const bool is_first = offsets_.empty();
  if (offsets_.size() < kNumOffsets) {
    offsets_.push_back(offset);
  } else {
    offsets_[next_offset_] = offset;
  }
  next_offset_ = (next_offset_ + 1) % kNumOffsets;
  if (offsets_.size() > 16 && next_offset_ % 8 != 0) return;
  std::vector<int64_t> sorted = offsets_;
  std::sort(sorted.begin(), sorted.end());
  const size_t last = sorted.size() - 1;
  low_offset_ = sorted[last * 5 / 100];
  jitter_nanos_ = minus(sorted[last * 95 / 100], low_offset_);
  const int64_t spread = minus(sorted[last * 98 / 100], low_offset_);
  const int64_t wanted = std::min(spread, options_.max_delay_nanos) + options_.interval_nanos / 2;
  target_offset_ = low_offset_ + std::clamp(wanted, options_.min_delay_nanos,
                                            std::max(options_.min_delay_nanos,
                                                     options_.max_delay_nanos));
  if (is_first) shown_offset_ = target_offset_;
}

bool JitterBuffer::time_at(int64_t now_nanos, int64_t* pts_nanos) {
  if (offsets_.empty()) return false;
  const int64_t elapsed = std::max<int64_t>(0, now_nanos - last_time_call_);
  last_time_call_ = now_nanos;
  const int64_t off = target_offset_ - shown_offset_;
  const bool is_jump = std::llabs(off) > kJumpNanos || last_shown_pts_ == INT64_MIN;
  if (is_jump) {
    shown_offset_ = target_offset_;
  } else if (off > 0) {
    shown_offset_ += std::min(off, elapsed / kGrowDivisor);
  } else {
    shown_offset_ -= std::min(-off, elapsed / kShrinkDivisor);
  }
  const int64_t pts = now_nanos - shown_offset_;
  last_shown_pts_ = is_jump ? pts : std::max(last_shown_pts_, pts);
  *pts_nanos = last_shown_pts_;
  return true;
}

const JitterItem* JitterBuffer::due(int64_t pts_nanos, bool only_frames, uint32_t* flags) const {
  const JitterItem* earliest = nullptr;
  *flags = 0;
  bool is_newest = true;
  for (auto item = items_.rbegin(); item != items_.rend(); ++item) {
    if (only_frames && item->pixels == nullptr) continue;
    if (item->latent.pts_nanos <= pts_nanos) {
      const int64_t age = minus(pts_nanos, item->latent.pts_nanos);
      if (is_newest && pts_nanos != AVATAR_PTS_NEWEST &&
          age > options_.interval_nanos + options_.interval_nanos / 2) {
        *flags |= AVATAR_FRAME_STARVED;
      }
      return &*item;
    }
    earliest = &*item;
    is_newest = false;
  }
  if (earliest != nullptr) *flags |= AVATAR_FRAME_EARLY;
  return earliest;
}

void JitterBuffer::forget_before(int64_t pts_nanos) {
  if (items_.empty()) return;
  asked_pts_ = std::max(asked_pts_, std::min(pts_nanos, items_.back().latent.pts_nanos));
  uint32_t flags = 0;
  const JitterItem* shown = due(asked_pts_, true, &flags);
  for (JitterItem& item : items_) {
    if (shown != nullptr && item.latent.pts_nanos < shown->latent.pts_nanos) item.pixels.reset();
  }
  while (items_.size() > 2 && minus(asked_pts_, items_[1].latent.pts_nanos) > kKeepNanos) {
    items_.pop_front();
  }
}

bool JitterBuffer::live_target(int64_t pts_nanos, avatar_motion* motion) const {
  uint32_t flags = 0;
  const JitterItem* item = due(pts_nanos, false, &flags);
  if (item == nullptr) return false;
  *motion = to_abi(item->latent);
  if (flags & AVATAR_FRAME_EARLY || pts_nanos == AVATAR_PTS_NEWEST) return true;
  const int64_t age = minus(pts_nanos, item->latent.pts_nanos);
  const int64_t grace = options_.interval_nanos + options_.interval_nanos / 2;
  if (flags & AVATAR_FRAME_STARVED) {
    motion->flags |= AVATAR_MOTION_STARVED;
    return age <= grace + options_.starve_hold_nanos;
  }
  const auto next = std::find_if(items_.begin(), items_.end(), [&](const JitterItem& other) {
    return other.latent.pts_nanos > pts_nanos;
  });
  if (next == items_.end()) return true;
  const int64_t gap = minus(next->latent.pts_nanos, item->latent.pts_nanos);
  if (age > 0 && gap <= kMaxJoinIntervals * options_.interval_nanos) {
    std::array<float, AVATAR_NUM_CHANNELS> joined;
    mix(item->latent.values, next->latent.values,
        static_cast<float>(static_cast<double>(age) / static_cast<double>(gap)), &joined);
    set_values(joined, motion);
    motion->flags |= AVATAR_MOTION_INTERPOLATED;
  }
  return true;
}

void JitterBuffer::enter(Mode mode, int64_t now_nanos) {
  if (mode == mode_) return;
  if (mode == Mode::kRest) ++num_starvations_;
  mode_ = mode;
  anchor_ = shown_;
  anchor_presence_ = presence_;
  entered_nanos_ = now_nanos;
}

bool JitterBuffer::motion_at(int64_t pts_nanos, int64_t now_nanos, avatar_motion* motion) {
  avatar_motion target{};
  const bool is_live = live_target(pts_nanos, &target);
  if (!is_live && mode_ == Mode::kNothing) return false;
  if (!is_live || target.flags & AVATAR_MOTION_STARVED) ++num_starved_reads_;
  enter(is_live ? Mode::kLive : Mode::kRest, now_nanos);
  const int64_t duration =
      is_live ? options_.recover_blend_nanos : options_.starve_blend_nanos;
  const auto elapsed = static_cast<double>(now_nanos - entered_nanos_);
  const float share = duration <= 0 ? 1.0f : smoothstep(elapsed / static_cast<double>(duration));
  std::array<float, AVATAR_NUM_CHANNELS> goal{};  // rest is 0 in every channel
  if (is_live) goal = values_of(target);
  mix(anchor_, goal, share, &shown_);
  presence_ = anchor_presence_ + ((is_live ? 1.0f : 0.0f) - anchor_presence_) * share;
  *motion = target;
  motion->struct_size = sizeof *motion;
  if (!is_live) {
    motion->flags |= AVATAR_MOTION_STARVED;
    motion->pts_nanos = pts_nanos;
    motion->seq = shown_seq_;
  }
  if (share < 1.0f) motion->flags |= AVATAR_MOTION_BLENDING;
  const bool moves = motion->flags & (AVATAR_MOTION_INTERPOLATED | AVATAR_MOTION_BLENDING);
  if (moves || motion->seq != shown_seq_) motion->flags |= AVATAR_MOTION_NEW;
  shown_seq_ = motion->seq;
  motion->presence = presence_;
  set_values(shown_, motion);
  return true;
}

}  // namespace avatar
