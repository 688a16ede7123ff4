// Ways of `avatar bench transport`: each takes frames until their pixels lie in a buffer of ours.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace avatar::bench {

// One frame or latent has been taken: when it was published, its seq, bytes on the way.
using Taken = std::function<bool(int64_t published_nanos, uint64_t seq, uint64_t num_bytes)>;

// Says "ready", then takes what comes until `taken` returns false or nothing comes for some seconds.
// Returns what went wrong; empty: nothing.
std::string read_ring(const std::string& path, const Taken& taken);
// The same without a copy: lent in place, and given back whole.
std::string read_ring_in_place(const std::string& path, const Taken& taken);
// The least that shared memory can cost: a word that a futex wakes, and one copy. See bench_ways.py.
std::string read_floor(const std::string& path, const Taken& taken);
std::string read_zmq(const std::string& address, const std::string& topic, const Taken& taken);
std::string read_grpc(const std::string& target, const Taken& taken);

constexpr uint32_t kFirstMillis = 10'000;
constexpr uint32_t kLaterMillis = 2'000;

void say_ready();

}  // namespace avatar::bench
