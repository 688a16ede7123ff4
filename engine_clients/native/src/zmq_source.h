// A SUB socket of the ZeroMQ transport.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "jitter_buffer.h"
#include "status.h"

namespace avatar {

struct ZmqAddress {
  std::string address;  // "ipc://..." or "tcp://host:port"
  std::string topic;
  std::string curve_server_key;  // Z85; empty: without CURVE
};

class ZmqSource {
 public:
  static Status open(const ZmqAddress& address, std::unique_ptr<ZmqSource>* source);
  ~ZmqSource();
  ZmqSource(const ZmqSource&) = delete;
  ZmqSource& operator=(const ZmqSource&) = delete;

  // Waits for a message. AVATAR_DEADLINE_EXCEEDED: none; AVATAR_DATA_LOSS: it was malformed.
  Status receive(int timeout_millis, JitterItem* item, uint32_t* width_px, uint32_t* height_px,
                 uint64_t* num_bytes);

 private:
  ZmqSource() = default;
  void* context_ = nullptr;
  void* socket_ = nullptr;
};

}  // namespace avatar
