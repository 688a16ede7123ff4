"""What the batch renderer needs of a device: memory, launches, asynchronous copies.

CuPy satisfies it (cupy_device.py); so does a plain C++ build of the same kernels, on which the
tests compare every picture with the CPU renderer's.
"""

from __future__ import annotations

from typing import Protocol

from avatar_service.signals import UInt8Array


class Memory(Protocol):
    """Memory of the device, given back when the object goes."""

    @property
    def address(self) -> int:
        """Of the first byte, 256-byte aligned."""
        ...

    @property
    def num_bytes(self) -> int:
        """Size."""
        ...


class Lane(Protocol):
    """Work in order: each call returns at once and runs after the one before it (a stream).

    Host memory that is written from or read into stays untouched until `wait`.
    """

    def write(self, address: int, data: UInt8Array) -> None:
        """Copy pinned host memory to the device."""
        ...

    def fill(self, address: int, num_bytes: int, byte: int) -> None:
        """Set device memory to one byte."""
        ...

    def launch(self, kernel: str, grid: tuple[int, int], block: int, batch: int) -> None:
        """Run a kernel of program.KERNELS on the batch record at a device address."""
        ...

    def read(self, out: UInt8Array, address: int) -> None:
        """Copy device memory into pinned host memory, as many bytes as `out` has."""
        ...

    def wait(self) -> None:
        """Return when all is done. Raises DEVICE_FAILED."""
        ...


class Device(Protocol):
    """One device. Thread-safe but for its lanes."""

    @property
    def name(self) -> str:
        """As --device names it, such as cuda:0."""
        ...

    def use(self) -> None:
        """Make it the calling thread's device, before anything else is called from it."""
        ...

    def allocate(self, num_bytes: int) -> Memory:
        """Raises CAPACITY_EXHAUSTED where there is no room."""
        ...

    def allocate_pinned(self, num_bytes: int) -> UInt8Array:
        """Return host memory that lanes can read and write directly."""
        ...

    def upload(self, memory: Memory, data: UInt8Array) -> None:
        """Copy ordinary host memory to the device and wait for it."""
        ...

    def pin(self, memory: UInt8Array) -> bool:
        """Let lanes write into memory that somebody else has made; False: not possible."""
        ...

    def unpin(self, memory: UInt8Array) -> None:
        """Undo `pin`, before the memory is unmapped."""
        ...

    def make_lane(self) -> Lane:
        """Make a queue of its own."""
        ...
