// Shared memory: the ring through the C interface, and the floor under it.
#include <atomic>
#include <cstring>

#include "avatar_client.h"
#include "bench_reader.h"
#include "mapped_file.h"
#include "nanos.h"
#include "ring_wait.h"

namespace avatar::bench {

namespace {

// Takes the newest frame each time that there is one; `take` returns false for one that was torn.
std::string follow_ring(const std::string& path, const Taken& taken,
                        const std::function<bool(avatar_ring*, std::vector<uint8_t>&,
                                                 avatar_frame*)>& take) {
  avatar_error error{};
  error.struct_size = sizeof error;
  avatar_ring* ring = nullptr;
  if (avatar_ring_open({path.data(), path.size()}, &ring, &error) != AVATAR_OK) {
    return error.message;
  }
  avatar_ring_info info{};
  info.struct_size = sizeof info;
  avatar_ring_get_info(ring, &info, &error);
  std::vector<uint8_t> pixels(info.pixel_bytes + 1, 0);
  avatar_frame frame{};
  frame.struct_size = sizeof frame;
  say_ready();
  uint32_t millis = kFirstMillis;
  while (avatar_ring_wait(ring, frame.seq, millis, &error) == AVATAR_OK) {
    millis = kLaterMillis;
    if (take(ring, pixels, &frame) &&
        !taken(frame.published_nanos, frame.seq, frame.pixel_bytes)) {
      break;
    }
  }
  avatar_ring_close(ring);
  return {};
}

}  // namespace

std::string read_ring(const std::string& path, const Taken& taken) {
  return follow_ring(path, taken, [](avatar_ring* ring, std::vector<uint8_t>& pixels,
                                     avatar_frame* frame) {
    return avatar_ring_copy_frame(ring, AVATAR_PTS_NEWEST, frame->seq, pixels.data(),
                                  pixels.size(), frame, nullptr, nullptr) == AVATAR_OK;
  });
}

std::string read_ring_in_place(const std::string& path, const Taken& taken) {
  return follow_ring(path, taken, [](avatar_ring* ring, std::vector<uint8_t>&,
                                     avatar_frame* frame) {
    avatar_frame_view view{};
    view.struct_size = sizeof view;
    return avatar_ring_acquire_frame(ring, AVATAR_PTS_NEWEST, &view, frame, nullptr, nullptr) ==
               AVATAR_OK &&
           avatar_frame_release(view.token, nullptr) == AVATAR_OK;
  });
}

// Layout of the file: a word that counts, its publication's time, the pixels.
std::string read_floor(const std::string& path, const Taken& taken) {
  constexpr size_t kTimeAt = 8;
  constexpr size_t kPixelsAt = 4096;
  std::unique_ptr<MappedFile> file;
  const Status status = MappedFile::open(path, &file);
  if (!status.ok() || file->size() <= kPixelsAt) return status.message + " is no such file";
  const size_t num_bytes = file->size() - kPixelsAt;
  std::vector<uint8_t> pixels(num_bytes, 0);
  const auto& word = *reinterpret_cast<const std::atomic<uint32_t>*>(file->data());
  say_ready();
  uint32_t seen = 0;
  int64_t quiet_since = monotonic_nanos();
  uint32_t millis = kFirstMillis;
  while (monotonic_nanos() - quiet_since < millis * kNanosPerMilli) {
    const uint32_t count = word.load(std::memory_order_acquire);
    if (count == seen) {
      wait_for_change(reinterpret_cast<const uint32_t*>(&word), seen, 100 * kNanosPerMilli);
      continue;
    }
    std::memcpy(pixels.data(), file->data() + kPixelsAt, num_bytes);
    int64_t published_nanos = 0;
    std::memcpy(&published_nanos, file->data() + kTimeAt, sizeof published_nanos);
    seen = count;
    quiet_since = monotonic_nanos();
    millis = kLaterMillis;
    if (!taken(published_nanos, count, num_bytes)) break;
  }
  return {};
}

}  // namespace avatar::bench
