"""What the landmark models see in one photo: the input of every later step of the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import crop as cropping
from avatar_service.portrait import landmark_nets, matte, topology
from avatar_service.portrait.head_frame import HeadFrame, fit_head_frame
from avatar_service.portrait.image_file import LoadedImage
from avatar_service.portrait.landmark_nets import Detection, Float64Array
from avatar_service.portrait.lip_opening import snap_to_opening
from avatar_service.portrait.lip_seam import snap_to_seam
from avatar_service.portrait.mouth_colours import is_opening_seen
from avatar_service.portrait.pixels import AREA, resize
from avatar_service.signals import Float32Array, UInt8Array

MIN_PRESENCE: Final = 0.5
MIN_FACE_PX: Final = 64
MAX_SOURCE_YAW_DEGREES: Final = 30.0
OPEN_LIP_GAP: Final = 0.035
"""Inner lips further apart than this (units) count as an open mouth."""

_CONTOUR_WEIGHT, _CONTOUR_HALO_WEIGHT, _CONTOUR_POINTS, _HALO_END = 0.85, 0.6, 16, 47
_LASH_SHARE: Final = 0.07
"""The upper lid ring is moved this far into the eye, so that the lashes belong to the lid."""


@dataclass(frozen=True, slots=True)
class FaceFit:
    """One photo, cropped, with all that was found in it.

    Convention:
        Frame coordinates: px of the frame, x right, y down, pixel centres at integers; z away from
        the camera in the same unit. A point p of the frame lies at 2 * p + 0.5 of image2x.

    Attributes:
        image: (S, S, 3) uint8 RGB, the frame.
        image2x: (2S, 2S, 3) uint8 RGB, the frame at twice the size; real detail where the photo
            has it.
        alpha: (S, S) float32, coverage of the person, 0..1.
        canvas2x: (2C, 2C, 3) uint8, image2x with a margin of 2 * margin_px on every side.
        canvas_alpha: (C, C) float32, alpha with a margin of margin_px on every side.
        margin_px: of the frame.
        landmarks: (468, 3) float64 in frame px.
        eye_contours: (2, 71, 3) float64, index 0 = the subject's right eye (image left); rows as
            topology.EYE_CONTOUR_LANDMARKS (for the left eye: their mirror).
        iris: (2, 5, 3) float64, centre and four extremes, index 0 = the subject's right eye.
        head: the head's axes at rest.
        lip_gap: largest distance of the inner lips at the middle, units.
        is_mouth_open: whether teeth or the mouth's inside are seen.
        smile: how much the source smiles, 0..1, by the elevation of the mouth's corners.
        notices: remarks for the user, e.g. that the photo shows several people.
    """

    image: UInt8Array
    image2x: UInt8Array
    alpha: Float32Array
    canvas2x: UInt8Array
    canvas_alpha: Float32Array
    margin_px: int
    landmarks: Float64Array
    eye_contours: Float64Array
    iris: Float64Array
    head: HeadFrame
    lip_gap: float
    is_mouth_open: bool
    smile: float
    notices: tuple[str, ...] = ()

    @property
    def size_px(self) -> int:
        """Side of the frame."""
        return int(self.image.shape[0])


def fit_face(
    photo: LoadedImage, *, crop: cropping.CropPolicy = "face", size_px: int = 512
) -> FaceFit:
    """Find the face, crop, and fit landmarks, irises, matte and head axes.

    Raises:
        AvatarError: NO_FACE, FACE_TOO_SMALL, FACE_TURNED_AWAY, or MODELS_NOT_AVAILABLE.
    """
    rough, notices = _find_best_face(photo.pixels)
    square = cropping.choose_square(rough, photo.pixels.shape, crop)
    margin_px = size_px // cropping.MARGIN_PARTS
    canvas_px = size_px + 2 * margin_px
    canvas2x = cropping.cut_canvas(photo.pixels, square, 2 * canvas_px)
    canvas = resize(canvas2x, (canvas_px, canvas_px), AREA)
    inside = slice(margin_px, margin_px + size_px)
    inside2x = slice(2 * margin_px, 2 * (margin_px + size_px))
    image2x = np.ascontiguousarray(canvas2x[inside2x, inside2x])

    start = cropping.to_frame(rough, square, size_px)
    landmarks, eye_contours, iris = _fit_precisely(image2x, start)
    head = fit_head_frame(landmarks)
    _check_turn(head)
    lip_gap = float((head.to_head(landmarks[14]) - head.to_head(landmarks[13]))[1])
    is_mouth_open = lip_gap > OPEN_LIP_GAP and is_opening_seen(
        image2x.astype(np.float32), landmarks
    )
    if is_mouth_open:
        landmarks = snap_to_opening(image2x, landmarks, head)
        lip_gap = float((head.to_head(landmarks[14]) - head.to_head(landmarks[13]))[1])
    else:
        landmarks = snap_to_seam(image2x, landmarks, head)
    landmarks = _include_lashes(landmarks)
    if photo.alpha is None:
        canvas_alpha = matte.person_alpha(canvas, landmarks + [margin_px, margin_px, 0])
    else:
        canvas_alpha = cropping.cut_alpha(photo.alpha, square, canvas_px)
    return FaceFit(
        image=np.ascontiguousarray(canvas[inside, inside]),
        image2x=image2x,
        alpha=np.ascontiguousarray(canvas_alpha[inside, inside]),
        canvas2x=canvas2x,
        canvas_alpha=canvas_alpha,
        margin_px=margin_px,
        landmarks=landmarks,
        eye_contours=eye_contours,
        iris=iris,
        head=head,
        lip_gap=max(lip_gap, 0.0),
        is_mouth_open=is_mouth_open,
        smile=_smile_of(head.to_head(landmarks)),
        notices=notices,
    )


def _find_best_face(image: UInt8Array) -> tuple[Float64Array, tuple[str, ...]]:
    """Return the landmarks of the best face in photo px, and notices."""
    detections = landmark_nets.detect_faces(image)
    for detection in detections:
        landmarks, presence = landmark_nets.find_landmarks(
            image, detection.center, float(detection.size.max()) * 1.5, detection.angle
        )
        if presence >= MIN_PRESENCE:
            break
    else:
        raise AvatarError(
            Reason.NO_FACE,
            "No human face was found in the photo. Use one that shows a face from the front.",
            field="photo",
        )
    face_px = float((landmarks[:, :2].max(0) - landmarks[:, :2].min(0)).max())
    if face_px < MIN_FACE_PX:
        raise AvatarError(
            Reason.FACE_TOO_SMALL,
            f"The face is {face_px:.0f} px high; at least {MIN_FACE_PX} px are needed. "
            "Use a larger photo or a closer one.",
            field="photo",
        )
    return landmarks, _notices_on(detections, detection)


def _notices_on(detections: list[Detection], chosen: Detection) -> tuple[str, ...]:
    if len(detections) < 2:
        return ()
    x, y = chosen.center
    return (
        f"The photo shows {len(detections)} faces; the most distinct one is used, "
        f"at x {x:.0f}, y {y:.0f}.",
    )


def _fit_precisely(
    image2x: UInt8Array, start: Float64Array
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Fit landmarks and eyes on the enlarged frame; all results in frame px."""
    grown = 2 * start
    grown[:, :2] += 0.5
    landmarks, _ = landmark_nets.find_landmarks(image2x, *landmark_nets.region_of(grown), passes=2)
    flipped = landmark_nets.find_landmarks_flipped(image2x, landmarks)
    landmarks = (landmarks + flipped[topology.MIRROR]) / 2
    contours, irises = [], []
    for is_left in (False, True):
        contour, iris = landmark_nets.find_eye(image2x, landmarks, is_left=is_left)
        numbers = topology.EYE_CONTOUR_LANDMARKS[:_HALO_END]
        rows = np.array(topology.mirrored(numbers) if is_left else numbers)
        weight = np.where(
            np.arange(_HALO_END) < _CONTOUR_POINTS, _CONTOUR_WEIGHT, _CONTOUR_HALO_WEIGHT
        )[:, None]
        landmarks[rows, :2] += weight * (contour[:_HALO_END, :2] - landmarks[rows, :2])
        contours.append(contour)
        irises.append(iris)
    return _halve(landmarks), _halve(np.stack(contours)), _halve(np.stack(irises))


def _halve(points: Float64Array) -> Float64Array:
    halved = points / 2
    halved[..., :2] -= 0.25
    return halved


def _check_turn(head: HeadFrame) -> None:
    degrees = abs(np.degrees(head.yaw))
    if degrees > MAX_SOURCE_YAW_DEGREES:
        raise AvatarError(
            Reason.FACE_TURNED_AWAY,
            f"The face is turned {degrees:.0f} degrees to the side; at most "
            f"{MAX_SOURCE_YAW_DEGREES:.0f} are allowed. Use a photo from the front.",
            field="photo",
        )


def _include_lashes(landmarks: Float64Array) -> Float64Array:
    result = landmarks.copy()
    for mirror in (tuple, topology.mirrored):
        upper = list(mirror(topology.LID_UPPER[1:-1]))
        lower = list(mirror(topology.LID_LOWER[1:-1]))
        result[upper] += _LASH_SHARE * (landmarks[lower] - landmarks[upper])
    return result


def _smile_of(points: Float64Array) -> float:
    """Judge a smile by how far the corners lie above the middle of the outer lips.

    Mouth width alone mistakes wide neutral mouths for smiles.
    """
    corners = points[[61, 291], 1].mean()
    middle = points[[0, 17], 1].mean()
    opening = points[14, 1] - points[13, 1]  # an open jaw lowers the middle without a smile
    return float(np.clip((middle - corners - opening / 2 - 0.015) / 0.05, 0, 1))
