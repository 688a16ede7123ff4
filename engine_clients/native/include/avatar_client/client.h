/* One service: connection, what it can do, avatars.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_CLIENT_H
#define AVATAR_CLIENT_CLIENT_H

#include "base.h"

AVATAR_BEGIN_C

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
  uint32_t keepalive_millis;     /* a quiet connection is probed this often, default 10000, least
                                    6000; one that answers nothing for 5 s more is lost */
  uint32_t reserved;
} avatar_client_options;

enum {
  AVATAR_CAPABILITY_SHM = 1 << 1, /* bit n is Capability n of capability.proto */
  AVATAR_CAPABILITY_ZMQ_IPC = 1 << 2,
  AVATAR_CAPABILITY_ZMQ_TCP = 1 << 3,
  AVATAR_CAPABILITY_GRPC = 1 << 4,
  AVATAR_CAPABILITY_JPEG = 1 << 5,
  AVATAR_CAPABILITY_H264 = 1 << 6,
  AVATAR_CAPABILITY_LATENT_ONLY = 1 << 7,
  AVATAR_CAPABILITY_AUDIO_ECHO = 1 << 8,
  AVATAR_CAPABILITY_LISTENING = 1 << 9,
  AVATAR_CAPABILITY_KNOWN_PHONES = 1 << 10,
  AVATAR_CAPABILITY_BURST = 1 << 11,
  AVATAR_CAPABILITY_WATERMARK = 1 << 12,
  AVATAR_CAPABILITY_GPU_RENDERER = 1 << 13,
  AVATAR_CAPABILITY_LIVE_OUTPUTS = 1 << 14
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
  char motion_models[256];   /* names, separated by commas; the first is the default */
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

AVATAR_END_C

#endif /* AVATAR_CLIENT_CLIENT_H */
