"""Gaze from the irises and lid coefficients from the lid margins, once the head's pose is known.

All is measured in the plane of the reference picture: what is seen is carried back there through
the head's pose, so that turning away does not look like closing an eye.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from scipy.optimize import nnls

from avatar_service.portrait import topology
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.schema import (
    EXPRESSION_INDEX,
    EXPRESSION_MAX,
    MAX_GAZE_PITCH_RADIANS,
    MAX_GAZE_YAW_RADIANS,
)
from avatar_service.signals import Float32Array, UInt8Array
from avatar_service.tracking.face_rig import FaceRig
from avatar_service.tracking.face_watch import FaceSeen
from avatar_service.tracking.iris import IrisMatch, gaze_from_shift, lid_distances
from avatar_service.tracking.pose_fit import FaceFitted

MIN_OPENING: Final = 0.45
"""With less of the reference's lid opening the iris is too far hidden to be measured."""
CLOSED_GAP: Final = 0.0
"""What the iris model still sees between closed lids, share of the reference's opening."""

SampleFrame = Callable[[Float64Array], Float32Array]
"""Takes (N, 2) places in the portrait's frame, px; returns the picture's colours there, (N, 3)."""

_SIDES: Final = ("Right", "Left")  # rows of FaceSeen
_MIDDLE: Final = slice(1, 6)  # of the seven pairs of lid points: not beside the corners
_LOWER_SHARE: Final = 0.3
"""The lower margin is seen less surely than the opening: it drags along as the upper one closes."""
_LID_NOISE: Final = 0.008
_LID_SHAPES: Final = ("eyeBlink", "eyeSquint", "eyeWide")
_USUAL: Final = (1.0, 0.15, 0.5)
"""Standard error of an opening, units, and how large each coefficient usually is: their ratio is
the ridge that decides between a blink and a squint."""
_OTHER_SHAPES: Final = ("eyeLookDown", "eyeLookUp", "eyeLookIn", "eyeLookOut", "cheekSquint")


def sampler(view: UInt8Array) -> SampleFrame:
    """Return a reader of one picture in the portrait's frame, (S, S, 3) uint8 RGB."""

    def sample(points: Float64Array) -> Float32Array:
        at = points.astype(np.float32)[None]
        colours = cv2.remap(
            view, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(colours[0], np.float32)

    return sample


@dataclass(frozen=True, slots=True)
class EyesFitted:
    """Eyes of one picture.

    Attributes:
        gaze: (2, 2) radians, rows LEFT and RIGHT eye (as the schema), columns yaw, pitch; NaN
            where the lids hide the iris.
        opening: (2,) lid opening as a share of the reference's, rows left and right eye.
        lids: coefficients by name: eyeBlink, eyeSquint and eyeWide of both sides.
    """

    gaze: Float64Array
    opening: Float64Array
    lids: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Lids:
    """Lid margin against the line through the eye's corners, units, + down."""

    gap: float
    lower: float


@dataclass(frozen=True, slots=True)
class _Plane:
    """How the surroundings of an eye lie in the photo and in a picture: affine, frame px."""

    photo: Float64Array
    picture: Float64Array
    forth: Float64Array

    def to_picture(self, points: Float64Array) -> Float64Array:
        carried: Float64Array = (points - self.photo) @ self.forth.T + self.picture
        return carried

    def to_photo(self, points: Float64Array) -> Float64Array:
        back: Float64Array = (points - self.picture) @ np.linalg.inv(self.forth).T + self.photo
        return back


class EyesFit:
    """Fits the eyes of pictures against one rig."""

    def __init__(self, rig: FaceRig) -> None:
        self._rig = rig
        self._axes = rig.portrait.geometry.rotation.astype(np.float64)
        self._anchors = []
        self._moves: list[dict[str, _Lids]] = []
        down = self._axes[:, 1]
        for eye, side in enumerate(_SIDES):
            turn_over = topology.mirrored if eye == 1 else tuple[int, ...]
            upper, lower = turn_over(topology.LID_UPPER), turn_over(topology.LID_LOWER)
            self._anchors.append(rig.landmarks[[*upper, *lower]].mean(0))
            deltas = rig.deltas / rig.unit_px
            ups, lows = list(upper[1:-1])[_MIDDLE], list(lower[1:-1])[_MIDDLE]
            moves = {}
            for name in (*_LID_SHAPES, *_OTHER_SHAPES):
                k = EXPRESSION_INDEX[name + side]
                raised, sunk = deltas[ups, :, k] @ down, deltas[lows, :, k] @ down
                moves[name] = _Lids(float((sunk - raised).mean()), float(sunk.mean()))
            self._moves.append(moves)
        self._rest = [_measure(rig.reference.lids[eye], rig.unit_px) for eye in (0, 1)]
        self._irises = [IrisMatch(rig.portrait.eyes, eye, rig.unit_px) for eye in (0, 1)]
        # The photo's own gaze is zero: what the match finds there is its constant error.
        photo = sampler(rig.portrait.photo)
        self._rest_shift = [np.zeros(2), np.zeros(2)]
        for eye, match in enumerate(self._irises):
            above, below = lid_distances(rig.reference.lids[eye], match.pixels)
            found = match.find(photo(match.pixels), above, below)
            if found is not None:
                self._rest_shift[eye] = found

    def fit(self, seen: FaceSeen, face: FaceFitted, sample: SampleFrame) -> EyesFitted:
        """Fit one picture.

        Args:
            seen: frame px.
            face: its pose and expression.
            sample: reads the picture.
        """
        gaze = np.full((2, 2), np.nan)
        opening = np.zeros(2)
        lids: dict[str, float] = {}
        for eye, side in enumerate(_SIDES):
            row = 1 - eye
            unit = self._rig.unit_px
            plane = self._plane(eye, face)
            lid_points = plane.to_photo(seen.lids[eye])
            measured = _measure(lid_points, unit)
            opening[row] = measured.gap / max(self._rest[eye].gap, 1e-3)
            if opening[row] >= MIN_OPENING:
                match = self._irises[eye]
                upper, lower = lid_distances(lid_points, match.pixels)
                shift = match.find(sample(plane.to_picture(match.pixels)), upper, lower)
                if shift is not None:
                    gaze[row] = gaze_from_shift(self._axes, (shift - self._rest_shift[eye]) / unit)
            lids |= self._lid_coefficients(eye, side, measured, gaze[row], face)
        return EyesFitted(gaze, opening, lids)

    def _plane(self, eye: int, face: FaceFitted) -> _Plane:
        anchor, rig = self._anchors[eye], self._rig
        probe = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]) * 0.1 * rig.unit_px + anchor
        before = rig.project(probe)
        after = rig.project(rig.pose(probe, face.pose))
        forth = (after[1:] - after[0]).T @ np.linalg.inv((before[1:] - before[0]).T)
        return _Plane(before[0], after[0], forth)

    def _lid_coefficients(
        self, eye: int, side: str, measured: _Lids, gaze: Float64Array, face: FaceFitted
    ) -> dict[str, float]:
        rest, moves = self._rest[eye], self._moves[eye]
        yaw, pitch = np.nan_to_num(gaze)
        outward = (yaw if eye == 1 else -yaw) / MAX_GAZE_YAW_RADIANS
        down = pitch / MAX_GAZE_PITCH_RADIANS
        others = {
            "eyeLookDown": max(down, 0.0),
            "eyeLookUp": max(-down, 0.0),
            "eyeLookIn": max(-outward, 0.0),
            "eyeLookOut": max(outward, 0.0),
            "cheekSquint": float(face.expression[EXPRESSION_INDEX["cheekSquint" + side]]),
        }
        gap = (measured.gap - CLOSED_GAP * rest.gap) / (1 - CLOSED_GAP) - rest.gap
        lower = measured.lower - rest.lower
        for name, value in others.items():
            gap -= value * moves[name].gap
            lower -= value * moves[name].lower
        slopes = np.array(
            [
                [moves[name].gap for name in _LID_SHAPES],
                [_LOWER_SHARE * moves[name].lower for name in _LID_SHAPES],
            ]
        )
        solved, _ = nnls(
            np.vstack([slopes, np.diag(_LID_NOISE / np.array(_USUAL))]),
            np.array([gap, _LOWER_SHARE * lower, *np.zeros(len(_LID_SHAPES))]),
        )
        return {
            name + side: float(min(value, EXPRESSION_MAX))
            for name, value in zip(_LID_SHAPES, solved, strict=True)
        }


def _measure(lids: Float64Array, unit_px: float) -> _Lids:
    """Measure (16, 2) lid points in photo px."""
    outer, inner = lids[0], lids[8]
    along = (inner - outer) / max(float(np.hypot(*(inner - outer))), 1e-6)
    down = np.array([-along[1], along[0]])
    down *= np.sign(down[1]) or 1.0
    height = (lids - outer) @ down / unit_px
    lower, upper = height[1:8][_MIDDLE], height[9:16][_MIDDLE]
    return _Lids(max(float((lower - upper).mean()), 0.0), float(lower.mean()))
