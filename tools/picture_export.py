"""Draw docs/pictures/export.jpg: one sentence on a portrait, in Blender's glTF, and as curves.

    BLENDER_PYTHON=python-with-bpy .venv/bin/python tools/picture_export.py --out DIR

The columns are the same times of the same motion; BLENDER_PYTHON names a Python that has bpy.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import matplotlib as mpl
import numpy as np

import avatar_service
from avatar_service.cli.motion_source import motion_frames
from avatar_service.cli.portrait_head import head_from_portrait
from avatar_service.cli.portraits import load_portrait
from avatar_service.export import gltf
from avatar_service.portrait.portrait import Portrait
from avatar_service.render.cpu import CpuRenderer
from avatar_service.render.renderer import limit_motion
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import Controls, MotionFrame, UInt8Array

TILE_PX: Final = 256
RATE: Final = Fraction(30)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
CURVES: Final = ("jawOpen", "mouthPucker", "mouthPressLeft", "mouthSmileLeft", "eyeBlinkLeft")
_RENDER: Final = """
import bpy, math, sys
model, out, *times = sys.argv[sys.argv.index("--") + 1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = 30
bpy.ops.import_scene.gltf(filepath=model)
camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
scene.collection.objects.link(camera)
scene.camera = camera
camera.location, camera.rotation_euler = (0, -0.9, -0.035), (math.radians(90), 0, 0)
camera.data.lens = 95
scene.world = bpy.data.worlds.new("world")
scene.world.use_nodes = True
scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.62, 0.66, 0.72, 1)
sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
sun.data.energy, sun.rotation_euler = 2, (math.radians(55), 0, math.radians(30))
scene.collection.objects.link(sun)
scene.render.engine = "CYCLES"
scene.cycles.samples = 16
scene.render.threads_mode, scene.render.threads = "FIXED", 1
scene.render.resolution_x = scene.render.resolution_y = 256
scene.view_settings.view_transform = "Standard"
for time in times:
    scene.frame_set(round(float(time) * 30))
    scene.render.filepath = f"{out}/{time}.png"
    bpy.ops.render.render(write_still=True)
"""


def blender_row(model: Path, times: Sequence[str], folder: Path) -> UInt8Array:
    """Render a model in Blender at some times, side by side."""
    script = folder / "render.py"
    script.write_text(_RENDER)
    python = os.environ.get("BLENDER_PYTHON", "python3")
    command = [python, str(script), "--", str(model), str(folder), *times]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    tiles = [cv2.imread(str(folder / f"{time}.png")) for time in times]
    return np.hstack([np.asarray(tile, np.uint8) for tile in tiles])


def portrait_row(frames: Sequence[MotionFrame], portrait: Portrait) -> UInt8Array:
    """Draw the portrait at some frames, side by side, BGR."""
    renderer, tiles = CpuRenderer(portrait), []
    for frame in frames:
        pixels = np.zeros((512, 512, 4), np.uint8)
        renderer.render(limit_motion(portrait, frame), pixels)
        small = cv2.resize(pixels[..., 2::-1], (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
        tiles.append(np.asarray(small, np.uint8))
    return np.hstack(tiles)


def labelled(row: UInt8Array, label: str) -> UInt8Array:
    """Write what a row shows into its corner."""
    (width, _), _ = cv2.getTextSize(label, _FONT, 0.42, 1)
    row[:22, : width + 12] = 245
    cv2.putText(row, label, (6, 15), _FONT, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return row


def curve_row(frames: Sequence[MotionFrame], times: Sequence[float], width_px: int) -> UInt8Array:
    """Plot some coefficients over time, the columns' times marked, BGR."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(width_px / 100, 2.4), dpi=100)
    axes = figure.add_axes((0.045, 0.2, 0.945, 0.76))
    seconds = [frame.pts_nanos / 1e9 for frame in frames]
    for name in CURVES:
        axes.plot(seconds, [f.expression[EXPRESSION_INDEX[name]] for f in frames], label=name)
    for time in times:
        axes.axvline(time, color="0.6", linewidth=0.8, linestyle=":")
    axes.set_xlim(seconds[0], seconds[-1])
    axes.set_xlabel("seconds")
    axes.legend(loc="upper right", ncols=len(CURVES), fontsize=8)
    figure.canvas.draw()
    rgba = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
    pyplot.close(figure)
    return np.ascontiguousarray(rgba[..., 2::-1])


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--times", nargs="+", default=["0.70", "1.80", "2.07", "2.93", "3.70"])
    options = parser.parse_args()
    speech = Path(avatar_service.__file__).parent / "data/demo_speech.wav"
    frames = list(motion_frames(speech, rate=RATE, controls=Controls(), duration_secs=4.5))
    picked = [frames[round(float(time) * RATE)] for time in options.times]
    portrait = load_portrait(None)
    rows = [labelled(portrait_row(picked, portrait), "the portrait, as rendered here")]
    with tempfile.TemporaryDirectory() as folder:
        for name, head in (("portrait", head_from_portrait(portrait)), ("neutral", None)):
            model = Path(folder) / f"{name}.glb"
            gltf.write(model, frames, RATE, head=head)
            row = blender_row(model, options.times, Path(folder))
            rows.append(labelled(row, f"Blender: the {name} head's glTF"))
    rows.append(curve_row(frames, [float(time) for time in options.times], rows[0].shape[1]))
    width = rows[0].shape[1]
    rows[-1] = np.asarray(cv2.resize(rows[-1], (width, rows[-1].shape[0])), np.uint8)
    options.out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.out / "export.jpg"), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
