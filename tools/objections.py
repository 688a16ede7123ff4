"""Draw what a picky viewer objected to, one strip per objection, from one photo.

Run: python -m tools.objections PHOTO OUT_DIR [--before DIR]

Run in a checkout of an older commit (its own copy of this file beside that package) it draws the
same poses with that renderer; --before lays such strips above the new ones, as in docs/pictures.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from avatar_service.portrait.portrait import Portrait
from avatar_service.render.cpu import CpuRenderer
from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS
from avatar_service.signals import MotionFrame, UInt8Array

SIZE_PX: Final = 512
TILE_PX: Final = 240

Pose = dict[str, float]
"""yaw, pitch, roll (degrees), seconds (of the frame), gaze_yaw (degrees), and coefficients by
name."""

MOUTH: Final = (13, 14, 78, 308)
EYES: Final = (33, 263, 168)
BROWS: Final = (9, 10, 168)
FACE: Final = (4, 10, 152)
CHIN: Final = (152,)
CHEST: Final = (152, 377, 148)
STRIPS: Final[dict[str, tuple[tuple[int, ...], float, tuple[Pose, ...]]]] = {
    # name: (landmarks in the middle, side in units, poses)
    "rounded_lips": (
        MOUTH,
        0.95,
        (
            {"mouthFunnel": 0.4, "jawOpen": 0.15},
            {"mouthFunnel": 0.8, "jawOpen": 0.2},
            {"mouthPucker": 0.8},
            {"mouthPress": 0.8},
            {"jawOpen": 0.12},
        ),
    ),
    "wide_vowels": (
        MOUTH,
        0.95,
        (
            {"jawOpen": 0.15, "mouthStretch": 0.35, "mouthUpperUp": 0.2, "mouthLowerDown": 0.3},
            {"jawOpen": 0.12, "mouthSmile": 0.3, "mouthStretch": 0.4, "mouthUpperUp": 0.3},
            {"jawOpen": 0.4, "mouthStretch": 0.3, "mouthUpperUp": 0.2, "mouthLowerDown": 0.3},
            {"jawOpen": 0.6},
            {"jawOpen": 0.2, "tongueOut": 0.25},
        ),
    ),
    "parted_lips": (
        MOUTH,
        0.95,
        (
            {"jawOpen": 0.06, "mouthUpperUp": 0.1, "mouthLowerDown": 0.1},
            {"jawOpen": 0.12},
            {"mouthSmile": 0.8, "jawOpen": 0.1, "mouthUpperUp": 0.3},
            {"mouthPucker": 0.4},
            {"mouthPucker": 0.8},
        ),
    ),
    "lids": (
        EYES,
        1.5,
        ({}, {"eyeBlink": 0.35}, {"eyeBlink": 0.7}, {"eyeBlink": 1.0}, {"gaze_yaw": 18}),
    ),
    "spectacles": (
        EYES,
        1.9,
        ({"yaw": -20}, {"yaw": -10}, {}, {"yaw": 10}, {"yaw": 20}),
    ),
    "raised_brows": (
        BROWS,
        1.7,
        (
            {},
            {"browInnerUp": 0.3, "browOuterUp": 0.3},
            {"browInnerUp": 0.6, "browOuterUp": 0.5},
            {"browInnerUp": 1.0},
            {"browInnerUp": 1.0, "browOuterUp": 0.8},
        ),
    ),
    "turns": (
        FACE,
        3.0,
        ({"yaw": -20}, {"yaw": 20}, {"pitch": -15}, {"pitch": 15}, {"yaw": 15, "pitch": 10}),
    ),
    "wrinkles": (
        FACE,
        2.2,
        (
            {},
            {"mouthSmile": 0.9, "cheekSquint": 0.7},
            {"browInnerUp": 1.0},
            {"browDown": 0.9, "noseSneer": 0.6},
            {"cheekPuff": 1.0},
        ),
    ),
    "breathing": (
        CHEST,
        2.4,
        ({"seconds": 0.0}, {"seconds": 0.8}, {"seconds": 1.6}, {"seconds": 2.4}, {"seconds": 3.4}),
    ),
    "collars": (
        CHIN,
        2.4,
        (
            {"roll": 15},
            {"roll": -15},
            {"yaw": 9, "pitch": -6, "roll": 13},
            {"yaw": -18},
            {"pitch": -12},
        ),
    ),
    "necks": (
        CHIN,
        2.0,
        (
            {"pitch": -15},
            {"yaw": 12, "pitch": -9, "roll": 10},
            {"yaw": 20, "pitch": -15, "roll": 18},
            {"yaw": -20, "pitch": -15, "roll": -18},
            {"yaw": -20, "pitch": -15, "roll": 18},
        ),
    ),
    "hair_and_room": (
        (10,),
        2.6,
        ({"yaw": -20}, {"yaw": -10}, {}, {"yaw": 10}, {"yaw": 20}),
    ),
}


def motion_of(pose: Pose) -> MotionFrame:
    """Return the latent of a pose; a coefficient without Left or Right sets both sides."""
    rest = {"yaw", "pitch", "roll", "seconds", "gaze_yaw"}
    expression = np.zeros(NUM_EXPRESSIONS, np.float32)
    for name, value in pose.items():
        if name in rest:
            continue
        for full in (name,) if name in EXPRESSION_INDEX else (f"{name}Left", f"{name}Right"):
            expression[EXPRESSION_INDEX[full]] = value
    turn = [pose.get("yaw", 0.0), pose.get("pitch", 0.0), pose.get("roll", 0.0)]
    gaze = np.zeros((2, 2), np.float32)
    gaze[:, 0] = np.radians(pose.get("gaze_yaw", 0.0))
    return MotionFrame(
        pts_nanos=round(pose.get("seconds", 0.0) * 1e9),
        expression=expression,
        head_rotation=np.radians(turn).astype(np.float32),
        gaze=gaze,
    )


def draw(portrait: Portrait) -> dict[str, UInt8Array]:
    """Return one strip, (TILE_PX, n * TILE_PX, 3), per objection."""
    renderer = CpuRenderer(portrait, SIZE_PX)
    out = np.zeros((SIZE_PX, SIZE_PX, 4), np.uint8)
    unit = portrait.geometry.unit_px * SIZE_PX / portrait.size_px
    strips = {}
    for name, (landmarks, side, poses) in STRIPS.items():
        tiles = []
        for pose in poses:
            renderer.render(motion_of(pose), out)
            middle = renderer.pose.vertices[list(landmarks), :2].mean(0)
            tiles.append(_cut(out[..., :3], middle, side * unit))
        strips[name] = np.hstack(tiles)
    return strips


def _cut(picture: UInt8Array, middle: np.ndarray, side: float) -> UInt8Array:
    """Return a square around a point, moved inside the picture, enlarged to a tile."""
    side = min(side, SIZE_PX)
    x, y = np.clip(middle - side / 2, 0, SIZE_PX - side)
    scale = TILE_PX / side
    placed = np.array([[scale, 0, -scale * x], [0, scale, -scale * y]])
    tile = cv2.warpAffine(picture, placed, (TILE_PX, TILE_PX), flags=cv2.INTER_CUBIC)
    return np.asarray(tile, np.uint8)


def main() -> None:
    """Write the strips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photo", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--before", type=Path, help="strips of an older commit, laid above")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, strip in draw(Portrait.from_image(options.photo)).items():
        if options.before:
            older = cv2.imread(str(options.before / f"{name}.png"))
            if older is None:
                raise SystemExit(f"{options.before} holds no {name}.png: draw it there first")
            strip = np.asarray(np.vstack([older[..., ::-1], strip]), np.uint8)
        cv2.imwrite(str(options.out / f"{name}.png"), strip[..., ::-1])


if __name__ == "__main__":
    main()
