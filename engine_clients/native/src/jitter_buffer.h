// Latents and frames by session time, and the time at which to show them.
//
// Knows no clock: `now_nanos` is passed in, so that it runs in tests on a virtual one. Not
// thread-safe; its owner locks.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "epoch_floor.h"
#include "motion.h"

namespace avatar {

using Pixels = std::vector<uint8_t>;  // RGBA, rows without padding

struct JitterOptions {
  int64_t interval_nanos = 25'000'000;  // of one frame
  int64_t min_delay_nanos = 20'000'000;
  int64_t max_delay_nanos = 600'000'000;
  int64_t starve_hold_nanos = 100'000'000;
  int64_t starve_blend_nanos = 250'000'000;
  int64_t recover_blend_nanos = 120'000'000;
  size_t max_frames = 24;  // with pixels, waiting or shown last
};

struct JitterItem {
  Latent latent;
  int64_t published_nanos = 0;
  std::shared_ptr<const Pixels> pixels;  // null: none, or they lie in the ring
};

class JitterBuffer {
 public:
  explicit JitterBuffer(const JitterOptions& options) : options_(options) {}

  // Takes an item that arrived at now_nanos; late, stale and doubled ones too. has_live_clock:
  // false where session time is not real time (BURST).
  void push(JitterItem item, int64_t now_nanos);
  void set_floor(const EpochFloor& floor);
  const EpochFloor& floor() const { return floor_; }
  // A new session: time begins anew; the motion shown last is what the next blends from.
  void restart();

  bool is_empty() const { return items_.empty(); }
  uint64_t newest_seq() const { return newest_seq_; }
  // Frames with pixels whose time has not been asked for yet.
  size_t num_waiting() const;
  size_t max_frames() const { return options_.max_frames; }

  // Session time to show at now_nanos; false where nothing has come since the restart.
  bool time_at(int64_t now_nanos, int64_t* pts_nanos);
  int64_t delay_nanos() const { return shown_offset_ - low_offset_; }
  int64_t jitter_nanos() const { return jitter_nanos_; }

  // Motion at pts_nanos, eased to rest where nothing is due, and back; false: nothing ever came.
  bool motion_at(int64_t pts_nanos, int64_t now_nanos, avatar_motion* motion);
  // The item due at pts_nanos and how it is due (AVATAR_FRAME_*); null: none. only_frames: one
  // with pixels.
  const JitterItem* due(int64_t pts_nanos, bool only_frames, uint32_t* flags) const;
  // Pixels of frames before the one due at pts_nanos are not needed any more.
  void forget_before(int64_t pts_nanos);

  uint64_t num_skipped() const { return num_skipped_; }
  uint32_t num_starvations() const { return num_starvations_; }
  uint64_t num_starved_reads() const { return num_starved_reads_; }

 private:
  enum class Mode { kNothing, kLive, kRest };
  static constexpr size_t kMaxItems = 512;
  static constexpr size_t kNumOffsets = 256;

  void measure(int64_t offset);
  void enter(Mode mode, int64_t now_nanos);
  // Target of the live mode; false: nothing is due.
  bool live_target(int64_t pts_nanos, avatar_motion* motion) const;

  JitterOptions options_;
  EpochFloor floor_;
  std::deque<JitterItem> items_;  // by pts
  uint64_t newest_seq_ = 0;
  uint64_t num_skipped_ = 0;
  int64_t asked_pts_ = INT64_MIN;

  // Arrival minus pts of the last items, and what follows from them.
  std::vector<int64_t> offsets_;
  size_t next_offset_ = 0;
  int64_t low_offset_ = 0;     // 5th percentile: the session's clock as seen from here
  int64_t target_offset_ = 0;  // where shown_offset_ shall go
  int64_t shown_offset_ = 0;   // time shown = now - this
  int64_t jitter_nanos_ = 0;
  int64_t last_time_call_ = 0;
  int64_t last_shown_pts_ = INT64_MIN;

  // Easing: from anchor_ to the mode's target, since entered_nanos_.
  Mode mode_ = Mode::kNothing;
  std::array<float, AVATAR_NUM_CHANNELS> anchor_{};
  std::array<float, AVATAR_NUM_CHANNELS> shown_{};
  float anchor_presence_ = 0.0f;
  float presence_ = 0.0f;
  int64_t entered_nanos_ = 0;
  uint64_t shown_seq_ = 0;
  uint32_t num_starvations_ = 0;
  uint64_t num_starved_reads_ = 0;
};

}  // namespace avatar
