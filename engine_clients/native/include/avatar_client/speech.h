/* What goes into a session: audio, known phones, controls, barge-in, playback.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_SPEECH_H
#define AVATAR_CLIENT_SPEECH_H

#include "session.h"

AVATAR_BEGIN_C

enum { AVATAR_ROLE_SPEAK = 1, AVATAR_ROLE_LISTEN = 2 };

enum { AVATAR_AUDIO_S16 = 1, AVATAR_AUDIO_F32 = 2 };
/* Samples of one speech segment, interleaved, native byte order. */
typedef struct avatar_audio {
  uint32_t struct_size;
  uint32_t role;           /* AVATAR_ROLE_*; 0: speak */
  uint32_t format;         /* AVATAR_AUDIO_* */
  uint32_t sample_rate_hz; /* 8000 to 48000 */
  uint32_t channels;       /* 1 or 2 */
  uint32_t reserved;
  const void* samples;
  uint64_t num_frames; /* samples per channel */
} avatar_audio;

/* Queues audio; the first of a role begins a segment. Does not block. AVATAR_UNAVAILABLE: the
 * connection is lost, say it again when READY; AVATAR_RESOURCE_EXHAUSTED AUDIO_TOO_FAR_AHEAD: more
 * than a minute waits to be sent. */
AVATAR_API avatar_status avatar_session_push_audio(avatar_session* session,
                                                   const avatar_audio* audio, avatar_error* error);

enum { AVATAR_PHONES_ARPABET = 1, AVATAR_PHONES_IPA = 2 };
/* One phone with its place in the segment, from the segment's first sample. */
typedef struct avatar_phone {
  avatar_string symbol; /* "AA1" (ARPABET, as in CMUdict), "ɑ" (IPA); at most 32 bytes */
  int64_t start_nanos;
  int64_t end_nanos;
} avatar_phone;
/* Phones that a speech synthesiser knows in advance: they steer the lips instead of the sound. */
typedef struct avatar_phones {
  uint32_t struct_size;
  uint32_t alphabet;         /* AVATAR_PHONES_* */
  const avatar_phone* phones; /* in order, not overlapping */
  uint64_t num_phones;        /* 1 to 10000 */
} avatar_phones;

/* Queues the phones of the segment that is being pushed, or of the next where none is: call it
 * before the audio, or as soon as they are known. Does not block. AVATAR_UNIMPLEMENTED: the service
 * has no AVATAR_CAPABILITY_KNOWN_PHONES. Unknown symbols come back as AVATAR_EVENT_NOTICE. */
AVATAR_API avatar_status avatar_session_push_phones(avatar_session* session,
                                                    const avatar_phones* phones,
                                                    avatar_error* error);
/* Ends the role's segment: the mouth closes. Does not block. */
AVATAR_API avatar_status avatar_session_end_segment(avatar_session* session, uint32_t role,
                                                    avatar_error* error);
/* Changes controls at a session time (0: at once); eased, in effect within 100 ms. change_id (may
 * be NULL) comes back in AVATAR_EVENT_CONTROL_APPLIED. Before the session is ready, changes for at
 * once become one, with the id of the last. Does not block. */
AVATAR_API avatar_status avatar_session_set_controls(avatar_session* session,
                                                     const avatar_controls* controls,
                                                     int64_t effective_pts_nanos,
                                                     uint64_t* change_id, avatar_error* error);
/* Barge-in: drops the speech that is not yet out, here at once and in the service. heard_pts_nanos:
 * last sample heard; negative: not known. Does not block. */
AVATAR_API avatar_status avatar_session_interrupt(avatar_session* session, int64_t heard_pts_nanos,
                                                  avatar_error* error);
/* Tells which sample is being heard; call it as often as you like, it is sent every 250 ms. Slews
 * the session's clock. Does not block. */
AVATAR_API avatar_status avatar_session_ack_playback(avatar_session* session, int64_t pts_nanos,
                                                     avatar_error* error);

AVATAR_END_C

#endif /* AVATAR_CLIENT_SPEECH_H */
