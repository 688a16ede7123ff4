#include "msgpack.h"

namespace avatar {

bool MsgpackReader::take(uint64_t size, const uint8_t** bytes) {
  if (size > static_cast<uint64_t>(end_ - at_)) {
    at_ = end_;
    return false;
  }
  *bytes = at_;
  at_ += size;
  return true;
}

bool MsgpackReader::take_number(size_t size, uint64_t* value) {
  const uint8_t* bytes = nullptr;
  if (!take(size, &bytes)) return false;
  *value = 0;
  for (size_t i = 0; i < size; ++i) *value = *value << 8 | bytes[i];
  return true;
}

bool MsgpackReader::take_run(size_t length_size, std::string_view* run) {
  uint64_t length = 0;
  const uint8_t* bytes = nullptr;
  if (!take_number(length_size, &length) || !take(length, &bytes)) {
    return false;
  }
  *run = {reinterpret_cast<const char*>(bytes), static_cast<size_t>(length)};
  return true;
}

bool MsgpackReader::read_map(uint32_t* num_pairs) {
  const uint8_t* tag = nullptr;
  uint64_t count = 0;
  if (!take(1, &tag)) return false;
  if (*tag >= 0x80 && *tag <= 0x8f) {
    count = *tag & 0x0f;
  } else if (*tag == 0xde) {
    if (!take_number(2, &count)) return false;
  } else if (*tag == 0xdf) {
    if (!take_number(4, &count)) return false;
  } else {
    return false;
  }
  *num_pairs = static_cast<uint32_t>(count);
  return true;
}

bool MsgpackReader::read_text(std::string_view* text) {
  const uint8_t* tag = nullptr;
  if (!take(1, &tag)) return false;
  if (*tag >= 0xa0 && *tag <= 0xbf) {
    const size_t length = *tag & 0x1f;
    const uint8_t* bytes = nullptr;
    if (!take(length, &bytes)) return false;
    *text = {reinterpret_cast<const char*>(bytes), length};
    return true;
  }
  if (*tag < 0xd9 || *tag > 0xdb) return false;
  return take_run(size_t{1} << (*tag - 0xd9), text);
}

bool MsgpackReader::read_bytes(std::string_view* bytes) {
  const uint8_t* tag = nullptr;
  if (!take(1, &tag) || *tag < 0xc4 || *tag > 0xc6) return false;
  return take_run(size_t{1} << (*tag - 0xc4), bytes);
}

bool MsgpackReader::read_int(int64_t* value) {
  const uint8_t* tag = nullptr;
  if (!take(1, &tag)) return false;
  if (*tag <= 0x7f || *tag >= 0xe0) {
    *value = static_cast<int8_t>(*tag);
    return true;
  }
  uint64_t raw = 0;
  if (*tag >= 0xcc && *tag <= 0xcf) {
    if (!take_number(size_t{1} << (*tag - 0xcc), &raw) || raw > INT64_MAX) return false;
    *value = static_cast<int64_t>(raw);
    return true;
  }
  if (*tag < 0xd0 || *tag > 0xd3) return false;
  const size_t size = size_t{1} << (*tag - 0xd0);
  if (!take_number(size, &raw)) return false;
  switch (size) {
    case 1: *value = static_cast<int8_t>(raw); break;
    case 2: *value = static_cast<int16_t>(raw); break;
    case 4: *value = static_cast<int32_t>(raw); break;
    default: *value = static_cast<int64_t>(raw); break;
  }
  return true;
}

bool MsgpackReader::read_uint(uint64_t* value) {
  if (at_ != end_ && *at_ == 0xcf) {  // may exceed int64
    ++at_;
    return take_number(8, value);
  }
  int64_t number = 0;
  if (!read_int(&number) || number < 0) return false;
  *value = static_cast<uint64_t>(number);
  return true;
}

bool MsgpackReader::skip(int depth) {
  const uint8_t* tag = nullptr;
  if (depth == 0 || !take(1, &tag)) return false;
  const uint8_t kind = *tag;
  uint64_t length = 0;
  const uint8_t* bytes = nullptr;
  std::string_view run;
  if (kind <= 0x7f || kind >= 0xe0 || kind == 0xc0 || kind == 0xc2 || kind == 0xc3) return true;
  if (kind >= 0xa0 && kind <= 0xbf) return take(kind & 0x1f, &bytes);
  if (kind >= 0xc4 && kind <= 0xc6) return take_run(size_t{1} << (kind - 0xc4), &run);
  if (kind >= 0xc7 && kind <= 0xc9) {  // ext: length, type, data
    return take_number(size_t{1} << (kind - 0xc7), &length) &&
           take(length + 1, &bytes);
  }
  if (kind == 0xca) return take(4, &bytes);
  if (kind == 0xcb) return take(8, &bytes);
  if (kind >= 0xcc && kind <= 0xcf) return take(size_t{1} << (kind - 0xcc), &bytes);
  if (kind >= 0xd0 && kind <= 0xd3) return take(size_t{1} << (kind - 0xd0), &bytes);
  if (kind >= 0xd4 && kind <= 0xd8) return take((size_t{1} << (kind - 0xd4)) + 1, &bytes);
  if (kind >= 0xd9 && kind <= 0xdb) return take_run(size_t{1} << (kind - 0xd9), &run);
  if (kind >= 0x80 && kind <= 0x9f) {
    length = (kind & 0x0f) * (kind < 0x90 ? 2u : 1u);
  } else if (kind == 0xdc || kind == 0xdd) {
    if (!take_number(kind == 0xdc ? 2 : 4, &length)) return false;
  } else if (kind == 0xde || kind == 0xdf) {
    if (!take_number(kind == 0xde ? 2 : 4, &length)) return false;
    length *= 2;
  } else {
    return false;  // 0xc1 is never used
  }
  // Every element has a byte at least: a length beyond that is a lie and ends in the first take.
  for (uint64_t i = 0; i < length; ++i) {
    if (!skip(depth - 1)) return false;
  }
  return true;
}

}  // namespace avatar
