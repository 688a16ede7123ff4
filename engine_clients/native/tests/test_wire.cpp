#include <doctest.h>

#include <string>

#include "wire.h"
#include "wire_message.h"

using avatar::decode_wire;
using avatar::WireMessage;
using avatar::test::motion_blob;
using avatar::test::wire_header;

TEST_CASE("wire: a frame has its latent, its size and the counters of its header") {
  const std::string payload(8 * 4 * 4, 'x');
  WireMessage message;
  REQUIRE(decode_wire(wire_header("frame", 70001, 65537, -25, 8, 4), payload, &message).ok());
  CHECK(message.latent.seq == 70001);
  CHECK(message.latent.epoch == 65537);
  CHECK(message.latent.pts_nanos == -25);
  CHECK(message.width_px == 8);
  CHECK(message.height_px == 4);
  CHECK(message.published_nanos == 99);
}

TEST_CASE("wire: a motion message's payload is its blob") {
  WireMessage message;
  REQUIRE(decode_wire(wire_header("motion", 1, 0, 0, 0, 0), motion_blob(), &message).ok());
  CHECK(message.width_px == 0);
  CHECK_FALSE(decode_wire(wire_header("motion", 1, 0, 0, 0, 0), "short", &message).ok());
}

TEST_CASE("wire: what does not fit together is refused") {
  const std::string payload(8 * 4 * 4, 'x');
  WireMessage message;
  const auto refuses = [&](const std::string& header, const std::string& pixels) {
    return decode_wire(header, pixels, &message).code == AVATAR_DATA_LOSS;
  };
  CHECK(refuses("", payload));
  CHECK(refuses(wire_header("frame", 0, 0, 0, 8, 4), payload));
  CHECK(refuses(wire_header("frame", 1, 0, 0, 8, 5), payload));
  CHECK(refuses(wire_header("frame", 1, 0, 0, 0, 4), payload));
  CHECK(refuses(wire_header("frame", 1, 0, 0, 5000, 4), payload));
  CHECK(refuses(wire_header("frame", 1, 0, 0, 8, 4), payload + "x"));
  CHECK(refuses(wire_header("other", 1, 0, 0, 8, 4), payload));
  CHECK(refuses(wire_header("frame", 1, 0, 0, 8, 4) + "x", payload));
  CHECK(refuses(wire_header("frame", 1, 0, 0, 8, 4, 2), payload));
  const std::string good = wire_header("frame", 1, 0, 0, 8, 4);
  for (size_t size = 0; size < good.size(); ++size) CHECK(refuses(good.substr(0, size), payload));
}

TEST_CASE("wire: a key that a newer service has added is passed over") {
  std::string header = wire_header("motion", 1, 0, 0, 0, 0);
  header[0] = static_cast<char>(header[0] + 1);
  header += "\xa3" "new\x92\x01\xa1z";
  WireMessage message;
  CHECK(decode_wire(header, motion_blob(), &message).ok());
}
