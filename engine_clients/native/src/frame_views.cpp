#include "frame_views.h"

#include <mutex>
#include <unordered_map>
#include <utility>

namespace avatar {

namespace {

struct View {
  std::shared_ptr<RingReader> ring;  // null: pixels are owned
  RingReader::Picture picture;
  std::shared_ptr<const Pixels> pixels;
};

struct Views {
  std::mutex mutex;
  std::unordered_map<uint64_t, View> by_token;
  uint64_t last_token = 0;
};

Views& views() {
  static auto* all = new Views;  // never destroyed, see HandleTable
  return *all;
}

uint64_t keep(View view) {
  const std::lock_guard lock(views().mutex);
  const uint64_t token = ++views().last_token;
  views().by_token.emplace(token, std::move(view));
  return token;
}

}  // namespace

void lend_ring_frame(std::shared_ptr<RingReader> ring, const RingReader::Picture& picture,
                     avatar_frame_view* view) {
  view->pixels = picture.pixels;
  view->token = keep({std::move(ring), picture, nullptr});
}

void lend_pixels(std::shared_ptr<const Pixels> pixels, avatar_frame_view* view) {
  view->pixels = pixels == nullptr ? nullptr : pixels->data();
  view->token = keep({nullptr, {}, std::move(pixels)});
}

Status release_frame(uint64_t token) {
  View view;
  {
    const std::lock_guard lock(views().mutex);
    const auto entry = views().by_token.find(token);
    if (entry == views().by_token.end()) {
      return fault(Reason::INVALID_FIELD, "no frame is held under this token");
    }
    view = std::move(entry->second);
    views().by_token.erase(entry);
  }
  if (view.ring != nullptr && !view.ring->is_intact(view.picture)) {
    return Status::of(AVATAR_ABORTED, "the writer overtook the reader: the frame may be torn");
  }
  return {};
}

avatar_frame to_abi_frame(const RingReader& ring, const RingReader::Picture& picture) {
  avatar_frame frame{};
  frame.struct_size = sizeof frame;
  frame.flags = picture.flags;
  frame.seq = picture.latent.seq;
  frame.pts_nanos = picture.latent.pts_nanos;
  frame.published_nanos = picture.published_nanos;
  frame.epoch = picture.latent.epoch;
  if (picture.pixels != nullptr) {
    frame.width_px = ring.width_px();
    frame.height_px = ring.height_px();
    frame.row_bytes = ring.width_px() * 4;
    frame.pixel_bytes = ring.pixel_bytes();
  }
  return frame;
}

}  // namespace avatar
