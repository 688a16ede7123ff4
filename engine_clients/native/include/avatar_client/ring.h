/* The shared-memory ring on its own: same host, no gRPC needed.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_RING_H
#define AVATAR_CLIENT_RING_H

#include "frame.h"

AVATAR_BEGIN_C

typedef struct avatar_ring avatar_ring;

typedef struct avatar_ring_info {
  uint32_t struct_size;
  uint32_t slot_count;
  uint32_t width_px; /* 0: latents only */
  uint32_t height_px;
  uint32_t fps_num;
  uint32_t fps_den;
  uint64_t pixel_bytes;
  uint64_t newest_seq; /* of the newest frame; 0: none yet */
  uint32_t epoch;
  uint32_t is_live; /* 0: closed, or its writer is dead */
  int64_t heartbeat_age_nanos;
  uint8_t ring_id[16];
} avatar_ring_info;

/* Maps a ring file. Blocks for file access. AVATAR_NOT_FOUND: no such file;
 * AVATAR_FAILED_PRECONDITION PROTOCOL_MISMATCH: another layout version or another motion schema;
 * AVATAR_DATA_LOSS: not a ring, truncated, or with a geometry that does not fit its size. */
AVATAR_API avatar_status avatar_ring_open(avatar_string path, avatar_ring** ring,
                                          avatar_error* error);
/* Does not block. */
AVATAR_API avatar_status avatar_ring_get_info(avatar_ring* ring, avatar_ring_info* info,
                                              avatar_error* error);
/* Copies the frame that is due at pts_nanos. Nothing is copied where it is have_seq (0: none).
 * Does not block beyond the copy. pixels may be NULL where only the latent is wanted; frame and
 * motion may be NULL. AVATAR_NOT_FOUND: the ring is still empty; AVATAR_OUT_OF_RANGE: capacity is
 * smaller than pixel_bytes; AVATAR_ABORTED: overtaken by the writer several times in a row. */
AVATAR_API avatar_status avatar_ring_copy_frame(avatar_ring* ring, int64_t pts_nanos,
                                                uint64_t have_seq, uint8_t* pixels,
                                                uint64_t capacity, avatar_frame* frame,
                                                avatar_motion* motion, avatar_error* error);
/* The same in place; the slot is the writer's again after slot_count - 1 more frames. */
AVATAR_API avatar_status avatar_ring_acquire_frame(avatar_ring* ring, int64_t pts_nanos,
                                                   avatar_frame_view* view, avatar_frame* frame,
                                                   avatar_motion* motion, avatar_error* error);
/* Blocks until a frame newer than have_seq is there. AVATAR_DEADLINE_EXCEEDED: none came in time;
 * AVATAR_UNAVAILABLE: the writer has closed the ring or is dead. */
AVATAR_API avatar_status avatar_ring_wait(avatar_ring* ring, uint64_t have_seq,
                                          uint32_t timeout_millis, avatar_error* error);
/* Does not block. */
AVATAR_API avatar_status avatar_ring_close(avatar_ring* ring);

AVATAR_END_C

#endif /* AVATAR_CLIENT_RING_H */
