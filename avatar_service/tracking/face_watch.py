"""One face followed through pictures by the portrait's own landmark models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.portrait import landmark_nets, topology
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.signals import UInt8Array

MIN_PRESENCE: Final = 0.5
"""Below it the landmark model says that it looks at no face (as in portrait/face_fit.py)."""
_LID_POINTS: Final = 16
_DETECTION_SCALE: Final = 1.5
"""Landmark crops are this many times a detected box (MediaPipe's face_landmark graph)."""


@dataclass(frozen=True, slots=True)
class FaceSeen:
    """What the landmark models see in one picture; index 0 of pairs = the subject's right eye.

    Attributes:
        landmarks: (468, 3) float64 px of the picture; z of the model, away from the camera.
        lids: (2, 16, 2) px: lower margin outer to inner corner (9), then the upper one (7), rows as
            topology.EYE_CONTOUR_LANDMARKS.
        irises: (2, 2) px, centres.
        presence: 0..1, how sure the model is that this is a face.
    """

    landmarks: Float64Array
    lids: Float64Array
    irises: Float64Array
    presence: float

    def mapped(self, scale: float, shift: Float64Array) -> FaceSeen:
        """Return it in other pixels: point * scale + shift, pixel centres at integers."""
        landmarks = self.landmarks * scale
        landmarks[:, :2] += shift
        return FaceSeen(
            landmarks, self.lids * scale + shift, self.irises * scale + shift, self.presence
        )


class FaceWatch:
    """Finds the face and follows it from picture to picture."""

    def __init__(self) -> None:
        self._last: Float64Array | None = None

    def look(self, picture: UInt8Array) -> FaceSeen | None:
        """Return what is seen of the face, or None where there is none.

        Args:
            picture: (height, width, 3) uint8 RGB.
        """
        start = self._follow(picture) if self._last is not None else None
        if start is None:
            start = _find(picture)
        if start is None:
            self._last = None
            return None
        # The crop decides a little about the result: fit on the crop that the landmarks themselves
        # set, and average with the flipped picture's fit, which errs the other way.
        landmarks, presence = landmark_nets.find_landmarks(
            picture, *landmark_nets.region_of(start), passes=1
        )
        if presence < MIN_PRESENCE:
            self._last = None
            return None
        flipped = landmark_nets.find_landmarks_flipped(picture, landmarks)
        landmarks = (landmarks + flipped[topology.MIRROR]) / 2
        self._last = landmarks
        lids, irises = [], []
        for is_left in (False, True):
            contour, iris = landmark_nets.find_eye(picture, landmarks, is_left=is_left)
            lids.append(contour[:_LID_POINTS, :2])
            irises.append(iris[0, :2])
        return FaceSeen(landmarks, np.stack(lids), np.stack(irises), presence)

    def _follow(self, picture: UInt8Array) -> Float64Array | None:
        assert self._last is not None
        landmarks, presence = landmark_nets.find_landmarks(
            picture, *landmark_nets.region_of(self._last), passes=1
        )
        return landmarks if presence >= MIN_PRESENCE else None


def _find(picture: UInt8Array) -> Float64Array | None:
    for detection in landmark_nets.detect_faces(picture):
        landmarks, presence = landmark_nets.find_landmarks(
            picture,
            detection.center,
            float(detection.size.max()) * _DETECTION_SCALE,
            detection.angle,
            passes=2,
        )
        if presence >= MIN_PRESENCE:
            return landmarks
    return None
