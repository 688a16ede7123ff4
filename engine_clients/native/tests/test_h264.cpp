#include <doctest.h>

#include <string>
#include <vector>

#include "avatar_client.h"
#include "h264.h"

using avatar::H264Decoder;

TEST_CASE("h264: what is no keyframe at first, rubbish and emptiness are refused") {
  std::vector<uint8_t> pixels(64 * 64 * 4);
  H264Decoder decoder;
  const std::string rubbish("\0\0\0\1\x67garbage\0\0\0\1\x65more of it", 28);
  if (!avatar::kHasH264) {
    CHECK(decoder.decode(rubbish, true, 64, 64, pixels.data()).code == AVATAR_UNIMPLEMENTED);
    return;
  }
  CHECK((avatar_features() & AVATAR_FEATURE_H264) != 0);
  CHECK(decoder.decode(rubbish, false, 64, 64, pixels.data()).code == AVATAR_DATA_LOSS);
  CHECK(decoder.decode(rubbish, true, 64, 64, pixels.data()).code == AVATAR_DATA_LOSS);
  CHECK(decoder.decode({}, true, 64, 64, pixels.data()).code == AVATAR_DATA_LOSS);
}

TEST_CASE("h264: random bytes behind start codes never do harm") {
  std::vector<uint8_t> pixels(64 * 64 * 4);
  uint32_t state = 1;
  H264Decoder decoder;
  for (int round = 0; round < 300; ++round) {
    std::string data("\0\0\0\1", 4);
    for (int i = 0; i < 400; ++i) {
      state = state * 1664525u + 1013904223u;
      data += static_cast<char>(state >> 24);
      if (i % 97 == 0) data.append("\0\0\1\x65", 4);
    }
    data[4] = round % 3 == 0 ? '\x67' : '\x65';
    CHECK_FALSE(decoder.decode(data, true, 64, 64, pixels.data()).ok());
  }
}
