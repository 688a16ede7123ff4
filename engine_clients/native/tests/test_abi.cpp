#include <doctest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "avatar_client.h"
#include "ring_writer.h"

using avatar::test::RingWriter;
using avatar::test::temporary_path;

namespace {

// Of text that lives on: a literal or a variable.
avatar_string text(std::string_view value) { return {value.data(), value.size()}; }

template <typename T>
T sized() {
  T record{};
  record.struct_size = sizeof record;
  return record;
}

}  // namespace

TEST_CASE("abi: version and features") {
  CHECK(avatar_abi_version() == AVATAR_ABI_VERSION);
  CHECK(std::strlen(avatar_version()) > 0);
  CHECK(avatar_monotonic_nanos() > 0);
}

TEST_CASE("abi: a ring from open to close") {
  RingWriter writer(temporary_path("abi"), 16, 8);
  avatar_error error = sized<avatar_error>();
  avatar_ring* ring = nullptr;
  REQUIRE(avatar_ring_open(text(writer.path()), &ring, &error) == AVATAR_OK);
  writer.publish(3, 50, 0.5f, 42);
  avatar_ring_info info = sized<avatar_ring_info>();
  CHECK(avatar_ring_get_info(ring, &info, &error) == AVATAR_OK);
  CHECK(info.width_px == 16);
  CHECK(info.pixel_bytes == 16 * 8 * 4);
  CHECK(info.newest_seq == 3);
  CHECK(info.is_live == 1);
  CHECK(std::memcmp(info.ring_id, "0123456789abcdef", 16) == 0);
  std::vector<uint8_t> pixels(info.pixel_bytes);
  avatar_frame frame = sized<avatar_frame>();
  avatar_motion motion = sized<avatar_motion>();
  CHECK(avatar_ring_copy_frame(ring, AVATAR_PTS_NEWEST, 0, pixels.data(), pixels.size(), &frame,
                               &motion, &error) == AVATAR_OK);
  CHECK(frame.seq == 3);
  CHECK(frame.row_bytes == 64);
  CHECK(motion.expression[0] == 0.5f);
  CHECK(pixels.back() == 42);
  CHECK(avatar_ring_wait(ring, 2, 0, &error) == AVATAR_OK);
  CHECK(avatar_ring_wait(ring, 3, 0, &error) == AVATAR_DEADLINE_EXCEEDED);
  CHECK(avatar_ring_close(ring) == AVATAR_OK);
  CHECK(avatar_ring_close(ring) == AVATAR_OK);
  CHECK(avatar_ring_get_info(ring, &info, &error) == AVATAR_INVALID_ARGUMENT);
}

TEST_CASE("abi: a held view outlives its ring; overtaken it says so, released it is gone") {
  RingWriter writer(temporary_path("view"), 16, 8, 4);
  avatar_error error = sized<avatar_error>();
  avatar_ring* ring = nullptr;
  REQUIRE(avatar_ring_open(text(writer.path()), &ring, &error) == AVATAR_OK);
  writer.publish(1, 0, 0.0f, 11);
  avatar_frame_view view = sized<avatar_frame_view>();
  avatar_frame_view second = sized<avatar_frame_view>();
  CHECK(avatar_ring_acquire_frame(ring, 0, &view, nullptr, nullptr, &error) == AVATAR_OK);
  CHECK(avatar_ring_acquire_frame(ring, 0, &second, nullptr, nullptr, &error) == AVATAR_OK);
  CHECK(view.pixels[0] == 11);
  CHECK(avatar_ring_close(ring) == AVATAR_OK);
  CHECK(view.pixels[5] == 11);
  CHECK(avatar_frame_release(view.token, &error) == AVATAR_OK);
  for (uint64_t seq = 2; seq <= 5; ++seq) writer.publish(seq, 0, 0.0f, 0);
  CHECK(avatar_frame_release(second.token, &error) == AVATAR_ABORTED);
  CHECK(avatar_frame_release(second.token, &error) == AVATAR_INVALID_ARGUMENT);
  CHECK(std::string(error.reason) == "INVALID_FIELD");
}

TEST_CASE("abi: errors are told in full, and only where there is room for them") {
  avatar_ring* ring = reinterpret_cast<avatar_ring*>(1);
  avatar_error error = sized<avatar_error>();
  CHECK(avatar_ring_open(text("/no/such/ring"), &ring, &error) == AVATAR_NOT_FOUND);
  CHECK(ring == nullptr);
  CHECK(error.code == AVATAR_NOT_FOUND);
  CHECK(std::string(error.message).find("/no/such/ring") == 0);
  CHECK(avatar_ring_open(text("/no/such/ring"), &ring, nullptr) == AVATAR_NOT_FOUND);
  CHECK(avatar_ring_open(text("/no/such/ring"), nullptr, nullptr) == AVATAR_INVALID_ARGUMENT);
  struct Small {
    uint32_t struct_size;
    int32_t code;
    uint8_t behind;
  } small{8, 0, 99};
  CHECK(avatar_ring_open(text("/no/such/ring"), &ring,
                         reinterpret_cast<avatar_error*>(&small)) == AVATAR_NOT_FOUND);
  CHECK(small.code == AVATAR_NOT_FOUND);
  CHECK(small.struct_size == 8);
  CHECK(small.behind == 99);
}

TEST_CASE("abi: an older caller's shorter struct is filled as far as it goes") {
  RingWriter writer(temporary_path("older"), 16, 8);
  avatar_ring* ring = nullptr;
  REQUIRE(avatar_ring_open(text(writer.path()), &ring, nullptr) == AVATAR_OK);
  avatar_ring_info info{};
  std::memset(static_cast<void*>(&info), 0xee, sizeof info);
  info.struct_size = 16;
  CHECK(avatar_ring_get_info(ring, &info, nullptr) == AVATAR_OK);
  CHECK(info.struct_size == 16);
  CHECK(info.height_px == 8);
  CHECK(info.fps_num == 0xeeeeeeeeu);
  info.struct_size = 0;
  CHECK(avatar_ring_get_info(ring, &info, nullptr) == AVATAR_INVALID_ARGUMENT);
  avatar_ring_close(ring);
}

TEST_CASE("abi: a handle of another kind, an invented one and NULL are found out") {
  avatar_clock* clock = nullptr;
  REQUIRE(avatar_clock_create(48000, 0, &clock, nullptr) == AVATAR_OK);
  avatar_ring_info info = sized<avatar_ring_info>();
  CHECK(avatar_ring_get_info(reinterpret_cast<avatar_ring*>(clock), &info, nullptr) ==
        AVATAR_INVALID_ARGUMENT);
  CHECK(avatar_ring_close(reinterpret_cast<avatar_ring*>(clock)) == AVATAR_INVALID_ARGUMENT);
  CHECK(avatar_ring_close(reinterpret_cast<avatar_ring*>(0x12345671)) ==
        AVATAR_INVALID_ARGUMENT);
  CHECK(avatar_ring_close(nullptr) == AVATAR_OK);
  CHECK(avatar_ring_get_info(nullptr, &info, nullptr) == AVATAR_INVALID_ARGUMENT);
  CHECK(avatar_clock_close(clock) == AVATAR_OK);
  CHECK(avatar_clock_stop(clock, 0, nullptr) == AVATAR_INVALID_ARGUMENT);
}

TEST_CASE("abi: the clock of the C interface") {
  avatar_clock* clock = nullptr;
  CHECK(avatar_clock_create(0, 0, &clock, nullptr) == AVATAR_INVALID_ARGUMENT);
  REQUIRE(avatar_clock_create(16000, 0, &clock, nullptr) == AVATAR_OK);
  CHECK(avatar_clock_play(clock, 1000, 0, nullptr) == AVATAR_OK);
  CHECK(avatar_clock_report(clock, 0, 0, nullptr) == AVATAR_OK);
  avatar_clock_reading reading = sized<avatar_clock_reading>();
  CHECK(avatar_clock_read(clock, 500, &reading, nullptr) == AVATAR_OK);
  CHECK(reading.pts_nanos == 1500);
  CHECK(reading.is_playing == 1);
  CHECK(avatar_clock_read(clock, 500, nullptr, nullptr) == AVATAR_INVALID_ARGUMENT);
  avatar_clock_close(clock);
}

TEST_CASE("abi: a build without gRPC says so, with gRPC bad options are refused") {
  avatar_client_options options = sized<avatar_client_options>();
  avatar_client* client = nullptr;
  avatar_error error = sized<avatar_error>();
  if ((avatar_features() & AVATAR_FEATURE_GRPC) == 0) {
    CHECK(avatar_client_create(&options, &client, &error) == AVATAR_UNIMPLEMENTED);
    CHECK(std::string(error.reason) == "TRANSPORT_NOT_SUPPORTED");
    return;
  }
  REQUIRE(avatar_client_options_init(&options, sizeof options) == AVATAR_OK);
  CHECK(options.backoff_max_millis == 8000);
  CHECK(avatar_client_create(&options, &client, &error) == AVATAR_INVALID_ARGUMENT);
  options.target = text("example.org:50551");
  options.token = text("secret");
  CHECK(avatar_client_create(&options, &client, &error) == AVATAR_INVALID_ARGUMENT);
  CHECK(std::string(error.message).find("secret") == std::string::npos);
  options.tls = AVATAR_TLS_SERVER;
  CHECK(avatar_client_create(&options, &client, &error) == AVATAR_OK);
  CHECK(avatar_client_close(client) == AVATAR_OK);
  CHECK(avatar_client_close(client) == AVATAR_OK);
}
