/* What a session tells: events and figures.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_EVENTS_H
#define AVATAR_CLIENT_EVENTS_H

#include "session.h"

AVATAR_BEGIN_C

enum {
  AVATAR_EVENT_NONE = 0,
  AVATAR_EVENT_STATE = 1,           /* value: AVATAR_STATE_*; text: why */
  AVATAR_EVENT_SEGMENT_STARTED = 2, /* pts_nanos of its first sample; role, segment_id */
  AVATAR_EVENT_SEGMENT_ENDED = 3,   /* value 1: interrupted or cut by a lost connection */
  AVATAR_EVENT_CONTROL_APPLIED = 4, /* value: change_id; pts_nanos of the first frame it shapes */
  AVATAR_EVENT_INTERRUPTED = 5,     /* epoch; pts_nanos: last valid time of the old one */
  AVATAR_EVENT_NOTICE = 6,          /* value: NoticeKind of event.proto; count, text */
  AVATAR_EVENT_RESTARTED = 7,       /* a new session took the place of a lost one: time is at 0 */
  AVATAR_EVENT_LOST = 8             /* count: events not fetched in time (more than 256 waited) */
};
typedef struct avatar_event {
  uint32_t struct_size;
  uint32_t kind; /* AVATAR_EVENT_* */
  int64_t pts_nanos;
  uint64_t value;
  uint64_t count;
  uint32_t epoch;
  uint32_t role; /* AVATAR_ROLE_* */
  char segment_id[72];
  char text[256];
} avatar_event;

/* Takes the oldest event; kind AVATAR_EVENT_NONE where there is none. Does not block. */
AVATAR_API avatar_status avatar_session_next_event(avatar_session* session, avatar_event* event,
                                                   avatar_error* error);

/* Figures of a session. */
typedef struct avatar_statistics {
  uint32_t struct_size;
  uint32_t transport; /* AVATAR_TRANSPORT_* */
  /* Of this client, since the session was opened. */
  uint64_t frames_received;
  uint64_t frames_shown;     /* distinct frames handed out */
  uint64_t frames_skipped;   /* gaps in seq: dropped on the way */
  uint64_t reads_torn;       /* overtaken by the ring's writer, tried again */
  uint64_t reads_starved;    /* the frame or latent due was not there */
  uint64_t messages_refused; /* malformed, thrown away */
  uint64_t bytes_received;   /* by ZeroMQ or gRPC */
  uint32_t num_reconnects;
  uint32_t num_starvations;
  int64_t delay_nanos;  /* of the jitter buffer, now */
  int64_t jitter_nanos; /* spread of arrivals, 95th minus 5th percentile */
  int64_t audio_queued_nanos; /* waiting to be sent */
  /* Told by the server; 0 until it has. */
  uint64_t server_frames_published;
  uint64_t server_frames_dropped;
  uint64_t server_frames_late;
  float server_frame_rate_hz;
  float server_latency_p50_millis;
  float server_latency_p99_millis;
  float server_render_p50_millis;
  float server_audio_ahead_millis;
  float playback_drift_millis; /* session clock minus acknowledged playback */
} avatar_statistics;
/* Does not block. */
AVATAR_API avatar_status avatar_session_get_statistics(avatar_session* session,
                                                       avatar_statistics* statistics,
                                                       avatar_error* error);

AVATAR_END_C

#endif /* AVATAR_CLIENT_EVENTS_H */
