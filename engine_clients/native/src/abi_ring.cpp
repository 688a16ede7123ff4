// avatar_ring_*: the ring on its own.
#include "abi.h"
#include "frame_views.h"
#include "handles.h"
#include "ring_reader.h"
#include "nanos.h"

namespace {

using avatar::RingReader;
using avatar::Status;
namespace abi = avatar::abi;

using Rings = avatar::HandleTable<avatar_ring, RingReader, avatar::HandleKind::kRing>;

Status put_motion(avatar_motion* motion, const RingReader::Picture& picture) {
  avatar_motion record = avatar::to_abi(picture.latent);
  if (picture.flags & AVATAR_FRAME_NEW) record.flags |= AVATAR_MOTION_NEW;
  return abi::write_struct(motion, record, "motion");
}

}  // namespace

avatar_status avatar_ring_open(avatar_string path, avatar_ring** ring, avatar_error* error) {
  return abi::guard(error, [&] {
    if (ring == nullptr) return abi::null_argument("ring");
    *ring = nullptr;
    std::shared_ptr<RingReader> reader;
    Status status = RingReader::open(abi::take_text(path), &reader);
    if (status.ok()) *ring = Rings::get().add(std::move(reader));
    return status;
  });
}

avatar_status avatar_ring_get_info(avatar_ring* ring, avatar_ring_info* info,
                                   avatar_error* error) {
  return abi::guard(error, [&] {
    if (info == nullptr) return abi::null_argument("info");
    std::shared_ptr<RingReader> reader;
    Status status = Rings::get().find(ring, &reader);
    if (!status.ok()) return status;
    avatar_ring_info record{};
    record.slot_count = reader->slot_count();
    record.width_px = reader->width_px();
    record.height_px = reader->height_px();
    record.fps_num = reader->fps_num();
    record.fps_den = reader->fps_den();
    record.pixel_bytes = reader->pixel_bytes();
    record.newest_seq = reader->newest_seq();
    record.epoch = reader->epoch();
    record.is_live = reader->is_live() ? 1 : 0;
    record.heartbeat_age_nanos = reader->heartbeat_age_nanos();
    std::memcpy(record.ring_id, reader->ring_id(), sizeof record.ring_id);
    return abi::write_struct(info, record, "info");
  });
}

avatar_status avatar_ring_copy_frame(avatar_ring* ring, int64_t pts_nanos, uint64_t have_seq,
                                     uint8_t* pixels, uint64_t capacity, avatar_frame* frame,
                                     avatar_motion* motion, avatar_error* error) {
  return abi::guard(error, [&] {
    std::shared_ptr<RingReader> reader;
    Status status = Rings::get().find(ring, &reader);
    if (!status.ok()) return status;
    RingReader::Picture picture;
    uint64_t num_torn = 0;
    status = reader->copy(pts_nanos, {}, have_seq, pixels, capacity, &picture, &num_torn);
    if (!status.ok()) return status;
    status = abi::write_struct(frame, avatar::to_abi_frame(*reader, picture), "frame");
    return status.ok() ? put_motion(motion, picture) : status;
  });
}

avatar_status avatar_ring_acquire_frame(avatar_ring* ring, int64_t pts_nanos,
                                        avatar_frame_view* view, avatar_frame* frame,
                                        avatar_motion* motion, avatar_error* error) {
  return abi::guard(error, [&] {
    if (view == nullptr) return abi::null_argument("view");
    std::shared_ptr<RingReader> reader;
    Status status = Rings::get().find(ring, &reader);
    if (!status.ok()) return status;
    RingReader::Picture picture;
    status = reader->find(pts_nanos, {}, &picture);
    if (!status.ok()) return status;
    picture.flags |= AVATAR_FRAME_NEW;
    status = abi::write_struct(frame, avatar::to_abi_frame(*reader, picture), "frame");
    if (status.ok()) status = put_motion(motion, picture);
    if (!status.ok()) return status;
    avatar_frame_view record{};
    avatar::lend_ring_frame(reader, picture, &record);
    status = abi::write_struct(view, record, "view");
    if (!status.ok()) avatar::release_frame(record.token);
    return status;
  });
}

avatar_status avatar_ring_wait(avatar_ring* ring, uint64_t have_seq, uint32_t timeout_millis,
                               avatar_error* error) {
  return abi::guard(error, [&] {
    std::shared_ptr<RingReader> reader;
    const Status status = Rings::get().find(ring, &reader);
    if (!status.ok()) return status;
    return reader->wait(have_seq, int64_t{timeout_millis} * avatar::kNanosPerMilli);
  });
}

avatar_status avatar_ring_close(avatar_ring* ring) {
  return abi::guard(nullptr, [&] {
    std::shared_ptr<RingReader> reader;
    return Rings::get().take(ring, &reader);
  });
}
