// A gRPC status as this client's own, with reason and retry time from its details.
#pragma once

#include <grpcpp/support/status.h>

#include "status.h"

namespace avatar {

Status from_grpc(const grpc::Status& status);

// Whether trying again later may help: the connection or the service had a fault that passes.
bool is_transient(const Status& status);

}  // namespace avatar
