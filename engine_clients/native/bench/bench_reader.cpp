// `bench_reader ring|ring_zero_copy|floor PATH N`, `bench_reader zmq ADDRESS TOPIC N`, `bench_reader grpc TARGET N`
// takes frames up to number N and prints one line of JSON: microseconds from publication until
// copied, CPU time of the process, bytes. Started by `avatar bench transport`.
#include "bench_reader.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "nanos.h"

namespace avatar::bench {

void say_ready() {
  std::printf("ready\n");
  std::fflush(stdout);
}

#if !defined(AVATAR_WITH_GRPC)
std::string read_zmq(const std::string&, const std::string&, const Taken&) {
  return "built without ZeroMQ";
}
std::string read_grpc(const std::string&, const Taken&) { return "built without gRPC"; }
#endif

}  // namespace avatar::bench

int main(int argc, char** argv) {
  using namespace avatar;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string way = arguments.empty() ? "" : arguments[0];
  if (arguments.size() != (way == "zmq" ? 4u : 3u)) {
    std::fprintf(stderr, "usage: bench_reader ring|ring_zero_copy|floor|grpc WHERE N | zmq ADDRESS TOPIC N\n");
    return 2;
  }
  const uint64_t last_seq = std::strtoull(arguments.back().c_str(), nullptr, 10);
  std::vector<double> micros;
  micros.reserve(static_cast<size_t>(last_seq));
  uint64_t num_bytes = 0;
  std::clock_t cpu_start = 0;
  const bench::Taken taken = [&](int64_t published_nanos, uint64_t seq, uint64_t size) {
    if (micros.empty()) cpu_start = std::clock();  // connecting is not measured
    micros.push_back(static_cast<double>(monotonic_nanos() - published_nanos) * 1e-3);
    num_bytes += size;
    return seq < last_seq;
  };
  std::string fault = "no such way";
  if (way == "ring") fault = bench::read_ring(arguments[1], taken);
  if (way == "ring_zero_copy") fault = bench::read_ring_in_place(arguments[1], taken);
  if (way == "floor") fault = bench::read_floor(arguments[1], taken);
  if (way == "grpc") fault = bench::read_grpc(arguments[1], taken);
  if (way == "zmq") fault = bench::read_zmq(arguments[1], arguments[2], taken);
  if (!fault.empty() || micros.empty()) {
    std::fprintf(stderr, "%s: %s\n", way.c_str(), fault.empty() ? "no frame came" : fault.c_str());
    return 1;
  }
  const double cpu_secs = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  std::printf("{\"cpu_secs\": %.6f, \"num_bytes\": %" PRIu64 ", \"latencies_us\": [", cpu_secs,
              num_bytes);
  for (size_t i = 0; i < micros.size(); ++i) std::printf("%s%.1f", i == 0 ? "" : ", ", micros[i]);
  std::printf("]}\n");
  return 0;
}
