// What every function of the C interface does at its border: no exception crosses, errors are
// written once, structs are read and written as far as both sides know them.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "avatar_client.h"
#include "status.h"

namespace avatar::abi {

// Copies text into a fixed field, cut off where it is too long.
template <size_t N>
void put_text(char (&field)[N], const std::string& text) {
  const size_t length = std::min(text.size(), N - 1);
  std::memcpy(field, text.data(), length);
  field[length] = '\0';
}

inline std::string take_text(const avatar_string& text) {
  return text.data == nullptr ? std::string() : std::string(text.data, text.size);
}

// Reads a struct of another version's size; fields that the caller does not have keep the values
// that *record has.
template <typename T>
Status read_struct(const T* from, T* record, const char* name) {
  if (from == nullptr || from->struct_size < 2 * sizeof(uint32_t)) {
    return fault(Reason::INVALID_FIELD, std::string(name) + " is NULL or its struct_size is unset");
  }
  std::memcpy(record, from, std::min<size_t>(from->struct_size, sizeof(T)));
  record->struct_size = sizeof(T);
  return {};
}

// Writes as much of the struct as the caller's version has; NULL is fine.
template <typename T>
Status write_struct(T* to, const T& record, const char* name) {
  if (to == nullptr) return {};
  const uint32_t size = to->struct_size;
  if (size < 2 * sizeof(uint32_t)) {
    return fault(Reason::INVALID_FIELD, std::string(name) + ": its struct_size is unset");
  }
  std::memcpy(to, &record, std::min<size_t>(size, sizeof(T)));
  to->struct_size = size;
  return {};
}

inline avatar_status report(avatar_error* error, const Status& status) {
  if (status.ok() || error == nullptr || error->struct_size < 2 * sizeof(uint32_t)) {
    return status.code;
  }
  avatar_error detail{};
  detail.code = status.code;
  detail.retry_after_millis = status.retry_millis;
  put_text(detail.reason, status.reason);
  put_text(detail.message, status.message);
  const uint32_t size = error->struct_size;
  std::memcpy(error, &detail, std::min<size_t>(size, sizeof detail));
  error->struct_size = size;
  return status.code;
}

// Runs the body of a function, which returns a Status.
template <typename Body>
avatar_status guard(avatar_error* error, Body body) noexcept {
  try {
    return report(error, body());
  } catch (const std::bad_alloc&) {
    return report(error, {AVATAR_RESOURCE_EXHAUSTED, {}, {}, 0});
  } catch (const std::exception& exception) {
    try {
      return report(error, fault(Reason::BUG, exception.what()));
    } catch (...) {
      return AVATAR_INTERNAL;
    }
  } catch (...) {
    return AVATAR_INTERNAL;
  }
}

inline Status null_argument(const char* name) {
  return fault(Reason::INVALID_FIELD, std::string(name) + " is NULL");
}

}  // namespace avatar::abi
