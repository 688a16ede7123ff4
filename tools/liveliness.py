"""Show two motions of one sentence on one photo: how lively is the face, before and now?

    python -m tools.liveliness PHOTO SPEECH OUT_DIR --before BEFORE.npz [--now NOW.npz]

BEFORE and NOW are motion as `avatar animate --save-motion` and `avatar demo` write it, of the same
speech; an older one comes from a checkout of an older commit. Without --now the present default is
drawn. Writes liveliness.jpg: frames a moment after each stressed word above the curves. Two videos
of `avatar animate` are laid side by side by

    ffmpeg -i BEFORE.mp4 -i NOW.mp4 -filter_complex hstack SIDE_BY_SIDE.mp4
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import matplotlib
import numpy as np

from avatar_service.audio.file import read_audio
from avatar_service.audio.prosody import Prosody
from avatar_service.motion.easing import TICK_SECS, FloatArray
from avatar_service.motion.life_metrics import camera_gaze
from avatar_service.motion.rhythm import Rhythm
from avatar_service.motion.stage import SAMPLE_NANOS, MotionStage
from avatar_service.motion.track import MotionTrack
from avatar_service.portrait.portrait import Portrait
from avatar_service.render.cpu import CpuRenderer
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import AudioChunk, Controls, Float32Array, MotionFrame, UInt8Array

matplotlib.use("Agg")
from matplotlib import pyplot

RATE: Final = Fraction(40)
SIZE_PX: Final = 512
MAX_INSTANTS: Final = 8
LATER_SECS: Final = 0.28
TAIL_SAMPLES: Final = 8000
PIECE: Final = 640
FACE_ROWS: Final = slice(70, 440)
FACE_COLUMNS: Final = slice(76, 446)
COLORS: Final = ("#9a9a9a", "#c2410c")


def drawn(speech: Float32Array) -> MotionTrack:
    """Motion of (n,) samples at 16 kHz by the present default."""
    stage = MotionStage(RATE, Controls())
    line = np.concatenate([speech, np.zeros(TAIL_SAMPLES, np.float32)])
    frames: list[MotionFrame] = []
    for start in range(0, len(line), PIECE):
        stage.push(AudioChunk(line[start : start + PIECE], start * SAMPLE_NANOS))
        frames += stage.pull()
    return MotionTrack.from_frames(frames, RATE)


class Renderer:
    """One photo, drawn frame by frame."""

    def __init__(self, photo: Path) -> None:
        self._renderer = CpuRenderer(Portrait.from_image(photo), SIZE_PX)

    def draw(self, track: MotionTrack, index: int) -> UInt8Array:
        """Draw a frame of a track as (SIZE_PX, SIZE_PX, 4) RGBA."""
        out = np.zeros((SIZE_PX, SIZE_PX, 4), np.uint8)
        self._renderer.render(track.frames()[index], out)
        return out


def curves(track: MotionTrack) -> dict[str, np.ndarray]:
    """What a viewer watches, by its title."""
    values = track.expression.astype(np.float64)

    def shape(*names: str) -> np.ndarray:
        return np.asarray(values[:, [EXPRESSION_INDEX[name] for name in names]].mean(axis=1))

    yaw, pitch, roll = np.degrees(track.head_rotation.astype(np.float64)).T
    return {
        "brows raised": shape("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
        "brows lowered": shape("browDownLeft", "browDownRight"),
        "smile": shape("mouthSmileLeft", "mouthSmileRight"),
        "cheeks": shape("cheekSquintLeft", "cheekSquintRight"),
        "blink": shape("eyeBlinkLeft", "eyeBlinkRight"),
        "head yaw, deg": yaw,
        "pitch (+ down)": pitch,
        "roll": roll,
        "gaze aside, deg": np.degrees(camera_gaze(track)[:, 0]),
    }


def after_emphases(speech: Float32Array) -> FloatArray:
    """Times in seconds a moment after the words that the voice stresses: what to look at."""
    hops, rhythm = Prosody().push_hops(speech), Rhythm()
    beats = [rhythm.step(hops[i : i + 2]) for i in range(0, len(hops) - 1, 2)]
    found = [TICK_SECS * (i + 1) for i, beat in enumerate(beats) if beat.emphasis > 0]
    if not found:
        raise SystemExit("the voice stresses no word: give longer speech")
    shown = np.unique(np.linspace(0, len(found) - 1, MAX_INSTANTS).round().astype(int))
    return np.asarray(np.array(found)[shown] + LATER_SECS)


def picture(
    renderer: Renderer, tracks: tuple[MotionTrack, MotionTrack], speech: Float32Array
) -> matplotlib.figure.Figure:
    """Frames of both at the same instants above their curves."""
    secs = len(speech) / 16000
    instants = after_emphases(speech)
    plots = [curves(track) for track in tracks]
    figure = pyplot.figure(figsize=(15, 12))
    grid = figure.add_gridspec(
        3 + len(plots[0]), len(instants), height_ratios=[1.9, 1.9, 0.6, *[0.7] * len(plots[0])],
        left=0.11, right=0.995, top=0.995, bottom=0.03, wspace=0.02, hspace=0.08,
    )  # fmt: skip
    for row, track in enumerate(tracks):
        for column, instant in enumerate(instants):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(renderer.draw(track, round(instant * RATE))[FACE_ROWS, FACE_COLUMNS, :3])
            axes.set_xticks([])
            axes.set_yticks([])
            if column == 0:
                axes.set_ylabel(("before", "now")[row], color=COLORS[row], fontsize=13)
    sound = figure.add_subplot(grid[2, :])
    sound.plot(np.arange(len(speech)) / 16000, speech, lw=0.3, color="#555")
    sound.set_ylabel("voice", rotation=0, ha="right")
    panels = [sound]
    for row, title in enumerate(plots[0]):
        axes = figure.add_subplot(grid[3 + row, :])
        for track, plot, color in zip(tracks, plots, COLORS, strict=True):
            axes.plot(track.pts_nanos * 1e-9, plot[title], color=color, lw=1.3)
        axes.set_ylabel(title, rotation=0, ha="right")
        panels.append(axes)
    for axes in panels:
        axes.set_xlim(0, secs)
        axes.tick_params(labelsize=7, labelbottom=axes is panels[-1])
        for instant in instants:
            axes.axvline(instant, color="#cbd5e1", lw=0.7, zorder=0)
    return figure


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photo", type=Path)
    parser.add_argument("speech", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--before", type=Path, required=True, help="motion at 40 fps (.npz)")
    parser.add_argument("--now", type=Path, help="motion at 40 fps; default: drawn now")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    speech = read_audio(options.speech).samples
    now = MotionTrack.load(options.now) if options.now else drawn(speech)
    tracks = (MotionTrack.load(options.before), now)
    for track in tracks:
        if track.frame_rate != RATE:
            raise SystemExit(f"motion is at {float(track.frame_rate):g} fps; {RATE} is needed")
    renderer = Renderer(options.photo)
    figure = picture(renderer, tracks, speech)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., 2::-1]  # type: ignore[attr-defined]
    cv2.imwrite(str(options.out / "liveliness.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
