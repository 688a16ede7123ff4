/* What an engine shows of a session: time, motion, frames, echoed audio.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_PLAYBACK_H
#define AVATAR_CLIENT_PLAYBACK_H

#include "frame.h"
#include "session.h"

AVATAR_BEGIN_C

/* Session time to show now where no audio drives it: the session's clock minus the delay of the
 * adaptive jitter buffer. A segment may begin to play when this reaches its pts. Does not block.
 * AVATAR_NOT_FOUND: nothing has come yet. */
AVATAR_API avatar_status avatar_session_now(avatar_session* session, int64_t* pts_nanos,
                                            avatar_error* error);
/* Motion at a session time, interpolated; eases to rest where nothing is due, and back. Does not
 * block. AVATAR_NOT_FOUND: nothing has come yet. */
AVATAR_API avatar_status avatar_session_read_motion(avatar_session* session, int64_t pts_nanos,
                                                    avatar_motion* motion, avatar_error* error);
/* As avatar_ring_copy_frame, over any transport. */
AVATAR_API avatar_status avatar_session_copy_frame(avatar_session* session, int64_t pts_nanos,
                                                   uint64_t have_seq, uint8_t* pixels,
                                                   uint64_t capacity, avatar_frame* frame,
                                                   avatar_motion* motion, avatar_error* error);
/* As avatar_ring_acquire_frame, over any transport. */
AVATAR_API avatar_status avatar_session_acquire_frame(avatar_session* session, int64_t pts_nanos,
                                                      avatar_frame_view* view, avatar_frame* frame,
                                                      avatar_motion* motion, avatar_error* error);
/* Blocks until a frame (or a latent, where there are no frames) newer than have_seq has come, or
 * the session ends (AVATAR_UNAVAILABLE), or the time is over (AVATAR_DEADLINE_EXCEEDED). */
AVATAR_API avatar_status avatar_session_wait(avatar_session* session, uint64_t have_seq,
                                             uint32_t timeout_millis, avatar_error* error);

/* Echoed audio, for sessions with AVATAR_OUTPUT_AUDIO. */
typedef struct avatar_audio_chunk {
  uint32_t struct_size;
  uint32_t role;
  int64_t pts_nanos; /* of the first sample */
  uint32_t epoch;
  uint32_t format; /* AVATAR_AUDIO_* */
  uint32_t sample_rate_hz;
  uint32_t channels;
  uint64_t num_frames; /* 0: none is waiting */
} avatar_audio_chunk;
/* Takes the oldest echoed chunk. AVATAR_OUT_OF_RANGE: capacity is too small, num_frames says what
 * is needed, and the chunk stays. Does not block. */
AVATAR_API avatar_status avatar_session_next_audio(avatar_session* session, void* samples,
                                                   uint64_t capacity, avatar_audio_chunk* chunk,
                                                   avatar_error* error);

AVATAR_END_C

#endif /* AVATAR_CLIENT_PLAYBACK_H */
