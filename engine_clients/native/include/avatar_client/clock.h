/* The audio clock: which session time is being heard.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_CLOCK_H
#define AVATAR_CLIENT_CLOCK_H

#include "base.h"

AVATAR_BEGIN_C

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

AVATAR_END_C

#endif /* AVATAR_CLIENT_CLOCK_H */
