/* Decodes a ring and the packed latents behind it with nothing but the generated header, and
 * prints what it found as JSON: the independent reading of the golden file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avatar_ring_layout.h"

static int16_t i16_at(const unsigned char *p) { return (int16_t)(p[0] | (unsigned)p[1] << 8); }

static void print_floats(const char *name, const float *values, size_t count) {
  printf("\"%s\": [", name);
  for (size_t i = 0; i < count; ++i) printf("%s%.9g", i ? ", " : "", (double)values[i]);
  printf("]");
}

static void print_blob(const unsigned char *blob) {
  printf("\"blob\": [");
  for (size_t i = 0; i < AVATAR_RING_BLOB_EXPRESSION_COUNT; ++i)
    printf("%.9g, ", blob[AVATAR_RING_BLOB_EXPRESSION_OFFSET + i] * AVATAR_RING_BLOB_EXPRESSION_STEP);
  for (size_t i = 0; i < AVATAR_RING_BLOB_HEAD_ROTATION_COUNT; ++i)
    printf("%.9g, ", i16_at(blob + AVATAR_RING_BLOB_HEAD_ROTATION_OFFSET + 2 * i) *
                         AVATAR_RING_BLOB_HEAD_ROTATION_STEP);
  for (size_t i = 0; i < AVATAR_RING_BLOB_HEAD_XY_COUNT; ++i)
    printf("%.9g, ", i16_at(blob + AVATAR_RING_BLOB_HEAD_XY_OFFSET + 2 * i) *
                         AVATAR_RING_BLOB_HEAD_XY_STEP);
  printf("%.9g, ", i16_at(blob + AVATAR_RING_BLOB_HEAD_Z_OFFSET) * AVATAR_RING_BLOB_HEAD_Z_STEP);
  for (size_t i = 0; i < AVATAR_RING_BLOB_GAZE_COUNT; ++i)
    printf("%.9g, ",
           i16_at(blob + AVATAR_RING_BLOB_GAZE_OFFSET + 2 * i) * AVATAR_RING_BLOB_GAZE_STEP);
  for (size_t i = 0; i < AVATAR_RING_BLOB_EMOTION_COUNT; ++i)
    printf("%.9g, ", blob[AVATAR_RING_BLOB_EMOTION_OFFSET + i] * AVATAR_RING_BLOB_EMOTION_STEP);
  printf("%.9g]", blob[AVATAR_RING_BLOB_SPEECH_OFFSET] * AVATAR_RING_BLOB_SPEECH_STEP);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  FILE *file = fopen(argv[1], "rb");
  FILE *blob_file = fopen(argv[2], "rb");
  if (!file || !blob_file) return 2;
  static unsigned char bytes[1 << 20];
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  unsigned char blob[AVATAR_RING_BLOB_BYTES];
  if (fread(blob, 1, sizeof blob, blob_file) != sizeof blob) return 2;
  avatar_ring_header header;
  memcpy(&header, bytes, sizeof header);
  if (header.magic != AVATAR_RING_MAGIC || header.version != AVATAR_RING_VERSION ||
      header.file_bytes != size)
    return 3;
  printf("{\"slot_count\": %u, \"width_px\": %u, \"height_px\": %u, \"head\": %" PRIu64
         ", \"publications\": %u, \"state\": %u, \"epoch\": %u, \"fps\": [%u, %u], \"slots\": [",
         header.slot_count, header.width_px, header.height_px, header.head, header.publications,
         header.state, header.epoch, header.fps_num, header.fps_den);
  for (uint32_t i = 0; i < header.slot_count; ++i) {
    const unsigned char *start = bytes + header.header_bytes + i * header.slot_stride;
    avatar_ring_slot slot;
    avatar_ring_motion motion;
    memcpy(&slot, start, sizeof slot);
    memcpy(&motion, start + header.motion_offset, sizeof motion);
    unsigned sum = 0;
    for (uint32_t k = 0; k < header.height_px * header.row_stride; ++k)
      sum = sum * 31 + start[header.pixels_offset + k];
    printf("%s{\"lock\": %" PRIu64 ", \"seq\": %" PRIu64 ", \"pts_nanos\": %" PRId64
           ", \"epoch\": %u, \"flags\": %u, \"pixels\": %u, ",
           i ? ", " : "", slot.lock, slot.seq, slot.pts_nanos, slot.epoch, slot.flags, sum);
    print_floats("expression", motion.expression, 52);
    printf(", ");
    print_floats("head_rotation", motion.head_rotation, 3);
    printf(", ");
    print_floats("head_translation", motion.head_translation, 3);
    printf(", ");
    print_floats("gaze", motion.gaze, 4);
    printf(", ");
    print_floats("emotion", motion.emotion, 8);
    printf(", ");
    print_floats("speech", &motion.speech, 1);
    printf("}");
  }
  printf("], ");
  print_blob(blob);
  printf("}\n");
  return 0;
}
