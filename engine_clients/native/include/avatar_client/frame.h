/* The motion latent and the picture: what every way of the data brings.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_FRAME_H
#define AVATAR_CLIENT_FRAME_H

#include "base.h"

AVATAR_BEGIN_C

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

AVATAR_END_C

#endif /* AVATAR_CLIENT_FRAME_H */
