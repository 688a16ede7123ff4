"""A CUDA device through CuPy: NVRTC compiles the kernels for it at run time."""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.render.cuda.device import Memory
from avatar_service.render.cuda.program import KERNELS, OPTIONS, source
from avatar_service.signals import UInt8Array

MIN_CAPABILITY: Final = (7, 5)
"""Turing: the oldest that the kernels are compiled for in the tests."""
_DEVICE_TO_HOST, _HOST_TO_DEVICE = 2, 1


def open_cuda(index: int) -> CupyDevice:
    """Open the device of an index. Raises DEVICE_NOT_AVAILABLE with what is missing."""
    try:
        import cupy
    except ImportError as error:
        raise _not_available(
            index, "CuPy is not installed: pip install 'avatar-service[cuda]'"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise _not_available(index, f"no CUDA driver answers ({_one_line(error)})") from error
    if index >= count:
        raise _not_available(index, f"this machine has {count} CUDA device(s)")
    found = cupy.cuda.Device(index)
    capability = divmod(int(found.compute_capability), 10)
    if capability < MIN_CAPABILITY:
        raise _not_available(
            index, "its compute capability is {}.{}, 7.5 or newer is needed".format(*capability)
        )
    try:
        return CupyDevice(cupy, index)
    except Exception as error:  # NVRTC or the driver: whatever it is, the device cannot be used
        raise _not_available(index, f"the kernels do not load ({_one_line(error)})") from error


class CupyDevice:
    """See device.Device."""

    def __init__(self, cupy: Any, index: int) -> None:
        self._cupy = cupy
        self._device = cupy.cuda.Device(index)
        self.name = f"cuda:{index}"
        self.use()
        module = cupy.RawModule(code=source(), options=OPTIONS)
        self._kernels = {name: module.get_function(name) for name in KERNELS}
        self._lock = threading.Lock()

    def use(self) -> None:
        """Make it the calling thread's device."""
        self._device.use()

    def allocate(self, num_bytes: int) -> _CupyMemory:
        """Take memory of the device."""
        try:
            return _CupyMemory(self._cupy.cuda.Memory(max(num_bytes, 1)), num_bytes)
        except self._cupy.cuda.runtime.CUDARuntimeError as error:
            raise AvatarError(
                Reason.CAPACITY_EXHAUSTED,
                f"{self.name} has no room for {num_bytes >> 20} MiB more ({_one_line(error)})",
            ) from error

    def allocate_pinned(self, num_bytes: int) -> UInt8Array:
        """Take page-locked memory of the host."""
        memory = self._cupy.cuda.alloc_pinned_memory(max(num_bytes, 1))
        return np.frombuffer(memory, np.uint8, num_bytes)

    def upload(self, memory: Memory, data: UInt8Array) -> None:
        """Copy ordinary memory to the device and wait for it."""
        runtime = self._cupy.cuda.runtime
        runtime.memcpy(memory.address, data.ctypes.data, data.nbytes, _HOST_TO_DEVICE)

    def pin(self, memory: UInt8Array) -> bool:
        """Page-lock memory that somebody else has mapped."""
        try:
            self._cupy.cuda.runtime.hostRegister(memory.ctypes.data, memory.nbytes, 0)
        except self._cupy.cuda.runtime.CUDARuntimeError:
            return False  # a kernel or a container may not allow it: pictures are staged instead
        return True

    def unpin(self, memory: UInt8Array) -> None:
        """Undo `pin`."""
        self._cupy.cuda.runtime.hostUnregister(memory.ctypes.data)

    def make_lane(self) -> _CupyLane:
        """Make a stream."""
        return _CupyLane(self._cupy, self.name, self._kernels)


class _CupyMemory:
    def __init__(self, memory: Any, num_bytes: int) -> None:
        self._memory = memory
        self.address = int(memory.ptr)
        self.num_bytes = num_bytes


class _CupyLane:
    """A stream of the device; see device.Lane."""

    def __init__(self, cupy: Any, name: str, kernels: dict[str, Any]) -> None:
        self._runtime = cupy.cuda.runtime
        self._error = cupy.cuda.runtime.CUDARuntimeError
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._name = name
        self._kernels = kernels

    def write(self, address: int, data: UInt8Array) -> None:
        self._runtime.memcpyAsync(
            address, data.ctypes.data, data.nbytes, _HOST_TO_DEVICE, self._stream.ptr
        )

    def fill(self, address: int, num_bytes: int, byte: int) -> None:
        self._runtime.memsetAsync(address, byte, num_bytes, self._stream.ptr)

    def launch(self, kernel: str, grid: tuple[int, int], block: int, batch: int) -> None:
        with self._stream:
            self._kernels[kernel](grid, (block,), (np.uint64(batch),))

    def read(self, out: UInt8Array, address: int) -> None:
        self._runtime.memcpyAsync(
            out.ctypes.data, address, out.nbytes, _DEVICE_TO_HOST, self._stream.ptr
        )

    def wait(self) -> None:
        try:
            self._stream.synchronize()
        except self._error as error:
            raise AvatarError(
                Reason.DEVICE_FAILED, f"{self._name} has failed ({_one_line(error)})"
            ) from error


def _not_available(index: int, why: str) -> AvatarError:
    return AvatarError(
        Reason.DEVICE_NOT_AVAILABLE,
        f"device cuda:{index}: {why}; use auto or cpu",
        field="device",
    )


def _one_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
