// What a barge-in has made stale.
#pragma once

#include <cstdint>

#include "motion.h"

namespace avatar {

// Frames and latents of an epoch before `epoch` are stale behind valid_through_nanos (see
// Interrupted in protos/avatar/v1/event.proto).
struct EpochFloor {
  bool is_set = false;
  uint32_t epoch = 0;
  int64_t valid_through_nanos = 0;

  bool is_stale(uint32_t item_epoch, int64_t pts_nanos) const {
    return is_set && is_newer_epoch(epoch, item_epoch) && pts_nanos > valid_through_nanos;
  }
};

}  // namespace avatar
