#include "rpc_client.h"

#include <algorithm>
#include <utility>

#include "rpc_status.h"
#include "session.h"

namespace avatar {

namespace {

// A raw RGBA frame of 4096 x 4096 and its header.
constexpr int kMaxReceiveBytes = 4096 * 4096 * 4 + (64 << 10);
constexpr int kKeepaliveTimeoutMillis = 5'000;
// What the service lets clients do without calling it rude.
constexpr uint32_t kMinKeepaliveMillis = 6'000;
constexpr size_t kPhotoChunkBytes = 64 << 10;

// "HOST:PORT", "[::1]:PORT"; the host without brackets.
bool split_target(const std::string& target, std::string* host) {
  const size_t colon = target.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == target.size()) return false;
  const bool has_port = std::all_of(target.begin() + static_cast<long>(colon) + 1, target.end(),
                                    [](char c) { return c >= '0' && c <= '9'; });
  *host = target.substr(0, colon);
  if (host->size() > 2 && host->front() == '[' && host->back() == ']') {
    *host = host->substr(1, host->size() - 2);
  }
  return has_port;
}

bool is_loopback_host(const std::string& host) {
  return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

std::shared_ptr<grpc::ChannelCredentials> credentials(const ClientConfig& config) {
  if (config.tls == AVATAR_TLS_OFF) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = config.ca_pem;
  if (config.tls == AVATAR_TLS_MUTUAL) {
    options.pem_cert_chain = config.client_cert_pem;
    options.pem_private_key = config.client_key_pem;
  }
  return grpc::SslCredentials(options);
}

}  // namespace

Status RpcClient::create(ClientConfig config, std::shared_ptr<RpcClient>* client) {
  std::shared_ptr<RpcClient> made(new RpcClient(std::move(config)));
  const Status status = made->connect();
  if (status.ok()) *client = std::move(made);
  return status;
}

Status RpcClient::connect() {
  if (!split_target(config_.target, &host_)) {
    return fault(Reason::INVALID_FIELD, "target is \"" + config_.target + "\"; HOST:PORT");
  }
  is_loopback_ = is_loopback_host(host_);
  if (config_.tls > AVATAR_TLS_MUTUAL) return fault(Reason::INVALID_FIELD, "tls: AVATAR_TLS_*");
  if (config_.tls == AVATAR_TLS_OFF && !config_.token.empty() && !is_loopback_) {
    return fault(Reason::INVALID_FIELD,
                 "a token goes to another host by TLS only: set tls, or leave the token out");
  }
  const bool has_pair = !config_.client_cert_pem.empty() && !config_.client_key_pem.empty();
  if (config_.tls == AVATAR_TLS_MUTUAL && !has_pair) {
    return fault(Reason::INVALID_FIELD, "mutual TLS needs client_cert_pem and client_key_pem");
  }
  if (config_.backoff_min_millis == 0 ||
      config_.backoff_max_millis < config_.backoff_min_millis) {
    return fault(Reason::INVALID_FIELD, "backoff: 0 < backoff_min_millis <= backoff_max_millis");
  }
  if (config_.keepalive_millis < kMinKeepaliveMillis) {
    return fault(Reason::INVALID_FIELD, "keepalive_millis is " +
                                            std::to_string(config_.keepalive_millis) +
                                            "; 6000 or more");
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  arguments.SetUserAgentPrefix("avatar-client/" AVATAR_CLIENT_VERSION);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(config_.keepalive_millis));
  // gRPC 1.85 waits for the second of these alone, a minute by default; 1.51 for the first.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  arguments.SetInt("grpc.http2.ping_timeout_ms", kKeepaliveTimeoutMillis);
  // Else gRPC 1.51 probes no more, for a client that only reads, after the second time.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                   static_cast<int>(config_.backoff_min_millis));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                   static_cast<int>(config_.backoff_min_millis));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
                   static_cast<int>(config_.backoff_max_millis));
  // Another client of this process may have other credentials, or a connection that hangs.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // The service is an explicit address; an HTTP proxy of the environment is not meant for it.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!config_.tls_server_name.empty()) {
    arguments.SetSslTargetNameOverride(config_.tls_server_name);
  }
  stub_ = v1::AvatarService::NewStub(
      grpc::CreateCustomChannel(config_.target, credentials(config_), arguments));
  return {};
}

RpcClient::Call::Call(RpcClient& client, std::chrono::milliseconds timeout) : client_(client) {
  client.prepare(&context);
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  // The first call after a service has come up must not fail for a channel still backing off.
  context.set_wait_for_ready(true);
  const std::lock_guard lock(client.mutex_);
  if (client.is_closed_) context.TryCancel();
  client.calls_.insert(&context);
}

RpcClient::Call::~Call() {
  const std::lock_guard lock(client_.mutex_);
  client_.calls_.erase(&context);
}

void RpcClient::prepare(grpc::ClientContext* context) const {
  if (!config_.token.empty()) context->AddMetadata("authorization", "Bearer " + config_.token);
}

Status check_version(const std::string& theirs) {
  const std::string ours = kApiVersion;
  if (theirs.substr(0, theirs.find('.')) == ours.substr(0, ours.find('.'))) return {};
  return fault(Reason::PROTOCOL_MISMATCH,
               "the service speaks avatar.v1 version " + theirs + ", this client " + ours);
}

Status RpcClient::get_server_info(std::chrono::milliseconds timeout,
                                  v1::GetServerInfoResponse* response) {
  v1::GetServerInfoRequest request;
  request.set_api_version(kApiVersion);
  request.set_client(config_.client_name.substr(0, 100));
  Call call(*this, timeout);
  const Status status = from_grpc(stub_->GetServerInfo(&call.context, request, response));
  if (!status.ok()) return status;
  return check_version(response->api_version());
}

Status RpcClient::create_avatar(const v1::AvatarHeader& header, const avatar_bytes& file,
                                std::chrono::milliseconds timeout, v1::Avatar* avatar) {
  Call call(*this, timeout);
  v1::CreateAvatarResponse response;
  const auto writer = stub_->CreateAvatar(&call.context, &response);
  v1::CreateAvatarRequest request;
  *request.mutable_header() = header;
  bool is_open = writer->Write(request);
  const auto* bytes = static_cast<const char*>(file.data);
  for (size_t at = 0; is_open && at < file.size; at += kPhotoChunkBytes) {
    request.set_photo_chunk(bytes + at, std::min<size_t>(kPhotoChunkBytes, file.size - at));
    is_open = writer->Write(request);
  }
  // A write fails where the service has already answered: Finish tells what.
  writer->WritesDone();
  const Status status = from_grpc(writer->Finish());
  if (status.ok()) *avatar = response.avatar();
  return status;
}

Status RpcClient::delete_avatar(const std::string& avatar_id, bool end_sessions,
                                std::chrono::milliseconds timeout) {
  Call call(*this, timeout);
  v1::DeleteAvatarRequest request;
  request.set_avatar_id(avatar_id);
  request.set_end_sessions(end_sessions);
  v1::DeleteAvatarResponse response;
  return from_grpc(stub_->DeleteAvatar(&call.context, request, &response));
}

void RpcClient::add_session(const std::shared_ptr<Session>& session) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(std::remove_if(sessions_.begin(), sessions_.end(),
                                 [](const auto& other) { return other.expired(); }),
                  sessions_.end());
  sessions_.push_back(session);
}

void RpcClient::close() {
  std::vector<std::weak_ptr<Session>> sessions;
  {
    const std::lock_guard lock(mutex_);
    sessions.swap(sessions_);
  }
  for (const auto& weak : sessions) {
    if (const auto session = weak.lock()) session->close();
  }
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  for (grpc::ClientContext* context : calls_) context->TryCancel();
}

}  // namespace avatar
