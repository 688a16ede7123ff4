#!/usr/bin/env bash
# What the native client and its tests need on Debian 12 or Ubuntu 24.04. "build" (the default)
# builds and tests the client; "all" adds the sanitizers, the fuzzers and the cross build for
# Windows with wine to run it.
set -euo pipefail
build=(g++ cmake ninja-build pkg-config libgrpc++-dev protobuf-compiler protobuf-compiler-grpc
  libprotobuf-dev libzmq3-dev libturbojpeg0-dev libopenh264-dev
  libyuv-dev doctest-dev)
all=(clang libclang-rt-dev g++-mingw-w64-x86-64-posix wine64)
packages=("${build[@]}")
if [[ "${1:-build}" == all ]]; then packages+=("${all[@]}"); fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
