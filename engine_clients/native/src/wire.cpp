#include "wire.h"

#include "msgpack.h"

namespace avatar {

namespace {

constexpr uint64_t kWireVersion = 1;

Status malformed(const char* what) {
  return Status::of(AVATAR_DATA_LOSS, std::string("malformed ZeroMQ message: ") + what);
}

struct Header {
  uint64_t version = 0;
  std::string_view kind;
  uint64_t seq = 0;
  uint64_t epoch = 0;
  int64_t pts_nanos = 0;
  int64_t published_nanos = 0;
  uint64_t width_px = 0;
  uint64_t height_px = 0;
  std::string_view motion;
  bool has_pts = false;
};

bool read_pair(MsgpackReader* reader, Header* header) {
  std::string_view key;
  if (!reader->read_text(&key)) return false;
  if (key == "v") return reader->read_uint(&header->version);
  if (key == "kind") return reader->read_text(&header->kind);
  if (key == "seq") return reader->read_uint(&header->seq);
  if (key == "epoch") return reader->read_uint(&header->epoch);
  if (key == "t") return reader->read_int(&header->published_nanos);
  if (key == "w") return reader->read_uint(&header->width_px);
  if (key == "h") return reader->read_uint(&header->height_px);
  if (key == "motion") return reader->read_bytes(&header->motion);
  if (key == "pts") {
    header->has_pts = true;
    return reader->read_int(&header->pts_nanos);
  }
  return reader->skip();  // a key that a newer server has added
}

}  // namespace

Status decode_wire(std::string_view data, std::string_view payload, WireMessage* message) {
  MsgpackReader reader(data.data(), data.size());
  Header header;
  uint32_t num_pairs = 0;
  if (!reader.read_map(&num_pairs)) return malformed("its header is no map");
  for (uint32_t i = 0; i < num_pairs; ++i) {
    if (!read_pair(&reader, &header)) return malformed("its header");
  }
  if (!reader.is_at_end()) return malformed("bytes behind its header");
  if (header.version != kWireVersion) return malformed("an unknown version");
  if (header.kind == "end") return Status::of(AVATAR_UNAVAILABLE, "the session has ended");
  if (header.seq == 0 || !header.has_pts || header.epoch > UINT32_MAX) {
    return malformed("seq, epoch or pts");
  }
  const bool is_frame = header.kind == "frame";
  if (!is_frame && header.kind != "motion") return malformed("an unknown kind");
  if (is_frame) {
    if (header.width_px == 0 || header.width_px > AVATAR_RING_MAX_FRAME_PX ||
        header.height_px == 0 || header.height_px > AVATAR_RING_MAX_FRAME_PX ||
        payload.size() != header.width_px * header.height_px * 4) {
      return malformed("a frame whose size is not that of its pixels");
    }
    message->width_px = static_cast<uint32_t>(header.width_px);
    message->height_px = static_cast<uint32_t>(header.height_px);
  } else {
    message->width_px = message->height_px = 0;
  }
  const std::string_view blob = is_frame ? header.motion : payload;
  const Status status = unpack_blob(blob.data(), blob.size(), &message->latent);
  if (!status.ok()) return status;
  // The blob's own counters are cut short; the header has them whole.
  message->latent.seq = header.seq;
  message->latent.epoch = static_cast<uint32_t>(header.epoch);
  message->latent.pts_nanos = header.pts_nanos;
  message->published_nanos = header.published_nanos;
  return {};
}

}  // namespace avatar
