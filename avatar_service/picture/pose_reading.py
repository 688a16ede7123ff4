"""The head's pose as its pixels show it, without what a landmark model believes.

A picture is turned back by the pose that is supposed, over the face's own relief; where that is
right, it lies on the resting picture. What spots of skin (Lucas and Kanade 1981) are still off by
corrects the pose, and the picture is turned back anew. As the last turn back leaves nothing to
follow, neither the size of the windows nor perspective inside them bends the reading. The relief
is the rig's: the reading tells whether the picture turns as the rig was asked to, not whether the
rig is as deep as the person.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.schema import NUM_EXPRESSIONS
from avatar_service.signals import UInt8Array
from avatar_service.tracking.capture import FaceFitter
from avatar_service.tracking.face_rig import HeadPose
from avatar_service.tracking.pose_fit import FaceFitted, Points, fit_pose
from avatar_service.tracking.skin_points import even_light

_ROUNDS: Final = 5
_WINDOW_PX: Final = 15
_MAX_RETURN_PX: Final = 0.5
"""A spot followed there and back must come home within this."""
_MIN_SPOTS: Final = 8
_OUTSIDE: Final = -10.0
_FOLLOW: Final[dict[str, Any]] = {
    "winSize": (_WINDOW_PX, _WINDOW_PX),
    "maxLevel": 1,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.005),
}


class PoseReader:
    """Reads poses of one portrait's pictures.

    Args:
        fitter: gives the rig, the spots and a pose to begin with.
        rest: (S, S, 3) the picture of the resting head, S = the portrait's frame.
    """

    def __init__(self, fitter: FaceFitter, rest: UInt8Array) -> None:
        self._rig = rig = fitter.rig
        self._rest = rest
        self._even_rest = even_light(rest)
        points = rig.reference.landmarks[:, :2]
        depth_at = LinearNDInterpolator(points, rig.landmarks[:, 2])
        rows, columns = np.mgrid[: rest.shape[0], : rest.shape[1]]
        depth = depth_at(columns, rows)
        self._is_face: NDArray[np.bool_] = np.isfinite(depth)
        places = np.stack([columns[self._is_face], rows[self._is_face]], 1).astype(np.float64)
        self._relief = rig.unproject(places, depth[self._is_face])
        spots = fitter.skin_spots
        spot_depth = depth_at(spots)
        known = np.isfinite(spot_depth)
        self._spots = np.ascontiguousarray(spots[known][:, None], np.float32)
        self._spot_points = rig.unproject(spots[known], spot_depth[known])

    def read(self, picture: UInt8Array, start: HeadPose) -> HeadPose | None:
        """Return the pose of a picture; None where too little skin is found again.

        Args:
            picture: (S, S, 3) uint8.
            start: a pose near it.
        """
        pose, rig = start, self._rig
        still = np.zeros(NUM_EXPRESSIONS)
        deltas = np.zeros((len(self._spots), *rig.deltas.shape[1:]))
        for _ in range(_ROUNDS):
            seen, is_found = self._follow(picture, pose)
            if is_found.sum() < _MIN_SPOTS:
                return None
            points = Points(self._spot_points, deltas, seen, is_found.astype(np.float64))
            pose = fit_pose(rig, points, FaceFitted(pose, still, 0.0), iterations=6).pose
        return pose

    def _follow(
        self, picture: UInt8Array, pose: HeadPose
    ) -> tuple[Float64Array, NDArray[np.bool_]]:
        """Return where the spots lie in a picture, (P, 2), and which were found."""
        source = np.full((*self._rest.shape[:2], 2), _OUTSIDE, np.float32)
        source[self._is_face] = self._rig.project(self._rig.pose(self._relief, pose))
        back = np.asarray(
            cv2.remap(picture, source[..., 0], source[..., 1], cv2.INTER_CUBIC), np.uint8
        )
        back[~self._is_face] = self._rest[~self._is_face]
        now = even_light(back)
        there, found, _ = cv2.calcOpticalFlowPyrLK(
            self._even_rest, now, self._spots, self._spots.copy(), **_FOLLOW
        )
        home, returned, _ = cv2.calcOpticalFlowPyrLK(
            now, self._even_rest, there, there.copy(), **_FOLLOW
        )
        x, y = there[:, 0, 0], there[:, 0, 1]
        seen = np.stack(
            [cv2.remap(source[..., k], x, y, cv2.INTER_LINEAR).ravel() for k in (0, 1)], 1
        ).astype(np.float64)
        is_good = (found[:, 0] > 0) & (returned[:, 0] > 0)
        is_good &= np.hypot(*(home - self._spots)[:, 0].T) < _MAX_RETURN_PX
        is_good &= np.isfinite(seen).all(1) & (seen > 0).all(1)
        return np.where(is_good[:, None], seen, 0.0), is_good
