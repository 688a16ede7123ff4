// What a call came to: a google.rpc.Code with a reason and one line for a person.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "avatar_client.h"
#include "avatar_tables.h"

namespace avatar {

struct Status {
  int32_t code = AVATAR_OK;
  std::string reason;
  std::string message;
  uint32_t retry_millis = 0;

  bool ok() const { return code == AVATAR_OK; }

  // A status that stands in no row of the error table.
  static Status of(int32_t code, std::string message) {
    return {code, {}, std::move(message), 0};
  }
};

// Rows of the error table.
enum class Reason {
#define AVATAR_ROW(name, code, retry) name,
  AVATAR_REASON_TABLE(AVATAR_ROW)
#undef AVATAR_ROW
};

// A fault with the code and retry time that the table gives for its reason.
inline Status fault(Reason reason, std::string message) {
  switch (reason) {
#define AVATAR_ROW(name, code, retry) \
  case Reason::name:                  \
    return {code, #name, std::move(message), retry};
    AVATAR_REASON_TABLE(AVATAR_ROW)
#undef AVATAR_ROW
  }
  return {AVATAR_INTERNAL, AVATAR_REASON_BUG, "unknown reason", 0};
}

}  // namespace avatar
