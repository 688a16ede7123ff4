#include <doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "motion.h"

namespace {

constexpr double kPi = 3.14159265358979323846;

std::vector<uint8_t> blob() {
  std::vector<uint8_t> bytes(AVATAR_RING_BLOB_BYTES);
  bytes[AVATAR_RING_BLOB_FORMAT_OFFSET] = AVATAR_RING_BLOB_FORMAT;
  return bytes;
}

template <typename T>
void put(std::vector<uint8_t>* bytes, size_t offset, T value) {
  std::memcpy(bytes->data() + offset, &value, sizeof value);
}

}  // namespace

TEST_CASE("motion: the blob decodes to the values that its steps say") {
  auto bytes = blob();
  put<uint16_t>(&bytes, AVATAR_RING_BLOB_EPOCH_OFFSET, 513);
  put<uint32_t>(&bytes, AVATAR_RING_BLOB_SEQ_OFFSET, 70000);
  put<int64_t>(&bytes, AVATAR_RING_BLOB_PTS_NANOS_OFFSET, -5);
  put<int16_t>(&bytes, AVATAR_RING_BLOB_HEAD_ROTATION_OFFSET, 32767);       // yaw pi
  put<int16_t>(&bytes, AVATAR_RING_BLOB_HEAD_ROTATION_OFFSET + 4, -32767);  // roll -pi
  put<int16_t>(&bytes, AVATAR_RING_BLOB_HEAD_XY_OFFSET + 2, 4096);          // y 1
  put<int16_t>(&bytes, AVATAR_RING_BLOB_HEAD_Z_OFFSET, -2048);              // z -2
  put<int16_t>(&bytes, AVATAR_RING_BLOB_GAZE_OFFSET + 6, 100);              // right pitch
  bytes[AVATAR_RING_BLOB_EXPRESSION_OFFSET + 17] = 204;                     // jawOpen 1
  bytes[AVATAR_RING_BLOB_EMOTION_OFFSET + 1] = 255;                         // happy 1
  bytes[AVATAR_RING_BLOB_SPEECH_OFFSET] = 51;                               // 0.2
  avatar::Latent latent;
  REQUIRE(avatar::unpack_blob(bytes.data(), bytes.size(), &latent).ok());
  CHECK(latent.epoch == 513);
  CHECK(latent.seq == 70000);
  CHECK(latent.pts_nanos == -5);
  const avatar_motion motion = avatar::to_abi(latent);
  CHECK(motion.head_rotation[0] == doctest::Approx(kPi));
  CHECK(motion.head_rotation[1] == 0.0f);
  CHECK(motion.head_rotation[2] == doctest::Approx(-kPi));
  CHECK(motion.head_translation[0] == 0.0f);
  CHECK(motion.head_translation[1] == doctest::Approx(1.0));
  CHECK(motion.head_translation[2] == doctest::Approx(-2.0));
  CHECK(motion.gaze[3] == doctest::Approx(100 * kPi / 32767));
  CHECK(motion.expression[17] == doctest::Approx(1.0));
  CHECK(motion.emotion[1] == doctest::Approx(1.0));
  CHECK(motion.speech == doctest::Approx(0.2));
  CHECK(std::strcmp(avatar_channel_name(17), "jawOpen") == 0);
  CHECK(std::strcmp(avatar_channel_name(70), "speech") == 0);
  CHECK(avatar_channel_name(71) == nullptr);
}

TEST_CASE("motion: another length, format or reserved byte is refused") {
  avatar::Latent latent;
  auto bytes = blob();
  CHECK(avatar::unpack_blob(bytes.data(), bytes.size(), &latent).ok());
  CHECK(avatar::unpack_blob(bytes.data(), bytes.size() - 1, &latent).code == AVATAR_DATA_LOSS);
  CHECK(avatar::unpack_blob(nullptr, 0, &latent).code == AVATAR_DATA_LOSS);
  bytes[0] = 2;
  CHECK(avatar::unpack_blob(bytes.data(), bytes.size(), &latent).code == AVATAR_DATA_LOSS);
  bytes[0] = 1;
  bytes[1] = 1;
  CHECK(avatar::unpack_blob(bytes.data(), bytes.size(), &latent).code == AVATAR_DATA_LOSS);
}

TEST_CASE("motion: epochs are compared around the end of their 16 bits") {
  CHECK(avatar::is_newer_epoch(1, 0));
  CHECK_FALSE(avatar::is_newer_epoch(0, 1));
  CHECK_FALSE(avatar::is_newer_epoch(3, 3));
  CHECK(avatar::is_newer_epoch(0, 65535));
  CHECK(avatar::is_newer_epoch(65536, 65535));
}
