// One service: its channel, the calls that are not streams, and the sessions opened through it.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "avatar/v1/avatar_service.grpc.pb.h"
#include "status.h"

namespace avatar {

class Session;

struct ClientConfig {
  std::string target;
  std::string token;
  std::string client_name;
  uint32_t tls = AVATAR_TLS_OFF;
  std::string ca_pem;
  std::string client_cert_pem;
  std::string client_key_pem;
  std::string tls_server_name;
  uint32_t backoff_min_millis = 250;
  uint32_t backoff_max_millis = 8000;
  uint32_t keepalive_millis = 10'000;
};

// Major and minor version of avatar.v1 that this client was built for.
inline constexpr char kApiVersion[] = "1.0";
// PROTOCOL_MISMATCH for another major version.
Status check_version(const std::string& theirs);

class RpcClient : public std::enable_shared_from_this<RpcClient> {
 public:
  // INVALID_FIELD for options that contradict each other.
  static Status create(ClientConfig config, std::shared_ptr<RpcClient>* client);

  Status get_server_info(std::chrono::milliseconds timeout, v1::GetServerInfoResponse* response);
  Status create_avatar(const v1::AvatarHeader& header, const avatar_bytes& file,
                       std::chrono::milliseconds timeout, v1::Avatar* avatar);
  Status delete_avatar(const std::string& avatar_id, bool end_sessions,
                       std::chrono::milliseconds timeout);
  // Cancels the calls under way, refuses further ones and closes the sessions; idempotent.
  void close();

  const ClientConfig& config() const { return config_; }
  v1::AvatarService::StubInterface& stub() { return *stub_; }
  // Host part of the target, and whether it is this machine's loopback.
  const std::string& host() const { return host_; }
  bool is_loopback() const { return is_loopback_; }
  void add_session(const std::shared_ptr<Session>& session);

  // A call's context: token set, cancelled by close().
  class Call {
   public:
    Call(RpcClient& client, std::chrono::milliseconds timeout);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    grpc::ClientContext context;

   private:
    RpcClient& client_;
  };
  // Token for a context that is not a Call (streams).
  void prepare(grpc::ClientContext* context) const;

 private:
  explicit RpcClient(ClientConfig config) : config_(std::move(config)) {}
  Status connect();

  const ClientConfig config_;
  std::string host_;
  bool is_loopback_ = false;
  std::unique_ptr<v1::AvatarService::StubInterface> stub_;
  std::mutex mutex_;
  bool is_closed_ = false;
  std::set<grpc::ClientContext*> calls_;
  std::vector<std::weak_ptr<Session>> sessions_;
};

}  // namespace avatar
