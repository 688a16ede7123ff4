#include "jpeg.h"

#include <memory>

#include <turbojpeg.h>

namespace avatar {

Status decode_jpeg(std::string_view data, uint32_t width_px, uint32_t height_px, uint8_t* pixels) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (decoder == nullptr) return fault(Reason::BUG, "the JPEG decoder does not start");
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  const auto size = static_cast<unsigned long>(data.size());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colorspace = 0;
  if (tjDecompressHeader3(decoder.get(), bytes, size, &width, &height, &subsampling,
                          &colorspace) != 0 ||
      width != static_cast<int>(width_px) || height != static_cast<int>(height_px)) {
    return Status::of(AVATAR_DATA_LOSS, "a frame is no JPEG of the session's size");
  }
  if (tjDecompress2(decoder.get(), bytes, size, pixels, width, width * 4, height, TJPF_RGBA,
                    TJFLAG_STOPONWARNING) != 0) {
    return Status::of(AVATAR_DATA_LOSS, "a frame's JPEG is damaged");
  }
  return {};
}

}  // namespace avatar
