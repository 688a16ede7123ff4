// Messages of the ZeroMQ transport, built by hand for the tests.
#pragma once

#include <cstdint>
#include <string>

#include "avatar_ring_layout.h"

namespace avatar::test {

inline std::string motion_blob() {
  std::string blob(AVATAR_RING_BLOB_BYTES, '\0');
  blob[AVATAR_RING_BLOB_FORMAT_OFFSET] = AVATAR_RING_BLOB_FORMAT;
  return blob;
}

inline std::string packed(const std::string& text) {
  return static_cast<char>(0xa0 + text.size()) + text;
}

inline std::string packed(int64_t value) {
  std::string bytes = "\xd3";
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

// Header of a frame or motion message; "t" is 99.
inline std::string wire_header(const std::string& kind, int64_t seq, int64_t epoch,
                               int64_t pts_nanos, int64_t width_px, int64_t height_px,
                               int64_t version = 1) {
  const bool is_frame = kind != "motion";
  std::string header(1, static_cast<char>(0x80 + (is_frame ? 9 : 6)));
  header += packed("v") + packed(version) + packed("kind") + packed(kind);
  header += packed("seq") + packed(seq) + packed("epoch") + packed(epoch);
  header += packed("pts") + packed(pts_nanos) + packed("t") + packed(99);
  if (is_frame) {
    header += packed("w") + packed(width_px) + packed("h") + packed(height_px);
    header += packed("motion") + "\xc4" + static_cast<char>(AVATAR_RING_BLOB_BYTES);
    header += motion_blob();
  }
  return header;
}

}  // namespace avatar::test
