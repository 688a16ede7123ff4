// Runs a fuzz target without libFuzzer: random bytes from a fixed seed, -runs=N -seed=S -max_len=L.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

unsigned long option(int argc, char** argv, const char* name, unsigned long otherwise) {
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], name, std::strlen(name)) == 0) {
      return std::strtoul(argv[i] + std::strlen(name), nullptr, 10);
    }
  }
  return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned long runs = option(argc, argv, "-runs=", 1000);
  const unsigned long max_len = option(argc, argv, "-max_len=", 4096);
  std::mt19937_64 random(option(argc, argv, "-seed=", 1));
  std::vector<uint8_t> input;
  for (unsigned long run = 0; run < runs; ++run) {
    // Mutate the last input or begin anew; mostly zeros, which the ring's target leaves as they are.
    if (random() % 8 == 0) input.assign(random() % max_len, 0);
    for (uint64_t k = random() % 32; k > 0 && !input.empty(); --k) {
      input[random() % std::min<size_t>(input.size(), 1u << random() % 17)] =
          static_cast<uint8_t>(random() >> random() % 64);
    }
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  return 0;
}
