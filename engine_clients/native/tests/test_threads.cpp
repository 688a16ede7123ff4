// Many threads on one ring and on handles that are closed meanwhile: for the thread sanitizer.
#include <doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "avatar_client.h"
#include "ring_writer.h"

using avatar::test::RingWriter;
using avatar::test::temporary_path;

namespace {

constexpr uint64_t kNumFrames = 400;

avatar_ring* open_ring(const std::string& path) {
  avatar_ring* ring = nullptr;
  REQUIRE(avatar_ring_open({path.data(), path.size()}, &ring, nullptr) == AVATAR_OK);
  return ring;
}

// Reads until the last frame; every copy that succeeds must be of one piece.
void read_all(avatar_ring* ring, std::atomic<uint64_t>* num_wrong) {
  std::vector<uint8_t> pixels(64 * 64 * 4);
  uint64_t seq = 0;
  while (seq < kNumFrames) {
    if (avatar_ring_wait(ring, seq, 30'000, nullptr) != AVATAR_OK) break;
    avatar_frame frame{};
    avatar_motion motion{};
    frame.struct_size = sizeof frame;
    motion.struct_size = sizeof motion;
    const avatar_status status = avatar_ring_copy_frame(
        ring, AVATAR_PTS_NEWEST, seq, pixels.data(), pixels.size(), &frame, &motion, nullptr);
    if (status == AVATAR_ABORTED) continue;
    if (status != AVATAR_OK) break;
    const auto expected = static_cast<uint8_t>(frame.seq);
    for (const uint8_t pixel : pixels) {
      if (pixel != expected) ++*num_wrong;
    }
    if (motion.speech != static_cast<float>(frame.seq)) ++*num_wrong;
    seq = frame.seq;
  }
  CHECK(seq == kNumFrames);
}

}  // namespace

TEST_CASE("threads: eight readers see whole frames while the writer goes on") {
  RingWriter writer(temporary_path("readers"), 64, 64, 8);
  avatar_ring* ring = open_ring(writer.path());
  std::atomic<uint64_t> num_wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back([&, i] {
      avatar_ring* own = i % 2 == 0 ? ring : open_ring(writer.path());
      read_all(own, &num_wrong);
      if (own != ring) avatar_ring_close(own);
    });
  }
  for (uint64_t seq = 1; seq <= kNumFrames; ++seq) {
    writer.publish(seq, static_cast<int64_t>(seq) * 25'000'000, static_cast<float>(seq),
                   static_cast<uint8_t>(seq));
    std::this_thread::yield();
  }
  for (std::thread& reader : readers) reader.join();
  avatar_ring_close(ring);
  CHECK(num_wrong == 0);
}

TEST_CASE("threads: a ring closed under its readers ends their calls with an answer") {
  RingWriter writer(temporary_path("closing"), 64, 64, 8);
  writer.publish(1, 0, 1.0f, 1);
  for (int round = 0; round < 50; ++round) {
    avatar_ring* ring = open_ring(writer.path());
    std::atomic<int> num_odd{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&] {
        for (int k = 0; k < 20; ++k) {
          avatar_frame_view view{};
          view.struct_size = sizeof view;
          const avatar_status status = avatar_ring_acquire_frame(ring, AVATAR_PTS_NEWEST, &view,
                                                                 nullptr, nullptr, nullptr);
          if (status == AVATAR_OK) {
            if (view.pixels[0] != 1) ++num_odd;
            if (avatar_frame_release(view.token, nullptr) != AVATAR_OK) ++num_odd;
          } else if (status != AVATAR_INVALID_ARGUMENT) {
            ++num_odd;
          }
        }
      });
    }
    avatar_ring_close(ring);
    for (std::thread& reader : readers) reader.join();
    CHECK(num_odd == 0);
  }
}

TEST_CASE("threads: one clock fed and read from several") {
  avatar_clock* clock = nullptr;
  REQUIRE(avatar_clock_create(48000, 0, &clock, nullptr) == AVATAR_OK);
  avatar_clock_play(clock, 0, 0, nullptr);
  std::atomic<int> num_backwards{0};
  std::thread feeder([&] {
    for (int64_t k = 1; k <= 2000; ++k) {
      avatar_clock_report(clock, k * 480, k * 10'000'000, nullptr);
    }
  });
  std::thread reader([&] {
    int64_t last = 0;
    for (int64_t k = 1; k <= 2000; ++k) {
      avatar_clock_reading reading{};
      reading.struct_size = sizeof reading;
      avatar_clock_read(clock, k * 10'000'000, &reading, nullptr);
      if (reading.num_jumps == 0 && reading.pts_nanos < last) ++num_backwards;
      last = reading.pts_nanos;
    }
  });
  feeder.join();
  reader.join();
  CHECK(num_backwards == 0);
  avatar_clock_close(clock);
}
