"""Mutations of seeds: the few moves that find most faults, drawn from one random generator."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

MAX_BYTES: Final = 1 << 16
_INTERESTING: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000)


def mutated(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return one seed with one to eight changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(1 << rng.randrange(4)):
        move = rng.choice(_MOVES)
        move(data, seeds, rng)
    return bytes(data[:MAX_BYTES])


def _place(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _flip(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _number(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    size, at = rng.choice((1, 2, 4, 8)), _place(data, rng)
    value = rng.choice(_INTERESTING) & ((1 << 8 * size) - 1)
    order = rng.choice(("little", "big"))
    data[at : at + size] = value.to_bytes(size, "little" if order == "little" else "big")


def _noise(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    at, size = _place(data, rng), rng.randrange(1, 17)
    data[at : at + size] = rng.randbytes(size)


def _insert(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = rng.randbytes(rng.randrange(1, 33))


def _remove(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.randrange(1, 65)]


def _cut(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _repeat(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.randrange(1, 129)] * rng.randrange(1, 5)


def _splice(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    other = rng.choice(seeds)
    start = rng.randrange(len(other) + 1)
    at = _place(data, rng)
    data[at:] = other[start:]


_MOVES: Final[tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...]] = (
    _flip,
    _flip,
    _number,
    _number,
    _noise,
    _insert,
    _remove,
    _cut,
    _repeat,
    _splice,
)
