// JPEG frames of the gRPC transport.
#pragma once

#include <cstdint>
#include <string_view>

#include "status.h"

namespace avatar {

// Decodes into RGBA with alpha 255; DATA_LOSS unless it is a JPEG of exactly this size.
Status decode_jpeg(std::string_view data, uint32_t width_px, uint32_t height_px, uint8_t* pixels);

}  // namespace avatar
