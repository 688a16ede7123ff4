/* One running face: its life.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_SESSION_H
#define AVATAR_CLIENT_SESSION_H

#include "client.h"
#include "controls.h"

AVATAR_BEGIN_C

typedef struct avatar_session avatar_session;

enum { AVATAR_OUTPUT_FRAMES = 1, AVATAR_OUTPUT_MOTION = 2, AVATAR_OUTPUT_AUDIO = 4 };
enum { AVATAR_TRANSPORT_SHM = 1, AVATAR_TRANSPORT_ZMQ = 2, AVATAR_TRANSPORT_GRPC = 4 };
enum { AVATAR_PACING_REALTIME = 1, AVATAR_PACING_BURST = 2 };
enum { AVATAR_ENCODING_RAW = 1, AVATAR_ENCODING_JPEG = 2, AVATAR_ENCODING_H264 = 3 };

typedef struct avatar_session_options {
  uint32_t struct_size;
  uint32_t observe;          /* 1: only watch session_id */
  avatar_string avatar_id;   /* empty: no picture, motion only */
  avatar_string session_id;  /* join this session; empty: open a new one */
  uint32_t fps_num;          /* default 40 */
  uint32_t fps_den;          /* default 1 */
  uint32_t size_px;          /* edge of the frame; 0: the server's default, 512 */
  uint32_t outputs;          /* AVATAR_OUTPUT_* ored; 0: frames and motion as far as possible */
  uint32_t transports;       /* allowed, AVATAR_TRANSPORT_* ored; 0: any, the best is chosen */
  uint32_t pacing;           /* AVATAR_PACING_*; 0: real time */
  uint32_t encoding;         /* of frames inside gRPC, AVATAR_ENCODING_*; 0: raw to this host, JPEG
                                beyond it. JPEG or H264 beyond this host: gRPC is preferred to
                                ZeroMQ, which is raw. H264 needs AVATAR_FEATURE_H264 */
  int32_t playout_delay_millis; /* -1: the server's default */
  uint32_t min_delay_millis; /* jitter buffer: least delay behind the session's clock, default 20 */
  uint32_t max_delay_millis; /* ... and most, default 600 */
  uint32_t buffer_millis;    /* frames kept that are not yet due (not with the ring), default 500 */
  uint32_t starve_hold_millis;    /* hold the last latent this long, default 100 */
  uint32_t starve_blend_millis;   /* then ease to rest in this time, default 250 */
  uint32_t recover_blend_millis;  /* and back in this time, default 120 */
  uint32_t statistics_millis;     /* the server's figures, default 1000; 0: none */
  uint32_t reconnect;             /* 1 (default): try again after a fault that may pass */
  const avatar_controls* controls; /* to begin with; NULL: defaults */
  uint32_t silence_millis; /* a service that has sent frames and then sends none for so long, in
                              burst neither frames nor figures for statistics_millis and so long, is
                              taken for lost, default 5000; 0: never */
  uint32_t opening_millis; /* a service that takes the call and does not open the stream in so long,
                              or opens it and then tells neither a frame nor figures for
                              statistics_millis and so long, is left and tried again as after any
                              fault, default 10000; 0: never */
} avatar_session_options;

enum {
  AVATAR_STATE_CONNECTING = 1,
  AVATAR_STATE_READY = 2,        /* audio is accepted, frames come */
  AVATAR_STATE_RECONNECTING = 3, /* the service has gone; motion eases to rest meanwhile */
  AVATAR_STATE_ENDED = 4,        /* closed, here or by the service */
  AVATAR_STATE_FAILED = 5        /* will not come back: avatar_session_last_error */
};

typedef struct avatar_session_info {
  uint32_t struct_size;
  uint32_t state;     /* AVATAR_STATE_* */
  uint32_t transport; /* AVATAR_TRANSPORT_* that carries the data; 0: none yet */
  uint32_t fps_num;
  uint32_t fps_den;
  uint32_t width_px;
  uint32_t height_px;
  uint32_t epoch;
  uint64_t pixel_bytes;
  uint32_t playout_delay_millis;
  uint32_t outputs;
  float camera_distance; /* D0, outer-eye distances */
  float outer_eye_distance_mm;
  char session_id[128];
} avatar_session_info;

/* Fills with defaults; struct_size is sizeof(*options). */
AVATAR_API avatar_status avatar_session_options_init(avatar_session_options* options,
                                                     uint32_t struct_size);

/* Begins to open or join a session; the work is done by threads of its own. Does not block. */
AVATAR_API avatar_status avatar_session_open(avatar_client* client,
                                             const avatar_session_options* options,
                                             avatar_session** session, avatar_error* error);
/* Does not block. */
AVATAR_API avatar_status avatar_session_get_info(avatar_session* session,
                                                 avatar_session_info* info, avatar_error* error);
/* Blocks until the session is ready. AVATAR_DEADLINE_EXCEEDED: not yet; else its fault. */
AVATAR_API avatar_status avatar_session_wait_ready(avatar_session* session,
                                                   uint32_t timeout_millis, avatar_error* error);
/* The fault behind FAILED or RECONNECTING; AVATAR_OK: none. Does not block. */
AVATAR_API avatar_status avatar_session_last_error(avatar_session* session, avatar_error* error);

/* Ends the session in the service (a joined one is left as it is) and stops its threads. Blocks
 * up to a second. */
AVATAR_API avatar_status avatar_session_close(avatar_session* session);

AVATAR_END_C

#endif /* AVATAR_CLIENT_SESSION_H */
