// Pictures that an engine holds without a copy, by token.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "avatar_client.h"
#include "jitter_buffer.h"
#include "ring_reader.h"
#include "status.h"

namespace avatar {

// Keeps the ring mapped until the view is released, also when it is closed meanwhile.
void lend_ring_frame(std::shared_ptr<RingReader> ring, const RingReader::Picture& picture,
                     avatar_frame_view* view);
// Keeps the pixels alive until the view is released.
void lend_pixels(std::shared_ptr<const Pixels> pixels, avatar_frame_view* view);
// AVATAR_ABORTED: the ring's writer has used the slot again. AVATAR_INVALID_ARGUMENT: no such view.
Status release_frame(uint64_t token);

// The ABI form of a picture of a ring.
avatar_frame to_abi_frame(const RingReader& ring, const RingReader::Picture& picture);

}  // namespace avatar
