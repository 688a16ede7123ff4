// Fuzzes what comes over the network: ZeroMQ messages, msgpack and motion blobs. The first two
// bytes say where the header ends and the payload begins.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "msgpack.h"
#include "wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t split = (size_t{data[0]} << 8 | data[1]) % (all.size() + 1);
  avatar::WireMessage message;
  (void)avatar::decode_wire(all.substr(0, split), all.substr(split), &message);
  avatar::Latent latent;
  (void)avatar::unpack_blob(all.data(), all.size(), &latent);
  avatar::MsgpackReader reader(all.data(), all.size());
  while (!reader.is_at_end() && reader.skip()) {
  }
  return 0;
}
