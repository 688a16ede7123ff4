"""How far the lids are open, judged on pixels: the eye is open where a change of gaze is seen.

The landmark models see an opening of half a narrow eye between closed lids. So the same lids are
drawn with the gaze to the left and to the right: what differs between the two pictures is eyeball,
what does not is lid.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.picture.stage import Stage, pose_frame
from avatar_service.portrait import topology

_GAZE_DEGREES: Final = 12.0
_LEVEL_GAZE: Final = 0.001
"""A gaze of exactly zero would be read from eyeLook*."""
_CHANGED: Final = 2
"""Levels of change that count: the white in the lid's shadow changes by few, and the same lids are
drawn alike. With more, a strip is missed that is as wide on narrow eyes as on open ones."""
_REACH: Final = 0.12
"""Above and below the lids, units."""


class LidReading:
    """Reads the opening of one portrait's lids as a share of the resting opening."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._rest = [max(int(part.sum()), 1) for part in self._eyeballs(0.0)]

    def opening(self, blink: float) -> float:
        """Return the share of the eyeball's resting area that shows at a coefficient of blink."""
        parts = self._eyeballs(blink)
        shares = [part.sum() / rest for part, rest in zip(parts, self._rest, strict=True)]
        return float(np.mean(shares))

    def _eyeballs(self, blink: float) -> list[NDArray[np.bool_]]:
        stage = self._stage
        one, other = (
            stage.picture(pose_frame(eyeBlink=blink, gaze=(yaw, _LEVEL_GAZE))).astype(np.int16)
            for yaw in (-_GAZE_DEGREES, _GAZE_DEGREES)
        )
        changed = np.abs(one - other).max(-1) > _CHANGED
        unit = stage.portrait.geometry.unit_px * stage.size_px / stage.portrait.size_px
        parts = []
        for side in (tuple, topology.mirrored):
            ring = stage.vertices[[*side(topology.LID_UPPER), *side(topology.LID_LOWER)], :2]
            (left, _), (right, _) = ring.min(0).astype(int), ring.max(0).astype(int)
            middle, reach = float(ring[:, 1].mean()), _REACH * unit
            rows = slice(max(int(middle - reach), 0), int(middle + reach) + 1)
            parts.append(changed[rows, max(left, 0) : right + 1])
        return parts
