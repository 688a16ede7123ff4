"""Folds that an expression presses into the skin, as maps of darker and lighter.

The mesh is too coarse for them and the photo, at rest, does not show them. Each map belongs to one
group of muscles; the renderer multiplies the skin by it as far as that group pulls. Lines and
names follow Ekman and Friesen's Facial Action Coding System: the nasolabial furrow deepens with
AU 12 (smile), crow's feet and the furrow below the eye with AU 6 (cheek), horizontal lines over the
forehead come with AU 1 and 2, vertical ones between the brows with AU 4.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import (
    FloatArray,
    blur,
    patch_bounds,
    photo_blur,
    smoothstep,
    spline,
)
from avatar_service.portrait.pixels import AREA, resize
from avatar_service.portrait.skin_grain import skin_grain
from avatar_service.signals import UInt8Array

GROUPS: Final = (
    *("smileLeft", "smileRight", "cheekLeft", "cheekRight", "browUp", "browDown"),
    "cheekPuff",
)
"""Group k has number k + 1 in the map; 0 is skin without a fold."""
FULL_SHADE: Final = 0.5
"""Change of brightness that a map value of 127 stands for."""

_NASOLABIAL: Final = (129, 203, 206, 216, 212)
_FEET_DEGREES: Final = (-28.0, -4.0, 22.0)
_FOREHEAD: Final = ((0.25, 0.8), (0.42, 1.0), (0.59, 0.9), (0.76, 0.6))
"""Heights of its lines between the brows and the crown's landmark, and how deep they are."""
_WAVE: Final = 0.014
"""How far a line over the forehead strays from its course, units."""
_PATCHES: Final = 9
"""A line over the forehead is deeper and shallower in so many places."""
_UNLIKE_SKIN: Final = (24.0, 52.0)
"""Grey levels of difference from the skin around at which hair, glasses and beards begin."""
_SMOOTH_GRAIN, _COARSE_GRAIN = 0.6, 3.0
"""Deviation of the skin's detail (grey levels) of a child or a soft painting, and of a face whose
folds are deepest."""
_LINED: Final = (1.0, 1.7)
_UNLINED: Final = 0.45
"""How much more a forehead changes downwards than across, from which on lines are seen in it and
where it is all lines; and how deep new ones are where there are none."""


def paint_folds(fit: FaceFit) -> UInt8Array:
    """Return (C, C, 2) uint8: number of the group, and 128 + shade; C = frame plus margins.

    A texel stands for 2 x 2 texels of the portrait's texture.
    """
    side = fit.canvas_alpha.shape[0]
    unit = float(fit.head.unit_px)
    points = fit.landmarks[:, :2] + fit.margin_px
    picture = resize(fit.canvas2x, (side, side), AREA).astype(np.float32)
    oval = points[list(topology.FACE_OVAL)]
    painter = _Painter(picture, oval, unit, 0.5 * photo_blur(fit) / (2 * unit))
    grain = float(skin_grain(fit.image2x.astype(np.float32), fit).std())
    coarse = np.clip((grain - _SMOOTH_GRAIN) / (_COARSE_GRAIN - _SMOOTH_GRAIN), 0, 1)
    depth = 0.35 + 0.60 * float(coarse)
    # Pores, and a painting's cracks, tell little of a forehead that shows no line of its own.
    lined = smoothstep(_lines_over(picture, points, unit), *_LINED)
    forehead = 0.35 + 0.60 * float(coarse) * float(_UNLINED + (1 - _UNLINED) * lined)

    for k in (0, 1):  # left, right

        def mirror(row: tuple[int, ...], k: int = k) -> tuple[int, ...]:
            return row if k else topology.mirrored(row)

        fold = points[list(mirror(_NASOLABIAL))]
        painter.line(
            1 + k, fold, 0.16 * depth, 0.015, lit=0.08 * depth, outward=fold[2] - points[4]
        )
        outer, inner = points[list(mirror((33, 133)))]
        away = (outer - inner) / np.linalg.norm(outer - inner)
        for degrees in _FEET_DEGREES:
            turn = np.radians(degrees) * (1 if away[0] > 0 else -1)
            cos, sin = np.cos(turn), np.sin(turn)
            course = np.array([[cos, -sin], [sin, cos]]) @ away
            sag = np.array([0.0, 0.012 * unit])
            start = outer + unit * (0.055 * away + 0.03 * (course - away))
            steps = [
                start + unit * s * course + sag * (s / 0.15) ** 2 for s in (0, 0.05, 0.1, 0.15)
            ]
            painter.line(3 + k, np.array(steps), 0.13 * depth, 0.008, lit=0.04 * depth)
        below = points[list(mirror(topology.LID_LOWER_ROW3[1:-1]))]
        lower = points[list(mirror(topology.LID_LOWER_ROW2[1:-1]))]
        painter.line(3 + k, 0.6 * below + 0.4 * lower, 0.12 * depth, 0.011, lit=0.05 * depth)
        inner_brow, lower_brow = points[list(mirror((107, 55)))]
        toward = points[9] - inner_brow
        frown = np.array([inner_brow + 0.45 * toward, lower_brow + 0.35 * toward])
        frown = np.array([frown[0] + 0.25 * (frown[0] - frown[1]), frown.mean(0), frown[1]])
        painter.line(6, frown, 0.18 * depth, 0.011, lit=0.05 * depth)

        # A puffed cheek is a ball: light where it faces the camera, dark where it turns away.
        cheek, jowl = points[list(mirror((187, 192)))]
        painter.ball(7, 0.5 * (cheek + jowl), 0.20, lit=0.10, dark=0.10)

    brow = points[[*topology.BROW_UPPER, *topology.mirrored(topology.BROW_UPPER)[::-1]]]
    up = points[topology.CROWN] - points[9]
    middle = brow.mean(0)
    level = up[::-1] * [-1, 1] / np.linalg.norm(up)
    flat = 0.25 * brow + 0.75 * (middle + np.outer((brow - middle) @ level, level))
    rng = np.random.default_rng(11)
    for height, share in _FOREHEAD:
        # No two lines run alike, nor is one as deep all along: rulers draw such lines.
        stray = _WAVE * unit * rng.uniform(-1, 1, (len(flat), 1)) * up / np.linalg.norm(up)
        uneven = rng.uniform(0.25, 1.0, _PATCHES)
        painter.line(
            *(5, flat + height * up + stray, 0.17 * share * forehead, 0.014),
            lit=0.10 * share * forehead,
            uneven=uneven / uneven.max(),
        )
    return painter.result()


def _lines_over(picture: FloatArray, points: NDArray[np.floating], unit: float) -> np.ndarray:
    """Return () how much more the forehead changes downwards than across, at the width of lines."""
    grey = picture.mean(-1)
    band = blur(grey, 0.016 * unit) - blur(grey, 0.06 * unit)
    ratios = [1.0]
    tall, wide = round(0.06 * unit), round(0.10 * unit)
    for x, y in points[[108, 337, 151]].round().astype(int):
        spot = band[max(y - tall, 0) : y + tall, max(x - wide, 0) : x + wide]
        if min(spot.shape) > 4:
            across = float(np.abs(np.diff(spot, axis=1)).mean())
            ratios.append(float(np.abs(np.diff(spot, axis=0)).mean()) / max(across, 1e-3))
    return np.asarray(np.median(ratios[1:] or ratios))


class _Painter:
    """Collects lines; where two groups overlap the stronger one stays."""

    def __init__(
        self, picture: FloatArray, oval: NDArray[np.floating], unit: float, softness: float
    ) -> None:
        inside = np.zeros(picture.shape[:2], np.float32)
        cv2.fillPoly(inside, [oval.round().astype(np.int32)], 1.0)
        self._inside = blur(inside, 0.02 * unit)
        self._smooth = blur(picture, 0.012 * unit)
        self._unit = unit
        self._softness = softness
        self._shades = np.zeros((len(GROUPS), *picture.shape[:2]), np.float32)

    def line(
        self,
        group: int,
        points: NDArray[np.floating],
        dark: float,
        width: float,
        *,
        lit: float,
        outward: NDArray[np.floating] | None = None,
        uneven: NDArray[np.floating] | None = None,
    ) -> None:
        """Draw a furrow along points and the lit ridges beside it.

        Args:
            group: number of the group.
            points: (n, 2) canvas px.
            dark: how much darker its bottom is.
            width: sigma of the furrow, units.
            lit: how much lighter the ridge is.
            outward: the side of the larger ridge; both sides are alike without.
            uneven: (n,) share of the depth at even places along the line; 1 all along without.
        """
        unit = self._unit
        # A soft photo has soft folds.
        sharp, width = width, float(np.hypot(width, self._softness))
        dark, lit = dark * sharp / width, lit * sharp / width
        course = spline(points, per_segment=10, closed=False)
        x0, y0, x1, y1 = patch_bounds(course, 0.12 * unit, self._smooth.shape)
        if x1 <= x0 or y1 <= y0:
            return
        x, y = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
        gaps = np.stack([x, y], -1)[:, :, None].astype(np.float32) - course  # (h, w, n, 2)
        squared = (gaps**2).sum(-1)
        nearest = squared.argmin(-1)
        along = nearest / (len(course) - 1)
        steps = np.gradient(course, axis=0)
        spacing = np.linalg.norm(steps, axis=1, keepdims=True) + 1e-6
        tangent, reach = (steps / spacing)[nearest], spacing[nearest, 0]
        offset = np.take_along_axis(gaps, nearest[..., None, None], 2)[:, :, 0]
        across = tangent[..., 0] * offset[..., 1] - tangent[..., 1] * offset[..., 0]
        beyond = np.maximum(np.abs((tangent * offset).sum(-1)) - reach, 0)
        distance, side = np.hypot(across, beyond) / unit, np.sign(across)
        share = np.ones_like(side)
        if outward is not None:
            middle = np.gradient(course, axis=0)[len(course) // 2]
            sign = np.sign(middle[0] * outward[1] - middle[1] * outward[0])
            share = np.where(side == sign, 1.0, 0.25)
        ends = smoothstep(along, 0.0, 0.3) * smoothstep(-along, -1.0, -0.7)
        furrow = np.exp(-0.5 * (distance / width) ** 2)
        ridge = np.exp(-0.5 * ((distance - 2.6 * width) / (1.2 * width)) ** 2)
        # Only on skin: folds do not run over hair, frames and beards.
        patch = self._smooth[y0:y1, x0:x1]
        on_course = self._smooth[
            np.clip(course[:, 1].round().astype(int), 0, self._smooth.shape[0] - 1),
            np.clip(course[:, 0].round().astype(int), 0, self._smooth.shape[1] - 1),
        ]
        skin = np.median(on_course[on_course.mean(-1) >= np.median(on_course.mean(-1))], 0)
        unlike = np.abs(patch - skin).max(-1)
        is_skin = blur(1 - smoothstep(unlike, *_UNLIKE_SKIN), 0.012 * unit)
        if uneven is not None:
            course_depth = spline(
                np.stack([np.arange(len(uneven)), uneven], -1), per_segment=10, closed=False
            )[:, 1]
            ends = ends * np.interp(along, np.linspace(0, 1, len(course_depth)), course_depth)
        shade = (lit * share * ridge - dark * furrow) * ends * is_skin
        layer = self._shades[group - 1, y0:y1, x0:x1]
        layer += shade

    def ball(
        self, group: int, center: NDArray[np.floating], radius: float, *, lit: float, dark: float
    ) -> None:
        """Draw the shade of a ball under the skin.

        Args:
            group: number of the group.
            center: (2,) canvas px.
            radius: where it meets the face, units.
            lit: how much lighter its middle is.
            dark: how much darker its rim is.
        """
        unit = self._unit
        x0, y0, x1, y1 = patch_bounds(center[None], 1.8 * radius * unit, self._smooth.shape)
        if x1 <= x0 or y1 <= y0:
            return
        x, y = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
        away = np.hypot(x - center[0], y - center[1]) / (radius * unit)
        middle = np.exp(-0.5 * (away / 0.45) ** 2)
        rim = np.exp(-0.5 * ((away - 1.0) / 0.22) ** 2)
        column, row = center.round().astype(int)
        skin = self._smooth[min(max(row, 0), len(self._smooth) - 1), column]
        unlike = np.abs(self._smooth[y0:y1, x0:x1] - skin).max(-1)
        is_skin = blur(
            1 - smoothstep(unlike, 2 * _UNLIKE_SKIN[0], 2 * _UNLIKE_SKIN[1]), 0.05 * unit
        )
        is_skin *= self._inside[y0:y1, x0:x1]
        self._shades[group - 1, y0:y1, x0:x1] += (lit * middle - dark * rim) * is_skin

    def result(self) -> UInt8Array:
        """Return the (C, C, 2) map."""
        strongest = np.abs(self._shades).argmax(0)
        shade = np.take_along_axis(self._shades, strongest[None], 0)[0]
        value = np.clip(np.rint(shade / FULL_SHADE * 127), -127, 127)
        group = np.where(value != 0, strongest + 1, 0)
        return np.stack([group, value + 128], -1).astype(np.uint8)
