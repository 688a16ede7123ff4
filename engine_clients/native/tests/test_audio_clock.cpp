#include <doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "audio_clock.h"

using avatar::AudioClock;

namespace {

constexpr int64_t kMilli = 1'000'000;
constexpr int64_t kSec = 1'000'000'000;
constexpr uint32_t kRate = 48'000;

// Samples that a device has played after `elapsed`: it runs `ppm` fast and tells in blocks.
int64_t played(int64_t elapsed_nanos, double ppm, int64_t block) {
  const double samples = static_cast<double>(elapsed_nanos) * 1e-9 * kRate * (1.0 + ppm * 1e-6);
  return static_cast<int64_t>(samples) / block * block;
}

struct Worst {
  int64_t error_nanos = 0;
  int64_t step_nanos = 0;  // largest distance from an even pace between two ticks
};

// Ticks of 1/60 s with some jitter; measured from `settle` on.
Worst play(AudioClock* clock, int64_t length_nanos, int64_t settle_nanos, double ppm,
           int64_t block) {
  std::mt19937 random(5);
  clock->play(7 * kSec, 0);
  Worst worst;
  int64_t last_pts = 7 * kSec;
  int64_t last_now = 0;
  for (int64_t now = 0; now < length_nanos;
       now += 14 * kMilli + static_cast<int64_t>(random() % 6'000'000)) {
    clock->report(played(now, ppm, block), now);
    const int64_t pts = clock->read(now).pts_nanos;
    const auto truth =
        7 * kSec + static_cast<int64_t>(static_cast<double>(now) * (1.0 + ppm * 1e-6));
    CHECK(pts >= last_pts);
    if (now > settle_nanos) {
      worst.error_nanos = std::max(worst.error_nanos, std::abs(pts - truth));
      worst.step_nanos =
          std::max(worst.step_nanos, std::abs((pts - last_pts) - (now - last_now)));
    }
    last_pts = pts;
    last_now = now;
  }
  return worst;
}

}  // namespace

TEST_CASE("audio clock: blocks of 1024 samples become an even time, half a block behind") {
  AudioClock clock(kRate, 0);
  const Worst worst = play(&clock, 30 * kSec, 5 * kSec, 0.0, 1024);
  CHECK(worst.error_nanos < 22 * kMilli);
  CHECK(worst.step_nanos < 1 * kMilli);
  CHECK(std::fabs(clock.read(30 * kSec).rate_ppm) < 300.0);
}

TEST_CASE("audio clock: a device half a percent off for ten minutes leaves no standing error") {
  for (const double ppm : {5000.0, -5000.0}) {
    AudioClock clock(kRate, 0);
    const Worst worst = play(&clock, 600 * kSec, 20 * kSec, ppm, 512);
    CHECK(worst.error_nanos < 12 * kMilli);
    CHECK(clock.read(600 * kSec).rate_ppm == doctest::Approx(ppm).epsilon(0.05));
    CHECK(clock.read(600 * kSec).num_jumps == 0);
  }
}

TEST_CASE("audio clock: drift against the session is told") {
  AudioClock clock(kRate, 0);
  clock.play(0, 0);
  for (int64_t now = 0; now <= 60 * kSec; now += 16 * kMilli) {
    clock.report(played(now, -5000.0, 1), now);
    clock.steer(now, now);
  }
  // After a minute a device that is half a percent slow is 300 ms behind.
  CHECK(clock.read(60 * kSec).drift_nanos ==
        doctest::Approx(300.0 * kMilli).epsilon(0.05));
}

TEST_CASE("audio clock: the output latency is taken off") {
  AudioClock clock(kRate, 50 * kMilli);
  clock.play(kSec, 0);
  for (int64_t now = 0; now <= kSec; now += 10 * kMilli) clock.report(played(now, 0, 1), now);
  CHECK(clock.read(kSec).pts_nanos == doctest::Approx(1.95 * kSec).epsilon(0.001));
}

TEST_CASE("audio clock: a seek or a late start is a jump, counted") {
  AudioClock clock(kRate, 0);
  clock.play(0, 0);
  clock.report(0, 500 * kMilli);  // the device began half a second late
  CHECK(clock.read(500 * kMilli).pts_nanos == 0);
  CHECK(clock.read(500 * kMilli).num_jumps == 1);
}

TEST_CASE("audio clock: without reports it goes on for a second, then waits") {
  AudioClock clock(kRate, 0);
  clock.play(0, 0);
  clock.report(0, 10 * kMilli);
  clock.report(played(20 * kMilli, 0, 1), 20 * kMilli);
  const int64_t after_one = clock.read(kSec).pts_nanos;
  CHECK(after_one > 900 * kMilli);
  CHECK(clock.read(5 * kSec).pts_nanos < 1'100 * kMilli);
}

TEST_CASE("audio clock: between segments it follows the session gently, or jumps when far off") {
  AudioClock clock(kRate, 0);
  clock.steer(3 * kSec, 0);
  CHECK(clock.read(0).pts_nanos == 3 * kSec);
  int64_t last = 3 * kSec;
  for (int64_t now = 16 * kMilli; now < 4 * kSec; now += 16 * kMilli) {
    clock.steer(3 * kSec + now + 100 * kMilli, now);
    const int64_t pts = clock.read(now).pts_nanos;
    CHECK(pts - last <= 17 * kMilli);
    last = pts;
  }
  CHECK(last == doctest::Approx(3 * kSec + 4 * kSec + 84 * kMilli).epsilon(0.003));
  clock.steer(0, 4 * kSec);  // a new session
  CHECK(clock.read(4 * kSec).pts_nanos == 0);
}

TEST_CASE("audio clock: stopping leaves no jump") {
  AudioClock clock(kRate, 0);
  clock.play(0, 0);
  for (int64_t now = 0; now <= kSec; now += 10 * kMilli) clock.report(played(now, 0, 1), now);
  const int64_t before = clock.read(kSec).pts_nanos;
  clock.stop(kSec);
  CHECK_FALSE(clock.read(kSec).is_playing);
  CHECK(clock.read(kSec).pts_nanos == before);
  CHECK(clock.read(kSec + 10 * kMilli).pts_nanos ==
        doctest::Approx(static_cast<double>(before + 10 * kMilli)).epsilon(0.001));
}
