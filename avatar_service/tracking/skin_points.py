"""Spots of the skin followed from the reference picture: what the head's pose is really read from.

The landmark model knows faces and leans on it: on a picture of which only the eyes changed it moves
the forehead by several pixels, and it shrinks turns by a tenth. Spots of skin know nothing. They
are found once in the reference picture (Shi and Tomasi 1994) and in each picture looked for anew
from there (Lucas and Kanade 1981, in pyramids), so that no drift adds up; the landmarks only say
where to begin.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from avatar_service.portrait import topology
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.portrait import Portrait
from avatar_service.signals import UInt8Array
from avatar_service.tracking.face_rig import FaceRig

_MAX_SPOTS: Final = 120
_MIN_APART: Final = 0.05
"""Units between spots."""
_MAX_LIVELINESS: Final = 0.04
"""A spot that some shape moves further is left out, units at coefficient 1."""
_MIN_SPOTS: Final = 24
_QUALITY: Final = 0.004
_WINDOW: Final = 0.12
"""Side of the window that is compared, units."""
_MAX_RETURN: Final = 0.008
"""A spot followed there and back must come home within this, units."""
_MAX_AWAY: Final = 0.12
"""A spot further than this from where the landmarks expect it is another one, units."""
_AROUND_EYE, _AROUND_MOUTH = 0.035, 0.10
"""Kept away from lids and lips, units."""
_INSIDE_OUTLINE: Final = 0.12


class SkinPoints:
    """Spots on one portrait's skin.

    Attributes:
        rest: (P, 3) camera space at rest.
        deltas: (P, 3, NUM_SHAPES) how shapes move them.
    """

    def __init__(self, rig: FaceRig) -> None:
        self._rig = rig
        self._unit_px = rig.unit_px
        self._picture = even_light(rig.portrait.photo)
        points = rig.reference.landmarks[:, :2]
        allowed = _without_spectacles(rig.portrait, self._picture.shape)
        spots = _find(self._picture, points, rig.unit_px, allowed)
        corners, shares = _on_triangles(spots, points)
        keep = corners[:, 0] >= 0
        spots, corners, shares = spots[keep], corners[keep], shares[keep]
        deltas = (rig.deltas[corners] * shares[..., None, None]).sum(1)
        # Calm skin tells the head's pose; brows and lips are the landmarks' business.
        liveliness = np.linalg.norm(deltas, axis=1).max(1) / rig.unit_px
        calmest = np.sort(liveliness)[: _MIN_SPOTS + 1][-1:]
        keep = liveliness <= np.maximum(_MAX_LIVELINESS, calmest)
        corners, shares = corners[keep], shares[keep]
        self._spots: Float64Array = spots[keep]
        depth = _mean_depth(self._spots, points, rig.landmarks[:, 2], _WINDOW * rig.unit_px)
        self.rest: Float64Array = rig.unproject(self._spots, depth)
        self.deltas: Float64Array = deltas[keep]

    def __len__(self) -> int:
        return len(self._spots)

    @property
    def spots(self) -> Float64Array:
        """Where they are in the reference picture, (P, 2) frame px."""
        return self._spots

    def follow(
        self, view: UInt8Array, expected: Float64Array
    ) -> tuple[Float64Array, NDArray[np.bool_]]:
        """Look for the spots in a picture.

        Args:
            view: (S, S, 3) uint8 RGB, in the portrait's frame.
            expected: (P, 2) where they should be, frame px.

        Returns:
            Where they are, (P, 2) frame px, and which of them were found, (P,).
        """
        if not len(self):
            return expected, np.zeros(0, bool)
        # Turned and scaled back by the affine map that the landmarks suggest, so that windows show
        # the same skin the same way up.
        forth = _affine(self._spots, expected)
        size = self._picture.shape[::-1]
        back_view = cv2.warpAffine(
            view,
            forth,
            size,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        now = even_light(np.asarray(back_view, np.uint8))
        inverse = np.linalg.inv(forth[:, :2])
        side = max(9, round(_WINDOW * self._unit_px)) | 1
        options: dict[str, Any] = {
            "winSize": (side, side),
            "maxLevel": 1,
            "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.005),
            "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
        }
        start = self._spots.astype(np.float32)[:, None]
        expected_back = (expected - forth[:, 2]) @ inverse.T
        guess = np.ascontiguousarray(expected_back[:, None], np.float32)
        there, found, _ = cv2.calcOpticalFlowPyrLK(self._picture, now, start, guess, **options)
        home, returned, _ = cv2.calcOpticalFlowPyrLK(
            now, self._picture, there, start.copy(), **options
        )
        at = there[:, 0].astype(np.float64) @ forth[:, :2].T + forth[:, 2]
        back = np.hypot(*(home[:, 0] - self._spots).T) / self._unit_px
        away = np.hypot(*(at - expected).T) / self._unit_px
        is_good = (found[:, 0] > 0) & (returned[:, 0] > 0)
        is_good &= (back < _MAX_RETURN) & (away < _MAX_AWAY) & np.isfinite(at).all(1)
        return np.where(is_good[:, None], at, expected), is_good


def _affine(before: Float64Array, after: Float64Array) -> Float64Array:
    """Return the (2, 3) affine map that carries points onto others, by least squares."""
    if len(before) < 3:
        return np.hstack([np.eye(2), (after - before).mean(0)[:, None]])
    columns = np.hstack([before, np.ones((len(before), 1))])
    solved: Float64Array = np.asarray(np.linalg.lstsq(columns, after, rcond=None)[0].T, np.float64)
    return solved


def even_light(picture: UInt8Array) -> UInt8Array:
    """Grey, with the light evened out: a turning head changes its shading."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
    even = grey - cv2.GaussianBlur(grey, (0, 0), picture.shape[0] / 40)
    prepared: UInt8Array = np.clip(128 + 2 * even, 0, 255).astype(np.uint8)
    return prepared


def _without_spectacles(portrait: Portrait, shape: tuple[int, ...]) -> UInt8Array:
    """Return a mask, 0 where the window around a spot would show spectacles, which are no skin."""
    allowed = np.full(shape, 255, np.uint8)
    worn = portrait.spectacles
    if not worn.are_worn:
        return allowed
    rows, columns = np.nonzero(worn.texture[..., 3] > 12)
    # 2x px of the photo to frame px.
    x = np.round((columns + worn.origin[0] - 0.5) / 2).astype(int)
    y = np.round((rows + worn.origin[1] - 0.5) / 2).astype(int)
    inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
    allowed[y[inside], x[inside]] = 0
    reach = max(1, round(_WINDOW / 2 * portrait.geometry.unit_px)) * 2 + 1
    return np.asarray(cv2.erode(allowed, np.ones((reach, reach), np.uint8)), np.uint8)


def _find(
    picture: UInt8Array, points: Float64Array, unit_px: float, allowed: UInt8Array
) -> Float64Array:
    mask = np.zeros(picture.shape, np.uint8)

    def polygon(row: tuple[int, ...], value: int, grow: float) -> None:
        drawn = np.zeros_like(mask)
        cv2.fillPoly(drawn, [np.round(points[list(row)]).astype(np.int32)], 255)
        reach = max(1, round(abs(grow) * unit_px)) * 2 + 1
        change = cv2.dilate if grow > 0 else cv2.erode
        mask[change(drawn, np.ones((reach, reach), np.uint8)) > 0] = value

    polygon(topology.FACE_OVAL, 255, -_INSIDE_OUTLINE)
    lips = (*topology.LIP_OUTER_UPPER, *topology.LIP_OUTER_LOWER[-2:0:-1])
    polygon(lips, 0, _AROUND_MOUTH)
    for is_left in (False, True):
        polygon(topology.eye_loop(is_left=is_left), 0, _AROUND_EYE)
    # The chin moves with the jaw and is not needed.
    mask[int(points[list(topology.MOUTH_CORNERS), 1].mean()) :] = 0
    mask = np.minimum(mask, allowed)
    spots = cv2.goodFeaturesToTrack(
        picture, _MAX_SPOTS, _QUALITY, _MIN_APART * unit_px, mask=mask, blockSize=5
    )
    if spots is None:
        return np.zeros((0, 2))
    return np.asarray(spots[:, 0], np.float64)


def _mean_depth(
    spots: Float64Array, points: Float64Array, depth: Float64Array, side_px: float
) -> Float64Array:
    """Return the face's mean depth in the window around each spot.

    A window moves as its pixels do on average: on the ridge of the nose less than the ridge itself.
    """
    known = LinearNDInterpolator(points, depth)
    step = np.linspace(-0.5, 0.5, 9) * side_px
    window = np.stack(np.meshgrid(step, step), -1).reshape(-1, 2)
    around = known((spots[:, None] + window).reshape(-1, 2)).reshape(len(spots), -1)
    mean: Float64Array = np.nanmean(around, axis=1)
    return mean


def _on_triangles(
    spots: Float64Array, points: Float64Array
) -> tuple[NDArray[np.intp], Float64Array]:
    """Return the corners (P, 3) of the triangle under each spot (-1: none) and their shares."""
    triangles = topology.TRIANGLES
    a, b, c = (points[triangles[:, i]] for i in range(3))
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    corners = np.full((len(spots), 3), -1, np.intp)
    shares = np.zeros((len(spots), 3))
    for i, spot in enumerate(spots):
        p = spot - a
        of_b = (p[:, 0] * ac[:, 1] - p[:, 1] * ac[:, 0]) / area
        of_c = (ab[:, 0] * p[:, 1] - ab[:, 1] * p[:, 0]) / area
        least = np.minimum(np.minimum(of_b, of_c), 1 - of_b - of_c)
        t = int(least.argmax())
        if least[t] > -1e-6:
            corners[i] = triangles[t]
            shares[i] = 1 - of_b[t] - of_c[t], of_b[t], of_c[t]
    return corners, shares
