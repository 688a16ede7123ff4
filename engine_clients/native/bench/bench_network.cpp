// ZeroMQ and gRPC, read as a session reads them.
#include <grpcpp/grpcpp.h>

#include "avatar/v1/avatar_service.grpc.pb.h"
#include "bench_reader.h"
#include "jitter_buffer.h"
#include "zmq_source.h"

namespace avatar::bench {

std::string read_zmq(const std::string& address, const std::string& topic, const Taken& taken) {
  std::unique_ptr<ZmqSource> source;
  Status status = ZmqSource::open({address, topic, {}}, &source);
  if (!status.ok()) return status.message;
  say_ready();
  for (uint32_t millis = kFirstMillis;; millis = kLaterMillis) {
    JitterItem item;
    uint32_t width_px = 0;
    uint32_t height_px = 0;
    uint64_t num_bytes = 0;
    status = source->receive(static_cast<int>(millis), &item, &width_px, &height_px, &num_bytes);
    if (status.code == AVATAR_DEADLINE_EXCEEDED) return {};
    if (!status.ok()) return status.message;
    if (!taken(item.published_nanos, item.latent.seq, num_bytes)) return {};
  }
}

std::string read_grpc(const std::string& target, const Taken& taken) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  const auto stub = v1::AvatarService::NewStub(
      grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  const auto stream = stub->Animate(&context);
  v1::AnimateRequest request;
  request.mutable_open();
  if (!stream->Write(request)) return "the stream did not open";
  say_ready();
  v1::AnimateResponse response;
  while (stream->Read(&response)) {
    const v1::Frame& frame = response.frame();
    const Pixels pixels(frame.data().begin(), frame.data().end());
    // The benchmark's service writes the time of publication into pts.
    if (!taken(frame.pts_nanos(), frame.seq(), response.ByteSizeLong())) break;
  }
  context.TryCancel();
  stream->Finish();
  return {};
}

}  // namespace avatar::bench
