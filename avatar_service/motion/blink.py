"""Blinks: log-normal intervals, faster closing than opening, partial and double ones.

Sources of the figures: intervals log-normal, 17 a minute at rest and 26 in conversation
(Bentivoglio 1997); closing 70-100 ms, opening 150-220 ms (Stern 1984); closing 40-47 % faster and
often incomplete (Sforza 2008); talking video measured with a landmark tracker: 33 a minute,
half-width 137 ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from avatar_service.motion.easing import TICK_SECS, ease
from avatar_service.motion.rhythm import Beat
from avatar_service.motion.streams import random_stream

_MEDIAN_INTERVAL_SECS: Final = 2.05
_INTERVAL_SIGMA: Final = 0.62
_REST_RATE: Final = 0.58
_LISTEN_RATE: Final = 0.66
_BREAK_CHANCE: Final = 0.42
_BREAK_DELAY_SECS: Final = 0.3
"""Blinks gather at the breaks of speech and before it goes on."""
_SHIFT_FACTOR: Final = 0.03
"""Chance of a blink with a gaze shift, per degree beyond 5 degrees."""
_REFRACTORY_SECS: Final = 0.35


@dataclass(frozen=True, slots=True)
class Blink:
    """One closure of the lids.

    Attributes:
        start_secs: when closing begins, on the life clock.
        depth: how far the lids close, 0..1.
        lead_secs: how much earlier (positive) the left lid moves.
    """

    start_secs: float
    depth: float
    close_secs: float
    hold_secs: float
    open_secs: float
    lead_secs: float

    @property
    def end_secs(self) -> float:
        """When both lids are open again."""
        total = self.close_secs + self.hold_secs + self.open_secs
        return self.start_secs + total + abs(self.lead_secs)

    def closure(self, secs: float, side: int) -> float:
        """Closure 0..1 of the left (0) or right (1) lid at a time."""
        t = secs - self.start_secs + (self.lead_secs if side == 0 else 0.0)
        if t <= 0:
            return 0.0
        if t < self.close_secs:
            return self.depth * ease(t / self.close_secs)
        t -= self.close_secs + self.hold_secs
        if t <= 0:
            return self.depth
        if t >= self.open_secs:
            return 0.0
        # Opening starts quickly and ends slowly.
        return self.depth * (1 - ease((t / self.open_secs) ** 0.75))


class Blinks:
    """Streaming blink generator; step() once a tick, closure() at any time after it."""

    def __init__(self, seed: int) -> None:
        self._random = random_stream(seed, "blink")
        self._elapsed = 0.0
        self._interval = self._draw_interval(float(self._random.standard_normal()))
        self._interval *= float(self._random.random())
        self._blinks: list[Blink] = []

    def reseed(self, seed: int) -> None:
        """Draw everything that is still to come from another seed."""
        self._random = random_stream(seed, "blink")

    def step(
        self, now_secs: float, beat: Beat, heard: Beat, rate: float, gaze_shift_deg: float
    ) -> None:
        """Decide on blinks that start within the tick that begins at now_secs.

        Args:
            now_secs: life clock.
            beat: the avatar's own voice.
            heard: the partner's voice.
            rate: factor on the natural rate; 0 stops blinking.
            gaze_shift_deg: size of a gaze shift that starts in this tick, 0 for none.
        """
        normal = self._random.standard_normal(2).tolist()
        uniform = self._random.random(11).tolist()
        self._blinks = [blink for blink in self._blinks if blink.end_secs > now_secs - 1.0]
        quiet = _LISTEN_RATE if heard.speaking > 0.5 else _REST_RATE
        factor = beat.speaking + quiet * (1 - beat.speaking)
        self._elapsed += TICK_SECS * factor * rate
        is_due = self._elapsed >= self._interval
        with_shift = uniform[0] < _SHIFT_FACTOR * max(0.0, gaze_shift_deg - 5) * min(1.0, rate)
        at_break = beat.is_break and uniform[9] < _BREAK_CHANCE * rate
        is_free = not self._blinks or now_secs > self._blinks[-1].start_secs + _REFRACTORY_SECS
        if (is_due or with_shift or at_break) and is_free:
            self._elapsed = 0.0
            self._interval = self._draw_interval(normal[0])
            start = now_secs + TICK_SECS * (0.2 if with_shift else uniform[1])
            if at_break and not (is_due or with_shift):
                start += _BREAK_DELAY_SECS * uniform[10]
            self._blinks.append(_draw_blink(start, uniform[2:7]))
            if uniform[7] < 0.1:
                second = self._blinks[-1].end_secs + 0.06 + 0.1 * uniform[8]
                self._blinks.append(_draw_blink(second, uniform[6:1:-1]))

    def step_with(self, now_secs: float, is_due: bool) -> None:
        """Advance over the tick that begins at now_secs, with a blink where another one asks."""
        uniform = self._random.random(6).tolist()
        self._blinks = [blink for blink in self._blinks if blink.end_secs > now_secs - 1.0]
        if is_due:
            self._blinks.append(_draw_blink(now_secs + TICK_SECS * uniform[0], uniform[1:]))

    @property
    def starts_secs(self) -> list[float]:
        """When the blinks of the last second, and those already decided, begin."""
        return [blink.start_secs for blink in self._blinks]

    def closure(self, secs: float) -> tuple[float, float]:
        """Closure 0..1 of the left and right lid at a time within the newest tick or before."""
        left = right = 0.0
        for blink in self._blinks:
            if blink.start_secs - abs(blink.lead_secs) < secs < blink.end_secs:
                left = max(left, blink.closure(secs, 0))
                right = max(right, blink.closure(secs, 1))
        return left, right

    def _draw_interval(self, normal: float) -> float:
        return max(0.45, _MEDIAN_INTERVAL_SECS * math.exp(_INTERVAL_SIGMA * normal))


def _draw_blink(start_secs: float, uniform: list[float]) -> Blink:
    depth = 0.94 + 0.06 * uniform[1] if uniform[0] >= 0.2 else 0.5 + 0.3 * uniform[1]
    return Blink(
        start_secs=start_secs,
        depth=depth,
        close_secs=0.075 + 0.025 * uniform[2],
        hold_secs=0.035 * uniform[3],
        open_secs=0.15 + 0.07 * uniform[4],
        lead_secs=0.004 * (uniform[2] - 0.5),
    )
