"""Where the eyes look, judged on pixels: the iris found between the lid margins as they were drawn.

What `avatar track` reads is off on narrow eyes, for two reasons: the landmark models err by a good
part of such an opening, and the reflection on the cornea, which stays behind when the eye turns, is
a large part of the little that is seen. Here the margins are the posed mesh's own and the eyes are
drawn without the reflection; the rest is read from the picture as the tracker does, by sliding the
portrait's iris over the white.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from avatar_service.picture.stage import Stage, pose_frame
from avatar_service.portrait import topology
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.signals import MotionFrame
from avatar_service.tracking.eyes_fit import sampler
from avatar_service.tracking.iris import IrisMatch, gaze_from_shift, lid_distances

_LEVEL_GAZE: Final = 0.001
"""A gaze of exactly zero would be read from eyeLook*, degrees."""


class GazeReading:
    """Reads one portrait's gaze while its head is at rest."""

    def __init__(self, stage: Stage) -> None:
        portrait = stage.portrait
        dull = replace(portrait.eyes, glint=np.zeros_like(portrait.eyes.glint))
        self._stage = Stage(replace(portrait, eyes=dull), stage.size_px)
        self._unit_px = portrait.geometry.unit_px
        self._axes = portrait.geometry.rotation.astype(np.float64)
        self._irises = [IrisMatch(portrait.eyes, eye, self._unit_px) for eye in (0, 1)]
        self._rest = self._shifts(pose_frame(gaze=(_LEVEL_GAZE, _LEVEL_GAZE)))

    def gaze(self, motion: MotionFrame) -> Float64Array:
        """Return yaw and pitch that a latent's picture shows, degrees, the mean of both eyes.

        NaN where no iris is found.
        """
        shifts = (self._shifts(motion) - self._rest) / self._unit_px
        found = [gaze_from_shift(self._axes, shift) for shift in shifts if np.isfinite(shift).all()]
        return np.degrees(np.mean(found, 0)) if found else np.full(2, np.nan)

    def _shifts(self, motion: MotionFrame) -> Float64Array:
        """Return where both irises stand against the photo's, (2, 2) frame px."""
        stage = self._stage
        scale = stage.portrait.size_px / stage.size_px
        picture = stage.picture(motion)
        vertices = stage.vertices[:, :2].astype(np.float64)
        shifts = np.full((2, 2), np.nan)
        for eye, match in enumerate(self._irises):
            side = topology.mirrored if eye == 1 else tuple[int, ...]
            margins = [*side(topology.LID_LOWER), *side(topology.LID_UPPER)[1:-1]]
            lids = (vertices[margins] + 0.5) * scale - 0.5
            places = (match.pixels + 0.5) / scale - 0.5
            found = match.find(sampler(picture)(places), *lid_distances(lids, match.pixels))
            if found is not None:
                shifts[eye] = found
        return shifts
