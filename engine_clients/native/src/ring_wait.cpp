#include "ring_wait.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "nanos.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace avatar {

#if defined(__linux__)

const bool kHasFutex = true;

void wait_for_change(const uint32_t* word, uint32_t seen, int64_t timeout_nanos) {
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(timeout_nanos / kNanosPerSec);
  timeout.tv_nsec = static_cast<long>(timeout_nanos % kNanosPerSec);
  // Not FUTEX_PRIVATE: the writer is another process. A read-only mapping suffices.
  syscall(SYS_futex, word, FUTEX_WAIT, seen, &timeout, nullptr, 0);
}

#else

const bool kHasFutex = false;

void wait_for_change(const uint32_t* word, uint32_t seen, int64_t timeout_nanos) {
  const auto& shared = *reinterpret_cast<const std::atomic<uint32_t>*>(word);
  if (shared.load(std::memory_order_acquire) != seen) return;
  std::this_thread::sleep_for(
      std::chrono::nanoseconds(std::min<int64_t>(timeout_nanos, kNanosPerMilli)));
}

#endif

}  // namespace avatar
