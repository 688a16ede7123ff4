"""The CPU renderer: one core, compiled kernels, no allocation per frame."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait.blendshapes import NUM_SHAPES
from avatar_service.portrait.expression_folds import GROUPS
from avatar_service.portrait.portrait import Portrait
from avatar_service.render import composite, raster, rig
from avatar_service.render.breathing import pose_torso
from avatar_service.render.canvases import Canvas, canvases
from avatar_service.render.expression import pull_folds, resolve_expression, resolve_gaze
from avatar_service.render.eyes import EyeDrawer
from avatar_service.render.finish import Finish
from avatar_service.render.frame_pose import FramePose
from avatar_service.render.mouth import MouthDrawer
from avatar_service.render.raster import UInt32Array
from avatar_service.render.renderer import MAX_FARTHER, MAX_NEARER, MAX_SHIFT, check_motion
from avatar_service.render.scaled_portrait import ScaledPortrait
from avatar_service.render.spectacles import SpectaclesDrawer
from avatar_service.render.strands import Strands
from avatar_service.render.sway import Sway
from avatar_service.render.torso import TorsoLayer
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import Background, Int8Array, MotionFrame, UInt8Array

STAGES: Final = ("blend_pose", "normals_shade", "raster", "composite", "mouth", "eyes", "finish")
_JAW_LEFT, _JAW_RIGHT, _JAW_FORWARD = (
    EXPRESSION_INDEX[name] for name in ("jawLeft", "jawRight", "jawForward")
)
BOUND_FRAMES: Final = 16.0
"""Vertices further than this many frames from the origin are a fault, not a pose."""


class CpuRenderer:
    """Draws one portrait on one CPU core; see renderer.Renderer.

    Args:
        portrait: what to draw.
        size_px: side of the frames, 256, 512 or 1024.
        neutralize: 1 removes the photo's own expression (smile, parted lips), so that an
            expression of zeros is a neutral face; 0 shows it as photographed.
    """

    def __init__(self, portrait: Portrait, size_px: int = 512, *, neutralize: float = 1.0) -> None:
        self._begin(ScaledPortrait.of(portrait, size_px), neutralize)

    @classmethod
    def of(cls, scaled: ScaledPortrait, *, neutralize: float = 1.0) -> CpuRenderer:
        """Make a renderer of what other renderers may read, too: it owns a session's state only."""
        renderer = cls.__new__(cls)
        renderer._begin(scaled, neutralize)
        return renderer

    def _begin(self, scaled: ScaledPortrait, neutralize: float) -> None:
        self._scaled = scaled
        self._size_px = scaled.size_px
        self._neutralize = float(neutralize)
        geometry = scaled.geometry
        count = len(geometry.rest)
        self._pose = FramePose.allocate(count)
        self._pose.projection[:] = scaled.projection
        self._down = np.ascontiguousarray(geometry.rotation[:, 1])
        self._lid_down = rig.down_in_picture(geometry.rotation)
        self._image_down = np.zeros(3, np.float32)
        self._pull = np.zeros(1 + len(GROUPS), np.int32)
        self._shapes = np.zeros(NUM_SHAPES, np.float32)
        self._blended = np.zeros((count, 3), np.float32)
        self._camera = np.zeros((count, 3), np.float32)
        self._normals = np.zeros((count, 3), np.float32)
        self._turn = np.zeros(3, np.float32)
        self._shift = np.zeros(3, np.float32)
        self._sway = Sway()
        self._strands = Strands(geometry)
        self._lagging = np.zeros((3, 4), np.float32)
        self._lagging_jaw = np.zeros((3, 4), np.float32)
        self._torso_shift = np.zeros(4, np.float32)
        self._torso = TorsoLayer(scaled.torso, scaled.size_px)
        self._canvases = canvases(scaled.size_px)
        self._background = Background.KEEP
        self._color = 0
        self._eyes = EyeDrawer(scaled.eyes)
        self._mouth = MouthDrawer(scaled.mouth)
        self._spectacles = SpectaclesDrawer(scaled.spectacles)
        self._finish = Finish(scaled.size_px)
        self._stage_nanos = dict.fromkeys(STAGES, 0)

    @property
    def size_px(self) -> int:
        """Side of the frames."""
        return self._size_px

    @property
    def pose(self) -> FramePose:
        """The last frame's pose: overwritten by the next render."""
        return self._pose

    @property
    def stage_nanos(self) -> dict[str, int]:
        """Time that the last frame took in each of STAGES."""
        return dict(self._stage_nanos)

    def set_background(
        self, background: Background, color: tuple[int, int, int] = (0, 177, 64)
    ) -> None:
        """Choose what stands behind the person; color is (r, g, b) for Background.COLOR."""
        if len(color) != 3 or not all(0 <= int(c) <= 255 for c in color):
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"The background colour {color} must be three numbers from 0 to 255.",
                field="background_color",
            )
        red, green, blue = (int(c) for c in color)
        self._background = background
        self._color = red | green << 8 | blue << 16 | 255 << 24

    def set_mark(self, pattern: Int8Array | None) -> None:
        """Choose the watermark; see renderer.Renderer."""
        self._finish.set_mark(pattern)

    def set_badge(self, is_shown: bool) -> None:
        """Show the badge, or not; see renderer.Renderer."""
        self._finish.set_badge(is_shown)

    def warm_up(self) -> None:
        """Compile (or load) every kernel by drawing in all background modes."""
        self._finish.warm_up()
        chosen = self._background
        out = np.zeros((self._size_px, self._size_px, 4), np.uint8)
        busy = np.full(52, 0.5, np.float32)
        for background in (*Background, chosen):
            self._background = background
            self.render(MotionFrame(pts_nanos=0, expression=busy), out)
        self.render(MotionFrame(pts_nanos=0), out)

    def render(self, motion: MotionFrame, out: UInt8Array) -> None:
        """Draw one frame; see renderer.Renderer."""
        check_motion(motion)
        size = self._size_px
        if out.shape != (size, size, 4) or out.dtype != np.uint8 or not out.flags.c_contiguous:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"The frame buffer must be a contiguous ({size}, {size}, 4) array of uint8.",
            )
        clock = time.perf_counter_ns
        times = [clock()]
        self._move(motion)
        times.append(clock())
        self._shade()
        times.append(clock())
        with self._canvases.lent() as canvas:
            self._rasterize(canvas)
            times.append(clock())
            self._compose(canvas.person, out)
        times.append(clock())
        self._mouth.draw(self._pose, out)
        times.append(clock())
        self._eyes.draw(self._pose, out)
        self._spectacles.draw(self._pose, out)
        times.append(clock())
        self._finish.apply(out)
        times.append(clock())
        for stage, start, end in zip(STAGES, times, times[1:], strict=False):
            self._stage_nanos[stage] = end - start

    @property
    def batch(self) -> None:
        """Each renderer draws by itself, on the calling thread."""
        return None

    def shot(self, motion: MotionFrame, out: UInt8Array) -> None:
        """There is no batch; see renderer.Renderer."""
        raise NotImplementedError("the CPU draws no batches")

    def close(self) -> None:
        """Nothing to give back."""

    def _move(self, motion: MotionFrame) -> None:
        pose, geometry, shapes = self._pose, self._scaled.geometry, self._scaled.shapes
        resolve_gaze(motion.expression, motion.gaze, pose.gaze)
        opening = resolve_expression(
            motion.expression,
            pose.gaze,
            shapes.jaw_gap,
            shapes.source_gap,
            shapes.source_smile,
            self._neutralize,
            pose.coefficients,
            self._shapes,
        )
        pose.opening[0] = opening
        pull_folds(pose.coefficients, raster.FOLD_ONE, self._pull)
        np.clip(motion.head_rotation, -1.0, 1.0, out=self._turn)
        np.clip(motion.head_translation, -MAX_SHIFT, MAX_SHIFT, out=self._shift)
        self._shift[2] = min(max(float(motion.head_translation[2]), -MAX_FARTHER), MAX_NEARER)
        coefficients = pose.coefficients
        rig.pose_head(
            geometry.rotation,
            geometry.pivot,
            geometry.hinge,
            geometry.unit_px,
            self._turn,
            self._shift,
            opening,
            float(coefficients[_JAW_LEFT] - coefficients[_JAW_RIGHT]),
            float(coefficients[_JAW_FORWARD]),
            pose.skull,
            pose.jaw,
        )
        self._sway.follow(motion.pts_nanos, self._turn, self._shift)
        self._strands.follow(self._sway)
        rig.pose_head(
            geometry.rotation,
            geometry.pivot,
            geometry.hinge,
            geometry.unit_px,
            self._sway.turn,
            self._sway.shift,
            0.0,
            0.0,
            0.0,
            self._lagging,
            self._lagging_jaw,
        )
        pose_torso(
            motion.pts_nanos, geometry.unit_px, self._shift, self._sway.shift, self._torso_shift
        )
        rig.blend(
            geometry.rest, shapes.start, shapes.vertex, shapes.delta, self._shapes, self._blended
        )
        rig.part_margins(self._blended, self._scaled.lips, self._down, 0.5)
        rig.part_margins(self._blended, self._scaled.lids, self._lid_down, 1.0)
        is_good = rig.pose_mesh(
            self._blended,
            geometry.skin_weight,
            geometry.rise_weight,
            geometry.sway,
            geometry.strand_amount,
            geometry.strand_kind,
            pose.skull,
            self._lagging,
            self._strands.lagging,
            self._torso_shift,
            pose.projection,
            BOUND_FRAMES * self._size_px,
            self._camera,
            pose.vertices,
        )
        if not is_good:
            raise AvatarError(Reason.BUG, "The mesh left its bounds; the frame is not drawn.")
        # Margins that meet may still hide each other by a fraction of a px, which the raster would
        # draw as a staircase.
        rig.turn_axis(pose.skull, self._down, self._image_down)
        rig.part_margins(pose.vertices, self._scaled.lips, self._image_down, 0.5)
        rig.part_margins(pose.vertices, self._scaled.lids, self._image_down, 1.0)

    def _shade(self) -> None:
        geometry, shading = self._scaled.geometry, self._scaled.shading
        rig.shade(
            self._camera,
            shading.triangles,
            geometry.light,
            geometry.rest_light,
            shading.source,
            shading.weight,
            geometry.num_face,
            self._normals,
            self._pose.shading,
        )

    def _rasterize(self, canvas: Canvas) -> None:
        pose, texture = self._pose, self._scaled.texture
        raster.clear(canvas.depth)
        for triangles, has_alpha_test in ((texture.opaque, False), (texture.mixed, True)):
            raster.rasterize(
                pose.vertices,
                texture.uv,
                pose.shading,
                triangles,
                texture.texels,
                texture.side_px,
                has_alpha_test,
                self._size_px,
                canvas.packed,
                canvas.depth,
            )
        raster.sample(
            canvas.packed,
            canvas.depth,
            texture.texels,
            texture.side_px,
            texture.folds,
            texture.folds_px,
            self._pull,
            canvas.person,
        )
        self._torso.draw(self._torso_shift, pose.projection, canvas.person)

    def _compose(self, person: UInt32Array, out: UInt8Array) -> None:
        words = out.reshape(-1).view(np.uint32)
        if self._background is Background.KEEP:
            composite.over_picture(person, self._scaled.picture, words)
        elif self._background is Background.COLOR:
            composite.over_color(person, self._color, words)
        else:
            composite.unpremultiply(person, words)
