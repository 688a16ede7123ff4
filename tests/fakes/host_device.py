"""The CUDA kernels as plain C++ on this machine's CPU, behind the same Device as CuPy.

Blocks and threads become loops, so what is tested is all that a device would run but for the
device itself: the kernels' own source, their structures and launches, staging and copies.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from avatar_service.config import cache_dir
from avatar_service.render.cuda.program import KERNELS, source
from avatar_service.signals import UInt8Array

_PRELUDE = r"""
#include <cmath>
#include <cstring>
#define DEVICE static inline
#define DEVICE_CALL static
#define __global__
struct Dim { int x, y; };
static thread_local Dim blockIdx, threadIdx, blockDim;
static inline unsigned int float_bits(float v) { unsigned int b; std::memcpy(&b, &v, 4); return b; }
static inline void atomicMin(unsigned long long* at, unsigned long long v) {
  if (v < *at) *at = v;
}
using std::fabs; using std::floor;
"""
_EPILOGUE = r"""
extern "C" int launch(int kernel, int grid_x, int grid_y, int block, const Batch* batch) {
  static void (*const kernels[])(const Batch*) = {%s};
  blockDim.x = block;
  for (blockIdx.y = 0; blockIdx.y < grid_y; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < grid_x; blockIdx.x++)
      for (threadIdx.x = 0; threadIdx.x < block; threadIdx.x++) kernels[kernel](batch);
  return 0;
}
"""


@functools.cache
def host_library() -> ctypes.CDLL:
    """Compile the kernels with g++, once per state of their source."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("needs g++: the CUDA kernels are compared with the CPU's on the host")
    text = source(_PRELUDE) + _EPILOGUE % ", ".join(KERNELS)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = cache_dir() / "host-kernels"
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / f"{digest}.so"
    if not library.is_file():
        _compile(compiler, text, library)
    return ctypes.CDLL(str(library))


def _compile(compiler: str, text: str, library: Path) -> None:
    # No fused multiply-add and the like: the plain meaning of the source.
    flags = "-O2 -std=c++14 -Wall -Wextra -Werror -Wno-unused-function -ffp-contract=off -fPIC"
    with tempfile.TemporaryDirectory() as folder:
        unit, made = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
        unit.write_text(text)
        done = subprocess.run(
            [compiler, *flags.split(), "-shared", "-o", str(made), str(unit)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[:4000]
        shutil.move(made, library)


class HostMemory:
    def __init__(self, num_bytes: int) -> None:
        # Of full cache lines and filled with garbage: nothing may rely on zeros.
        self._raw = np.full(num_bytes + 256, 0xA5, np.uint8)
        self.address = -(-self._raw.ctypes.data // 256) * 256
        self.num_bytes = num_bytes


class HostLane:
    """Runs at once; counts what is asked for."""

    def __init__(self, device: HostDevice) -> None:
        self._device = device

    def write(self, address: int, data: UInt8Array) -> None:
        ctypes.memmove(address, data.ctypes.data, data.nbytes)

    def fill(self, address: int, num_bytes: int, byte: int) -> None:
        ctypes.memset(address, byte, num_bytes)

    def launch(self, kernel: str, grid: tuple[int, int], block: int, batch: int) -> None:
        self._device.launches.append(kernel)
        host_library().launch(
            KERNELS.index(kernel), grid[0], grid[1], block, ctypes.c_void_p(batch)
        )

    def read(self, out: UInt8Array, address: int) -> None:
        ctypes.memmove(out.ctypes.data, address, out.nbytes)

    def wait(self) -> None:
        if self._device.fault is not None:
            raise self._device.fault


class HostDevice:
    """See avatar_service.render.cuda.device.Device."""

    name = "host:0"

    def __init__(self, *, can_pin: bool = True) -> None:
        self.can_pin = can_pin
        self.pinned: set[int] = set()
        self.launches: list[str] = []
        self.fault: Exception | None = None
        host_library()

    def use(self) -> None:
        pass

    def allocate(self, num_bytes: int) -> HostMemory:
        return HostMemory(num_bytes)

    def allocate_pinned(self, num_bytes: int) -> UInt8Array:
        return np.full(num_bytes, 0x5A, np.uint8)

    def upload(self, memory: HostMemory, data: UInt8Array) -> None:
        assert data.nbytes <= memory.num_bytes
        ctypes.memmove(memory.address, data.ctypes.data, data.nbytes)

    def pin(self, memory: UInt8Array) -> bool:
        if self.can_pin:
            self.pinned.add(memory.ctypes.data)
        return self.can_pin

    def unpin(self, memory: UInt8Array) -> None:
        self.pinned.remove(memory.ctypes.data)

    def make_lane(self) -> HostLane:
        return HostLane(self)
