// The service's side of avatar.v1 for the tests: one session at a time, frames that count up, and
// the faults of a real network on demand. It listens on a free port of the loopback.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "avatar/v1/avatar_service.grpc.pb.h"
#include "ring_writer.h"

namespace avatar::test {

constexpr uint32_t kSizePx = 32;
constexpr int64_t kFrameNanos = 10'000'000;  // 100 frames per second

class FakeService final : public v1::AvatarService::Service {
 public:
  struct Options {
    bool has_shm = false;
    bool has_zmq = false;
    bool is_silent_on_zmq = false;
    bool has_motion_only = false;
    std::string api_version = "1.0";
    std::string token;  // empty: none is asked for
    int port = 0;
    uint32_t told_size_px = kSizePx;  // of session and frames, whatever these hold
  };
  explicit FakeService(Options options);
  ~FakeService() override;

  int port() const { return port_; }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }
  // The connection breaks as when the process is killed; the port is free afterwards.
  void kill();
  // The streams break as when a network does; their sessions stay.
  void break_streams() { ++num_breaks_; }
  // The sessions are not known any more.
  void forget_sessions() { session_number_ += 1; }
  void pause(bool is_paused) { is_paused_ = is_paused; }
  // The next streams are taken and never answered, as by a service that hangs; each counts as the
  // controller until one more has been refused for it.
  void leave_unanswered(int num_streams) { num_unanswered_ = num_streams; }
  // Streams that ask for figures get some with every frame, also with one that is paused.
  void tell_figures(bool is_told) { tells_figures_ = is_told; }

  // What has come in.
  std::atomic<uint64_t> num_audio_bytes{0};
  std::atomic<uint64_t> num_listen_bytes{0};
  std::atomic<uint64_t> num_photo_bytes{0};
  std::atomic<uint32_t> num_acks{0};
  std::atomic<uint32_t> num_changes{0};
  std::atomic<uint32_t> num_closed{0};
  std::atomic<uint32_t> num_created{0};
  std::atomic<float> distance{0.0f};
  std::atomic<int> badge{-1};  // not yet told
  std::atomic<int> is_moved_by_rules{-1};

  grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest*,
                             v1::GetServerInfoResponse*) override;
  grpc::Status CreateAvatar(grpc::ServerContext*, grpc::ServerReader<v1::CreateAvatarRequest>*,
                            v1::CreateAvatarResponse*) override;
  grpc::Status CreateSession(grpc::ServerContext*, const v1::CreateSessionRequest*,
                             v1::CreateSessionResponse*) override;
  grpc::Status GetSession(grpc::ServerContext*, const v1::GetSessionRequest*,
                          v1::GetSessionResponse*) override;
  grpc::Status CloseSession(grpc::ServerContext*, const v1::CloseSessionRequest*,
                            v1::CloseSessionResponse*) override;
  grpc::Status Animate(grpc::ServerContext*,
                       grpc::ServerReaderWriter<v1::AnimateResponse, v1::AnimateRequest>*) override;

 private:
  using Stream = grpc::ServerReaderWriter<v1::AnimateResponse, v1::AnimateRequest>;
  std::string session_id() const { return "session-" + std::to_string(session_number_.load()); }
  void take(Stream* stream, std::mutex* write_mutex, const v1::AnimateRequest& request);
  void send_frame(Stream* stream, std::mutex* write_mutex, const v1::OpenStream& open,
                  uint64_t seq, void* zmq_socket);

  const Options options_;
  int port_ = 0;
  std::atomic<int> session_number_{1};
  std::atomic<int> num_breaks_{0};
  std::atomic<bool> is_paused_{false};
  std::atomic<bool> is_killed_{false};
  std::atomic<uint64_t> seq_{0};
  std::atomic<uint32_t> epoch_{0};
  std::atomic<int64_t> now_nanos_{0};
  std::atomic<bool> is_speaking_{false};
  std::atomic<int> num_unanswered_{0};
  std::atomic<bool> has_ghost_{false};
  std::atomic<bool> tells_figures_{false};
  std::mutex mutex_;
  v1::Session session_;
  std::unique_ptr<RingWriter> ring_;
  std::string zmq_path_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace avatar::test
