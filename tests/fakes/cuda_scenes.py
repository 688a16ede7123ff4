"""Frames on which a CUDA device (or its stand-in on the host) is held against the CPU renderer."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from avatar_service.portrait.portrait import Portrait
from avatar_service.render.bench import moving_frame
from avatar_service.render.cpu import CpuRenderer
from avatar_service.render.cuda.batch import BatchRenderer
from avatar_service.render.cuda.lane_buffers import Shot
from avatar_service.render.cuda.renderer import CudaRenderer
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES, NUM_EXPRESSIONS
from avatar_service.signals import MARK_TILE_PX, MARK_UNIT, Background, Int8Array, MotionFrame
from fakes.portraits import SHARED, astronaut, need_models, shared_photo

LEVELS = 2
SHARE = 0.999
"""At most LEVELS of 255 on SHARE of the pixels."""
FEATURE_SHARE = 0.99
"""The same within the box of eyes and mouth, which is a small part of the picture."""


@dataclass(frozen=True)
class Scene:
    """A row of frames at one size over one background, with badge and watermark or without."""

    name: str
    size_px: int
    background: Background
    motions: tuple[MotionFrame, ...]
    is_marked: bool = False

    def __str__(self) -> str:
        return self.name


def scenes() -> list[Scene]:
    """All expressions one by one, talking heads, and the ends of every range."""
    singles = tuple(_motion(k, {name: 1.0}) for k, name in enumerate(EXPRESSION_NAMES))
    talking = tuple(moving_frame(k) for k in (0, 1, 7, 13, 26, 27))
    return [
        Scene("every_expression_256", 256, Background.KEEP, singles),
        Scene("talking_512_keep", 512, Background.KEEP, talking, is_marked=True),
        Scene("extremes_512_transparent", 512, Background.TRANSPARENT, _extremes()),
        Scene("mixed_512_color", 512, Background.COLOR, _mixed()),
        Scene("talking_1024_color", 1024, Background.COLOR, (talking[3],)),
        Scene("extremes_256_marked", 256, Background.TRANSPARENT, _extremes(), is_marked=True),
    ]


def _motion(k: int, shown: dict[str, float], **pose: object) -> MotionFrame:
    expression = np.zeros(NUM_EXPRESSIONS, np.float32)
    for name, value in shown.items():
        expression[EXPRESSION_INDEX[name]] = value
    arrays = {name: np.array(value, np.float32) for name, value in pose.items()}
    return MotionFrame(pts_nanos=k * 25_000_000, seq=k, expression=expression, **arrays)


def _extremes() -> tuple[MotionFrame, ...]:
    """Turned, near, far and at the edge of the frame; eyes to the side and shut; tongue out."""
    yaw, pitch, roll = math.radians(20), math.radians(15), math.radians(20)
    gaze = [[0.5, 0.3], [0.4, 0.3]]
    return (
        _motion(0, {"jawOpen": 1.0, "tongueOut": 1.0}, head_rotation=[yaw, -pitch, roll]),
        _motion(1, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 0.4}, head_rotation=[-yaw, pitch, -roll]),
        _motion(2, {"mouthPucker": 1.0, "jawOpen": 0.5}, head_translation=[0.4, 0.3, 4.0]),
        _motion(3, {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}, head_translation=[-0.5, 0, -2]),
        _motion(4, {"browInnerUp": 1.0, "eyeWideLeft": 1.0}, gaze=gaze, head_rotation=[0.2, 0, 0]),
    )


def _mixed() -> tuple[MotionFrame, ...]:
    """Random faces, all coefficients at once, as bad input may ask for."""
    rng = np.random.default_rng(4)
    made = []
    for k in range(4):
        expression = (rng.random(NUM_EXPRESSIONS) ** 3).astype(np.float32)
        pose = rng.normal(0, 0.1, 3).astype(np.float32)
        made.append(replace(_motion(k, {}), expression=expression, head_rotation=pose))
    return tuple(made)


def portraits() -> list[str]:
    """Return the names of the portraits: the astronaut, and shared photos where present."""
    chosen = ("K000394_man_eastasian_glasses", "W000790_man_darkskin_glasses_beard")
    found = [f"pd_sen_{one}.jpg" for one in chosen]
    found += ["pd_wh_obama_official.jpg", "pd_art_mona_lisa.jpg"]
    return ["astronaut", *(name for name in found if (SHARED / name).is_file())]


@functools.cache
def portrait(name: str) -> Portrait:
    """Return a portrait by its name."""
    if name == "astronaut":
        return astronaut()
    need_models()
    return Portrait.from_image(shared_photo(name))


def compare(batch: BatchRenderer, name: str, scene: Scene) -> None:
    """Draw a scene on both and fail where the pictures differ."""
    person = portrait(name)
    size = scene.size_px
    scaled = ScaledPortrait.of(person, size)
    cpu, cuda = CpuRenderer.of(scaled), CudaRenderer(batch, scaled)
    for renderer in (cpu, cuda):
        renderer.set_background(scene.background, (10, 200, 90))
        renderer.set_badge(scene.is_marked)
        renderer.set_mark(_pattern() if scene.is_marked else None)
    expected = np.zeros((size, size, 4), np.uint8)
    found = [np.zeros_like(expected) for _ in scene.motions]
    shots = [Shot(cuda, motion, out) for motion, out in zip(scene.motions, found, strict=True)]
    assert batch.draw(shots) == [None] * len(shots)
    for k, motion in enumerate(scene.motions):
        cpu.render(motion, expected)
        difference = np.abs(found[k].astype(np.int16) - expected).max(2)
        far = difference > LEVELS
        assert far.mean() <= 1 - SHARE, f"{name}, {scene}, frame {k}: {far.mean():.4%} differ"
        for what, box in zip(("mouth", "eye", "eye"), feature_boxes(cpu, scaled), strict=True):
            share = far[box].mean() if far[box].size else 0.0
            assert share <= 1 - FEATURE_SHARE, f"{name}, {scene}, frame {k}: {what} {share:.3%}"
    cuda.close()


def _pattern() -> Int8Array:
    """Return a watermark of the usual strength; which one does not matter here."""
    noise = np.random.default_rng(1).normal(0, MARK_UNIT, (MARK_TILE_PX, MARK_TILE_PX))
    return np.clip(noise, -127, 127).astype(np.int8)


def feature_boxes(cpu: CpuRenderer, scaled: ScaledPortrait) -> list[tuple[slice, slice]]:
    """Return the boxes of mouth and eyes in the last picture, a little grown."""
    groups = [scaled.mouth["lip_ids"], *scaled.eyes["margin_ids"]]
    boxes = []
    for ids in groups:
        points = cpu.pose.vertices[np.ravel(ids), :2]
        low = np.clip(points.min(0) - 3, 0, cpu.size_px).astype(int)
        high = np.clip(points.max(0) + 4, 0, cpu.size_px).astype(int)
        boxes.append((slice(low[1], high[1]), slice(low[0], high[0])))
    return boxes
