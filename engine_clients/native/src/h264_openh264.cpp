// OpenH264 decodes, libyuv converts.
#include "h264.h"

#include <array>

#include <libyuv/convert_argb.h>
#include <wels/codec_api.h>

namespace avatar {

const bool kHasH264 = true;

namespace {

// Largest access unit taken: a raw frame of the largest size there is.
constexpr size_t kMaxBytes = size_t{4096} * 4096 * 4;

}  // namespace

class H264Decoder::Codec {
 public:
  Codec() {
    if (WelsCreateDecoder(&decoder_) != 0) decoder_ = nullptr;
    if (decoder_ == nullptr) return;
    int quiet = WELS_LOG_QUIET;
    decoder_->SetOption(DECODER_OPTION_TRACE_LEVEL, &quiet);
    SDecodingParam parameters{};
    parameters.eEcActiveIdc = ERROR_CON_DISABLE;  // what is damaged is not to be guessed
    parameters.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
    is_ready_ = decoder_->Initialize(&parameters) == 0;
  }
  ~Codec() {
    if (decoder_ == nullptr) return;
    decoder_->Uninitialize();
    WelsDestroyDecoder(decoder_);
  }
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;

  Status decode(std::string_view data, uint32_t width_px, uint32_t height_px, uint8_t* pixels) {
    if (!is_ready_) return fault(Reason::BUG, "the H.264 decoder does not start");
    if (data.empty() || data.size() > kMaxBytes) {
      return Status::of(AVATAR_DATA_LOSS, "a frame's H.264 is empty or too long");
    }
    std::array<unsigned char*, 3> planes{};
    SBufferInfo info{};
    info.uiInBsTimeStamp = ++count_;
    DECODING_STATE state =
        decoder_->DecodeFrameNoDelay(reinterpret_cast<const unsigned char*>(data.data()),
                                     static_cast<int>(data.size()), planes.data(), &info);
    if (state == dsErrorFree && info.iBufferStatus != 1) {
      // The first picture of a stream is held back, in case one of later decoding goes before it.
      info = {};
      state = decoder_->FlushFrame(planes.data(), &info);
    }
    if (state != dsErrorFree || info.iBufferStatus != 1 || info.uiOutYuvTimeStamp != count_) {
      return Status::of(AVATAR_DATA_LOSS, "a frame's H.264 is damaged or lacks one before it");
    }
    const SSysMEMBuffer& picture = info.UsrData.sSystemBuffer;
    if (picture.iFormat != videoFormatI420 || picture.iWidth != static_cast<int>(width_px) ||
        picture.iHeight != static_cast<int>(height_px)) {
      return Status::of(AVATAR_DATA_LOSS, "a frame's H.264 is not of the session's size");
    }
    // libyuv names words of little-endian machines: its ABGR lies as R, G, B, A in memory. BT.601,
    // limited range, as the service encodes.
    libyuv::I420ToABGR(planes[0], picture.iStride[0], planes[1], picture.iStride[1], planes[2],
                       picture.iStride[1], pixels, picture.iWidth * 4, picture.iWidth,
                       picture.iHeight);
    return {};
  }

 private:
  ISVCDecoder* decoder_ = nullptr;
  bool is_ready_ = false;
  unsigned long long count_ = 0;  // of access units: the picture that comes out must be this one
};

H264Decoder::H264Decoder() : codec_(std::make_unique<Codec>()) {}
H264Decoder::~H264Decoder() = default;

Status H264Decoder::decode(std::string_view data, bool is_keyframe, uint32_t width_px,
                           uint32_t height_px, uint8_t* pixels) {
  if (is_waiting_for_keyframe_ && !is_keyframe) {
    return Status::of(AVATAR_DATA_LOSS, "an H.264 frame came before the first keyframe");
  }
  const Status status = codec_->decode(data, width_px, height_px, pixels);
  is_waiting_for_keyframe_ = !status.ok();
  return status;
}

}  // namespace avatar
