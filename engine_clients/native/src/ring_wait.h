// Sleeping until another process changes a word of shared memory.
#pragma once

#include <cstdint>

namespace avatar {

// Whether wait_for_change sleeps in the kernel until it is woken (Linux); else it polls.
extern const bool kHasFutex;

// Returns once *word differs from seen, or after timeout_nanos, or earlier without a reason.
void wait_for_change(const uint32_t* word, uint32_t seen, int64_t timeout_nanos);

}  // namespace avatar
