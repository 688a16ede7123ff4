/* Speaks a clip and saves what comes back: `speak HOST:PORT PHOTO PCM OUT`.
 *
 * PHOTO is a JPEG, PNG or WebP file, or "-" for motion without a picture; PCM is 16 kHz mono signed
 * 16 bit; OUT.csv gets one row of curves per frame, OUT.rgba the frames. The lines between the two
 * marks are the whole of it; the rest reads and writes files. AVATAR_TRANSPORT=shm|zmq|grpc asks
 * for one way, AVATAR_ENCODING=jpeg for JPEG. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avatar_client.h"

static avatar_string text(const char* literal) {
  avatar_string string = {literal, strlen(literal)};
  return string;
}

static void* read_file(const char* path, uint64_t* size) {
  FILE* file = fopen(path, "rb");
  char* data = NULL;
  *size = 0;
  while (file != NULL && !feof(file)) {
    data = realloc(data, *size + 65536);
    *size += fread(data + *size, 1, 65536, file);
  }
  if (file != NULL) fclose(file);
  return data;
}

static void check(avatar_status status, const avatar_error* error, const char* what) {
  if (status == AVATAR_OK) return;
  fprintf(stderr, "%s: %s %s\n", what, error->reason, error->message);
  exit(1);
}

static FILE* open_out(const char* stem, const char* end) {
  char path[4096];
  snprintf(path, sizeof path, "%s%s", stem, end);
  return fopen(path, "wb");
}

static uint32_t wished_transport(void) {
  const char* name = getenv("AVATAR_TRANSPORT");
  if (name == NULL) return 0;
  if (strcmp(name, "shm") == 0) return AVATAR_TRANSPORT_SHM;
  return strcmp(name, "zmq") == 0 ? AVATAR_TRANSPORT_ZMQ : AVATAR_TRANSPORT_GRPC;
}

static void write_row(FILE* csv, const avatar_frame* frame, const avatar_motion* motion) {
  const float* channel = motion->expression;
  int i;
  fprintf(csv, "%" PRIu64 ",%" PRId64 ",%" PRIu32, frame->seq, frame->pts_nanos, frame->epoch);
  for (i = 0; i < AVATAR_NUM_CHANNELS; ++i) fprintf(csv, ",%.9g", channel[i]);
  fprintf(csv, "\n");
}

static void write_names(FILE* csv) {
  uint32_t i;
  fprintf(csv, "seq,pts_nanos,epoch");
  for (i = 0; i < AVATAR_NUM_CHANNELS; ++i) fprintf(csv, ",%s", avatar_channel_name(i));
  fprintf(csv, "\n");
}

int main(int argc, char** argv) {
  avatar_error error = {sizeof error, 0, 0, "", ""};
  avatar_client_options options;
  avatar_session_options wish;
  avatar_photo photo = {0};
  avatar_info avatar = {0};
  avatar_audio audio = {0};
  avatar_frame frame = {0};
  avatar_motion motion = {0};
  avatar_event event = {0};
  avatar_statistics statistics = {0};
  avatar_session_info info = {0};
  avatar_client* client = NULL;
  avatar_session* session = NULL;
  uint8_t* pixels = malloc(4096 * 4096 * 4);
  uint64_t photo_size = 0, pcm_size = 0;
  int64_t end_nanos = INT64_MAX;
  FILE *csv, *rgba;
  if (argc != 5) return 2;
  if (avatar_abi_version() != AVATAR_ABI_VERSION) return 2;
  csv = open_out(argv[4], ".csv");
  rgba = open_out(argv[4], ".rgba");
  if (csv == NULL || rgba == NULL || pixels == NULL) return 2;
  write_names(csv);
  photo.struct_size = sizeof photo;
  avatar.struct_size = sizeof avatar;
  audio.struct_size = sizeof audio;
  frame.struct_size = sizeof frame;
  motion.struct_size = sizeof motion;
  event.struct_size = sizeof event;
  statistics.struct_size = sizeof statistics;
  info.struct_size = sizeof info;
  photo.consent_subject = text("the person in the photo");
  photo.consent_basis = text("stated by the one who runs this program");
  audio.format = AVATAR_AUDIO_S16;
  audio.sample_rate_hz = 16000;
  audio.channels = 1;
  audio.samples = read_file(argv[3], &pcm_size);
  audio.num_frames = pcm_size / 2;
  if (strcmp(argv[2], "-") != 0) photo.file.data = read_file(argv[2], &photo_size);
  photo.file.size = photo_size;
  avatar_client_options_init(&options, sizeof options);
  avatar_session_options_init(&wish, sizeof wish);
  wish.transports = wished_transport();
  wish.encoding = getenv("AVATAR_ENCODING") != NULL ? AVATAR_ENCODING_JPEG : 0;

  /* example begins */
  options.target = text(argv[1]);
  check(avatar_client_create(&options, &client, &error), &error, "client");
  if (photo_size != 0) {
    check(avatar_client_create_avatar(client, &photo, 180000, &avatar, &error), &error, "avatar");
  }
  wish.avatar_id = text(avatar.avatar_id);
  check(avatar_session_open(client, &wish, &session, &error), &error, "session");
  check(avatar_session_push_audio(session, &audio, &error), &error, "audio");
  check(avatar_session_end_segment(session, AVATAR_ROLE_SPEAK, &error), &error, "end");
  check(avatar_session_wait_ready(session, 60000, &error), &error, "ready");
  while (frame.pts_nanos < end_nanos) {
    check(avatar_session_wait(session, frame.seq, 30000, &error), &error, "wait");
    check(avatar_session_copy_frame(session, AVATAR_PTS_NEWEST, frame.seq, pixels,
                                    4096 * 4096 * 4, &frame, &motion, &error), &error, "frame");
    write_row(csv, &frame, &motion);
    fwrite(pixels, 1, frame.pixel_bytes, rgba);
    check(avatar_session_next_event(session, &event, &error), &error, "event");
    if (event.kind == AVATAR_EVENT_SEGMENT_STARTED) printf("started %" PRId64 "\n", event.pts_nanos);
    if (event.kind == AVATAR_EVENT_SEGMENT_ENDED) end_nanos = event.pts_nanos;
  }
  /* example ends */

  check(avatar_session_get_statistics(session, &statistics, &error), &error, "statistics");
  check(avatar_session_get_info(session, &info, &error), &error, "info");
  printf("{\"transport\": %" PRIu32 ", \"width_px\": %" PRIu32 ", \"height_px\": %" PRIu32
         ", \"frames_shown\": %" PRIu64 ", \"frames_skipped\": %" PRIu64 ", \"refused\": %" PRIu64
         ", \"torn\": %" PRIu64 ", \"delay_ms\": %.1f, \"jitter_ms\": %.1f}\n",
         info.transport, info.width_px, info.height_px, statistics.frames_shown,
         statistics.frames_skipped, statistics.messages_refused, statistics.reads_torn,
         (double)statistics.delay_nanos * 1e-6, (double)statistics.jitter_nanos * 1e-6);
  avatar_session_close(session);
  avatar_client_close(client);
  fclose(csv);
  fclose(rgba);
  free(pixels);
  return 0;
}
