"""The lips' landmarks by their place, and how this person's lips become round.

Convention:
    Head coordinates in units of the outer-eye distance: x to the subject's left, y down, z away.
    Lip rows run from the right corner (k = -1) to the left one (k = +1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.portrait import topology
from avatar_service.portrait.landmark_nets import Float64Array

_NOSE_BASE: Final = 2
_NOSE_SHARE: Final = 0.55
"""Share of the philtrum's height that a rounded upper lip may take."""
_ROUND_HEIGHT: Final = 0.085
"""Height of the upper half of an opening at mouthFunnel = 1, units."""
_FUNNEL_WIDTH, _PUCKER_WIDTH = 0.40, 0.36
"""Width of rounded lips at coefficient 1, units."""


@dataclass(frozen=True, slots=True)
class LipPoint:
    """One landmark of the lips: row, place along it, and offset from the mouth's middle."""

    landmark: int
    is_upper: bool
    is_inner: bool
    k: float
    offset: Float64Array
    is_corner: bool

    @property
    def arch(self) -> float:
        """1 in the middle, 0 at the corners."""
        return 1 - self.k * self.k

    def toward(self, side: float) -> float:
        """0 on the other side ... 1 at this side's corner."""
        return float(np.clip((side * self.k + 0.35) / 1.35, 0, 1) ** 1.6)

    def around(self, center: float, width: float) -> float:
        """Bell along the row."""
        return float(np.exp(-0.5 * ((self.k - center) / width) ** 2))


def lip_points(position: Float64Array) -> Iterator[LipPoint]:
    """Yield every landmark of the lips once; position: (V, 3)."""
    middle = position[[13, 14]].mean(0)
    seen: set[int] = set()
    for row, is_upper, is_inner in (
        (topology.LIP_OUTER_UPPER, True, False),
        (topology.LIP_OUTER_LOWER, False, False),
        (topology.LIP_INNER_UPPER, True, True),
        (topology.LIP_INNER_LOWER, False, True),
    ):
        for k, landmark in zip(np.linspace(-1, 1, len(row)), row, strict=True):
            if landmark not in seen:
                seen.add(landmark)
                yield LipPoint(
                    landmark,
                    is_upper,
                    is_inner,
                    float(k),
                    position[landmark] - middle,
                    landmark in topology.MOUTH_CORNERS,
                )


@dataclass(frozen=True, slots=True)
class Rounding:
    """How this portrait's lips become round: a broad, thin-lipped smile has a longer way to go.

    Attributes:
        funnel, pucker: share of the width that the lips lose.
        corner_drop: how far the corners go down in a funnel, units.
        thicker: how much the upper lip gains in height as it rolls out, units.
        base: (11,) height of the inner upper margin below its corners before, units.
        most: furthest lift of the upper lip, units: the nose is near.
    """

    funnel: float
    pucker: float
    corner_drop: float
    thicker: float
    base: Float64Array
    most: float

    @classmethod
    def of(cls, position: Float64Array) -> Rounding:
        """Measure the relaxed mouth, head coordinates in units."""
        upper = position[list(topology.LIP_INNER_UPPER)]
        lower_inner, lower_outer = topology.LIP_INNER_LOWER[5], topology.LIP_OUTER_LOWER[5]
        outer = position[topology.LIP_OUTER_UPPER[5]]
        width = float(np.linalg.norm(upper[-1] - upper[0]))
        base = upper[:, 1] - np.interp(upper[:, 0], upper[[0, -1], 0], upper[[0, -1], 1])
        thickness = float(upper[5, 1] - outer[1])
        lower_thickness = float(position[lower_outer, 1] - position[lower_inner, 1])
        thicker = float(np.clip(0.55 * lower_thickness - thickness, 0.0, 0.016))
        most = _NOSE_SHARE * float(outer[1] - position[_NOSE_BASE, 1]) - thicker
        needed = _ROUND_HEIGHT + float(base[5])
        lift = float(np.clip(0.75 * needed, 0.02, max(most, 0.02)))
        return cls(
            funnel=float(np.clip(1 - _FUNNEL_WIDTH / width, 0.26, 0.34)),
            pucker=float(np.clip(1 - _PUCKER_WIDTH / width, 0.31, 0.37)),
            corner_drop=float(np.clip(needed - lift, 0.015, 0.05)),
            thicker=thicker,
            base=base,
            most=lift,
        )

    def upper_lift(self, p: LipPoint) -> float:
        """Return how far a point of the upper lip moves down (negative: up), units."""
        base = float(np.interp(p.k, np.linspace(-1, 1, len(self.base)), self.base))
        # An ellipse over the lowered corners, whatever course the margin had.
        wanted = self.corner_drop - _ROUND_HEIGHT * p.arch**0.6 - base
        lift = float(np.clip(wanted, -self.most * min(1.0, 1.6 * p.arch**0.6), 0.01))
        return lift - (0.0 if p.is_inner else self.thicker * p.arch)
