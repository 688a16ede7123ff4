"""The CPU renderer: one core, compiled kernels, no allocation per frame."""

from __future__ import annotations

import itertools
import time
from typing import Final

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import archive, topology
from avatar_service.portrait.blendshapes import NUM_SHAPES
from avatar_service.portrait.expression_folds import GROUPS
from avatar_service.portrait.landmark_nets import NUM_LANDMARKS
from avatar_service.portrait.pixels import scale_to
from avatar_service.portrait.portrait import SIZES_PX, Geometry, Portrait
from avatar_service.portrait.topology import Int32Array
from avatar_service.render import composite, raster, rig
from avatar_service.render.breathing import pose_torso
from avatar_service.render.expression import pull_folds, resolve_expression, resolve_gaze
from avatar_service.render.eyes import EyeDrawer
from avatar_service.render.finish import Finish
from avatar_service.render.frame_pose import FramePose
from avatar_service.render.mouth import MouthDrawer
from avatar_service.render.person_texture import PersonTexture, face_shading_source
from avatar_service.render.projection import make_projection
from avatar_service.render.raster import UInt32Array
from avatar_service.render.renderer import MAX_FARTHER, MAX_NEARER, MAX_SHIFT, check_motion
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
        archive.check_size(size_px, SIZES_PX)
        self._portrait = portrait
        self._size_px = size_px
        self._neutralize = float(neutralize)
        geometry, count = portrait.geometry, len(portrait.geometry.rest)
        self._pose = FramePose.allocate(count)
        self._pose.projection[:] = make_projection(portrait.size_px, geometry.focal_px, size_px)
        self._texture = PersonTexture.of(portrait, size_px)
        self._shading = face_shading_source(geometry)
        self._lips, self._lids = lip_pairs(geometry), lid_pairs(geometry)
        self._down = np.ascontiguousarray(geometry.rotation[:, 1])
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
        self._torso = TorsoLayer(portrait, size_px)
        self._packed = np.zeros((size_px * size_px, 2), np.int32)
        self._depth = np.zeros(size_px * size_px, np.float32)
        self._person = np.zeros(size_px * size_px, np.uint32)
        self._picture = packed_picture(portrait.background, size_px)
        self._background = Background.KEEP
        self._color = 0
        self._eyes = EyeDrawer(portrait.eyes.to_arrays(), portrait.size_px, size_px)
        self._mouth = MouthDrawer(portrait.mouth.to_arrays(), portrait.size_px, size_px)
        self._spectacles = SpectaclesDrawer(
            portrait.spectacles.to_arrays(), portrait.size_px, size_px
        )
        self._finish = Finish(size_px)
        self._stage_nanos = dict.fromkeys(STAGES, 0)

    @property
    def size_px(self) -> int:
        """Side of the frames."""
        return self._size_px

    @property
    def portrait(self) -> Portrait:
        """What is drawn."""
        return self._portrait

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
        self._rasterize()
        times.append(clock())
        self._compose(out)
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
        pose, geometry, shapes = self._pose, self._portrait.geometry, self._portrait.shapes
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
        rig.part_margins(self._blended, self._lips, self._down, 0.5)
        rig.part_margins(self._blended, self._lids, self._down, 1.0)
        is_good = rig.pose_mesh(
            self._blended,
            geometry.skin_weight,
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
        rig.part_margins(pose.vertices, self._lips, self._image_down, 0.5)
        rig.part_margins(pose.vertices, self._lids, self._image_down, 1.0)

    def _shade(self) -> None:
        geometry = self._portrait.geometry
        rig.shade(
            self._camera,
            self._shading.triangles,
            geometry.light,
            geometry.rest_light,
            self._shading.source,
            self._shading.weight,
            geometry.num_face,
            self._normals,
            self._pose.shading,
        )

    def _rasterize(self) -> None:
        pose, texture = self._pose, self._texture
        raster.clear(self._depth)
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
                self._packed,
                self._depth,
            )
        raster.sample(
            self._packed,
            self._depth,
            texture.texels,
            texture.side_px,
            texture.folds,
            texture.folds_px,
            self._pull,
            self._person,
        )
        self._torso.draw(self._torso_shift, pose.projection, self._person)

    def _compose(self, out: UInt8Array) -> None:
        words = out.reshape(-1).view(np.uint32)
        if self._background is Background.KEEP:
            composite.over_picture(self._person, self._picture, words)
        elif self._background is Background.COLOR:
            composite.over_color(self._person, self._color, words)
        else:
            composite.unpremultiply(self._person, words)


def lip_pairs(geometry: Geometry) -> Int32Array:
    """Return the (P, 2) facing points of upper and lower lip."""
    return margin_pairs(geometry, topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER)


def lid_pairs(geometry: Geometry) -> Int32Array:
    """Return the (P, 2) facing points of upper and lower lids, both eyes."""
    return np.concatenate(
        [
            margin_pairs(geometry, mirror(topology.LID_UPPER), mirror(topology.LID_LOWER))
            for mirror in (tuple, topology.mirrored)
        ]
    )


def margin_pairs(geometry: Geometry, upper: tuple[int, ...], lower: tuple[int, ...]) -> Int32Array:
    """Return (P, 2) pairs of facing points of two margins that share their ends.

    The mesh has a vertex in the middle between any two landmarks of a margin: they face each
    other too.
    """
    rest, refined = geometry.rest, geometry.rest[NUM_LANDMARKS : geometry.num_face]

    def with_middles(row: tuple[int, ...]) -> list[int]:
        found = [row[0]]
        for a, b in itertools.pairwise(row):
            away = ((refined - (rest[a] + rest[b]) / 2) ** 2).sum(1)
            found += [NUM_LANDMARKS + int(away.argmin()), b]
        return found[1:-1]

    return np.array(list(zip(with_middles(upper), with_middles(lower), strict=True)), np.int32)


def packed_picture(picture: UInt8Array, size_px: int) -> UInt32Array:
    """Scale an opaque picture to the output and pack it, one uint32 per px."""
    opaque = np.dstack([scale_to(picture, size_px), np.full((size_px, size_px), 255, np.uint8)])
    return np.ascontiguousarray(opaque).reshape(-1).view(np.uint32)
