// The three-part messages of the ZeroMQ transport (ZmqEndpoint in protos/avatar/v1/endpoint.proto).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "motion.h"
#include "status.h"

namespace avatar {

struct WireMessage {
  Latent latent;
  int64_t published_nanos = 0;
  uint32_t width_px = 0;  // 0: a motion message
  uint32_t height_px = 0;
};

// Decodes header and checks the payload against it: a frame's pixels must have w * h * 4 bytes, a
// motion message's payload must be its blob. DATA_LOSS where anything does not fit, UNAVAILABLE for
// the message that ends the session.
Status decode_wire(std::string_view header, std::string_view payload, WireMessage* message);

}  // namespace avatar
