"""The four landmark networks behind one function each: detect, landmarks, iris, segmentation.

Convention:
    Images are (height, width, 3) uint8 RGB. Points are in pixels of that image, x right, y down,
    pixel centres at integers; z is in the same unit, away from the camera.

The input sizes, anchors and output layouts are those of the model cards of MediaPipe
(https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker and the BlazeFace, Face Mesh
and Iris papers: arXiv 1907.05047, 1907.06724, 2006.11341).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import models
from avatar_service.portrait.pixels import AREA, CUBIC, gaussian, resize
from avatar_service.signals import Float32Array, UInt8Array

Float64Array = NDArray[np.float64]

NUM_LANDMARKS: Final = 468
LANDMARK_INPUT_PX: Final = 192
IRIS_INPUT_PX: Final = 64
SEGMENTATION_INPUT_PX: Final = 256
FACE_ROI_SCALE: Final = 1.5
"""Landmark crops are this many times the face's box."""
EYE_ROI_SCALE: Final = 2.3
"""Eye crops are this many times the distance of the eye's corners."""

_OUTER_RIGHT, _OUTER_LEFT, _INNER_RIGHT, _INNER_LEFT = 33, 263, 133, 362


@dataclass(frozen=True, slots=True)
class Detection:
    """One detected face.

    Attributes:
        score: 0..1.
        center: (2,) middle of the box, px.
        size: (2,) width and height of the box, px.
        angle: of the line between the eyes, radians, positive clockwise in the image.
    """

    score: float
    center: Float64Array
    size: Float64Array
    angle: float


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep LiteRT's notices (which delegate it made) off the user's terminal; it has no switch."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class _Net:
    """One interpreter; the interpreter keeps state, so calls take turns."""

    def __init__(self, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        path = models.models_dir() / name
        if not path.is_file():
            raise AvatarError(
                Reason.MODELS_NOT_AVAILABLE,
                "The landmark models are not installed. Run `avatar models fetch`.",
            )
        try:
            with _quiet_stderr():
                self._interpreter: Any = Interpreter(str(path), num_threads=1)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise AvatarError(
                Reason.MODELS_NOT_AVAILABLE,
                f"The landmark model {name} is damaged. Delete {path.parent} and run "
                "`avatar models fetch`.",
            ) from error
        self._input: int = self._interpreter.get_input_details()[0]["index"]
        self._outputs: list[int] = [d["index"] for d in self._interpreter.get_output_details()]
        self._lock = threading.Lock()

    def __call__(self, image: Float32Array) -> dict[int, Float32Array]:
        """Run on (height, width, 3) float32; returns the outputs by their number of elements."""
        with self._lock:
            self._interpreter.set_tensor(self._input, image[None])
            self._interpreter.invoke()
            outputs = [self._interpreter.get_tensor(index)[0] for index in self._outputs]
        return {int(output.size): output for output in outputs}


@cache
def _net(name: str) -> _Net:
    return _Net(name)


@cache
def _anchors(input_px: int, layers: tuple[tuple[int, int], ...]) -> Float64Array:
    """Centres of the SSD anchors, 0..1, (anchors, 2); layers are (stride, anchors per cell)."""
    parts = []
    for stride, per_cell in layers:
        cells = (np.arange(input_px // stride) + 0.5) / (input_px // stride)
        grid = np.stack(np.meshgrid(cells, cells), -1).reshape(-1, 2)
        parts.append(np.repeat(grid, per_cell, axis=0))
    return np.concatenate(parts)


def detect_faces(image: UInt8Array, *, min_score: float = 0.5) -> list[Detection]:
    """Find faces, best first; overlapping boxes are merged into the best of them."""
    found = _detect_with(
        image, "face_detection_short_range.tflite", 128, ((8, 2), (16, 6)), min_score
    )
    if not found or found[0].score < 0.75:
        # Small and far faces: the full-range model sees them better.
        found += _detect_with(
            image, "face_detection_full_range_sparse.tflite", 192, ((4, 1),), min_score
        )
    found.sort(key=lambda detection: -detection.score)
    kept: list[Detection] = []
    for detection in found:
        distances = (np.hypot(*(detection.center - other.center)) for other in kept)
        sizes = (max(detection.size.max(), other.size.max()) for other in kept)
        if all(d > 0.6 * s for d, s in zip(distances, sizes, strict=True)):
            kept.append(detection)
    return kept


def _detect_with(
    image: UInt8Array,
    name: str,
    input_px: int,
    layers: tuple[tuple[int, int], ...],
    min_score: float,
) -> list[Detection]:
    height, width = image.shape[:2]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    square = cv2.copyMakeBorder(
        image, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT
    )
    small = resize(np.asarray(square, np.uint8), (input_px, input_px), AREA)
    outputs = _net(name)(small.astype(np.float32) / np.float32(127.5) - np.float32(1))
    anchors = _anchors(input_px, layers)
    count = len(anchors)
    boxes = outputs[count * 16].reshape(count, 16)
    scores = 1 / (1 + np.exp(-np.clip(outputs[count].reshape(count), -80, 80)))
    found = []
    for i in np.flatnonzero(scores >= min_score):
        box = boxes[i].astype(np.float64) / input_px
        points = (box[4:].reshape(6, 2) + anchors[i]) * side - [left, top]
        eyes = points[1] - points[0]
        found.append(
            Detection(
                score=float(scores[i]),
                center=(anchors[i] + box[:2]) * side - [left, top],
                size=box[2:4] * side,
                angle=float(np.arctan2(eyes[1], eyes[0])),
            )
        )
    return found


def find_landmarks(
    image: UInt8Array, center: Float64Array, size_px: float, angle: float, *, passes: int = 3
) -> tuple[Float64Array, float]:
    """Fit 468 landmarks, each pass on a crop set by the last one.

    Returns:
        landmarks (468, 3) and the presence of a face, 0..1, of the last pass.
    """
    landmarks, presence = _landmark_pass(image, center, size_px, angle)
    for _ in range(passes - 1):
        landmarks, presence = _landmark_pass(image, *region_of(landmarks))
    return landmarks, presence


def find_landmarks_flipped(image: UInt8Array, landmarks: Float64Array) -> Float64Array:
    """Fit the mirrored image once more near known landmarks; returned unmirrored in x only.

    Point i of the result is the landmark on the other side of the face: reorder by the topology's
    mirror map before averaging. The average has less noise than either fit.
    """
    center, size_px, angle = region_of(landmarks)
    right = image.shape[1] - 1
    mirrored = np.ascontiguousarray(image[:, ::-1])
    start = np.array([right - center[0], center[1]])
    flipped, _ = _landmark_pass(mirrored, start, size_px, -angle)
    flipped[:, 0] = right - flipped[:, 0]
    return flipped


def region_of(landmarks: Float64Array) -> tuple[Float64Array, float, float]:
    """Return centre, side and angle of the square crop for the next landmark pass."""
    eyes = landmarks[_OUTER_LEFT, :2] - landmarks[_OUTER_RIGHT, :2]
    angle = float(np.arctan2(eyes[1], eyes[0]))
    cos, sin = np.cos(angle), np.sin(angle)
    upright = np.array([[cos, sin], [-sin, cos]])
    points = landmarks[:, :2] @ upright.T
    low, high = points.min(0), points.max(0)
    return upright.T @ ((low + high) / 2), float((high - low).max() * FACE_ROI_SCALE), angle


def find_eye(
    image: UInt8Array, landmarks: Float64Array, *, is_left: bool
) -> tuple[Float64Array, Float64Array]:
    """Fit one eye: 71 contour points and 5 iris points (centre, then the four extremes).

    The order of the contour is the same for both eyes, outer corner first; see
    topology.EYE_CONTOUR_LANDMARKS.
    """
    outer, inner = (_OUTER_LEFT, _INNER_LEFT) if is_left else (_OUTER_RIGHT, _INNER_RIGHT)
    corners = landmarks[[outer, inner], :2]
    size_px = float(np.hypot(*(corners[1] - corners[0])) * EYE_ROI_SCALE)
    _, _, angle = region_of(landmarks)
    crop, image_from_crop = _crop(image, corners.mean(0), size_px, angle, IRIS_INPUT_PX)
    if is_left:
        crop = crop[:, ::-1]  # the net knows one eye only
    outputs = _net("iris_landmark.tflite")(np.ascontiguousarray(crop, np.float32) / np.float32(255))
    results = []
    for count in (71, 5):
        points = outputs[count * 3].reshape(count, 3).astype(np.float64)
        if is_left:
            points[:, 0] = IRIS_INPUT_PX - 1 - points[:, 0]
        results.append(_to_image(points, image_from_crop, size_px / IRIS_INPUT_PX))
    return results[0], results[1]


def segment_person(image: UInt8Array) -> Float32Array:
    """Return the probability of the person, (height, width) float32, 0..1."""
    side = SEGMENTATION_INPUT_PX
    small = resize(image, (side, side), AREA).astype(np.float32)
    mask = _net("selfie_segmentation.tflite")(small / np.float32(255))[side * side].reshape(
        side, side
    )
    height, width = image.shape[:2]
    return np.clip(resize(mask, (width, height), CUBIC), 0, 1)


def _landmark_pass(
    image: UInt8Array, center: Float64Array, size_px: float, angle: float
) -> tuple[Float64Array, float]:
    crop, image_from_crop = _crop(image, center, size_px, angle, LANDMARK_INPUT_PX)
    outputs = _net("face_landmark.tflite")(crop.astype(np.float32) / np.float32(255))
    points = outputs[NUM_LANDMARKS * 3].reshape(NUM_LANDMARKS, 3).astype(np.float64)
    presence = 1 / (1 + np.exp(-float(outputs[1].ravel()[0])))
    return _to_image(points, image_from_crop, size_px / LANDMARK_INPUT_PX), presence


def _crop(
    image: UInt8Array, center: Float64Array, size_px: float, angle: float, side: int
) -> tuple[UInt8Array, Float64Array]:
    scale = size_px / side
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    half = (side - 1) / 2
    image_from_crop = np.array(
        [
            [cos, -sin, center[0] - (cos - sin) * half],
            [sin, cos, center[1] - (sin + cos) * half],
        ]
    )
    if scale > 1.5:
        # Bilinear sampling at this step would alias: blur to the new pixel size first.
        image = gaussian(image, 0.4 * scale)
    crop = cv2.warpAffine(
        image,
        image_from_crop,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8), image_from_crop


def _to_image(points: Float64Array, image_from_crop: Float64Array, scale: float) -> Float64Array:
    result = points.copy()
    result[:, :2] = points[:, :2] @ image_from_crop[:, :2].T + image_from_crop[:, 2]
    result[:, 2] = points[:, 2] * scale
    return result
