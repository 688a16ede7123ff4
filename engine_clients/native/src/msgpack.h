// The part of MessagePack that the wire's headers need: one flat map of text to numbers, text or
// bytes (https://github.com/msgpack/msgpack/blob/master/spec.md). Values inside other containers
// are skipped. Never reads beyond the end, never recurses without bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace avatar {

class MsgpackReader {
 public:
  MsgpackReader(const void* data, size_t size)
      : at_(static_cast<const uint8_t*>(data)), end_(at_ + size) {}

  // Each returns false, and leaves the reader unusable, where the next value is of another type or
  // is cut off.
  bool read_map(uint32_t* num_pairs);
  bool read_text(std::string_view* text);
  bool read_bytes(std::string_view* bytes);
  bool read_int(int64_t* value);    // also unsigned ones that fit
  bool read_uint(uint64_t* value);  // also signed ones that are not negative
  bool skip() { return skip(kMaxDepth); }
  bool is_at_end() const { return at_ == end_; }

 private:
  static constexpr int kMaxDepth = 8;
  bool take(uint64_t size, const uint8_t** bytes);
  bool take_number(size_t size, uint64_t* value);  // big-endian
  bool take_run(size_t length_size, std::string_view* bytes);
  bool skip(int depth);

  const uint8_t* at_;
  const uint8_t* end_;
};

}  // namespace avatar
