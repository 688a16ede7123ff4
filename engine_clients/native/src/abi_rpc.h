// Handles of clients and sessions.
#pragma once

#include "abi.h"
#include "handles.h"
#include "rpc_client.h"
#include "session.h"

namespace avatar::abi {

using Clients = HandleTable<avatar_client, RpcClient, HandleKind::kClient>;
using Sessions = HandleTable<avatar_session, Session, HandleKind::kSession>;

// Defaults into a struct of the caller's size.
template <typename T>
Status init_struct(T* record, uint32_t struct_size, const T& defaults) {
  if (record == nullptr) return null_argument("struct");
  std::memset(static_cast<void*>(record), 0, struct_size);
  record->struct_size = struct_size;
  return write_struct(record, defaults, "struct");
}

}  // namespace avatar::abi
