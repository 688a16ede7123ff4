"""The chest's breath, a function of the frame's time alone.

The latent carries what breathing does to the head; shoulders and chest are the renderer's. The same
time gives the same picture, whatever was drawn before, and time zero is the photo.
"""

from __future__ import annotations

import math
from typing import Final

from avatar_service.jit import kernel
from avatar_service.render import rig
from avatar_service.signals import Float32Array

RATE_HZ: Final = 0.24
"""14 breaths a minute, as the motion's own breathing of the head."""
_INHALE_SKEW: Final = 0.45
"""Breathing in is quicker than breathing out: about 2 to 3."""
_RATE_DRIFT, _RATE_DRIFT_HZ = 0.12, 0.017
_DEPTH_DRIFT, _DEPTH_DRIFT_HZ = 0.18, 0.031
"""No breath is quite like the last: share of a cycle by which its phase, and share by which its
depth wanders."""

RISE: Final = 0.024
"""Rise of the shoulders at a full breath, units (2.2 mm; quiet breathing moves them 2 to 5)."""
FORWARD: Final = 0.020
"""How far the chest comes towards the camera, units."""
SPREAD: Final = 0.007
"""Share by which the chest widens."""


@kernel
def breath_at(pts_nanos: int) -> float:
    """Return how full the chest is at a time: 0 breathed out, 1 a common breath, at most 1.2."""
    seconds = pts_nanos / 1e9
    drift = _RATE_DRIFT * math.sin(2 * math.pi * _RATE_DRIFT_HZ * seconds)
    phase = 2 * math.pi * (RATE_HZ * seconds + drift)
    depth = 1 + _DEPTH_DRIFT * math.sin(2 * math.pi * _DEPTH_DRIFT_HZ * seconds)
    return depth * 0.5 * (1 - math.cos(phase + _INHALE_SKEW * math.sin(phase)))


@kernel
def pose_torso(
    pts_nanos: int,
    unit: float,
    shift: Float32Array,
    lagging_shift: Float32Array,
    out: Float32Array,
) -> None:
    """Let the torso take part in the head's shift, a little late, and breathe.

    Args:
        pts_nanos: of the frame.
        unit: px of one schema length unit.
        shift: (3,) head translation, schema's axes, units.
        lagging_shift: (3,) the same of the head that lags behind (sway.Sway).
        out: (4,) out: camera-space px; last, by what share the torso widens.
    """
    share = 0.5 * rig.TORSO_SHIFT * unit
    breath = breath_at(pts_nanos)
    out[0] = share * (shift[0] + lagging_shift[0])
    out[1] = -share * (shift[1] + lagging_shift[1]) - RISE * unit * breath
    # Distance is the whole person's.
    out[2] = -unit * (shift[2] + FORWARD * breath)
    out[3] = SPREAD * breath
