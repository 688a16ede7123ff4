#include <doctest.h>

#include <limits>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#endif

#include "nanos.h"
#include "ring_reader.h"
#include "ring_writer.h"

using avatar::EpochFloor;
using avatar::RingReader;
using avatar::test::RingWriter;
using avatar::test::temporary_path;

namespace {

constexpr int64_t kStep = 25'000'000;

std::shared_ptr<RingReader> open_ring(const RingWriter& writer) {
  std::shared_ptr<RingReader> ring;
  const avatar::Status status = RingReader::open(writer.path(), &ring);
  REQUIRE_MESSAGE(status.ok(), status.message);
  return ring;
}

}  // namespace

TEST_CASE("ring: an empty ring holds no frame") {
  RingWriter writer(temporary_path("empty"), 16, 8);
  RingReader::Picture picture;
  CHECK(open_ring(writer)->find(AVATAR_PTS_NEWEST, {}, &picture).code == AVATAR_NOT_FOUND);
}

TEST_CASE("ring: the frame due is the newest that is not later, with its own latent and pixels") {
  RingWriter writer(temporary_path("due"), 16, 8);
  const auto ring = open_ring(writer);
  for (uint64_t seq = 1; seq <= 5; ++seq) {
    writer.publish(seq, static_cast<int64_t>(seq) * kStep, 0.1f * static_cast<float>(seq),
                   static_cast<uint8_t>(seq));
  }
  std::vector<uint8_t> pixels(ring->pixel_bytes());
  RingReader::Picture picture;
  uint64_t num_torn = 0;
  REQUIRE(ring->copy(3 * kStep + kStep / 2, {}, 0, pixels.data(), pixels.size(), &picture,
                     &num_torn).ok());
  CHECK(picture.latent.seq == 3);
  CHECK(picture.latent.values[7] == doctest::Approx(0.3f));
  CHECK(picture.flags == (AVATAR_FRAME_NEW | AVATAR_FRAME_PIXELS));
  CHECK(pixels.front() == 3);
  CHECK(pixels.back() == 3);
  CHECK(num_torn == 0);
}

TEST_CASE("ring: nothing is copied of a frame that the caller has") {
  RingWriter writer(temporary_path("have"), 16, 8);
  const auto ring = open_ring(writer);
  writer.publish(9, kStep, 0.5f, 77);
  std::vector<uint8_t> pixels(ring->pixel_bytes(), 1);
  RingReader::Picture picture;
  uint64_t num_torn = 0;
  REQUIRE(ring->copy(kStep, {}, 9, pixels.data(), pixels.size(), &picture, &num_torn).ok());
  CHECK((picture.flags & AVATAR_FRAME_NEW) == 0);
  CHECK(pixels.front() == 1);
}

TEST_CASE("ring: a buffer that is too small is refused, not overrun") {
  RingWriter writer(temporary_path("small"), 16, 8);
  const auto ring = open_ring(writer);
  writer.publish(1, 0, 0.0f, 1);
  std::vector<uint8_t> pixels(ring->pixel_bytes() - 1, 9);
  RingReader::Picture picture;
  uint64_t num_torn = 0;
  CHECK(ring->copy(0, {}, 0, pixels.data(), pixels.size(), &picture, &num_torn).code ==
        AVATAR_OUT_OF_RANGE);
  CHECK(pixels.front() == 9);
}

TEST_CASE("ring: asked for a time gone by it gives the oldest still safe, marked as early") {
  RingWriter writer(temporary_path("early"), 16, 8);
  const auto ring = open_ring(writer);
  for (uint64_t seq = 1; seq <= 20; ++seq) {
    writer.publish(seq, static_cast<int64_t>(seq) * kStep, 0.0f, 0);
  }
  RingReader::Picture picture;
  REQUIRE(ring->find(2 * kStep, {}, &picture).ok());
  CHECK(picture.latent.seq == 14);  // 8 slots: 13 is the one written next
  CHECK((picture.flags & AVATAR_FRAME_EARLY) != 0);
}

TEST_CASE("ring: a frame long overdue is marked as starved") {
  RingWriter writer(temporary_path("starved"), 16, 8);
  const auto ring = open_ring(writer);
  writer.publish(1, kStep, 0.0f, 0);
  RingReader::Picture picture;
  REQUIRE(ring->find(2 * kStep, {}, &picture).ok());
  CHECK((picture.flags & AVATAR_FRAME_STARVED) == 0);
  REQUIRE(ring->find(3 * kStep, {}, &picture).ok());
  CHECK((picture.flags & AVATAR_FRAME_STARVED) != 0);
  REQUIRE(ring->find(AVATAR_PTS_NEWEST, {}, &picture).ok());
  CHECK((picture.flags & AVATAR_FRAME_STARVED) == 0);
}

TEST_CASE("ring: frames of an old epoch behind the barge-in are passed over") {
  RingWriter writer(temporary_path("epoch"), 16, 8);
  const auto ring = open_ring(writer);
  writer.publish(1, kStep, 0.0f, 0, 4);
  writer.publish(2, 2 * kStep, 0.0f, 0, 4);
  writer.publish(3, 3 * kStep, 0.0f, 0, 4);
  RingReader::Picture picture;
  REQUIRE(ring->find(3 * kStep, EpochFloor{true, 5, 2 * kStep}, &picture).ok());
  CHECK(picture.latent.seq == 2);
  writer.publish(4, 2 * kStep + 1, 0.0f, 0, 5);
  REQUIRE(ring->find(3 * kStep, EpochFloor{true, 5, 2 * kStep}, &picture).ok());
  CHECK(picture.latent.seq == 4);
}

TEST_CASE("ring: a slot being written is passed over") {
  RingWriter writer(temporary_path("writing"), 16, 8);
  const auto ring = open_ring(writer);
  for (uint64_t seq = 1; seq <= 8; ++seq) writer.publish(seq, 0, 0.0f, 0);
  RingReader::Picture held;
  REQUIRE(ring->find(0, {}, &held).ok());
  CHECK(held.latent.seq == 8);
  CHECK(ring->is_intact(held));
  for (uint64_t seq = 9; seq <= 15; ++seq) writer.publish(seq, 0, 0.0f, 0);
  CHECK(ring->is_intact(held));
  writer.begin(1);
  CHECK_FALSE(ring->is_intact(held));
  RingReader::Picture picture;
  REQUIRE(ring->find(0, {}, &picture).ok());
  CHECK(picture.latent.seq == 15);
}

TEST_CASE("ring: a latent that is not finite is passed over and counted") {
  RingWriter writer(temporary_path("nan"), 0, 0);
  const auto ring = open_ring(writer);
  writer.publish(1, kStep, 0.25f, 0);
  writer.publish(2, 2 * kStep, std::numeric_limits<float>::quiet_NaN(), 0);
  RingReader::Picture picture;
  REQUIRE(ring->find(AVATAR_PTS_NEWEST, {}, &picture).ok());
  CHECK(picture.latent.seq == 1);
  CHECK(picture.pixels == nullptr);
  std::vector<RingReader::Picture> pictures;
  uint64_t num_refused = 0;
  CHECK(ring->latents_since(0, &pictures, &num_refused) == 2);
  CHECK(pictures.size() == 1);
  CHECK(num_refused == 1);
}

TEST_CASE("ring: latents_since brings each latent once, in order") {
  RingWriter writer(temporary_path("since"), 0, 0);
  const auto ring = open_ring(writer);
  std::vector<RingReader::Picture> pictures;
  uint64_t num_refused = 0;
  uint64_t number = 0;
  for (uint64_t seq = 1; seq <= 12; ++seq) {
    writer.publish(2 * seq, static_cast<int64_t>(seq) * kStep, 0.0f, 0);
    if (seq % 3 == 0) number = ring->latents_since(number, &pictures, &num_refused);
  }
  REQUIRE(pictures.size() == 12);
  for (size_t i = 0; i < pictures.size(); ++i) CHECK(pictures[i].latent.seq == 2 * (i + 1));
  CHECK(num_refused == 0);
}

TEST_CASE("ring: waiting ends with the next frame, with the writer's end, or with the time") {
  RingWriter writer(temporary_path("wait"), 16, 8);
  const auto ring = open_ring(writer);
  CHECK(ring->wait(0, 1'000'000).code == AVATAR_DEADLINE_EXCEEDED);
  std::thread thread([&] { writer.publish(1, 0, 0.0f, 0); });
  CHECK(ring->wait(0, avatar::kNanosPerSec * 60).ok());
  thread.join();
  std::thread closer([&] { writer.close_ring(); });
  CHECK(ring->wait(1, avatar::kNanosPerSec * 60).code == AVATAR_UNAVAILABLE);
  closer.join();
  CHECK_FALSE(ring->is_live());
}

TEST_CASE("ring: a writer without a heartbeat is taken for dead") {
  RingWriter writer(temporary_path("dead"), 16, 8);
  const auto ring = open_ring(writer);
  CHECK(ring->is_live());
  writer.header().heartbeat_nanos =
      avatar::monotonic_nanos() - static_cast<int64_t>(AVATAR_RING_HEARTBEAT_TIMEOUT_NANOS) - 1;
  CHECK_FALSE(ring->is_live());
  CHECK(ring->wait(0, avatar::kNanosPerSec * 60).code == AVATAR_UNAVAILABLE);
}

#if !defined(_WIN32)
TEST_CASE("ring: a writer that is killed lets go of its file and is known to be dead at once") {
  RingWriter writer(temporary_path("owned"), 16, 8);
  const int owner = ::open(writer.path().c_str(), O_RDONLY);
  REQUIRE(flock(owner, LOCK_EX | LOCK_NB) == 0);  // as the service's writer holds it
  std::shared_ptr<RingReader> ring;
  REQUIRE(RingReader::open(writer.path(), &ring).ok());
  writer.publish(1, 0, 0.0f, 0);
  CHECK(ring->is_live());
  writer.header().heartbeat_nanos = avatar::monotonic_nanos() - 500'000'000;
  CHECK(ring->is_live());
  ::close(owner);  // as the kernel does for a process that has died
  CHECK_FALSE(ring->is_live());
  CHECK(ring->wait(1, avatar::kNanosPerSec).code == AVATAR_UNAVAILABLE);

  // Nobody held this one from the beginning: only its heartbeat tells.
  std::shared_ptr<RingReader> other;
  REQUIRE(RingReader::open(writer.path(), &other).ok());
  CHECK(other->is_live());
  writer.header().heartbeat_nanos = avatar::monotonic_nanos() - 6 * avatar::kNanosPerSec;
  CHECK_FALSE(other->is_live());
}
#endif
