// What stands in the file is an enemy's: opening is refused, or reading stays inside the mapping
// (the address sanitizer run of this test is what proves the latter).
#include <doctest.h>

#include <cstdio>
#include <random>
#include <vector>

#include "ring_reader.h"
#include "ring_writer.h"

using avatar::RingReader;
using avatar::test::RingWriter;
using avatar::test::temporary_path;

namespace {

avatar::Status open_again(const std::string& path) {
  std::shared_ptr<RingReader> ring;
  return RingReader::open(path, &ring);
}

void write_file(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  CHECK(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
  std::fclose(file);
}

// Everything that a reader does.
void use(RingReader& ring) {
  std::vector<uint8_t> pixels(ring.pixel_bytes());
  std::vector<RingReader::Picture> pictures;
  uint64_t num_torn = 0;
  uint64_t num_refused = 0;
  for (const int64_t pts : {INT64_MIN, int64_t{0}, int64_t{1} << 40, INT64_MAX}) {
    RingReader::Picture picture;
    if (ring.find(pts, {}, &picture).ok()) (void)ring.is_intact(picture);
    (void)ring.copy(pts, {}, 0, pixels.data(), pixels.size(), &picture, &num_torn);
  }
  for (const uint64_t number : {uint64_t{0}, uint64_t{5}, UINT64_MAX}) {
    pictures.clear();
    (void)ring.latents_since(number, &pictures, &num_refused);
  }
  (void)ring.wait(UINT64_MAX, 0);
  (void)ring.is_live();
}

}  // namespace

TEST_CASE("hostile ring: a missing file, a folder and an empty file are told apart") {
  CHECK(open_again(temporary_path("missing")).code == AVATAR_NOT_FOUND);
  const std::string path = temporary_path("nothing");
  write_file(path, {});
  CHECK(open_again(path).code == AVATAR_DATA_LOSS);
  write_file(path, std::vector<uint8_t>(100));
  CHECK(open_again(path).code == AVATAR_DATA_LOSS);
  write_file(path, std::vector<uint8_t>(8192));
  CHECK(open_again(path).code == AVATAR_DATA_LOSS);
  std::remove(path.c_str());
}

TEST_CASE("hostile ring: another version or another schema is a mismatch, not damage") {
  RingWriter writer(temporary_path("version"), 16, 8);
  writer.header().version = 2;
  CHECK(open_again(writer.path()).reason == AVATAR_REASON_PROTOCOL_MISMATCH);
  writer.header().version = AVATAR_RING_VERSION;
  writer.header().schema_hash ^= 1;
  CHECK(open_again(writer.path()).reason == AVATAR_REASON_PROTOCOL_MISMATCH);
}

TEST_CASE("hostile ring: a geometry that does not fit is refused, field by field") {
  RingWriter writer(temporary_path("geometry"), 16, 8);
  const avatar_ring_header good = writer.header();
  CHECK(open_again(writer.path()).ok());
  const auto refuses = [&](auto change) {
    writer.header() = good;
    change(writer.header());
    const avatar::Status status = open_again(writer.path());
    writer.header() = good;
    return status.code == AVATAR_DATA_LOSS;
  };
  CHECK(refuses([](auto& h) { h.magic += 1; }));
  CHECK(refuses([](auto& h) { h.header_bytes = 64; }));
  CHECK(refuses([](auto& h) { h.header_bytes = 0xffffffc0u; }));
  CHECK(refuses([](auto& h) { h.slot_count = 0; }));
  CHECK(refuses([](auto& h) { h.slot_count = 65; }));
  CHECK(refuses([](auto& h) { h.slot_count = 9; }));
  CHECK(refuses([](auto& h) { h.slot_stride = 0; }));
  CHECK(refuses([](auto& h) { h.slot_stride = UINT64_MAX - 63; }));
  CHECK(refuses([](auto& h) { h.slot_stride += 1; }));
  CHECK(refuses([](auto& h) { h.file_bytes += 4096; }));
  CHECK(refuses([](auto& h) { h.width_px = 5000; }));
  CHECK(refuses([](auto& h) { h.height_px = 4096; }));
  CHECK(refuses([](auto& h) { h.width_px = 0; }));
  CHECK(refuses([](auto& h) { h.row_stride += 4; }));
  CHECK(refuses([](auto& h) { h.pixel_format = 7; }));
  CHECK(refuses([](auto& h) { h.pixels_offset = 0; }));
  CHECK(refuses([](auto& h) { h.pixels_offset = 0xffffffc0u; }));
  CHECK(refuses([](auto& h) { h.motion_offset = 0xfffffffcu; }));
  CHECK(refuses([](auto& h) { h.motion_offset = 2; }));
  CHECK(refuses([](auto& h) { h.fps_num = 0; }));
  CHECK(refuses([](auto& h) { h.fps_den = 0; }));
}

TEST_CASE("hostile ring: a file shorter than its header says is refused") {
  const std::string path = temporary_path("short");
  std::vector<uint8_t> bytes;
  {
    RingWriter writer(temporary_path("whole"), 16, 8);
    const auto* begin = reinterpret_cast<const uint8_t*>(&writer.header());
    bytes.assign(begin, begin + writer.header().file_bytes);
  }
  for (const size_t size : {size_t{4095}, size_t{4096}, size_t{8192}, bytes.size() - 1}) {
    write_file(path, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    CHECK(open_again(path).code == AVATAR_DATA_LOSS);
  }
  std::remove(path.c_str());
}

#if !defined(_WIN32)  // Windows does not let a mapped file be cut
TEST_CASE("hostile ring: truncated under the reader it is DATA_LOSS, not a crash") {
  RingWriter writer(temporary_path("truncated"), 16, 8);
  std::shared_ptr<RingReader> ring;
  REQUIRE(RingReader::open(writer.path(), &ring).ok());
  writer.publish(1, 0, 0.0f, 0);
  RingReader::Picture picture;
  REQUIRE(ring->find(0, {}, &picture).ok());
  REQUIRE(truncate(writer.path().c_str(), 4096) == 0);
  CHECK_FALSE(ring->is_intact(picture));
  CHECK(ring->find(0, {}, &picture).code == AVATAR_DATA_LOSS);
  CHECK(ring->wait(0, 1'000'000).code == AVATAR_DATA_LOSS);
  CHECK_FALSE(ring->is_live());
  use(*ring);
}
#endif

TEST_CASE("hostile ring: random bytes behind a good geometry never lead outside the mapping") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 40; ++round) {
    RingWriter writer(temporary_path("random"), 8, 8, 3);
    std::shared_ptr<RingReader> ring;
    REQUIRE(RingReader::open(writer.path(), &ring).ok());
    auto* words = reinterpret_cast<uint64_t*>(&writer.header());
    const uint64_t num_words = writer.header().file_bytes / 8;
    for (uint64_t i = 0; i < num_words; ++i) {
      // Also locks that look complete, so that the reader goes on to the contents.
      words[i] = random() >> (random() % 64);
    }
    if (round % 2 == 0) {
      auto& header = *reinterpret_cast<avatar_ring_header*>(words);
      header.head = random() >> (random() % 64);
      const uint64_t slot = 4096 + 8192 * ((header.head - 1) % 3);
      words[slot / 8] = 2 * header.head;
    }
    use(*ring);
  }
}
