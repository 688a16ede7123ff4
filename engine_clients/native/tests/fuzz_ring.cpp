// Fuzzes the ring: the input is the file, with a magic, version and schema that are right so that
// the rest is reached.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <unistd.h>

#include "avatar_tables.h"
#include "ring_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string path = "/tmp/avatar_fuzz_ring_" + std::to_string(getpid());
  // A good header of a small ring, over which the input's bytes are laid where they are not zero.
  avatar_ring_header header{};
  header.header_bytes = sizeof header;
  header.slot_count = 3;
  header.slot_stride = 768;
  header.width_px = 8;
  header.height_px = 8;
  header.row_stride = 32;
  header.pixel_format = AVATAR_RING_PIXEL_FORMAT_RGBA8;
  header.motion_offset = 64;
  header.pixels_offset = 384;
  header.motion_floats = AVATAR_RING_MOTION_FLOATS;
  header.file_bytes = header.header_bytes + 3 * header.slot_stride;
  header.fps_num = 40;
  header.fps_den = 1;
  header.state = AVATAR_RING_STATE_LIVE;
  header.head = 2;
  std::vector<uint8_t> file(header.file_bytes);
  std::memcpy(file.data(), &header, sizeof header);
  for (size_t i = 0; i < size && i < file.size(); ++i) {
    if (data[i] != 0) file[i] = data[i];
  }
  header.magic = AVATAR_RING_MAGIC;
  header.version = AVATAR_RING_VERSION;
  header.schema_hash = AVATAR_SCHEMA_HASH;
  std::memcpy(file.data(), &header.magic, sizeof header.magic);
  std::memcpy(file.data() + offsetof(avatar_ring_header, version), &header.version, 4);
  std::memcpy(file.data() + offsetof(avatar_ring_header, schema_hash), &header.schema_hash, 8);
  // Locks that fit, so that the contents are read.
  uint64_t head = 0;
  std::memcpy(&head, file.data() + offsetof(avatar_ring_header, head), sizeof head);
  const uint64_t lock = 2 * head;
  std::memcpy(file.data() + sizeof header + (head - 1) % 3 * 768, &lock, sizeof lock);

  std::FILE* out = std::fopen(path.c_str(), "wb");
  if (out == nullptr) return 0;
  std::fwrite(file.data(), 1, file.size(), out);
  std::fclose(out);
  std::shared_ptr<avatar::RingReader> ring;
  if (avatar::RingReader::open(path, &ring).ok()) {
    std::vector<uint8_t> pixels(ring->pixel_bytes());
    std::vector<avatar::RingReader::Picture> pictures;
    avatar::RingReader::Picture picture;
    uint64_t num_torn = 0;
    uint64_t num_refused = 0;
    for (const int64_t pts : {INT64_MIN, int64_t{0}, INT64_MAX}) {
      (void)ring->copy(pts, {}, 0, pixels.data(), pixels.size(), &picture, &num_torn);
    }
    (void)ring->latents_since(0, &pictures, &num_refused);
    (void)ring->wait(UINT64_MAX, 0);
    (void)ring->is_live();
  }
  std::remove(path.c_str());
  return 0;
}
