#include <doctest.h>

#include <deque>
#include <string>

#include "msgpack.h"

using avatar::MsgpackReader;

namespace {

// The bytes are kept: what a reader hands out points into them.
MsgpackReader reader(const std::string& bytes) {
  static std::deque<std::string> kept;
  kept.push_back(bytes);
  return {kept.back().data(), kept.back().size()};
}

int64_t read_int(const std::string& bytes) {
  int64_t value = -12345;
  MsgpackReader r = reader(bytes);
  REQUIRE(r.read_int(&value));
  CHECK(r.is_at_end());
  return value;
}

}  // namespace

TEST_CASE("msgpack: integers of every width and sign") {
  using namespace std::string_literals;
  CHECK(read_int("\x05"s) == 5);
  CHECK(read_int("\xff"s) == -1);
  CHECK(read_int("\xe0"s) == -32);
  CHECK(read_int("\xcc\xc8"s) == 200);
  CHECK(read_int("\xcd\x01\x00"s) == 256);
  CHECK(read_int("\xce\x00\x01\x00\x00"s) == 65536);
  CHECK(read_int("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"s) == int64_t{1} << 32);
  CHECK(read_int("\xd0\x80"s) == -128);
  CHECK(read_int("\xd1\xff\x00"s) == -256);
  CHECK(read_int("\xd2\x80\x00\x00\x00"s) == INT32_MIN);
  CHECK(read_int("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"s) == INT64_MIN);
  int64_t value = 0;
  CHECK_FALSE(reader("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"s).read_int(&value));  // beyond int64
  uint64_t large = 0;
  const std::string most = "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"s;
  CHECK(reader(most).read_uint(&large));
  CHECK(large == UINT64_MAX);
  CHECK_FALSE(reader("\xff"s).read_uint(&large));
}

TEST_CASE("msgpack: text, bytes and maps; the wrong type or a short input is refused") {
  using namespace std::string_literals;
  std::string_view view;
  CHECK(reader("\xa3" "abc"s).read_text(&view));
  CHECK(view == "abc");
  CHECK(reader("\xd9\x02hi"s).read_text(&view));
  CHECK(view == "hi");
  CHECK(reader("\xc4\x02\x00\x01"s).read_bytes(&view));
  CHECK(view == "\x00\x01"s);
  CHECK_FALSE(reader("\xc4\x03\x00\x01"s).read_bytes(&view));
  CHECK_FALSE(reader("\xa3" "abc"s).read_bytes(&view));
  CHECK_FALSE(reader("\xdb\xff\xff\xff\xff"s).read_text(&view));
  uint32_t num_pairs = 0;
  CHECK(reader("\x82"s).read_map(&num_pairs));
  CHECK(num_pairs == 2);
  CHECK_FALSE(reader("\x92"s).read_map(&num_pairs));
  CHECK_FALSE(reader(""s).read_map(&num_pairs));
}

TEST_CASE("msgpack: skipping passes over nested values and stops at lies about their size") {
  using namespace std::string_literals;
  const std::string nested = "\x82\xa1" "a\x93\x01\xc3\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xa1" "b\xd6\x01\x00\x00\x00\x00"s;
  MsgpackReader r = reader(nested);
  CHECK(r.skip());
  CHECK(r.is_at_end());
  CHECK_FALSE(reader("\xdd\xff\xff\xff\xff"s).skip());
  CHECK_FALSE(reader("\xc9\xff\xff\xff\xff\x01"s).skip());
  CHECK_FALSE(reader("\xc1"s).skip());
  CHECK_FALSE(reader(std::string(100, '\x91')).skip());  // deeper than anybody needs
}
