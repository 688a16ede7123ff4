#include "zmq_source.h"

#include <array>
#include <string_view>

#include <zmq.h>

#include "wire.h"

namespace avatar {

namespace {

// Frames that may wait here: what is older than that is late anyway.
constexpr int kReceiveQueue = 8;
constexpr int64_t kMaxMessageBytes = int64_t{4096} * 4096 * 4 + (64 << 10);
constexpr size_t kNumParts = 3;
constexpr size_t kCurveKeyChars = 40;

Status zmq_fault(const std::string& what) {
  return Status::of(AVATAR_UNAVAILABLE, what + ": " + zmq_strerror(zmq_errno()));
}

class Message {
 public:
  Message() { zmq_msg_init(&message_); }
  ~Message() { zmq_msg_close(&message_); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  zmq_msg_t* get() { return &message_; }
  std::string_view view() {
    return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }

 private:
  zmq_msg_t message_;
};

}  // namespace

Status ZmqSource::open(const ZmqAddress& address, std::unique_ptr<ZmqSource>* source) {
  std::unique_ptr<ZmqSource> made(new ZmqSource);
  made->context_ = zmq_ctx_new();
  if (made->context_ == nullptr) return zmq_fault("ZeroMQ");
  made->socket_ = zmq_socket(made->context_, ZMQ_SUB);
  if (made->socket_ == nullptr) return zmq_fault("ZeroMQ socket");
  void* socket = made->socket_;
  const int linger = 0;
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
  zmq_setsockopt(socket, ZMQ_RCVHWM, &kReceiveQueue, sizeof kReceiveQueue);
  zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &kMaxMessageBytes, sizeof kMaxMessageBytes);
  if (!address.curve_server_key.empty()) {
    std::array<char, kCurveKeyChars + 1> public_key{};
    std::array<char, kCurveKeyChars + 1> secret_key{};
    if (address.curve_server_key.size() != kCurveKeyChars) {
      return fault(Reason::TRANSPORT_NOT_SUPPORTED, "ZeroMQ: the CURVE key is no Z85 key");
    }
    if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
      return fault(Reason::TRANSPORT_NOT_SUPPORTED, "this libzmq was built without CURVE");
    }
    // Text keys are passed with their terminating zero.
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, address.curve_server_key.c_str(),
                   kCurveKeyChars + 1);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key.data(), kCurveKeyChars + 1);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key.data(), kCurveKeyChars + 1);
  }
  if (zmq_setsockopt(socket, ZMQ_SUBSCRIBE, address.topic.data(), address.topic.size()) != 0) {
    return zmq_fault("ZeroMQ subscription");
  }
  if (zmq_connect(socket, address.address.c_str()) != 0) return zmq_fault(address.address);
  *source = std::move(made);
  return {};
}

ZmqSource::~ZmqSource() {
  if (socket_ != nullptr) zmq_close(socket_);
  if (context_ != nullptr) zmq_ctx_term(context_);
}

Status ZmqSource::receive(int timeout_millis, JitterItem* item, uint32_t* width_px,
                          uint32_t* height_px, uint64_t* num_bytes) {
  zmq_pollitem_t poll{socket_, 0, ZMQ_POLLIN, 0};
  if (zmq_poll(&poll, 1, timeout_millis) <= 0) {
    return Status::of(AVATAR_DEADLINE_EXCEEDED, "no message came in time");
  }
  std::array<Message, kNumParts> parts;
  size_t num_parts = 0;
  int has_more = 1;
  Message surplus;
  while (has_more != 0) {
    Message& part = num_parts < kNumParts ? parts[num_parts] : surplus;
    if (zmq_msg_recv(part.get(), socket_, 0) < 0) return zmq_fault("ZeroMQ");
    *num_bytes += zmq_msg_size(part.get());
    has_more = zmq_msg_more(part.get());
    ++num_parts;
  }
  if (num_parts != kNumParts) {
    return Status::of(AVATAR_DATA_LOSS, "malformed ZeroMQ message: not three parts");
  }
  WireMessage message;
  const std::string_view payload = parts[2].view();
  const Status status = decode_wire(parts[1].view(), payload, &message);
  if (!status.ok()) return status;
  item->latent = message.latent;
  item->published_nanos = message.published_nanos;
  item->pixels = nullptr;
  *width_px = message.width_px;
  *height_px = message.height_px;
  if (message.width_px != 0) {
    item->pixels = std::make_shared<const Pixels>(payload.begin(), payload.end());
  }
  return {};
}

}  // namespace avatar
