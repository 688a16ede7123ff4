"""A video's face as a motion track: the order of steps of performance capture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.track import MotionTrack
from avatar_service.portrait import topology
from avatar_service.portrait.crop import MARGIN_PARTS, Square, choose_square
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.pixels import AREA, LINEAR, resize
from avatar_service.portrait.portrait import Portrait
from avatar_service.schema import EXPRESSION_INDEX, NUM_EMOTIONS, NUM_EXPRESSIONS
from avatar_service.signals import UInt8Array
from avatar_service.tracking.eyes_fit import EyesFit, sampler
from avatar_service.tracking.face_rig import FaceRig, HeadPose
from avatar_service.tracking.face_watch import FaceSeen, FaceWatch
from avatar_service.tracking.pose_fit import FaceFitted, Points, fit_pose, landmark_points
from avatar_service.tracking.skin_points import SkinPoints
from avatar_service.tracking.smoothing import fill_gaps, hold, smooth
from avatar_service.tracking.video import Picture, VideoClip

ReferenceChoice = Literal["neutral", "first"]
"""Which picture the rig is made of, and so is rest: the calmest of the beginning, or the first."""
Refine = Callable[[UInt8Array, HeadPose], HeadPose | None]
"""Is given a picture and its pose, and returns a better one where it can."""
Advance = Callable[[str, int, int], None]
"""Told what is being done, frames done, frames in all (0 = unknown)."""

_SEARCH_SECS: Final = 10.0
_SEARCH_EVERY: Final = 5
_HEAD_WINDOW_SECS: Final = 0.20
_FACE_WINDOW_SECS: Final = 0.20
_VERGENCE_WINDOW_SECS: Final = 1.0
_ITERATIONS_BEFORE, _ITERATIONS_AFTER = 2, 3
_SPOT_WEIGHT: Final = 40.0
"""A spot of skin counts as so many landmarks: its error is about a third of one's."""
_LID_NAMES: Final = ("eyeBlink", "eyeSquint", "eyeWide")


@dataclass(frozen=True, slots=True)
class Reference:
    """The picture that is rest, and the portrait made of it.

    Attributes:
        portrait: its frame is `square` of the video's pictures.
        square: of the video's pictures, px.
        pts_nanos: when it stands in the clip.
        seen: what the tracker sees in it, px of the portrait's frame.
    """

    portrait: Portrait
    square: Square
    pts_nanos: int
    seen: FaceSeen

    def to_frame(self, seen: FaceSeen) -> FaceSeen:
        """Carry what is seen in a picture of the video to the portrait's frame."""
        return _to_frame(seen, self.square, self.portrait.size_px)


@dataclass(frozen=True, slots=True)
class RawFit:
    """What was fitted in each picture, before anything is filled in or smoothed; N frames.

    Attributes:
        pts_nanos: (N,).
        is_seen: (N,) whether there was a face.
        expression: (N, 52).
        rotation, translation: (N, 3).
        gaze: (N, 2, 2), NaN while the lids hide the iris.
        error: (N,) reprojection error, units.
    """

    pts_nanos: NDArray[np.int64]
    is_seen: NDArray[np.bool_]
    expression: Float64Array
    rotation: Float64Array
    translation: Float64Array
    gaze: Float64Array
    error: Float64Array


@dataclass(frozen=True, slots=True)
class Capture:
    """A tracked video.

    Attributes:
        track: the motion, smoothed, gaps held.
        raw: the fit of each frame.
        reference: what it is measured against.
    """

    track: MotionTrack
    raw: RawFit
    reference: Reference

    def report(self) -> dict[str, Any]:
        """Return figures for people and scripts."""
        times = self.raw.pts_nanos / 1e9
        seen = self.raw.is_seen
        edges = np.flatnonzero(np.diff(np.concatenate([[0], (~seen).astype(int), [0]])))
        gaps = [
            {"from_secs": round(float(times[a]), 3), "frames": int(b - a)}
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]
        geometry = self.reference.portrait.geometry
        return {
            "frames": len(times),
            "fps": round(float(self.track.frame_rate), 3),
            "seconds": round(float(times[-1]), 3),
            "frames_without_face": int((~seen).sum()),
            "held": gaps,
            "reference_secs": round(self.reference.pts_nanos / 1e9, 3),
            "reference_yaw_degrees": round(float(np.degrees(geometry.source_yaw)), 2),
            "reference_pitch_degrees": round(float(np.degrees(geometry.source_pitch)), 2),
            "fit_error_units_p50": round(float(np.median(self.raw.error[seen])), 5),
            "fit_error_units_p95": round(float(np.percentile(self.raw.error[seen], 95)), 5),
        }


@dataclass(frozen=True, slots=True)
class PictureFit:
    """The latent of one picture, not smoothed.

    Attributes:
        expression: (52,).
        rotation: (3,) yaw, pitch, roll, radians.
        translation: (3,) units.
        gaze: (2, 2) radians, NaN where the lids hide the iris.
        opening: (2,) of the lids, left and right, share of the reference's.
        error: weighted reprojection error, units.
    """

    expression: Float64Array
    rotation: Float64Array
    translation: Float64Array
    gaze: Float64Array
    opening: Float64Array
    error: float

    def row(self) -> Float64Array:
        """Return all but the opening in one row."""
        return np.concatenate(
            [
                *(self.expression, self.rotation, self.translation),
                *(self.gaze.ravel(), np.array([self.error])),
            ]
        )


class FaceFitter:
    """Fits pictures in turn against one rig; each starts from the last one's fit.

    Args:
        portrait: the rig.
        reference: what the tracker sees in the portrait's own photo, px of its frame.
        with_skin: follow spots of skin too; without, the landmarks alone are believed.
    """

    def __init__(self, portrait: Portrait, reference: FaceSeen, *, with_skin: bool = True) -> None:
        self.rig = FaceRig.of(portrait, reference)
        self._eyes = EyesFit(self.rig)
        self._skin = SkinPoints(self.rig) if with_skin else None
        self._last: FaceFitted | None = None

    @property
    def skin_spots(self) -> Float64Array:
        """Where the spots of skin are in the reference, (P, 2) frame px."""
        return np.zeros((0, 2)) if self._skin is None else self._skin.spots

    def fit(self, seen: FaceSeen, view: UInt8Array, refine: Refine | None = None) -> PictureFit:
        """Fit one picture.

        Args:
            seen: px of the portrait's frame.
            view: (S, S, 3) uint8 RGB, the picture cut to the portrait's frame.
            refine: is given the picture and the pose and may return a better one.
        """
        rig, skin = self.rig, self._skin
        landmarks = landmark_points(rig, seen.landmarks[:, :2])
        face = fit_pose(rig, landmarks, self._last, iterations=_ITERATIONS_BEFORE)
        if skin is not None and len(skin):
            shapes, _ = rig.shapes_of(face.expression, np.zeros((2, 2)))
            expected = rig.project(rig.pose(skin.rest + skin.deltas @ shapes, face.pose))
            spots, is_found = skin.follow(view, expected)
            more = Points(skin.rest, skin.deltas, spots, np.where(is_found, _SPOT_WEIGHT, 0.0))
            face = fit_pose(rig, landmarks.and_more(more), face, iterations=_ITERATIONS_AFTER)
        better = None if refine is None else refine(view, face.pose)
        if better is not None:
            face = replace(face, pose=better)
        self._last = face

        eyes = self._eyes.fit(seen, face, sampler(view))
        expression = face.expression.copy()
        for name, value in eyes.lids.items():
            expression[EXPRESSION_INDEX[name]] = value
        return PictureFit(
            expression=expression,
            rotation=rig.head_rotation(face.pose),
            translation=rig.head_translation(face.pose),
            gaze=eyes.gaze,
            opening=eyes.opening,
            error=face.error,
        )


def capture_video(
    clip: VideoClip,
    *,
    reference: ReferenceChoice = "neutral",
    size_px: int = 512,
    advance: Advance = lambda what, done, total: None,
) -> Capture:
    """Track a face through a video; pictures are read one at a time and not kept.

    Args:
        clip: the video.
        reference: see ReferenceChoice.
        size_px: side of the portrait's frame.
        advance: for a progress bar.

    Raises:
        AvatarError: INVALID_FILE, NO_FACE, FACE_TOO_SMALL, FACE_TURNED_AWAY, INVALID_FIELD or
            MODELS_NOT_AVAILABLE.
    """
    rest = find_reference(clip, reference, size_px=size_px, advance=advance)
    watch, fitter = FaceWatch(), FaceFitter(rest.portrait, rest.seen)
    times: list[int] = []
    is_seen: list[bool] = []
    rows: list[Float64Array] = []
    size = NUM_EXPRESSIONS + 3 + 3 + 4 + 1
    for picture in clip.pictures():
        seen = watch.look(picture.pixels)
        times.append(picture.pts_nanos)
        is_seen.append(seen is not None)
        if seen is None:
            rows.append(np.full(size, np.nan))
        else:
            view = cut_square(picture.pixels, rest.square, size_px)
            rows.append(fitter.fit(rest.to_frame(seen), view).row())
        advance("tracking", len(rows), clip.num_frames_hint)
    table = np.array(rows)
    parts = np.split(table, np.cumsum([NUM_EXPRESSIONS, 3, 3, 4]), axis=1)
    raw = RawFit(
        pts_nanos=np.array(times, np.int64),
        is_seen=np.array(is_seen),
        expression=parts[0],
        rotation=parts[1],
        translation=parts[2],
        gaze=parts[3].reshape(-1, 2, 2),
        error=parts[4][:, 0],
    )
    return Capture(track_of(raw, fitter.rig, clip), raw, rest)


def track_of(raw: RawFit, rig: FaceRig, clip: VideoClip) -> MotionTrack:
    """Fill in, smooth without lag, and derive eyeLook* from the gaze."""
    times = raw.pts_nanos / 1e9
    expression = hold(raw.expression, raw.is_seen)
    rotation = smooth(hold(raw.rotation, raw.is_seen), times, _HEAD_WINDOW_SECS)
    translation = smooth(hold(raw.translation, raw.is_seen), times, _HEAD_WINDOW_SECS)
    smoothed = smooth(expression, times, _FACE_WINDOW_SECS)
    for name in _LID_NAMES:
        # A blink is over within the window.
        for side in ("Left", "Right"):
            k = EXPRESSION_INDEX[name + side]
            smoothed[:, k] = expression[:, k]
    gaze = _joint_gaze(raw.gaze, times)
    shown = np.array([rig.shapes_of(e, g)[1] for e, g in zip(smoothed, gaze, strict=True)])
    count = len(times)
    return MotionTrack(
        pts_nanos=raw.pts_nanos,
        expression=np.clip(shown, 0, None).astype(np.float32),
        head_rotation=rotation.astype(np.float32),
        head_translation=translation.astype(np.float32),
        gaze=gaze.astype(np.float32),
        speech=np.zeros(count, np.float32),
        emotion=np.zeros((count, NUM_EMOTIONS), np.float32),
        frame_rate=clip.frame_rate,
    )


def _joint_gaze(gaze: Float64Array, times_secs: Float64Array) -> Float64Array:
    """Both eyes look at one thing: share the direction, keep the vergence, which changes slowly."""
    known = np.isfinite(gaze[..., 0]) & np.isfinite(gaze[..., 1])
    both = known[:, 0] & known[:, 1]
    count = known.sum(1)
    filled = np.where(known[..., None], gaze, 0.0)
    mean = filled.sum(1) / np.maximum(count, 1)[:, None]
    apart = (gaze[:, 0] - gaze[:, 1]) / 2
    mean = fill_gaps(mean, count > 0, times_secs)
    apart = smooth(fill_gaps(apart, both, times_secs), times_secs, _VERGENCE_WINDOW_SECS)
    return np.stack([mean + apart, mean - apart], 1)


def find_reference(
    clip: VideoClip,
    choice: ReferenceChoice,
    *,
    size_px: int = 512,
    advance: Advance = lambda what, done, total: None,
) -> Reference:
    """Choose the picture that is rest and make its portrait; arguments as capture_video."""
    if choice not in get_args(ReferenceChoice):
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"Unknown reference '{choice}'; use neutral or first.",
            field="reference",
        )
    watch = FaceWatch()
    best: tuple[float, Picture, FaceSeen] | None = None
    last_secs = 0.0
    for number, picture in enumerate(clip.pictures()):
        last_secs = picture.pts_nanos / 1e9
        if best is not None and (choice == "first" or last_secs > _SEARCH_SECS):
            break
        # Without a face so far, every picture is looked at.
        if best is not None and number % _SEARCH_EVERY:
            continue
        seen = watch.look(picture.pixels)
        if seen is not None:
            unrest = _unrest(seen)
            if best is None or unrest < best[0]:
                best = (unrest, picture, seen)
        advance("choosing the reference", number, 0)
    if best is None:
        raise AvatarError(
            Reason.NO_FACE,
            f"{clip.path.name}: no face was found in {last_secs:.1f} s of video. "
            "Use one that shows a face from the front.",
            field="video",
        )
    _, picture, seen = best
    square = choose_square(seen.landmarks, picture.pixels.shape, "face")
    cut = cut_square(picture.pixels, square, max(size_px, square.side))
    ok, encoded = cv2.imencode(".png", cut[..., ::-1])
    if not ok:
        raise AvatarError(Reason.BUG, "the reference picture could not be encoded")
    # `keep`: the cut is the frame, whole, so that the video's pictures map onto it.
    portrait = Portrait.from_image(encoded.tobytes(), crop="keep", size_px=size_px, use_cache=False)
    return Reference(portrait, square, picture.pts_nanos, _to_frame(seen, square, size_px))


def cut_square(picture: UInt8Array, square: Square, side_px: int) -> UInt8Array:
    """Cut a square of a picture and scale it to (side_px, side_px, 3)."""
    side_px -= side_px % MARGIN_PARTS
    cut = picture[square.top : square.top + square.side, square.left : square.left + square.side]
    return resize(
        np.ascontiguousarray(cut), (side_px, side_px), AREA if side_px < square.side else LINEAR
    )


def _to_frame(seen: FaceSeen, square: Square, size_px: int) -> FaceSeen:
    scale = size_px / square.side
    shift = (0.5 - np.array([square.left, square.top])) * scale - 0.5
    return seen.mapped(scale, shift)


def _unrest(seen: FaceSeen) -> float:
    """Judge how far a face is from looking calmly into the camera, mouth shut, eyes open; units."""
    points = seen.landmarks
    right, left = points[list(topology.OUTER_EYE_CORNERS), :2]
    unit = float(np.hypot(*(left - right)))
    mouth = float(np.hypot(*(points[14, :2] - points[13, :2]))) / unit
    nose = points[topology.NOSE_TIP, :2]
    # A turned head moves the nose's tip off the middle of the eyes' corners.
    turned = abs(float(np.hypot(*(nose - right)) - np.hypot(*(nose - left)))) / unit
    open_lids = float(np.hypot(*(seen.lids[:, 12] - seen.lids[:, 4]).T).mean()) / unit
    return mouth + turned - 2 * min(open_lids, 0.15) + 2 * (1 - seen.presence)
