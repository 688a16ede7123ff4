#include <doctest.h>

#include <cmath>
#include <random>

#include "jitter_buffer.h"

using avatar::JitterBuffer;
using avatar::JitterItem;
using avatar::JitterOptions;
using avatar::Pixels;

namespace {

constexpr int64_t kMilli = 1'000'000;
constexpr int64_t kStep = 25 * kMilli;
constexpr uint32_t kJawOpen = 17;

JitterItem item(uint64_t seq, float value, uint32_t epoch = 0, bool has_pixels = false) {
  JitterItem made;
  made.latent.seq = seq;
  made.latent.pts_nanos = static_cast<int64_t>(seq) * kStep;
  made.latent.epoch = epoch;
  made.latent.values.fill(value);
  if (has_pixels) made.pixels = std::make_shared<const Pixels>(4, static_cast<uint8_t>(seq));
  return made;
}

// An engine that reads at 60 Hz while frames arrive with a given delay.
struct Engine {
  explicit Engine(const JitterOptions& options = {}) : buffer(options) {}

  // Runs until `until`; frame k arrives at k * kStep + delay(k); negative: it never does.
  template <typename Delay>
  void run(int64_t until, Delay delay) {
    for (; now < until; now += 1'000'000'000 / 60) {
      while (static_cast<int64_t>(next) * kStep + 10 * kMilli <= now) {
        const int64_t late = delay(next);
        if (late >= 0) {
          waiting.push_back({item(next, 0.5f), static_cast<int64_t>(next) * kStep + late});
        }
        ++next;
      }
      std::vector<Arrival> later;
      for (Arrival& arrival : waiting) {
        if (arrival.nanos <= now) {
          buffer.push(arrival.item, arrival.nanos);
        } else {
          later.push_back(arrival);
        }
      }
      waiting.swap(later);
      int64_t pts = 0;
      if (!buffer.time_at(now, &pts)) continue;
      CHECK(pts >= last_pts);
      last_pts = pts;
      avatar_motion motion{};
      REQUIRE(buffer.motion_at(pts, now, &motion));
      const float change = std::fabs(motion.expression[kJawOpen] - last_value);
      largest_change = std::max(largest_change, change);
      last_value = motion.expression[kJawOpen];
      presence = motion.presence;
      num_starved += (motion.flags & AVATAR_MOTION_STARVED) != 0 ? 1 : 0;
      ++num_reads;
    }
  }

  struct Arrival {
    JitterItem item;
    int64_t nanos;
  };
  JitterBuffer buffer;
  std::vector<Arrival> waiting;
  int64_t now = 0;
  uint64_t next = 1;
  int64_t last_pts = INT64_MIN;
  float last_value = 0.0f;
  float largest_change = 0.0f;
  float presence = 0.0f;
  int num_starved = 0;
  int num_reads = 0;
};

}  // namespace

TEST_CASE("jitter buffer: motion between two latents is interpolated") {
  JitterBuffer buffer({});
  buffer.push(item(1, 0.0f), 0);
  buffer.push(item(2, 1.0f), kStep);
  avatar_motion motion{};
  REQUIRE(buffer.motion_at(kStep, 0, &motion));
  REQUIRE(buffer.motion_at(kStep + kStep / 4, 1'000 * kMilli, &motion));
  CHECK(motion.expression[kJawOpen] == doctest::Approx(0.25f));
  CHECK((motion.flags & AVATAR_MOTION_INTERPOLATED) != 0);
  CHECK(motion.presence == 1.0f);
}

TEST_CASE("jitter buffer: a steady stream is shown shortly after it comes and never starves") {
  Engine engine;
  engine.run(1'000 * kMilli, [](uint64_t) { return 10 * kMilli; });
  engine.num_starved = 0;
  engine.run(10'000 * kMilli, [](uint64_t) { return 10 * kMilli; });
  CHECK(engine.num_starved == 0);
  CHECK(engine.buffer.delay_nanos() == 20 * kMilli);
  CHECK(engine.buffer.jitter_nanos() == 0);
}

TEST_CASE("jitter buffer: the delay grows with the jitter and shrinks again") {
  std::mt19937 random(3);
  const auto noisy = [&](uint64_t) {
    return 10 * kMilli + static_cast<int64_t>(random() % 120) * kMilli;
  };
  Engine engine;
  engine.run(12'000 * kMilli, noisy);
  engine.num_starved = engine.num_reads = 0;
  engine.run(30'000 * kMilli, noisy);
  CHECK(engine.buffer.delay_nanos() > 90 * kMilli);
  CHECK(engine.buffer.delay_nanos() < 180 * kMilli);
  CHECK(engine.num_starved < engine.num_reads / 20);
  engine.run(60'000 * kMilli, [](uint64_t) { return 10 * kMilli; });
  CHECK(engine.buffer.delay_nanos() == 20 * kMilli);
}

TEST_CASE("jitter buffer: starved it holds, eases to rest and comes back without a jump") {
  Engine engine;
  const auto steady = [](uint64_t) { return 10 * kMilli; };
  engine.run(3'000 * kMilli, steady);
  CHECK(engine.last_value == doctest::Approx(0.5f));
  engine.largest_change = 0.0f;
  engine.run(4'000 * kMilli, [](uint64_t) { return int64_t{-1}; });
  CHECK(engine.last_value == 0.0f);
  CHECK(engine.presence == 0.0f);
  CHECK(engine.buffer.num_starvations() == 1);
  engine.run(5'000 * kMilli, steady);
  CHECK(engine.last_value == doctest::Approx(0.5f));
  CHECK(engine.presence == 1.0f);
  // 0.5 in 120 ms by smoothstep is at most 0.104 in a 60th of a second.
  CHECK(engine.largest_change < 0.11f);
}

TEST_CASE("jitter buffer: pauses of 300 ms on the way are ridden out once they are known") {
  const auto pausing = [](uint64_t k) {
    // Every two seconds nothing comes through for 300 ms, then all of it at once.
    const int64_t phase = static_cast<int64_t>(k % 80) * kStep;
    return 10 * kMilli + (phase < 300 * kMilli ? 300 * kMilli - phase : 0);
  };
  Engine engine;
  engine.run(10'000 * kMilli, pausing);
  const uint32_t before = engine.buffer.num_starvations();
  engine.run(60'000 * kMilli, pausing);
  CHECK(engine.buffer.num_starvations() == before);
  CHECK(engine.buffer.delay_nanos() > 200 * kMilli);
  CHECK(engine.buffer.delay_nanos() < 400 * kMilli);
}

TEST_CASE("jitter buffer: a barge-in drops what lies behind it, also what comes later") {
  JitterBuffer buffer({});
  for (uint64_t seq = 1; seq <= 6; ++seq) buffer.push(item(seq, 0.2f, 7), 0);
  buffer.set_floor({true, 8, 3 * kStep});
  uint32_t flags = 0;
  CHECK(buffer.due(AVATAR_PTS_NEWEST, false, &flags)->latent.seq == 3);
  buffer.push(item(7, 0.2f, 7), 0);
  CHECK(buffer.due(AVATAR_PTS_NEWEST, false, &flags)->latent.seq == 3);
  buffer.push(item(8, 0.2f, 8), 0);
  CHECK(buffer.due(AVATAR_PTS_NEWEST, false, &flags)->latent.seq == 8);
}

TEST_CASE("jitter buffer: a newer epoch overrules the older one even before it is announced") {
  JitterBuffer buffer({});
  for (uint64_t seq = 1; seq <= 6; ++seq) buffer.push(item(seq, 0.2f, 7), 0);
  JitterItem newer = item(7, 0.9f, 8);
  newer.latent.pts_nanos = 4 * kStep;
  buffer.push(newer, 0);
  uint32_t flags = 0;
  CHECK(buffer.due(6 * kStep, false, &flags)->latent.seq == 7);
  CHECK(buffer.due(3 * kStep, false, &flags)->latent.seq == 3);
  buffer.push(item(5, 0.2f, 7), 0);  // an old one that was on its way
  CHECK(buffer.due(6 * kStep, false, &flags)->latent.seq == 7);
}

TEST_CASE("jitter buffer: items in another order, twice, or with gaps") {
  JitterBuffer buffer({});
  for (const uint64_t seq : {1, 4, 3, 4, 9}) buffer.push(item(seq, 0.1f), 0);
  CHECK(buffer.num_skipped() == 2 + 4);
  uint32_t flags = 0;
  CHECK(buffer.due(3 * kStep, false, &flags)->latent.seq == 3);
  CHECK(flags == 0);
  CHECK(buffer.due(0, false, &flags)->latent.seq == 1);
  CHECK(flags == AVATAR_FRAME_EARLY);
  CHECK(buffer.due(11 * kStep, false, &flags)->latent.seq == 9);
  CHECK(flags == AVATAR_FRAME_STARVED);
}

TEST_CASE("jitter buffer: pixels are kept for what is to come, up to a limit") {
  JitterOptions options;
  options.max_frames = 4;
  JitterBuffer buffer(options);
  for (uint64_t seq = 1; seq <= 10; ++seq) buffer.push(item(seq, 0.1f, 0, true), 0);
  CHECK(buffer.num_waiting() == 4);
  uint32_t flags = 0;
  CHECK(buffer.due(3 * kStep, true, &flags)->latent.seq == 7);
  buffer.forget_before(9 * kStep);
  CHECK(buffer.num_waiting() == 1);
  CHECK(buffer.due(9 * kStep, true, &flags)->pixels->front() == 9);
  CHECK(buffer.due(8 * kStep, true, &flags)->latent.seq == 9);
  CHECK(flags == AVATAR_FRAME_EARLY);
}

TEST_CASE("jitter buffer: memory stays bounded over hours") {
  JitterBuffer buffer({});
  for (uint64_t seq = 1; seq <= 100'000; ++seq) buffer.push(item(seq, 0.1f, 0, seq % 2 == 0), 0);
  CHECK(buffer.num_waiting() <= 24);
  uint32_t flags = 0;
  CHECK(buffer.due(0, false, &flags)->latent.seq == 100'000 - 511);
}

TEST_CASE("jitter buffer: after a restart time begins anew and motion blends on") {
  Engine engine;
  engine.run(3'000 * kMilli, [](uint64_t) { return 10 * kMilli; });
  engine.buffer.restart();
  int64_t pts = 0;
  CHECK_FALSE(engine.buffer.time_at(engine.now, &pts));
  avatar_motion motion{};
  REQUIRE(engine.buffer.motion_at(engine.last_pts, engine.now, &motion));
  CHECK(motion.expression[kJawOpen] == doctest::Approx(0.5f).epsilon(0.05));
  engine.buffer.push(item(1, 0.9f), engine.now);
  REQUIRE(engine.buffer.time_at(engine.now, &pts));
  CHECK(pts < kStep);
  REQUIRE(engine.buffer.motion_at(pts, engine.now, &motion));
  CHECK(motion.expression[kJawOpen] == doctest::Approx(0.5f).epsilon(0.05));
  REQUIRE(engine.buffer.motion_at(pts, engine.now + 200 * kMilli, &motion));
  CHECK(motion.expression[kJawOpen] == doctest::Approx(0.9f));
}

TEST_CASE("jitter buffer: hostile times do not overflow") {
  JitterBuffer buffer({});
  JitterItem odd = item(1, 0.1f);
  for (const int64_t pts : {INT64_MIN, INT64_MAX, int64_t{0}}) {
    odd.latent.pts_nanos = pts;
    odd.latent.seq += 1;
    buffer.push(odd, INT64_MAX / 2);
  }
  int64_t pts = 0;
  avatar_motion motion{};
  CHECK(buffer.time_at(5, &pts));
  CHECK(buffer.motion_at(INT64_MIN, 5, &motion));
  CHECK(buffer.motion_at(INT64_MAX - 1, 6, &motion));
  buffer.forget_before(INT64_MAX);
}
