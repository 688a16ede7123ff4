// Reader of the shared-memory ring (protos/ring/v1/frame_ring.toml).
//
// What stands in the file is not trusted: the geometry is checked once and then used from a copy,
// every offset is inside the mapping whatever the writer does, and a torn read is found out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "avatar_ring_layout.h"
#include "epoch_floor.h"
#include "mapped_file.h"
#include "motion.h"
#include "status.h"

namespace avatar {

class RingReader {
 public:
  // A picture found in the ring; pixels point into the mapping. number counts publications and
  // says which slot holds it; latent.seq is the frame's own.
  struct Picture {
    uint64_t number = 0;
    Latent latent;
    int64_t published_nanos = 0;
    const uint8_t* pixels = nullptr;  // nullptr: latents only
    uint32_t flags = 0;               // AVATAR_FRAME_*
  };

  // AVATAR_NOT_FOUND, PROTOCOL_MISMATCH, AVATAR_DATA_LOSS: see avatar_ring_open.
  static Status open(const std::string& path, std::shared_ptr<RingReader>* ring);

  uint32_t slot_count() const { return geometry_.slot_count; }
  uint32_t width_px() const { return geometry_.width_px; }
  uint32_t height_px() const { return geometry_.height_px; }
  uint64_t pixel_bytes() const { return pixel_bytes_; }
  const uint8_t* ring_id() const { return geometry_.ring_id; }
  uint32_t fps_num() const { return geometry_.fps_num; }
  uint32_t fps_den() const { return geometry_.fps_den; }
  uint64_t head() const;  // number of the newest picture; 0: none yet
  uint64_t newest_seq() const;
  uint32_t epoch() const;
  int64_t heartbeat_age_nanos() const;
  // False once the writer has closed the ring, has died, or has shown no sign of life for some
  // seconds.
  bool is_live() const;

  // The newest picture with a time of at most pts_nanos that the floor lets through; where all are
  // later, the oldest. AVATAR_NOT_FOUND, AVATAR_DATA_LOSS (truncated under our feet).
  Status find(int64_t pts_nanos, const EpochFloor& floor, Picture* picture) const;
  // Whether the picture's slot still holds it: nothing read from it before this call was torn.
  bool is_intact(const Picture& picture) const;
  // find, copy, is_intact; again where the writer overtook. num_torn counts those.
  Status copy(int64_t pts_nanos, const EpochFloor& floor, uint64_t have_seq, uint8_t* pixels,
              uint64_t capacity, Picture* picture, uint64_t* num_torn) const;
  // Appends the latents of all pictures after number that are still there, oldest first, and
  // returns the newest number seen. Slots torn or not finite are counted in num_refused.
  uint64_t latents_since(uint64_t number, std::vector<Picture>* pictures,
                         uint64_t* num_refused) const;
  // Sleeps until the newest seq is above have_seq. See avatar_ring_wait.
  Status wait(uint64_t have_seq, int64_t timeout_nanos) const;

 private:
  RingReader() = default;
  Status check_geometry(const std::string& path);
  const avatar_ring_header& header() const;
  const uint8_t* slot_at(uint64_t number) const;
  // The file is as long as it was: asked once before its pages are touched, for each call. What is
  // called ..._mapped relies on that.
  bool is_whole() const { return file_->current_size() >= geometry_.file_bytes; }
  uint64_t newest_seq_mapped() const;
  int64_t heartbeat_age_mapped() const;
  bool is_live_mapped() const;
  bool is_intact_mapped(const Picture& picture) const;
  // The slot's head and latent, consistent; false: torn, another picture, or not finite.
  bool read_slot(uint64_t number, Picture* picture) const;

  std::unique_ptr<MappedFile> file_;
  avatar_ring_header geometry_{};  // as it was when it was checked
  uint64_t pixel_bytes_ = 0;
  int64_t interval_nanos_ = 0;
  bool had_owner_ = false;  // its writer holds the file: who is killed lets go of it
};

}  // namespace avatar
