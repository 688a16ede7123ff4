/* The C interface of the Avatar Service client: one photo and speech in, a living face out.
 *
 * Threads: every function may be called from any thread at any time, also while another thread is
 * inside the same object. Each function says whether it blocks; those that do not take a lock for
 * a few microseconds at most. No function calls back, none throws, none keeps a pointer that was
 * passed in.
 *
 * Handles are names, not addresses: a handle that was closed or never existed is answered with
 * AVATAR_INVALID_ARGUMENT, and closing twice is fine.
 *
 * Structs that are passed by pointer begin with struct_size, which the caller sets to
 * sizeof(struct): fields that the caller's header does not know are neither read nor written.
 * The *_init functions set it and the defaults. Text in is UTF-8, pointer and length; text out is UTF-8,
 * zero-terminated. Sizes count bytes, times count nanoseconds where the name says so, flags are
 * uint32_t.
 *
 * Session time (pts_nanos) starts at 0 when the session opens and always advances. Audio is the
 * master clock: ask for the frame of the sample that is being heard (avatar_clock_*).
 *
 * Motion: the axes, signs and units of protos/avatar/v1/motion.proto. +X the subject's left, +Y
 * up, +Z out of the face; +yaw turns to the subject's left, +pitch looks down, +roll tips the crown
 * to the subject's right; radians; one length unit is 90 mm (outer eye corners). Gaze is the
 * authority: drive eye bones by gaze or eyes by the eyeLook* coefficients, never both.
 *
 * Pixels: RGBA, 8 bit, sRGB, straight alpha, row 0 on top, rows without padding.
 */
#ifndef AVATAR_CLIENT_H
#define AVATAR_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(AVATAR_CLIENT_BUILD)
#define AVATAR_API __declspec(dllexport)
#else
#define AVATAR_API __declspec(dllimport)
#endif
#else
#define AVATAR_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Versions ----------------------------------------------------------------------------- */

/* Raised when something that exists changes; what is only added does not raise it. */
#define AVATAR_ABI_VERSION 1u

/* The version the library was built with: compare with AVATAR_ABI_VERSION before anything else. */
AVATAR_API uint32_t avatar_abi_version(void);

/* Version of the library, "MAJOR.MINOR.PATCH"; static. */
AVATAR_API const char* avatar_version(void);

enum {
  AVATAR_FEATURE_GRPC = 1,  /* avatar_client_* and avatar_session_* work */
  AVATAR_FEATURE_ZMQ = 2,   /* the ZeroMQ transport is there */
  AVATAR_FEATURE_JPEG = 4,  /* JPEG frames can be decoded */
  AVATAR_FEATURE_FUTEX = 8  /* waiting on a ring sleeps in the kernel; else it polls every ms */
};
/* What this build can do: AVATAR_FEATURE_* ored. */
AVATAR_API uint32_t avatar_features(void);

/* ---- Status and errors -------------------------------------------------------------------- */

/* Numerically google.rpc.Code. */
typedef int32_t avatar_status;
enum {
  AVATAR_OK = 0,
  AVATAR_CANCELLED = 1,
  AVATAR_UNKNOWN = 2,
  AVATAR_INVALID_ARGUMENT = 3,
  AVATAR_DEADLINE_EXCEEDED = 4,
  AVATAR_NOT_FOUND = 5,
  AVATAR_ALREADY_EXISTS = 6,
  AVATAR_PERMISSION_DENIED = 7,
  AVATAR_RESOURCE_EXHAUSTED = 8,
  AVATAR_FAILED_PRECONDITION = 9,
  AVATAR_ABORTED = 10,
  AVATAR_OUT_OF_RANGE = 11,
  AVATAR_UNIMPLEMENTED = 12,
  AVATAR_INTERNAL = 13,
  AVATAR_UNAVAILABLE = 14,
  AVATAR_DATA_LOSS = 15,
  AVATAR_UNAUTHENTICATED = 16
};

/* Why a call failed. May be NULL wherever it is asked for; written only when the call fails. */
typedef struct avatar_error {
  uint32_t struct_size;
  int32_t code;                /* the status returned */
  uint32_t retry_after_millis; /* 0: the service named no time after which to try again */
  char reason[64];             /* row of the error table (AVATAR_REASON_*); empty: none fits */
  char message[512];           /* one line for a person */
} avatar_error;

/* Text that is passed in: UTF-8, not necessarily zero-terminated. {NULL, 0} is empty. */
typedef struct avatar_string {
  const char* data;
  uint64_t size;
} avatar_string;

/* Bytes that are passed in. */
typedef struct avatar_bytes {
  const void* data;
  uint64_t size;
} avatar_bytes;

/* ---- The motion latent -------------------------------------------------------------------- */

#define AVATAR_NUM_EXPRESSIONS 52
#define AVATAR_NUM_EMOTIONS 8
#define AVATAR_NUM_CHANNELS 71

enum {
  AVATAR_MOTION_NEW = 1,         /* differs from what was read before */
  AVATAR_MOTION_INTERPOLATED = 2, /* lies between two latents */
  AVATAR_MOTION_STARVED = 4,     /* nothing is due: held, then eased towards rest */
  AVATAR_MOTION_BLENDING = 8     /* part of the way to rest or back, see presence */
};

/* One step of motion. The floats from expression to speech stand in a row, in the order of
 * avatar_channel_name(). */
typedef struct avatar_motion {
  uint32_t struct_size;
  uint32_t flags; /* AVATAR_MOTION_* */
  uint64_t seq;
  int64_t pts_nanos;
  uint32_t epoch;
  float presence;                            /* 1: as received; 0: eased entirely to rest */
  float expression[AVATAR_NUM_EXPRESSIONS];  /* ARKit order, 0 to 1.25: clamp to 1 for a rig */
  float head_rotation[3];                    /* yaw, pitch, roll, radians */
  float head_translation[3];                 /* x, y, z, outer-eye distances */
  float gaze[4];                             /* left yaw, left pitch, right yaw, right pitch */
  float emotion[AVATAR_NUM_EMOTIONS];        /* weights 0 to 1 */
  float speech;                              /* voice activity 0 to 1 */
  float reserved;
} avatar_motion;

/* Name of a channel, "jawOpen" ... "speech"; static; NULL from AVATAR_NUM_CHANNELS on. */
AVATAR_API const char* avatar_channel_name(uint32_t index);

/* ---- Frames ------------------------------------------------------------------------------- */

enum {
  AVATAR_FRAME_NEW = 1,     /* its seq is not the have_seq that was passed */
  AVATAR_FRAME_STARVED = 2, /* the frame that is due has not come: this is the newest there is */
  AVATAR_FRAME_EARLY = 4,   /* the frame that is due is gone: this is the oldest still there */
  AVATAR_FRAME_PIXELS = 8   /* it has pixels (sessions without an avatar have none) */
};

/* What is known about a picture beside its pixels. */
typedef struct avatar_frame {
  uint32_t struct_size;
  uint32_t flags; /* AVATAR_FRAME_* */
  uint64_t seq;   /* counts from 1; a gap is a frame that was dropped */
  int64_t pts_nanos;
  int64_t published_nanos; /* writer's monotonic clock; 0: not known (gRPC) */
  uint32_t epoch;
  uint32_t width_px;
  uint32_t height_px;
  uint32_t row_bytes;
  uint64_t pixel_bytes;
} avatar_frame;

/* A picture in place, without a copy. */
typedef struct avatar_frame_view {
  uint32_t struct_size;
  uint32_t reserved;
  const uint8_t* pixels; /* valid until released */
  uint64_t token;        /* for avatar_frame_release */
} avatar_frame_view;

/* For pts_nanos: the newest frame, whatever its time. */
#define AVATAR_PTS_NEWEST INT64_MAX

/* Gives a view back; does not block. AVATAR_ABORTED: the writer has meanwhile used the slot again
 * and what was read may be torn, so throw it away. A view outlives its ring and session. */
AVATAR_API avatar_status avatar_frame_release(uint64_t token, avatar_error* error);

/* ---- The ring on its own (same host, no gRPC needed) ---------------------------------------- */

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

/* ---- Audio clock ---------------------------------------------------------------------------- */

/* Turns what an engine knows about its playback (blocks of samples, told in steps) into a smooth
 * session time, and measures how fast the audio device runs. Reads no clock itself: now_nanos is
 * any monotonic clock, the same in all calls (avatar_monotonic_nanos()). */
typedef struct avatar_clock avatar_clock;

typedef struct avatar_clock_reading {
  uint32_t struct_size;
  uint32_t is_playing;
  int64_t pts_nanos;    /* session time of the sample being heard: ask for this frame */
  double rate_ppm;      /* speed of the audio device against now_nanos, parts per million */
  int64_t drift_nanos;  /* session time shown otherwise (avatar_clock_steer) minus pts_nanos */
  uint64_t num_jumps;   /* times that playback jumped by more than 100 ms */
} avatar_clock_reading;

/* sample_rate_hz: of the positions that are reported; output_latency_nanos: from a reported sample
 * until it is heard. None of the clock's functions blocks. */
AVATAR_API avatar_status avatar_clock_create(uint32_t sample_rate_hz, int64_t output_latency_nanos,
                                             avatar_clock** clock, avatar_error* error);
AVATAR_API int64_t avatar_monotonic_nanos(void);
/* A segment begins to play whose first sample has this time (AVATAR_EVENT_SEGMENT_STARTED). */
AVATAR_API avatar_status avatar_clock_play(avatar_clock* clock, int64_t segment_pts_nanos,
                                           int64_t now_nanos, avatar_error* error);
/* Samples of this segment that the engine has played by now; call it once per engine tick. */
AVATAR_API avatar_status avatar_clock_report(avatar_clock* clock, int64_t samples_played,
                                             int64_t now_nanos, avatar_error* error);
/* Playback is over: the clock runs on at the speed it had and follows avatar_clock_steer. */
AVATAR_API avatar_status avatar_clock_stop(avatar_clock* clock, int64_t now_nanos,
                                           avatar_error* error);
/* The time that the session would show by itself (avatar_session_now): gives drift_nanos while
 * audio plays, and is followed by at most 5 % where none plays; more than 500 ms off is a jump. */
AVATAR_API avatar_status avatar_clock_steer(avatar_clock* clock, int64_t session_pts_nanos,
                                            int64_t now_nanos, avatar_error* error);
/* pts_nanos never runs backwards between avatar_clock_play calls and jumps. */
AVATAR_API avatar_status avatar_clock_read(avatar_clock* clock, int64_t now_nanos,
                                           avatar_clock_reading* reading, avatar_error* error);
AVATAR_API avatar_status avatar_clock_close(avatar_clock* clock);

/* ---- Client: one service ------------------------------------------------------------------- */

typedef struct avatar_client avatar_client;

enum {
  AVATAR_TLS_OFF = 0,   /* only to this host: a token is refused beyond it */
  AVATAR_TLS_SERVER = 1, /* the server shows a certificate */
  AVATAR_TLS_MUTUAL = 2  /* both do */
};

typedef struct avatar_client_options {
  uint32_t struct_size;
  uint32_t tls;                /* AVATAR_TLS_* */
  avatar_string target;        /* "HOST:PORT" */
  avatar_string token;         /* bearer token; empty: none */
  avatar_string ca_pem;        /* trusted roots; empty: the system's */
  avatar_string client_cert_pem;
  avatar_string client_key_pem;
  avatar_string tls_server_name; /* name to expect in the certificate; empty: the host */
  avatar_string client_name;     /* for the server's log, "unity/0.1.0" */
  uint32_t backoff_min_millis;   /* first pause before reconnecting, default 250 */
  uint32_t backoff_max_millis;   /* longest pause, default 8000 */
} avatar_client_options;

enum {
  AVATAR_CAPABILITY_SHM = 1 << 1, /* bit n is Capability n of capability.proto */
  AVATAR_CAPABILITY_ZMQ_IPC = 1 << 2,
  AVATAR_CAPABILITY_ZMQ_TCP = 1 << 3,
  AVATAR_CAPABILITY_GRPC = 1 << 4,
  AVATAR_CAPABILITY_JPEG = 1 << 5,
  AVATAR_CAPABILITY_LATENT_ONLY = 1 << 7,
  AVATAR_CAPABILITY_AUDIO_ECHO = 1 << 8,
  AVATAR_CAPABILITY_LISTENING = 1 << 9
};

typedef struct avatar_server_info {
  uint32_t struct_size;
  uint32_t num_sessions;
  uint64_t capabilities; /* AVATAR_CAPABILITY_* ored */
  uint64_t max_photo_bytes;
  uint32_t max_audio_ahead_millis;
  uint32_t max_frame_rate_hz;
  char api_version[16];
  char product_version[32];
  char device[32];
  char speaking_styles[512]; /* names, separated by commas */
} avatar_server_info;

enum { AVATAR_CROP_FACE = 1, AVATAR_CROP_KEEP = 2 };

/* A photo and the consent to animate it; without subject and basis no avatar is made. */
typedef struct avatar_photo {
  uint32_t struct_size;
  uint32_t crop;              /* AVATAR_CROP_*; 0: face */
  avatar_bytes file;          /* a JPEG, PNG or WebP file */
  avatar_string display_name;
  avatar_string consent_subject; /* the person shown */
  avatar_string consent_basis;   /* by what right: "my own photo", "public domain, ..." */
  avatar_string consent_stated_by;
} avatar_photo;

typedef struct avatar_info {
  uint32_t struct_size;
  uint32_t photo_width_px;
  uint32_t photo_height_px;
  uint32_t reserved;
  char avatar_id[128];
  char notes[512]; /* lines for a person: "two faces, the larger one is used" */
} avatar_info;

/* Fills the options with their defaults; struct_size is sizeof(*options). */
AVATAR_API avatar_status avatar_client_options_init(avatar_client_options* options,
                                                    uint32_t struct_size);
/* Checks the options; connects lazily. Does not block. */
AVATAR_API avatar_status avatar_client_create(const avatar_client_options* options,
                                              avatar_client** client, avatar_error* error);
/* Connects, checks that both sides speak the same major version. Blocks: use a worker thread. */
AVATAR_API avatar_status avatar_client_get_server_info(avatar_client* client,
                                                       uint32_t timeout_millis,
                                                       avatar_server_info* info,
                                                       avatar_error* error);
/* Uploads a photo. The same photo gives the same avatar. Blocks for seconds: worker thread. */
AVATAR_API avatar_status avatar_client_create_avatar(avatar_client* client,
                                                     const avatar_photo* photo,
                                                     uint32_t timeout_millis, avatar_info* info,
                                                     avatar_error* error);
/* Deletes an avatar, its photo and all derived from it. Blocks: worker thread. */
AVATAR_API avatar_status avatar_client_delete_avatar(avatar_client* client,
                                                     avatar_string avatar_id,
                                                     uint32_t end_sessions,
                                                     uint32_t timeout_millis,
                                                     avatar_error* error);
/* Cancels calls under way and closes the client's sessions. Blocks up to a second. */
AVATAR_API avatar_status avatar_client_close(avatar_client* client);

/* ---- Session: one running face ------------------------------------------------------------- */

typedef struct avatar_session avatar_session;

enum { AVATAR_OUTPUT_FRAMES = 1, AVATAR_OUTPUT_MOTION = 2, AVATAR_OUTPUT_AUDIO = 4 };
enum { AVATAR_TRANSPORT_SHM = 1, AVATAR_TRANSPORT_ZMQ = 2, AVATAR_TRANSPORT_GRPC = 4 };
enum { AVATAR_PACING_REALTIME = 1, AVATAR_PACING_BURST = 2 };
enum { AVATAR_ENCODING_RAW = 1, AVATAR_ENCODING_JPEG = 2 };
enum { AVATAR_ROLE_SPEAK = 1, AVATAR_ROLE_LISTEN = 2 };
enum { AVATAR_BACKGROUND_KEEP = 1, AVATAR_BACKGROUND_TRANSPARENT = 2, AVATAR_BACKGROUND_COLOR = 3 };

/* What to change; only fields whose bit stands in mask. Ranges: protos/avatar/v1/control.proto. */
enum {
  AVATAR_CONTROL_GAZE_FREE = 1 << 0,
  AVATAR_CONTROL_GAZE_DIRECTION = 1 << 1, /* gaze[0] yaw, gaze[1] pitch, radians, camera frame */
  AVATAR_CONTROL_LOOK_AT = 1 << 2,        /* gaze: x, y, z, outer-eye distances, camera frame */
  AVATAR_CONTROL_DISTANCE = 1 << 3,
  AVATAR_CONTROL_EMOTION = 1 << 4,
  AVATAR_CONTROL_HEAD_MOTION = 1 << 5,
  AVATAR_CONTROL_EXPRESSION = 1 << 6,
  AVATAR_CONTROL_SPEAKING_STYLE = 1 << 7,
  AVATAR_CONTROL_BLINK_RATE = 1 << 8,
  AVATAR_CONTROL_IDLE = 1 << 9,
  AVATAR_CONTROL_BACKGROUND = 1 << 10,
  AVATAR_CONTROL_SEED = 1 << 11
};
typedef struct avatar_controls {
  uint32_t struct_size;
  uint32_t mask; /* AVATAR_CONTROL_* ored */
  float gaze[3];
  float distance;
  float emotion[AVATAR_NUM_EMOTIONS]; /* neutral, happy, sad, angry, surprised, afraid, ... */
  float head_motion;
  float expression;
  float blink_rate;
  float idle;
  uint32_t background; /* AVATAR_BACKGROUND_* */
  uint32_t background_rgb; /* 0xRRGGBB */
  uint32_t seed;
  uint32_t reserved;
  avatar_string speaking_style;
} avatar_controls;

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
  uint32_t encoding;         /* AVATAR_ENCODING_*; 0: raw to this host, JPEG beyond it */
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

/* Fill with defaults (controls: an empty mask); struct_size is sizeof of the struct. */
AVATAR_API avatar_status avatar_session_options_init(avatar_session_options* options,
                                                     uint32_t struct_size);
AVATAR_API avatar_status avatar_controls_init(avatar_controls* controls, uint32_t struct_size);

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
/* Ends the role's segment: the mouth closes. Does not block. */
AVATAR_API avatar_status avatar_session_end_segment(avatar_session* session, uint32_t role,
                                                    avatar_error* error);
/* Changes controls at a session time (0: at once); eased, in effect within 100 ms. change_id (may
 * be NULL) comes back in AVATAR_EVENT_CONTROL_APPLIED. Does not block. */
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

/* Ends the session in the service (a joined one is left as it is) and stops its threads. Blocks
 * up to a second. */
AVATAR_API avatar_status avatar_session_close(avatar_session* session);

#ifdef __cplusplus
}
#endif

#endif /* AVATAR_CLIENT_H */
