// A writer of rings for the tests, as protos/ring/v1/frame_ring.toml says. It maps the file on its
// own, so a reader in the same process sees other addresses, as it does from another process.
#pragma once

#include <atomic>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

#if defined(_WIN32)
#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <climits>
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#include "avatar_ring_layout.h"
#include "avatar_tables.h"
#include "nanos.h"

namespace avatar::test {

// A name in the folder for temporary files that no other test uses.
inline std::string temporary_path(const std::string& name) {
  static std::atomic<int> count{0};
#if defined(_WIN32)
  const std::string folder = ".";
  const long id = static_cast<long>(GetCurrentProcessId());
#else
  const std::string folder = "/tmp";
  const long id = static_cast<long>(getpid());
#endif
  return folder + "/avatar_test_" + std::to_string(id) + "_" + std::to_string(++count) + "_" +
         name;
}

class RingWriter {
 public:
  RingWriter(std::string path, uint32_t width_px, uint32_t height_px, uint32_t slot_count = 8)
      : path_(std::move(path)) {
    avatar_ring_header h{};
    const bool has_pixels = width_px != 0;
    h.magic = AVATAR_RING_MAGIC;
    h.version = AVATAR_RING_VERSION;
    h.header_bytes = sizeof h;
    h.slot_count = slot_count;
    h.pixel_format = has_pixels ? AVATAR_RING_PIXEL_FORMAT_RGBA8 : AVATAR_RING_PIXEL_FORMAT_NONE;
    h.motion_offset = sizeof(avatar_ring_slot);
    h.pixels_offset = has_pixels ? 4096 : 384;
    h.slot_stride = has_pixels ? 4096 + (uint64_t{width_px} * height_px * 4 + 4095) / 4096 * 4096
                               : 384;
    h.file_bytes = h.header_bytes + slot_count * h.slot_stride;
    h.width_px = width_px;
    h.height_px = height_px;
    h.row_stride = width_px * 4;
    h.motion_floats = AVATAR_RING_MOTION_FLOATS;
    h.schema_hash = AVATAR_SCHEMA_HASH;
    h.fps_num = 40;
    h.fps_den = 1;
    std::memcpy(h.ring_id, "0123456789abcdef", sizeof h.ring_id);
    h.heartbeat_nanos = monotonic_nanos();
    h.state = AVATAR_RING_STATE_LIVE;
    map(h.file_bytes);
    std::memcpy(data_, &h, sizeof h);
  }
  ~RingWriter() {
    unmap();
    std::remove(path_.c_str());
  }
  RingWriter(const RingWriter&) = delete;
  RingWriter& operator=(const RingWriter&) = delete;

  const std::string& path() const { return path_; }
  avatar_ring_header& header() { return *reinterpret_cast<avatar_ring_header*>(data_); }
  uint8_t* slot_of(uint64_t number) {
    return data_ + header().header_bytes +
           ((number - 1) % header().slot_count) * header().slot_stride;
  }

  // First half of publish: the slot is marked and its pixels hold `fill`.
  void begin(uint8_t fill) {
    uint8_t* slot = slot_of(++number_);
    lock_of(slot).store(2 * number_ - 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (header().width_px != 0) {
      std::memset(slot + header().pixels_offset, fill,
                  size_t{header().row_stride} * header().height_px);
    }
  }
  void end(uint64_t seq, int64_t pts_nanos, float value, uint32_t epoch = 0) {
    uint8_t* slot = slot_of(number_);
    auto& s = *reinterpret_cast<avatar_ring_slot*>(slot);
    s.seq = seq;
    s.pts_nanos = pts_nanos;
    s.published_nanos = monotonic_nanos();
    s.epoch = epoch;
    s.flags = header().width_px != 0 ? AVATAR_RING_FLAG_PIXELS : 0;
    float motion[AVATAR_RING_MOTION_FLOATS];
    for (float& channel : motion) channel = value;
    std::memcpy(slot + header().motion_offset, motion, sizeof motion);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    lock_of(slot).store(2 * number_, std::memory_order_release);
    word<uint64_t>(header().head).store(number_, std::memory_order_release);
    word<int64_t>(header().heartbeat_nanos).store(monotonic_nanos(), std::memory_order_relaxed);
    announce();
  }
  void publish(uint64_t seq, int64_t pts_nanos, float value, uint8_t fill, uint32_t epoch = 0) {
    begin(fill);
    end(seq, pts_nanos, value, epoch);
  }
  void close_ring() {
    word<uint32_t>(header().state).store(AVATAR_RING_STATE_CLOSED, std::memory_order_release);
    announce();
  }

 private:
  template <typename T>
  static std::atomic<T>& word(T& at) {
    return reinterpret_cast<std::atomic<T>&>(at);
  }
  static std::atomic<uint64_t>& lock_of(uint8_t* slot) {
    return word(reinterpret_cast<avatar_ring_slot*>(slot)->lock);
  }
  void announce() {
    word<uint32_t>(header().publications).fetch_add(1, std::memory_order_release);
#if defined(__linux__)
    syscall(SYS_futex, &header().publications, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
#endif
  }
  void map(uint64_t size) {
    size_ = static_cast<size_t>(size);
#if defined(_WIN32)
    HANDLE file = CreateFileA(path_.c_str(), GENERIC_READ | GENERIC_WRITE,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                              CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
    HANDLE mapping = CreateFileMappingA(file, nullptr, PAGE_READWRITE,
                                        static_cast<DWORD>(size >> 32), static_cast<DWORD>(size),
                                        nullptr);
    data_ = static_cast<uint8_t*>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    CloseHandle(mapping);
    CloseHandle(file);
    if (data_ == nullptr) throw std::runtime_error("cannot map " + path_);
#else
    const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0) {
      throw std::runtime_error("cannot make " + path_);
    }
    void* data = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (data == MAP_FAILED) throw std::runtime_error("cannot map " + path_);
    data_ = static_cast<uint8_t*>(data);
#endif
  }
  void unmap() {
#if defined(_WIN32)
    UnmapViewOfFile(data_);
#else
    munmap(data_, size_);
#endif
  }

  std::string path_;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  uint64_t number_ = 0;
};

}  // namespace avatar::test
