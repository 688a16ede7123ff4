"""Strands of hair that swing each in their own time, on top of the hair as a whole.

Kinds of strands hang on springs from soft and slow to stiff and quick, all pulled by the same head;
a vertex of the hair's outline follows the two kinds between which it lies (portrait/strands.py). A
head at rest leaves every strand where it is.
"""

from __future__ import annotations

import numpy as np

from avatar_service.jit import kernel
from avatar_service.portrait.portrait import Geometry
from avatar_service.portrait.strands import NUM_KINDS
from avatar_service.render import rig
from avatar_service.render.sway import Sway, swing
from avatar_service.signals import Float32Array

_SLOWEST_HZ, _QUICKEST_HZ = 1.5, 3.9
"""Strands of 11 and 1.6 cm swing so fast: sqrt(g / l) / 2 pi."""
_LOOSEST, _STIFFEST = 0.26, 0.42
"""Damping of the slowest and of the quickest kind."""
_TURN_LAG, _SHIFT_LAG = 0.06, 0.05
"""Largest distance from the head's pose, radians and units: locks do not tear."""


@kernel
def lag_strands(
    state: np.ndarray,
    target: Float32Array,
    seconds: float,
    reset: bool,
    rotation: Float32Array,
    pivot: Float32Array,
    hinge: Float32Array,
    unit: float,
    jaw: Float32Array,
    places: Float32Array,
    out: Float32Array,
) -> None:
    """Move every kind's springs on by one frame.

    Args:
        state: (NUM_KINDS, 3, 6) of sway.swing, changed in place.
        target: (6,) the head's pose; see sway.swing.
        seconds: since the last frame.
        reset: put the springs at rest.
        rotation: (3, 3) the head's axes at rest; this and the next three as for rig.pose_head.
        pivot: (3,) camera space.
        hinge: (3,) camera space.
        unit: px of one schema length unit.
        jaw: (3, 4) scratch.
        places: (6,) scratch.
        out: (NUM_KINDS, 3, 4) out: where a head that hung on each kind's springs would be.
    """
    for k in range(NUM_KINDS):
        t = k / (NUM_KINDS - 1)
        hertz = _SLOWEST_HZ * (_QUICKEST_HZ / _SLOWEST_HZ) ** t
        damping = _LOOSEST + (_STIFFEST - _LOOSEST) * t
        swing(state[k], target, seconds, reset, hertz, damping, _TURN_LAG, _SHIFT_LAG, places)
        rig.pose_head(
            rotation, pivot, hinge, unit, places[:3], places[3:], 0.0, 0.0, 0.0, out[k], jaw
        )


class Strands:
    """The strands of one renderer.

    Attributes:
        lagging: (NUM_KINDS, 3, 4) of lag_strands for the last frame.
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._state = np.zeros((NUM_KINDS, 3, 6), np.float64)
        self._jaw = np.zeros((3, 4), np.float32)
        self._places = np.zeros(6, np.float32)
        self.lagging = np.zeros((NUM_KINDS, 3, 4), np.float32)

    def follow(self, sway: Sway) -> None:
        """Go on to the frame that the sway was led to."""
        geometry = self._geometry
        lag_strands(
            self._state,
            sway.target,
            sway.seconds,
            sway.is_reset,
            geometry.rotation,
            geometry.pivot,
            geometry.hinge,
            geometry.unit_px,
            self._jaw,
            self._places,
            self.lagging,
        )
