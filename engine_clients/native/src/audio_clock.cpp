#include "audio_clock.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace avatar {

namespace {

constexpr double kTwoPi = 6.283185307179586;
// Loop bandwidth, Hz: wide until locked, then narrow enough to smooth blocks of 20 to 40 ms.
constexpr double kWideHz = 0.5;
constexpr double kNarrowHz = 0.05;
constexpr double kNarrowAfterSecs = 6.0;
// Audio devices are off by some hundred ppm; 2 % leaves room for bad ones, not for nonsense.
constexpr double kMaxRateError = 0.02;
constexpr int64_t kReportJumpNanos = 100'000'000;
// Without reports the engine's thread hangs while the device plays on; longer, it was paused.
constexpr int64_t kMaxSilenceNanos = 1'000'000'000;
constexpr double kMaxSteer = 0.05;
constexpr int64_t kSteerJumpNanos = 500'000'000;

}  // namespace

int64_t AudioClock::predict(int64_t now_nanos) const {
  int64_t elapsed = std::max<int64_t>(0, now_nanos - base_nanos_);
  if (is_playing_) {
    elapsed = std::min(elapsed, std::max<int64_t>(0, last_report_nanos_ + kMaxSilenceNanos -
                                                         base_nanos_));
  }
  return base_pts_ + static_cast<int64_t>(std::llround(static_cast<double>(elapsed) * rate_));
}

void AudioClock::set(int64_t pts_nanos, int64_t now_nanos) {
  base_pts_ = pts_nanos;
  base_nanos_ = now_nanos;
}

void AudioClock::play(int64_t segment_pts_nanos, int64_t now_nanos) {
  segment_pts_ = segment_pts_nanos;
  segment_start_nanos_ = last_report_nanos_ = now_nanos;
  is_started_ = is_playing_ = may_run_back_ = true;
  set(segment_pts_nanos - latency_nanos_, now_nanos);
}

void AudioClock::report(int64_t samples_played, int64_t now_nanos) {
  if (!is_playing_) return;
  const int64_t played = static_cast<int64_t>(
      std::llround(static_cast<double>(samples_played) * 1e9 / sample_rate_hz_));
  const int64_t heard = segment_pts_ + played - latency_nanos_;
  const int64_t predicted = predict(now_nanos);
  const double secs = static_cast<double>(now_nanos - last_report_nanos_) * 1e-9;
  last_report_nanos_ = now_nanos;
  const int64_t error = heard - predicted;
  if (std::llabs(error) > kReportJumpNanos) {  // a seek, a pause, a device that starts late
    ++num_jumps_;
    may_run_back_ = true;
    set(heard, now_nanos);
    return;
  }
  if (secs <= 0.0) return;
  locked_secs_ += secs;
  const double share = std::min(1.0, locked_secs_ / kNarrowAfterSecs);
  const double bandwidth_hz = kWideHz * std::pow(kNarrowHz / kWideHz, share);
  const double omega = std::min(0.5, kTwoPi * bandwidth_hz * secs);
  set(predicted + std::llround(std::sqrt(2.0) * omega * static_cast<double>(error)), now_nanos);
  rate_ += omega * omega * static_cast<double>(error) * 1e-9 / secs;
  rate_ = std::clamp(rate_, 1.0 - kMaxRateError, 1.0 + kMaxRateError);
}

void AudioClock::stop(int64_t now_nanos) {
  if (!is_playing_) return;
  set(predict(now_nanos), now_nanos);
  is_playing_ = false;
}

void AudioClock::steer(int64_t session_pts_nanos, int64_t now_nanos) {
  if (!is_started_) {
    is_started_ = true;
    set(session_pts_nanos, now_nanos);
    return;
  }
  const int64_t shown = predict(now_nanos);
  const int64_t off = session_pts_nanos - shown;
  if (is_playing_) {
    drift_nanos_ = off;
    return;
  }
  const int64_t elapsed = std::max<int64_t>(0, now_nanos - base_nanos_);
  if (std::llabs(off) > kSteerJumpNanos) {
    ++num_jumps_;
    may_run_back_ = true;
    set(session_pts_nanos, now_nanos);
  } else {
    const auto most = static_cast<int64_t>(static_cast<double>(elapsed) * kMaxSteer);
    set(shown + std::clamp(off, -most, most), now_nanos);
  }
  drift_nanos_ = session_pts_nanos - base_pts_;
}

AudioClock::Reading AudioClock::read(int64_t now_nanos) {
  int64_t pts = is_started_ ? predict(now_nanos) : 0;
  if (!may_run_back_) pts = std::max(pts, last_pts_);
  may_run_back_ = !is_started_;
  last_pts_ = pts;
  return {pts, is_playing_, (rate_ - 1.0) * 1e6, drift_nanos_, num_jumps_};
}

}  // namespace avatar
