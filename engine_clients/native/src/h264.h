// H.264 frames of the gRPC transport.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "status.h"

namespace avatar {

// True where this library was built with a decoder (AVATAR_FEATURE_H264).
extern const bool kHasH264;

// Decoder of one stream: a frame builds on those before it, so each one has to pass through here,
// in order. Not thread-safe.
class H264Decoder {
 public:
  H264Decoder();
  ~H264Decoder();
  H264Decoder(const H264Decoder&) = delete;
  H264Decoder& operator=(const H264Decoder&) = delete;

  // Decodes one access unit (Annex B) into RGBA with alpha 255. DATA_LOSS: damaged, of another size,
  // or building on a frame that never came; then nothing is shown until the next keyframe.
  // AVATAR_UNIMPLEMENTED: built without a decoder.
  Status decode(std::string_view data, bool is_keyframe, uint32_t width_px, uint32_t height_px,
                uint8_t* pixels);

 private:
  class Codec;
  std::unique_ptr<Codec> codec_;
  bool is_waiting_for_keyframe_ = true;
};

}  // namespace avatar
