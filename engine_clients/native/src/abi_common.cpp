// Versions, features and names of the C interface.
#include "abi.h"
#include "frame_views.h"
#include "h264.h"
#include "ring_wait.h"
#include "nanos.h"

uint32_t avatar_abi_version(void) { return AVATAR_ABI_VERSION; }

const char* avatar_version(void) { return AVATAR_CLIENT_VERSION; }

uint32_t avatar_features(void) {
  uint32_t features = 0;
  if (avatar::kHasFutex) features |= AVATAR_FEATURE_FUTEX;
#if defined(AVATAR_WITH_GRPC)
  features |= AVATAR_FEATURE_GRPC | AVATAR_FEATURE_ZMQ | AVATAR_FEATURE_JPEG;
  if (avatar::kHasH264) features |= AVATAR_FEATURE_H264;
#endif
  return features;
}

int64_t avatar_monotonic_nanos(void) { return avatar::monotonic_nanos(); }

const char* avatar_channel_name(uint32_t index) {
  static constexpr const char* kNames[] = {
#define AVATAR_ROW(name) #name,
      AVATAR_CHANNEL_TABLE(AVATAR_ROW)
#undef AVATAR_ROW
  };
  static_assert(sizeof kNames / sizeof *kNames == AVATAR_NUM_CHANNELS);
  return index < AVATAR_NUM_CHANNELS ? kNames[index] : nullptr;
}

avatar_status avatar_frame_release(uint64_t token, avatar_error* error) {
  return avatar::abi::guard(error, [&] { return avatar::release_frame(token); });
}
