"""Lips without a network: the jaw follows the loudness around each step."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS

STEP_SAMPLES = 320
STEP_NANOS = 20_000_000


@dataclass(frozen=True)
class FakeLipStep:
    pts_nanos: int
    expression: np.ndarray


class FakeLips:
    def __init__(self, lookahead_samples: int = 640) -> None:
        self._lookahead = lookahead_samples
        self.starts: list[int] = []
        self.reset()

    def reset(self, start_nanos: int = 0) -> None:
        self.starts.append(start_nanos)
        self._line = np.zeros(0, np.float32)
        self._num_steps = 0

    def push(self, samples: np.ndarray) -> None:
        self._line = np.concatenate([self._line, samples])

    def push_phones(self, phones: object, alphabet: str, pts_nanos: int) -> None:
        raise NotImplementedError

    def pull(self) -> Iterator[FakeLipStep]:
        while self._num_steps * STEP_SAMPLES + self._lookahead <= len(self._line):
            centre = self._num_steps * STEP_SAMPLES
            window = self._line[max(0, centre - 640) : centre + self._lookahead]
            step = np.zeros(NUM_EXPRESSIONS, np.float32)
            step[EXPRESSION_INDEX["jawOpen"]] = min(0.6, 3 * float(np.sqrt(np.mean(window**2))))
            pts = self.starts[-1] + self._num_steps * STEP_NANOS
            self._num_steps += 1
            yield FakeLipStep(pts, step)
