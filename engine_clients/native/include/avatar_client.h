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
 * The *_init functions set it and the defaults. Text in is UTF-8, pointer and length; text out is
 * UTF-8, zero-terminated. Sizes count bytes, times count nanoseconds where the name says so, flags are
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

#include "avatar_client/base.h"
#include "avatar_client/client.h"
#include "avatar_client/clock.h"
#include "avatar_client/controls.h"
#include "avatar_client/events.h"
#include "avatar_client/frame.h"
#include "avatar_client/playback.h"
#include "avatar_client/ring.h"
#include "avatar_client/session.h"
#include "avatar_client/speech.h"

#endif /* AVATAR_CLIENT_H */
