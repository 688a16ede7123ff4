/* What can be changed while a face runs.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_CONTROLS_H
#define AVATAR_CLIENT_CONTROLS_H

#include "frame.h"

AVATAR_BEGIN_C

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
  AVATAR_CONTROL_SEED = 1 << 11,
  AVATAR_CONTROL_BADGE = 1 << 12,
  AVATAR_CONTROL_MOTION_MODEL = 1 << 13
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
  uint32_t badge; /* 1: pictures bear the visible badge, "AI-generated"; a service may always do it */
  avatar_string speaking_style;
  avatar_string motion_model; /* who moves head and face: a name of avatar_server_info */
} avatar_controls;

/* Fills with defaults and an empty mask; struct_size is sizeof(*controls). */
AVATAR_API avatar_status avatar_controls_init(avatar_controls* controls, uint32_t struct_size);

AVATAR_END_C

#endif /* AVATAR_CLIENT_CONTROLS_H */
