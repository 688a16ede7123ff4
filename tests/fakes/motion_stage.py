"""A motion stage whose latents say which audio they saw.

`speech` of the frame with pts p is 1 if the sample at p is speech; jawOpen is its level; the
frame comes out when the line is known up to p + look-ahead, as with the real stage.
"""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS
from avatar_service.session.clock import FrameGrid
from avatar_service.session.timeline import SAMPLE_NANOS
from avatar_service.signals import AudioChunk, AudioRole, Controls, MotionFrame


class FakeMotionStage:
    def __init__(
        self,
        frame_rate: Fraction = Fraction(40),
        controls: Controls | None = None,
        *,
        lookahead_nanos: int = 40_000_000,
    ) -> None:
        self.grid = FrameGrid(frame_rate)
        self.controls = controls or Controls()
        self.controls_at: list[tuple[int, Controls]] = []
        self.resets: list[int] = []
        self.chunks: list[AudioChunk] = []
        self.heard: list[AudioChunk] = []
        self.is_closed = False
        self.phones: list[tuple[int, str, list[str]]] = []
        self.head_yaw = 0.0
        self._lookahead = lookahead_nanos
        self._levels = np.zeros(0, np.float32)
        self._flags = np.zeros(0, bool)
        self._next = 0

    @property
    def num_samples(self) -> int:
        return len(self._levels)

    @property
    def needed_until_nanos(self) -> int:
        return self.grid.pts_of(self._next) + self._lookahead

    def push(self, chunk: AudioChunk) -> None:
        if chunk.role is AudioRole.LISTEN:
            self.heard.append(chunk)
            return
        if chunk.pts_nanos != self.num_samples * SAMPLE_NANOS:
            raise ValueError(f"gap in the line: {chunk.pts_nanos} after {self.num_samples} samples")
        self.chunks.append(chunk)
        self._levels = np.concatenate([self._levels, chunk.samples])
        self._flags = np.concatenate([self._flags, np.full(len(chunk.samples), chunk.is_speech)])

    def push_phones(self, phones, alphabet: str, pts_nanos: int) -> None:
        self.phones.append((pts_nanos, alphabet, [phone.symbol for phone in phones]))

    def pull(self) -> Iterator[MotionFrame]:
        while (pts := self.grid.pts_of(self._next)) + self._lookahead <= (
            self.num_samples * SAMPLE_NANOS
        ):
            at = min(pts // SAMPLE_NANOS, self.num_samples - 1)
            expression = np.zeros(NUM_EXPRESSIONS, np.float32)
            expression[EXPRESSION_INDEX["jawOpen"]] = abs(self._levels[at])
            self._next += 1
            yield MotionFrame(
                pts,
                expression=expression,
                head_rotation=np.array([self.head_yaw, 0, 0], np.float32),
                speech=float(self._flags[at]),
            )

    def set_controls(self, controls: Controls, effective_pts: int) -> int:
        applied = max(effective_pts, self.grid.pts_of(self._next))
        self.controls = controls
        self.controls_at.append((applied, controls))
        return applied

    def reset(self, epoch: int) -> None:
        self.resets.append(epoch)
        at = self.grid.pts_of(self._next) // SAMPLE_NANOS
        self._levels[at:] = 0
        self._flags[at:] = False

    def close(self) -> None:
        self.is_closed = True
