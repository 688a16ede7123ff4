"""Pictures that a person looks at: a contact sheet of poses and a strip of slow motion."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from avatar_service.export.pictures import contact_sheet
from avatar_service.picture.stage import Stage, pose_frame
from avatar_service.picture.still import slow_motion
from avatar_service.portrait import topology
from avatar_service.signals import Background, MotionFrame, UInt8Array

POSES: Final[tuple[tuple[str, MotionFrame], ...]] = (
    ("rest", pose_frame()),
    ("yaw -20", pose_frame(turn=(-20, 0, 0))),
    ("yaw +20", pose_frame(turn=(20, 0, 0))),
    ("pitch -15", pose_frame(turn=(0, -15, 0))),
    ("pitch +15", pose_frame(turn=(0, 15, 0))),
    ("roll +15", pose_frame(turn=(0, 0, 15))),
    ("yaw -15 pitch +10", pose_frame(turn=(-15, 10, 0))),
    ("nearer 0.75", pose_frame(shift=(0, 0, 2.5))),
    ("farther 1.2", pose_frame(shift=(0, 0, -2.0))),
    ("jawOpen .6", pose_frame(jawOpen=0.6)),
    ("mouthSmile .8", pose_frame(mouthSmile=0.8)),
    ("mouthFunnel .8 jaw .2", pose_frame(mouthFunnel=0.8, jawOpen=0.2)),
    ("mouthPucker .8", pose_frame(mouthPucker=0.8)),
    ("mouthClose jaw .3", pose_frame(mouthClose=0.3, jawOpen=0.3)),
    ("mouthPress .8", pose_frame(mouthPress=0.8)),
    ("mouthUpperUp lowerDown", pose_frame(mouthUpperUp=0.5, mouthLowerDown=0.5, jawOpen=0.1)),
    ("tongueOut jaw .4", pose_frame(tongueOut=0.8, jawOpen=0.4)),
    ("cheekPuff", pose_frame(cheekPuff=1.0)),
    ("browInnerUp", pose_frame(browInnerUp=1.0)),
    ("browDown noseSneer", pose_frame(browDown=0.8, noseSneer=0.6)),
    ("eyeBlink .5", pose_frame(eyeBlink=0.5)),
    ("eyeBlink 1", pose_frame(eyeBlink=1.0)),
    ("eyeWide", pose_frame(eyeWide=1.0)),
    ("gaze left down", pose_frame(gaze=(20, 10))),
)
_STRIP_HALF_UNITS: Final = 0.9
_STRIP_FRAMES: Final = 6


def pose_sheet(stage: Stage) -> UInt8Array:
    """Return the poses as one RGB picture, the last of them without the room."""
    frames = [stage.rgba(motion) for _, motion in POSES]
    labels = [label for label, _ in POSES]
    frames.append(stage.rgba(pose_frame(turn=(12, 0, 0)), Background.TRANSPARENT))
    labels.append("transparent")
    return contact_sheet(frames, labels, columns=5, tile_px=min(320, stage.size_px))


def slow_strip(stage: Stage) -> UInt8Array:
    """Return slow motion as one RGB picture: faces above, below them one line of the eyes in time.

    Each row of the lower part is the same line of the picture one step later, enlarged: texture
    that glides draws slanted lines, texture that snaps draws stairs.
    """
    frames = list(slow_motion(stage))
    eyes = stage.vertices[list(topology.OUTER_EYE_CORNERS), :2].mean(0)
    unit = stage.portrait.geometry.unit_px * stage.size_px / stage.portrait.size_px
    half = int(_STRIP_HALF_UNITS * unit)
    x0, x1 = max(int(eyes[0]) - half, 0), min(int(eyes[0]) + half, stage.size_px)
    row = int(np.clip(eyes[1], 0, stage.size_px - 1))
    line = np.stack([frame[row, x0:x1] for frame in frames])
    chosen = frames[:: max(1, len(frames) // _STRIP_FRAMES)][:_STRIP_FRAMES]
    y0, y1 = max(row - half // 2, 0), min(row + half // 2, stage.size_px)
    top = np.hstack([frame[y0:y1, x0:x1] for frame in chosen])
    width = top.shape[1]
    height = round(line.shape[0] * width / line.shape[1])
    below = cv2.resize(line, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.vstack([top, below]), np.uint8)


def pair_sheet(pairs: list[tuple[UInt8Array, UInt8Array]]) -> UInt8Array:
    """Return real frames above, rendered ones below."""
    real = np.hstack([pair[0] for pair in pairs])
    rendered = np.hstack([pair[1] for pair in pairs])
    return np.asarray(np.vstack([real, rendered]), np.uint8)
