// The motion latent in memory, its packed blob, and arithmetic on it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "avatar_client.h"
#include "avatar_ring_layout.h"
#include "status.h"

namespace avatar {

// One latent with its place in the stream. values stand in the order of avatar_channel_name().
struct Latent {
  uint64_t seq = 0;
  int64_t pts_nanos = 0;
  uint32_t epoch = 0;
  std::array<float, AVATAR_NUM_CHANNELS> values{};
};

// Decodes MotionLatent.blob (protos/avatar/v1/motion.proto); DATA_LOSS where it is malformed.
Status unpack_blob(const void* data, size_t size, Latent* latent);

// False where a number is not finite: such a latent is thrown away.
bool is_finite(const Latent& latent);

// from + (to - from) * weight per channel, weight in 0..1.
void mix(const std::array<float, AVATAR_NUM_CHANNELS>& from,
         const std::array<float, AVATAR_NUM_CHANNELS>& to, float weight,
         std::array<float, AVATAR_NUM_CHANNELS>* result);

// All channels of the ABI form, which stand in a row.
std::array<float, AVATAR_NUM_CHANNELS> values_of(const avatar_motion& motion);
void set_values(const std::array<float, AVATAR_NUM_CHANNELS>& values, avatar_motion* motion);

// The ABI form: flags 0, presence 1.
avatar_motion to_abi(const Latent& latent);

// Whether epoch b came after a; the counter has 16 bits on the wire and wraps.
inline bool is_newer_epoch(uint32_t b, uint32_t a) {
  return static_cast<int16_t>(static_cast<uint16_t>(b - a)) > 0;
}

}  // namespace avatar
