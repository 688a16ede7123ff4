"""Error correction of the watermark: 64 bits -> CRC-32 -> convolutional code, and back by Viterbi.

The code is the rate 1/3, constraint length 9 one of 3GPP TS 25.212, 4.2.3.1 (generators 557, 663,
711 octal). The CRC is IEEE 802.3's. A wrong path passes it with probability 2**-32: this, times
NUM_PATHS, bounds false alarms, whatever the picture.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

NUM_MESSAGE_BITS: Final = 64 + 32
_MEMORY: Final = 8
_GENERATORS: Final = (0o557, 0o663, 0o711)
_NUM_STATES: Final = 1 << _MEMORY
NUM_PATHS: Final = 64
NUM_CODE_BITS: Final = len(_GENERATORS) * (NUM_MESSAGE_BITS + _MEMORY)


def _signs(register: int) -> list[int]:
    """Return the code's three bits for a shift register of 9 bits, as +1 (0) and -1 (1)."""
    return [1 - 2 * ((register & generator).bit_count() & 1) for generator in _GENERATORS]


# Where bit b arrives in state s, the register is 2 s + b, and its lower 8 bits the next state.
_SIGNS: Final = np.array([_signs(r) for r in range(2 * _NUM_STATES)], np.float64)
_NEXT: Final = np.arange(_NUM_STATES)
_FROM_LOW: Final = _NEXT >> 1
_FROM_HIGH: Final = _FROM_LOW | (_NUM_STATES >> 1)
_REGISTER_LOW: Final = _NEXT
_REGISTER_HIGH: Final = _NEXT | _NUM_STATES


def encode(payload: int) -> Float64Array:
    """Return (NUM_CODE_BITS,) of +1 and -1 for 64 bits."""
    data = payload.to_bytes(8, "big")
    message = np.unpackbits(np.frombuffer(data + zlib.crc32(data).to_bytes(4, "big"), np.uint8))
    register, coded = 0, []
    for bit in [*message.tolist(), *[0] * _MEMORY]:
        register = (register << 1 | bit) & (2 * _NUM_STATES - 1)
        coded.append(_SIGNS[register])
    return np.concatenate(coded)


def decode(soft: Float64Array) -> int | None:
    """Return the 64 bits; None where no CRC fits.

    The NUM_PATHS best paths through the code are tried, the best first (list Viterbi; Seshadri and
    Sundberg, "List Viterbi decoding algorithms with applications", 1994): where noise has made
    another path a little better than the true one, the CRC tells them apart.

    Args:
        soft: (NUM_CODE_BITS,) evidence for each code bit, > 0 for +1; any scale.
    """
    steps = soft.reshape(-1, len(_GENERATORS))
    score = np.full((_NUM_STATES, NUM_PATHS), -np.inf)
    score[0, 0] = 0.0
    # Which of the 2 NUM_PATHS that arrive in a state: those of the lower state come first.
    came = np.empty((len(steps), _NUM_STATES, NUM_PATHS), np.int16)
    for step, evidence in enumerate(steps):
        gain = (_SIGNS @ evidence)[:, None]
        arriving = np.concatenate(
            [score[_FROM_LOW] + gain[_REGISTER_LOW], score[_FROM_HIGH] + gain[_REGISTER_HIGH]], 1
        )
        came[step] = np.argpartition(-arriving, NUM_PATHS - 1, axis=1)[:, :NUM_PATHS]
        score = np.take_along_axis(arriving, came[step], 1)
    for path in np.argsort(-score[0]):
        message = _message_of(came, int(path))
        data, crc = message[:8], message[8:]
        if np.isfinite(score[0, path]) and zlib.crc32(data).to_bytes(4, "big") == crc:
            return int.from_bytes(data, "big")
    return None


def _message_of(came: NDArray[np.int16], path: int) -> bytes:
    """Follow a path back from the code's end; return data and CRC."""
    state, bits = 0, []
    for step in range(len(came) - 1, -1, -1):
        bits.append(state & 1)
        from_high, path = divmod(int(came[step, state, path]), NUM_PATHS)
        state = state >> 1 | (_NUM_STATES >> 1 if from_high else 0)
    return np.packbits(np.array(bits[: _MEMORY - 1 : -1], np.uint8)).tobytes()
