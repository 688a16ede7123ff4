// Measures publish -> copied: `latency RING NUM_FRAMES` waits for each frame of a ring, copies it,
// and prints one line of JSON: microseconds (median, 99th percentile) and CPU per frame.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "avatar_client.h"

namespace {

double at(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: latency RING NUM_FRAMES\n");
    return 2;
  }
  const auto wanted = static_cast<size_t>(std::strtoull(argv[2], nullptr, 10));
  avatar_error error{};
  error.struct_size = sizeof error;
  avatar_ring* ring = nullptr;
  if (avatar_ring_open({argv[1], std::strlen(argv[1])}, &ring, &error) !=
      AVATAR_OK) {
    std::fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  avatar_ring_info info{};
  info.struct_size = sizeof info;
  avatar_ring_get_info(ring, &info, &error);
  std::vector<uint8_t> pixels(info.pixel_bytes + 1, 0);
  std::vector<double> micros;
  micros.reserve(wanted);
  uint64_t seq = info.newest_seq;
  uint64_t num_skipped = 0;
  uint64_t num_torn = 0;
  std::printf("ready\n");
  std::fflush(stdout);
  const std::clock_t cpu_start = std::clock();
  while (micros.size() < wanted) {
    if (avatar_ring_wait(ring, seq, 5000, &error) != AVATAR_OK) break;
    avatar_frame frame{};
    frame.struct_size = sizeof frame;
    if (avatar_ring_copy_frame(ring, AVATAR_PTS_NEWEST, seq, pixels.data(), pixels.size(), &frame,
                               nullptr, &error) != AVATAR_OK) {
      ++num_torn;
      continue;
    }
    micros.push_back(static_cast<double>(avatar_monotonic_nanos() - frame.published_nanos) * 1e-3);
    if (seq != 0) num_skipped += frame.seq - seq - 1;
    seq = frame.seq;
  }
  const double cpu_secs = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  avatar_ring_close(ring);
  if (micros.empty()) {
    std::fprintf(stderr, "no frame came: %s\n", error.message);
    return 1;
  }
  std::vector<double> sorted = micros;
  std::sort(sorted.begin(), sorted.end());
  std::printf("{\"num_frames\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, "
              "\"cpu_us_per_frame\": %.1f, \"num_skipped\": %" PRIu64 ", \"num_torn\": %" PRIu64
              ", \"frame_bytes\": %" PRIu64 "}\n",
              micros.size(), at(sorted, 0.5), at(sorted, 0.99), sorted.back(),
              cpu_secs * 1e6 / static_cast<double>(micros.size()), num_skipped, num_torn,
              info.pixel_bytes);
  return 0;
}
