"""Where an iris stands: the portrait's own iris, slid over the white until it looks like the eye.

The iris model alone shrinks vertical motion to about half: it has seen few irises far under a lid.
Here the parts that the renderer draws (white and whole iris) make a picture for every place the
iris may have; the one that correlates best with what is seen between the lids is taken, to parts
of a pixel by a parabola. Brightness and contrast of the video do not matter to a correlation.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from avatar_service.portrait.eyes import EyeAssets, lid_shadow
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.render.eyes import IRIS_ARM_MM
from avatar_service.schema import (
    MAX_GAZE_PITCH_RADIANS,
    MAX_GAZE_YAW_RADIANS,
    OUTER_EYE_DISTANCE_MM,
)
from avatar_service.signals import Float32Array

IRIS_ARM: Final = IRIS_ARM_MM / OUTER_EYE_DISTANCE_MM
"""Radius of the circle on which the iris moves, units; the renderer's own."""
_STEPS_PER_UNIT: Final = 128
"""Places tried per unit: one px of a 512 px frame around head and shoulders."""
_LID_MARGIN: Final = 0.006
"""Lashes are kept away from, units."""
_BRIGHTEST: Final = 85
"""Percentile above which pixels are left out: reflections of lamps do not move with the iris, and
on narrow eyes they are a good part of what is seen."""
_MIN_PIXELS: Final = 40
_MIN_CORRELATION: Final = 0.5


class IrisMatch:
    """Finds one iris in pictures carried back to the portrait's photo.

    Args:
        assets: of the portrait.
        eye: 0 = the subject's right eye, 1 = the left.
        unit_px: one length unit, frame px.
    """

    def __init__(self, assets: EyeAssets, eye: int, unit_px: float) -> None:
        self._unit_px = unit_px
        step_px = unit_px / _STEPS_PER_UNIT
        # Reaches the largest gaze that the schema knows, and one step more.
        reach_x = np.ceil(_STEPS_PER_UNIT * IRIS_ARM * np.sin(MAX_GAZE_YAW_RADIANS)) + 1
        reach_y = np.ceil(_STEPS_PER_UNIT * IRIS_ARM * np.sin(MAX_GAZE_PITCH_RADIANS)) + 1
        self._across = np.arange(-reach_x, reach_x + 1) * step_px
        self._down = np.arange(-reach_y, reach_y + 1) * step_px

        sclera = _brightness(assets.sclera[eye])
        height, width = sclera.shape
        origin = assets.patch_origin[eye].astype(np.float64)
        columns = np.arange(0, width - 1, 2 * step_px)
        rows = np.arange(0, height - 1, 2 * step_px)
        grid = np.stack(np.meshgrid(columns, rows), -1).astype(np.float32)
        white = _sample(cv2.GaussianBlur(sclera, (0, 0), step_px), grid).reshape(-1)
        # 2x px of the photo to frame px.
        self.pixels: Float64Array = ((grid + origin - 0.5) / 2).reshape(-1, 2).astype(np.float64)
        """(P, 2) the places to sample the picture at, frame px of the photo."""

        disc = cv2.GaussianBlur(_brightness(assets.iris[eye]), (0, 0), step_px)
        middle = (disc.shape[0] - 1) / 2
        center = assets.iris_center[eye].astype(np.float64)
        radius, edge = float(assets.iris_radius[eye]), assets.iris_edge[eye]
        templates = []
        for y in self._down:
            for x in self._across:
                shift = np.array([x, y])
                # A disc on a turned ball is seen from the side: narrower the way it went.
                narrowed = np.sqrt(1 - (shift / (unit_px * IRIS_ARM)) ** 2)
                from_center = (grid + origin - center - 2 * shift) / narrowed
                r = np.hypot(from_center[..., 0], from_center[..., 1]).reshape(-1) / radius
                part = np.clip((edge[1] - r) / (edge[1] - edge[0]), 0, 1)
                iris = _sample(disc, (from_center + middle).astype(np.float32)).reshape(-1)
                templates.append(white + part * (iris - white))
        self._templates = np.array(templates, np.float32)  # (places, P)
        self._squares = self._templates**2
        self.center: Float64Array = (center - 0.5) / 2
        """(2,) of the iris in the photo, frame px."""

    def find(
        self, seen: Float32Array, upper: Float64Array, lower: Float64Array
    ) -> Float64Array | None:
        """Return the shift (2,) of the iris from its place in the photo, frame px, or None.

        Args:
            seen: (P, 3) RGB of the picture at `pixels`.
            upper: (P,) distance below the upper lid margin, frame px.
            lower: (P,) distance above the lower one.
        """
        margin = _LID_MARGIN * self._unit_px
        weight = ((upper > margin) & (lower > margin)).astype(np.float32)
        if weight.sum() < _MIN_PIXELS:
            return None
        light = lid_shadow(upper.astype(np.float32), lower.astype(np.float32), float(self._unit_px))
        bright = seen[:, :2].mean(1) / np.maximum(light, 0.3)
        weight *= bright <= np.percentile(bright[weight > 0], _BRIGHTEST)
        total = float(weight.sum())
        mean = float(weight @ bright) / total
        centered = weight * (bright - mean)
        energy = float(centered @ (bright - mean))
        template_mean = self._templates @ weight / total
        template_energy = self._squares @ weight - total * template_mean**2
        together = self._templates @ centered
        score = together / np.sqrt(np.maximum(template_energy * energy, 1e-6))
        field = score.reshape(len(self._down), len(self._across))
        row, column = np.unravel_index(int(field.argmax()), field.shape)
        if field[row, column] < _MIN_CORRELATION:
            return None
        step = self._across[1] - self._across[0]
        return np.array(
            [
                self._across[column] + step * _peak(field[row], int(column)),
                self._down[row] + step * _peak(field[:, column], int(row)),
            ]
        )


def lid_distances(lids: Float64Array, points: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return how far (P, 2) points lie below the upper and above the lower lid margin, px.

    Args:
        lids: (16, 2) points of the margins: outer corner, lower row, inner corner (8), upper row.
        points: (P, 2) px.
    """
    outer, inner = lids[0], lids[8]
    along = (inner - outer) / max(float(np.hypot(*(inner - outer))), 1e-6)
    down = np.array([-along[1], along[0]])
    down *= np.sign(down[1]) or 1.0
    axes = np.stack([along, down], 1)
    margin, at = (lids - outer) @ axes, (points - outer) @ axes
    distances = []
    for rows in ([0, *range(9, 16), 8], list(range(9))):
        curve = margin[rows][np.argsort(margin[rows, 0])]
        distances.append(np.interp(at[:, 0], curve[:, 0], curve[:, 1]))
    is_beside = (at[:, 0] < 0) | (at[:, 0] > (inner - outer) @ along)
    upper = np.where(is_beside, -1.0, at[:, 1] - distances[0])
    lower = np.where(is_beside, -1.0, distances[1] - at[:, 1])
    return upper, lower


def gaze_from_shift(axes: Float64Array, shift: Float64Array) -> Float64Array:
    """Return yaw and pitch, radians, of an iris shifted in the photo's plane by (2,) units.

    The way back of render/eyes.py. axes: (3, 3), columns are the head's axes in the photo.
    """
    # The disc's axis points away from the camera.
    axis = axes[:2, 2] - shift / IRIS_ARM
    flat = min(float(axis @ axis), 0.95)
    axis = axis * np.sqrt(flat / max(float(axis @ axis), 1e-12))
    direction = axes.T @ np.array([axis[0], axis[1], np.sqrt(1 - flat)])
    yaw = np.arctan2(-direction[0], direction[2])
    pitch = np.arcsin(np.clip(-direction[1], -1, 1))
    return np.array([yaw, pitch])


def _brightness(colours: Float32Array) -> Float32Array:
    # Red and green: the white of an eye is far from any iris in them, and skin is not.
    return np.ascontiguousarray(colours[..., :2].mean(-1), np.float32)


def _sample(picture: Float32Array, at: Float32Array) -> Float32Array:
    sampled: Float32Array = cv2.remap(
        picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return sampled


def _peak(line: Float32Array, at: int) -> float:
    """Return where the parabola through a maximum and its neighbours peaks, -0.5..0.5."""
    if at in (0, len(line) - 1):
        return 0.0
    before, middle, after = (float(v) for v in line[at - 1 : at + 2])
    bend = before - 2 * middle + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < -1e-9 else 0.0
