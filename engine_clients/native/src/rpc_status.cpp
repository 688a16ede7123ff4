#include "rpc_status.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "status_details.pb.h"

namespace avatar {

namespace {

constexpr std::string_view kErrorInfo = "/google.rpc.ErrorInfo";
constexpr std::string_view kRetryInfo = "/google.rpc.RetryInfo";
constexpr std::string_view kDomain = "avatar.v1";

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() &&
         std::string_view(text).substr(text.size() - end.size()) == end;
}

}  // namespace

Status from_grpc(const grpc::Status& status) {
  Status result = Status::of(static_cast<int32_t>(status.error_code()), status.error_message());
  client::StatusDetails details;
  if (status.ok() || !details.ParseFromString(status.error_details())) return result;
  for (const auto& detail : details.details()) {
    client::ErrorInfoDetail info;
    client::RetryInfoDetail retry;
    if (ends_with(detail.type_url(), kErrorInfo) && info.ParseFromString(detail.value())) {
      if (info.domain() == kDomain) result.reason = info.reason();
    } else if (ends_with(detail.type_url(), kRetryInfo) && retry.ParseFromString(detail.value())) {
      const int64_t secs = std::clamp<int64_t>(retry.retry_delay().seconds(), 0, 3600);
      const int64_t nanos = std::clamp<int64_t>(retry.retry_delay().nanos(), 0, 999'999'999);
      result.retry_millis = static_cast<uint32_t>(secs * 1000 + nanos / 1'000'000);
    }
  }
  return result;
}

bool is_transient(const Status& status) {
  switch (status.code) {
    case AVATAR_UNAVAILABLE:
    case AVATAR_DEADLINE_EXCEEDED:
    case AVATAR_ABORTED:
      return true;
    case AVATAR_RESOURCE_EXHAUSTED:
      return status.retry_millis > 0;
    case AVATAR_CANCELLED:
    case AVATAR_UNKNOWN:
    case AVATAR_INTERNAL:
      // Without a reason it was not the service that said so but a connection that broke.
      return status.reason.empty();
    default:
      return false;
  }
}

}  // namespace avatar
