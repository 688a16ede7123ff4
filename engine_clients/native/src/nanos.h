// The monotonic clock of this host, the one that a ring's writer uses too.
#pragma once

#include <chrono>
#include <cstdint>

#if !defined(_WIN32)
#include <time.h>
#endif

namespace avatar {

constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr int64_t kNanosPerSec = 1'000'000'000;

inline int64_t monotonic_nanos() {
#if defined(_WIN32)
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
#else
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * kNanosPerSec + now.tv_nsec;
#endif
}

}  // namespace avatar
