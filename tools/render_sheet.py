"""Draw a contact sheet of labelled poses of one portrait, to look at.

Run: python tools/render_sheet.py PHOTO OUT.png [--size 512] [--columns 4] [--only NAME ...]
     [--every-shape] [--crop face|keep] [--background keep|transparent|color] [--strip N] [--face]

--every-shape draws all 52 coefficients at 1; --strip draws N consecutive frames of a moving
sequence instead (40 frames a second); --face shows the face only, enlarged.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from avatar_service.portrait.portrait import Portrait
from avatar_service.render.bench import moving_frame
from avatar_service.render.cpu import CpuRenderer
from avatar_service.render.renderer import limit_motion
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES, NUM_EXPRESSIONS
from avatar_service.signals import Background, MotionFrame, UInt8Array


def pose(
    *,
    yaw: float = 0,
    pitch: float = 0,
    roll: float = 0,
    shift: tuple[float, float, float] = (0, 0, 0),
    gaze: tuple[float, float] = (0, 0),
    **coefficients: float,
) -> MotionFrame:
    """Make a motion: degrees, units, coefficients by name (without Left/Right: both sides)."""
    expression = np.zeros(NUM_EXPRESSIONS, np.float32)
    for name, value in coefficients.items():
        names = [name] if name in EXPRESSION_INDEX else [name + "Left", name + "Right"]
        for full in names:
            expression[EXPRESSION_INDEX[full]] = value
    return MotionFrame(
        pts_nanos=0,
        expression=expression,
        head_rotation=np.radians([yaw, pitch, roll]).astype(np.float32),
        head_translation=np.array(shift, np.float32),
        gaze=np.tile(np.radians(gaze), (2, 1)).astype(np.float32),
    )


POSES: dict[str, MotionFrame] = {
    "closed": pose(),
    "jaw .25": pose(jawOpen=0.25),
    "jaw .6": pose(jawOpen=0.6),
    "jaw 1": pose(jawOpen=1),
    "A": pose(jawOpen=0.45, mouthLowerDown=0.3, mouthUpperUp=0.25),
    "O": pose(jawOpen=0.35, mouthFunnel=0.8),
    "U": pose(jawOpen=0.12, mouthPucker=0.9),
    "EE": pose(
        jawOpen=0.12, mouthStretch=0.5, mouthSmile=0.35, mouthUpperUp=0.4, mouthLowerDown=0.6
    ),
    "F": pose(jawOpen=0.06, mouthRollLower=0.6, mouthUpperUp=0.25),
    "M": pose(mouthPress=0.5, mouthClose=0.1),
    "smile": pose(mouthSmile=0.9, cheekSquint=0.6, eyeSquint=0.4),
    "smile open": pose(jawOpen=0.25, mouthSmile=0.8, mouthUpperUp=0.3, cheekSquint=0.5),
    "blink": pose(eyeBlink=1),
    "half": pose(eyeBlink=0.5),
    "wink left": pose(eyeBlinkLeft=1),
    "brows up": pose(browInnerUp=0.9, browOuterUp=0.8, eyeWide=0.5),
    "brows down": pose(browDown=1, mouthPress=0.6),
    "gaze left": pose(gaze=(25, 0)),
    "gaze down": pose(gaze=(0, 20)),
    "gaze up right": pose(gaze=(-20, -15)),
    "yaw +15": pose(yaw=15),
    "yaw -15": pose(yaw=-15, jawOpen=0.3),
    "pitch +12": pose(pitch=12),
    "pitch -12": pose(pitch=-12),
    "roll +12": pose(roll=12),
    "combo": pose(yaw=12, pitch=-6, roll=6, shift=(0.05, 0, 0.4), jawOpen=0.3, mouthSmile=0.5),
    "puff": pose(cheekPuff=1),
    "frown": pose(mouthFrown=0.8, browInnerUp=0.7),
    "tongue": pose(tongueOut=1, jawOpen=0.4),
    "sneer": pose(noseSneer=1),
    "near": pose(shift=(0, 0, 2)),
    "far": pose(shift=(0, 0, -1.5)),
}


_FACE_PX = 384


def label(picture: UInt8Array, text: str) -> UInt8Array:
    """Write a text at the bottom left."""
    place = (8, picture.shape[0] - 12)
    for color, width in (((0, 0, 0), 4), ((0, 255, 255), 1)):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, color, width, cv2.LINE_AA)
    return picture


def chosen(options: argparse.Namespace) -> Iterator[tuple[str, MotionFrame]]:
    """Yield the labelled motions that were asked for."""
    if options.strip:
        for i in range(options.strip):
            yield f"{i}", moving_frame(options.start + i)
    elif options.every_shape:
        for name in EXPRESSION_NAMES:
            expression = np.zeros(NUM_EXPRESSIONS, np.float32)
            expression[EXPRESSION_INDEX[name]] = 1
            yield name, MotionFrame(pts_nanos=0, expression=expression)
    else:
        for name, motion in POSES.items():
            if not options.only or name in options.only:
                yield name, motion


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--every-shape", action="store_true")
    parser.add_argument("--strip", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--crop", choices=["face", "keep"], default="face")
    parser.add_argument("--background", choices=[b.value for b in Background], default="keep")
    parser.add_argument("--face", action="store_true")
    parser.add_argument("--no-cache", action="store_true")
    options = parser.parse_args()
    portrait = Portrait.from_image(options.photo, crop=options.crop, use_cache=not options.no_cache)
    size = options.size
    pictures: list[UInt8Array] = []
    labels: list[str] = []
    if not (options.strip or options.every_shape or options.only):
        pictures.append(_draw(CpuRenderer(portrait, size, neutralize=0), pose()))
        labels.append("as photographed")
    renderer = CpuRenderer(portrait, size)
    renderer.set_background(Background(options.background))
    for name, motion in chosen(options):
        pictures.append(_draw(renderer, limit_motion(portrait, motion)))
        labels.append(name)
    if options.face:
        pictures = [_face_of(picture, portrait) for picture in pictures]
        size = pictures[0].shape[0]
    rows = math.ceil(len(pictures) / options.columns)
    sheet = np.zeros((rows * size, options.columns * size, 3), np.uint8)
    for i, picture in enumerate(pictures):
        y, x = divmod(i, options.columns)
        sheet[y * size : (y + 1) * size, x * size : (x + 1) * size] = label(picture, labels[i])
    cv2.imwrite(str(options.out), sheet)
    for notice in portrait.notices:
        print(notice)


def _face_of(picture: UInt8Array, portrait: Portrait) -> UInt8Array:
    geometry, scale = portrait.geometry, picture.shape[0] / portrait.size_px
    face = (geometry.uv[: geometry.num_face] - 0.5) / 2 - portrait.margin_px
    low, high = face.min(0) * scale, face.max(0) * scale
    center, half = (low + high) / 2, 0.58 * float((high - low).max())
    x0, y0 = np.maximum(np.round(center - half), 0).astype(int)
    side = round(2 * half)
    cut = picture[y0 : y0 + side, x0 : x0 + side]
    enlarged: UInt8Array = cv2.resize(cut, (_FACE_PX, _FACE_PX), interpolation=cv2.INTER_CUBIC)
    return enlarged


def _draw(renderer: CpuRenderer, motion: MotionFrame) -> UInt8Array:
    out = np.zeros((renderer.size_px, renderer.size_px, 4), np.uint8)
    renderer.render(motion, out)
    # A transparent background is shown over a checkerboard.
    cells = np.indices(out.shape[:2]).sum(0) // 16 % 2
    board = np.where(cells[..., None] == 1, 150, 100)
    alpha = out[..., 3:] / 255.0
    picture = (out[..., :3] * alpha + board * (1 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(picture[..., ::-1])


if __name__ == "__main__":
    main()
