// Session time of the sample being heard, from what an engine reports about its playback.
//
// A second-order loop filters the reported positions, which come in steps of an audio block at
// irregular times (F. Adriaensen, "Using a DLL to filter time", Linux Audio Conference 2005): its
// phase is the time heard, its rate the speed of the audio device, so a device that is off by half
// a percent leaves no standing error. The bandwidth begins wide and narrows once it has locked.
// Not thread-safe; knows no clock.
#pragma once

#include <cstdint>

namespace avatar {

class AudioClock {
 public:
  struct Reading {
    int64_t pts_nanos = 0;
    bool is_playing = false;
    double rate_ppm = 0.0;
    int64_t drift_nanos = 0;
    uint64_t num_jumps = 0;
  };

  AudioClock(uint32_t sample_rate_hz, int64_t output_latency_nanos)
      : sample_rate_hz_(sample_rate_hz), latency_nanos_(output_latency_nanos) {}

  void play(int64_t segment_pts_nanos, int64_t now_nanos);
  void report(int64_t samples_played, int64_t now_nanos);
  void stop(int64_t now_nanos);
  void steer(int64_t session_pts_nanos, int64_t now_nanos);
  Reading read(int64_t now_nanos);

 private:
  int64_t predict(int64_t now_nanos) const;
  void set(int64_t pts_nanos, int64_t now_nanos);

  const uint32_t sample_rate_hz_;
  const int64_t latency_nanos_;
  bool is_started_ = false;
  bool is_playing_ = false;
  bool may_run_back_ = true;  // once, after play or a jump
  int64_t segment_pts_ = 0;
  int64_t segment_start_nanos_ = 0;  // now_nanos when this segment began
  int64_t last_report_nanos_ = 0;
  int64_t base_pts_ = 0;  // time heard at base_nanos_
  int64_t base_nanos_ = 0;
  double rate_ = 1.0;
  double locked_secs_ = 0.0;  // playing time that the rate was learnt over
  int64_t last_pts_ = INT64_MIN;
  int64_t drift_nanos_ = 0;
  uint64_t num_jumps_ = 0;
};

}  // namespace avatar
