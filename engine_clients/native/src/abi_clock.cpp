// avatar_clock_*: the audio clock.
#include <mutex>

#include "abi.h"
#include "audio_clock.h"
#include "handles.h"

namespace {

using avatar::AudioClock;
using avatar::Status;
namespace abi = avatar::abi;

struct LockedClock {
  LockedClock(uint32_t sample_rate_hz, int64_t latency_nanos)
      : clock(sample_rate_hz, latency_nanos) {}
  std::mutex mutex;
  AudioClock clock;
};

using Clocks = avatar::HandleTable<avatar_clock, LockedClock, avatar::HandleKind::kClock>;

// Runs the body on the clock behind the handle, locked.
template <typename Body>
avatar_status with_clock(avatar_clock* handle, avatar_error* error, Body body) {
  return abi::guard(error, [&] {
    std::shared_ptr<LockedClock> locked;
    const Status status = Clocks::get().find(handle, &locked);
    if (!status.ok()) return status;
    const std::lock_guard lock(locked->mutex);
    return body(locked->clock);
  });
}

}  // namespace

avatar_status avatar_clock_create(uint32_t sample_rate_hz, int64_t output_latency_nanos,
                                  avatar_clock** clock, avatar_error* error) {
  return abi::guard(error, [&] {
    if (clock == nullptr) return abi::null_argument("clock");
    *clock = nullptr;
    if (sample_rate_hz < 1000 || sample_rate_hz > 768000) {
      return avatar::fault(avatar::Reason::INVALID_FIELD,
                           "sample_rate_hz is " + std::to_string(sample_rate_hz) +
                               "; 1000 to 768000 is allowed");
    }
    *clock = Clocks::get().add(std::make_shared<LockedClock>(sample_rate_hz, output_latency_nanos));
    return Status{};
  });
}

avatar_status avatar_clock_play(avatar_clock* clock, int64_t segment_pts_nanos, int64_t now_nanos,
                                avatar_error* error) {
  return with_clock(clock, error, [&](AudioClock& inner) {
    inner.play(segment_pts_nanos, now_nanos);
    return Status{};
  });
}

avatar_status avatar_clock_report(avatar_clock* clock, int64_t samples_played, int64_t now_nanos,
                                  avatar_error* error) {
  return with_clock(clock, error, [&](AudioClock& inner) {
    inner.report(samples_played, now_nanos);
    return Status{};
  });
}

avatar_status avatar_clock_stop(avatar_clock* clock, int64_t now_nanos, avatar_error* error) {
  return with_clock(clock, error, [&](AudioClock& inner) {
    inner.stop(now_nanos);
    return Status{};
  });
}

avatar_status avatar_clock_steer(avatar_clock* clock, int64_t session_pts_nanos, int64_t now_nanos,
                                 avatar_error* error) {
  return with_clock(clock, error, [&](AudioClock& inner) {
    inner.steer(session_pts_nanos, now_nanos);
    return Status{};
  });
}

avatar_status avatar_clock_read(avatar_clock* clock, int64_t now_nanos,
                                avatar_clock_reading* reading, avatar_error* error) {
  if (reading == nullptr) return abi::guard(error, [] { return abi::null_argument("reading"); });
  return with_clock(clock, error, [&](AudioClock& inner) {
    const AudioClock::Reading now = inner.read(now_nanos);
    avatar_clock_reading record{};
    record.is_playing = now.is_playing ? 1 : 0;
    record.pts_nanos = now.pts_nanos;
    record.rate_ppm = now.rate_ppm;
    record.drift_nanos = now.drift_nanos;
    record.num_jumps = now.num_jumps;
    return abi::write_struct(reading, record, "reading");
  });
}

avatar_status avatar_clock_close(avatar_clock* clock) {
  return abi::guard(nullptr, [&] {
    std::shared_ptr<LockedClock> locked;
    return Clocks::get().take(clock, &locked);
  });
}
