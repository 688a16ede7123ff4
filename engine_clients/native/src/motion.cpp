#include "motion.h"

#include <cmath>
#include <cstring>

namespace avatar {

namespace {

constexpr size_t kChannelsOffset = offsetof(avatar_motion, expression);
static_assert(AVATAR_NUM_CHANNELS == AVATAR_RING_MOTION_FLOATS);
static_assert(sizeof(avatar_ring_motion) == AVATAR_NUM_CHANNELS * sizeof(float));
static_assert(offsetof(avatar_motion, speech) - offsetof(avatar_motion, expression) ==
              offsetof(avatar_ring_motion, speech));

template <typename T>
T load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// A run of integers of the blob into floats.
template <typename T>
void scale(const uint8_t* blob, size_t offset, size_t count, double step, float* out) {
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(load<T>(blob + offset + i * sizeof(T)) * step);
  }
}

}  // namespace

Status unpack_blob(const void* data, size_t size, Latent* latent) {
  const auto* blob = static_cast<const uint8_t*>(data);
  if (size != AVATAR_RING_BLOB_BYTES) {
    return Status::of(AVATAR_DATA_LOSS, "motion blob has " + std::to_string(size) +
                                            " bytes; " + std::to_string(AVATAR_RING_BLOB_BYTES) +
                                            " are expected");
  }
  if (blob[AVATAR_RING_BLOB_FORMAT_OFFSET] != AVATAR_RING_BLOB_FORMAT ||
      blob[AVATAR_RING_BLOB_RESERVED_OFFSET] != 0) {
    return Status::of(AVATAR_DATA_LOSS, "motion blob has an unknown format");
  }
  latent->epoch = load<uint16_t>(blob + AVATAR_RING_BLOB_EPOCH_OFFSET);
  latent->seq = load<uint32_t>(blob + AVATAR_RING_BLOB_SEQ_OFFSET);
  latent->pts_nanos = load<int64_t>(blob + AVATAR_RING_BLOB_PTS_NANOS_OFFSET);
  avatar_ring_motion motion{};
  scale<uint8_t>(blob, AVATAR_RING_BLOB_EXPRESSION_OFFSET, AVATAR_RING_BLOB_EXPRESSION_COUNT,
                 AVATAR_RING_BLOB_EXPRESSION_STEP, motion.expression);
  scale<int16_t>(blob, AVATAR_RING_BLOB_HEAD_ROTATION_OFFSET,
                 AVATAR_RING_BLOB_HEAD_ROTATION_COUNT, AVATAR_RING_BLOB_HEAD_ROTATION_STEP,
                 motion.head_rotation);
  scale<int16_t>(blob, AVATAR_RING_BLOB_HEAD_XY_OFFSET, AVATAR_RING_BLOB_HEAD_XY_COUNT,
                 AVATAR_RING_BLOB_HEAD_XY_STEP, motion.head_translation);
  scale<int16_t>(blob, AVATAR_RING_BLOB_HEAD_Z_OFFSET, 1, AVATAR_RING_BLOB_HEAD_Z_STEP,
                 motion.head_translation + 2);
  scale<int16_t>(blob, AVATAR_RING_BLOB_GAZE_OFFSET, AVATAR_RING_BLOB_GAZE_COUNT,
                 AVATAR_RING_BLOB_GAZE_STEP, motion.gaze);
  scale<uint8_t>(blob, AVATAR_RING_BLOB_EMOTION_OFFSET, AVATAR_RING_BLOB_EMOTION_COUNT,
                 AVATAR_RING_BLOB_EMOTION_STEP, motion.emotion);
  scale<uint8_t>(blob, AVATAR_RING_BLOB_SPEECH_OFFSET, 1, AVATAR_RING_BLOB_SPEECH_STEP,
                 &motion.speech);
  std::memcpy(latent->values.data(), &motion, sizeof motion);
  return {};
}

bool is_finite(const Latent& latent) {
  for (const float value : latent.values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

void mix(const std::array<float, AVATAR_NUM_CHANNELS>& from,
         const std::array<float, AVATAR_NUM_CHANNELS>& to, float weight,
         std::array<float, AVATAR_NUM_CHANNELS>* result) {
  for (size_t i = 0; i < from.size(); ++i) (*result)[i] = from[i] + (to[i] - from[i]) * weight;
}

std::array<float, AVATAR_NUM_CHANNELS> values_of(const avatar_motion& motion) {
  std::array<float, AVATAR_NUM_CHANNELS> values;
  std::memcpy(values.data(), reinterpret_cast<const char*>(&motion) + kChannelsOffset,
              sizeof values);
  return values;
}

void set_values(const std::array<float, AVATAR_NUM_CHANNELS>& values, avatar_motion* motion) {
  std::memcpy(reinterpret_cast<char*>(motion) + kChannelsOffset, values.data(), sizeof values);
}

avatar_motion to_abi(const Latent& latent) {
  avatar_motion motion{};
  motion.struct_size = sizeof motion;
  motion.seq = latent.seq;
  motion.pts_nanos = latent.pts_nanos;
  motion.epoch = latent.epoch;
  motion.presence = 1.0f;
  set_values(latent.values, &motion);
  return motion;
}

}  // namespace avatar
