#include "ring_reader.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "ring_wait.h"
#include "nanos.h"

namespace avatar {

namespace {

// Tries of one read before it is given up: each needs the writer to publish slot_count - 1
// pictures while one is copied.
constexpr int kNumTries = 4;

// A dead writer wakes nobody: who waits looks for its signs of life this often.
constexpr auto kLookNanos = static_cast<int64_t>(AVATAR_RING_LOOK_NANOS);

static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t));

template <typename T>
T load_acquire(const T& word) {
  return reinterpret_cast<const std::atomic<T>&>(word).load(std::memory_order_acquire);
}

template <typename T>
T load_relaxed(const T& word) {
  return reinterpret_cast<const std::atomic<T>&>(word).load(std::memory_order_relaxed);
}

Status damaged(const std::string& path, const std::string& what) {
  return Status::of(AVATAR_DATA_LOSS, path + ": damaged ring: " + what);
}

}  // namespace

Status RingReader::open(const std::string& path, std::shared_ptr<RingReader>* ring) {
  std::shared_ptr<RingReader> reader(new RingReader);
  Status status = MappedFile::open(path, &reader->file_);
  if (status.ok()) status = reader->check_geometry(path);
  if (status.ok()) reader->had_owner_ = reader->file_->is_owned();
  if (status.ok()) *ring = std::move(reader);
  return status;
}

Status RingReader::check_geometry(const std::string& path) {
  if (file_->size() < sizeof(avatar_ring_header)) return damaged(path, "shorter than its header");
  if (file_->current_size() < file_->size()) return damaged(path, "truncated");
  std::memcpy(&geometry_, file_->data(), sizeof geometry_);
  const avatar_ring_header& g = geometry_;
  if (g.magic != AVATAR_RING_MAGIC) return damaged(path, "no ring of this service");
  if (g.version != AVATAR_RING_VERSION) {
    return fault(Reason::PROTOCOL_MISMATCH,
                 path + ": ring layout version " + std::to_string(g.version) + "; this client reads " +
                     std::to_string(AVATAR_RING_VERSION));
  }
  if (g.schema_hash != AVATAR_SCHEMA_HASH || g.motion_floats != AVATAR_RING_MOTION_FLOATS) {
    return fault(Reason::PROTOCOL_MISMATCH,
                 path + ": holds another motion schema than " AVATAR_SCHEMA_ID);
  }
  if (g.slot_count < AVATAR_RING_MIN_SLOT_COUNT || g.slot_count > AVATAR_RING_MAX_SLOT_COUNT) {
    return damaged(path, "slot_count " + std::to_string(g.slot_count));
  }
  if (g.width_px > AVATAR_RING_MAX_FRAME_PX || g.height_px > AVATAR_RING_MAX_FRAME_PX) {
    return damaged(path, "frame size");
  }
  const bool has_pixels = g.pixel_format == AVATAR_RING_PIXEL_FORMAT_RGBA8;
  if (!has_pixels && g.pixel_format != AVATAR_RING_PIXEL_FORMAT_NONE) {
    return damaged(path, "pixel_format " + std::to_string(g.pixel_format));
  }
  // All of these are below 2^26, so the sums below cannot overflow 64 bits.
  pixel_bytes_ = has_pixels ? uint64_t{g.width_px} * g.height_px * 4 : 0;
  if (has_pixels && (pixel_bytes_ == 0 || g.row_stride != g.width_px * 4 ||
                     g.pixels_offset % 64 != 0 || g.pixels_offset < sizeof(avatar_ring_slot))) {
    return damaged(path, "pixel geometry");
  }
  if (g.motion_offset % 4 != 0 || g.motion_offset < sizeof(avatar_ring_slot)) {
    return damaged(path, "motion_offset");
  }
  const uint64_t motion_end = uint64_t{g.motion_offset} + sizeof(avatar_ring_motion);
  const uint64_t pixels_end = has_pixels ? g.pixels_offset + pixel_bytes_ : 0;
  if (g.slot_stride % 64 != 0 || g.slot_stride > (uint64_t{1} << 32) ||
      g.slot_stride < std::max(motion_end, pixels_end)) {
    return damaged(path, "slot_stride " + std::to_string(g.slot_stride));
  }
  if (g.header_bytes % 64 != 0 || g.header_bytes < sizeof(avatar_ring_header) ||
      g.header_bytes + g.slot_count * g.slot_stride != g.file_bytes ||
      g.file_bytes > file_->size()) {
    return damaged(path, "file_bytes " + std::to_string(g.file_bytes) + ", the file has " +
                             std::to_string(file_->size()));
  }
  if (g.fps_num == 0 || g.fps_den == 0) return damaged(path, "frame rate");
  interval_nanos_ = kNanosPerSec * g.fps_den / g.fps_num;
  return {};
}

const avatar_ring_header& RingReader::header() const {
  return *reinterpret_cast<const avatar_ring_header*>(file_->data());
}

const uint8_t* RingReader::slot_at(uint64_t number) const {
  return file_->data() + geometry_.header_bytes +
         ((number - 1) % geometry_.slot_count) * geometry_.slot_stride;
}

uint64_t RingReader::head() const { return is_whole() ? load_acquire(header().head) : 0; }

uint64_t RingReader::newest_seq() const { return is_whole() ? newest_seq_mapped() : 0; }

uint64_t RingReader::newest_seq_mapped() const {
  const uint64_t number = load_acquire(header().head);
  Picture picture;
  return number != 0 && read_slot(number, &picture) ? picture.latent.seq : 0;
}

uint32_t RingReader::epoch() const { return is_whole() ? load_relaxed(header().epoch) : 0; }

int64_t RingReader::heartbeat_age_nanos() const {
  return is_whole() ? heartbeat_age_mapped() : INT64_MAX;
}

int64_t RingReader::heartbeat_age_mapped() const {
  const auto now = static_cast<uint64_t>(monotonic_nanos());
  // Unsigned: a hostile value must wrap, not overflow.
  return static_cast<int64_t>(now -
                              static_cast<uint64_t>(load_relaxed(header().heartbeat_nanos)));
}

bool RingReader::is_live() const { return is_whole() && is_live_mapped(); }

// In the order of frame_ring.toml: closed, hung, killed.
bool RingReader::is_live_mapped() const {
  if (load_acquire(header().state) != AVATAR_RING_STATE_LIVE) return false;
  const int64_t age = heartbeat_age_mapped();
  constexpr auto kTimeout = static_cast<int64_t>(AVATAR_RING_HEARTBEAT_TIMEOUT_NANOS);
  if (age <= -kTimeout || age >= kTimeout) return false;
  return !had_owner_ || age < kLookNanos || file_->is_owned();
}

bool RingReader::read_slot(uint64_t number, Picture* picture) const {
  const uint8_t* at = slot_at(number);
  const auto& shared = *reinterpret_cast<const avatar_ring_slot*>(at);
  if (load_acquire(shared.lock) != 2 * number) return false;
  avatar_ring_slot slot;
  std::memcpy(&slot, at, sizeof slot);
  std::memcpy(picture->latent.values.data(), at + geometry_.motion_offset,
              sizeof picture->latent.values);
  std::atomic_thread_fence(std::memory_order_acquire);
  if (load_relaxed(shared.lock) != 2 * number) return false;
  picture->number = number;
  picture->latent.seq = slot.seq;
  picture->latent.pts_nanos = slot.pts_nanos;
  picture->latent.epoch = slot.epoch;
  picture->published_nanos = slot.published_nanos;
  const bool has_pixels = pixel_bytes_ != 0 && (slot.flags & AVATAR_RING_FLAG_PIXELS) != 0;
  picture->pixels = has_pixels ? at + geometry_.pixels_offset : nullptr;
  picture->flags = has_pixels ? AVATAR_FRAME_PIXELS : 0;
  return is_finite(picture->latent);
}

Status RingReader::find(int64_t pts_nanos, const EpochFloor& floor, Picture* picture) const {
  if (!is_whole()) return Status::of(AVATAR_DATA_LOSS, "the ring was truncated");
  const uint64_t head = load_acquire(header().head);
  Picture candidate;
  bool found = false;
  // The slot behind the oldest considered here is the one that is written next.
  const uint64_t num_seen = std::min<uint64_t>(head, geometry_.slot_count - 1);
  for (uint64_t number = head; number > head - num_seen; --number) {
    if (!read_slot(number, &candidate)) continue;
    if (floor.is_stale(candidate.latent.epoch, candidate.latent.pts_nanos)) continue;
    *picture = candidate;
    found = true;
    if (candidate.latent.pts_nanos <= pts_nanos) {
      // Unsigned: times may be anything. A due picture that is old and also the newest: starved.
      const uint64_t age = static_cast<uint64_t>(pts_nanos) -
                           static_cast<uint64_t>(candidate.latent.pts_nanos);
      if (pts_nanos != AVATAR_PTS_NEWEST && number == head &&
          age > static_cast<uint64_t>(interval_nanos_ + interval_nanos_ / 2)) {
        picture->flags |= AVATAR_FRAME_STARVED;
      }
      return {};
    }
  }
  if (!found) return Status::of(AVATAR_NOT_FOUND, "the ring holds no frame yet");
  picture->flags |= AVATAR_FRAME_EARLY;
  return {};
}

bool RingReader::is_intact(const Picture& picture) const {
  return is_whole() && is_intact_mapped(picture);
}

bool RingReader::is_intact_mapped(const Picture& picture) const {
  std::atomic_thread_fence(std::memory_order_acquire);
  const auto& slot = *reinterpret_cast<const avatar_ring_slot*>(slot_at(picture.number));
  return load_relaxed(slot.lock) == 2 * picture.number;
}

Status RingReader::copy(int64_t pts_nanos, const EpochFloor& floor, uint64_t have_seq,
                        uint8_t* pixels, uint64_t capacity, Picture* picture,
                        uint64_t* num_torn) const {
  for (int i = 0; i < kNumTries; ++i) {
    const Status status = find(pts_nanos, floor, picture);
    if (!status.ok()) return status;
    if (picture->latent.seq == have_seq) return {};
    picture->flags |= AVATAR_FRAME_NEW;
    if (pixels == nullptr || picture->pixels == nullptr) return {};
    if (capacity < pixel_bytes_) {
      return Status::of(AVATAR_OUT_OF_RANGE, "capacity is " + std::to_string(capacity) +
                                                 " bytes; the frame has " +
                                                 std::to_string(pixel_bytes_));
    }
    std::memcpy(pixels, picture->pixels, pixel_bytes_);
    if (is_intact_mapped(*picture)) return {};
    ++*num_torn;
  }
  return Status::of(AVATAR_ABORTED, "the writer overtook the read several times");
}

uint64_t RingReader::latents_since(uint64_t number, std::vector<Picture>* pictures,
                                   uint64_t* num_refused) const {
  if (!is_whole()) return number;
  const uint64_t head = load_acquire(header().head);
  if (head <= number) return number;
  const uint64_t num_new = std::min<uint64_t>(head - number, geometry_.slot_count - 1);
  for (uint64_t next = head - num_new + 1; next != head + 1; ++next) {
    Picture picture;
    if (read_slot(next, &picture)) {
      pictures->push_back(picture);
    } else {
      ++*num_refused;
    }
  }
  return head;
}

Status RingReader::wait(uint64_t have_seq, int64_t timeout_nanos) const {
  const int64_t start = monotonic_nanos();
  for (;;) {
    if (!is_whole()) return Status::of(AVATAR_DATA_LOSS, "the ring was truncated");
    const uint32_t publications = load_acquire(header().publications);
    if (newest_seq_mapped() > have_seq) return {};
    if (!is_live_mapped()) return Status::of(AVATAR_UNAVAILABLE, "the ring's writer has gone");
    const int64_t left = timeout_nanos - (monotonic_nanos() - start);
    if (left <= 0) return Status::of(AVATAR_DEADLINE_EXCEEDED, "no newer frame came in time");
    wait_for_change(&header().publications, publications, std::min(left, kLookNanos));
  }
}

}  // namespace avatar
