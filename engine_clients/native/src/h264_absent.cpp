// A build without an H.264 decoder says so.
#include "h264.h"

namespace avatar {

const bool kHasH264 = false;

class H264Decoder::Codec {};

H264Decoder::H264Decoder() = default;
H264Decoder::~H264Decoder() = default;

Status H264Decoder::decode(std::string_view, bool, uint32_t, uint32_t, uint8_t*) {
  return fault(Reason::TRANSPORT_NOT_SUPPORTED,
               "this build of the library has no H.264 decoder: ask for JPEG or raw frames");
}

}  // namespace avatar
