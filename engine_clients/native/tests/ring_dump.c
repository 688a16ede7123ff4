/* Prints what a ring holds, for the tests in Python: `ring_dump PATH PIXELS_OUT`.
 *
 * One line of JSON with the newest frame and its latent; its pixels go into PIXELS_OUT. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avatar_client.h"

static int fail(const avatar_error* error) {
  printf("{\"code\": %d, \"reason\": \"%s\", \"message\": \"%s\"}\n", error->code, error->reason,
         error->message);
  return 1;
}

int main(int argc, char** argv) {
  avatar_error error = {sizeof error, 0, 0, "", ""};
  avatar_ring_info info = {0};
  avatar_frame frame = {0};
  avatar_motion motion = {0};
  avatar_ring* ring = NULL;
  avatar_string path;
  uint8_t* pixels;
  const float* channels;
  uint32_t i;
  if (argc != 3) return 2;
  info.struct_size = sizeof info;
  frame.struct_size = sizeof frame;
  motion.struct_size = sizeof motion;
  path.data = argv[1];
  path.size = strlen(argv[1]);
  if (avatar_ring_open(path, &ring, &error) != AVATAR_OK) return fail(&error);
  if (avatar_ring_get_info(ring, &info, &error) != AVATAR_OK) return fail(&error);
  pixels = malloc(info.pixel_bytes + 1);
  if (avatar_ring_copy_frame(ring, AVATAR_PTS_NEWEST, 0, pixels, info.pixel_bytes, &frame, &motion,
                             &error) != AVATAR_OK) {
    return fail(&error);
  }
  printf("{\"width_px\": %" PRIu32 ", \"height_px\": %" PRIu32 ", \"slot_count\": %" PRIu32
         ", \"fps\": [%" PRIu32 ", %" PRIu32 "], \"is_live\": %" PRIu32 ", \"ring_id\": \"",
         info.width_px, info.height_px, info.slot_count, info.fps_num, info.fps_den, info.is_live);
  for (i = 0; i < 16; ++i) printf("%02x", info.ring_id[i]);
  printf("\", \"seq\": %" PRIu64 ", \"pts_nanos\": %" PRId64 ", \"epoch\": %" PRIu32
         ", \"pixel_bytes\": %" PRIu64 ", \"motion\": {",
         frame.seq, frame.pts_nanos, frame.epoch, frame.pixel_bytes);
  channels = motion.expression;
  for (i = 0; i < AVATAR_NUM_CHANNELS; ++i) {
    printf("%s\"%s\": %.9g", i ? ", " : "", avatar_channel_name(i), channels[i]);
  }
  printf("}}\n");
  if (frame.pixel_bytes != 0) {
    FILE* out = fopen(argv[2], "wb");
    if (out == NULL) return 2;
    fwrite(pixels, 1, frame.pixel_bytes, out);
    fclose(out);
  }
  free(pixels);
  avatar_ring_close(ring);
  return 0;
}
