"""Eyes: the white, the iris turned by the gaze, the reflection, then the lids over them.

The iris is a disc before the ball's centre of rotation, which moves it by arm * sin(angle) and
foreshortens it. The reflection of the lamp on the cornea moves by about half of that. The centre of
rotation lies 13.5 mm behind the cornea's vertex (Fry and Hill, Am. J. Optom. 39, 1962), the
cornea's centre of curvature 7.8 mm (schematic eye of Le Grand), so 5.7 mm before the former. On
that curvature the limbus, 11.7 mm wide, lies 2.6 mm behind the vertex; the pupil is seen 3.0 mm
behind it: the disc between them, 10.7 mm before the centre of rotation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.jit import kernel
from avatar_service.render import lids
from avatar_service.render.frame_pose import FramePose
from avatar_service.render.prefilter import kernel_arrays, prefilter
from avatar_service.render.sdf import fill_rest_map, sample_texture, smoothstep
from avatar_service.schema import OUTER_EYE_DISTANCE_MM
from avatar_service.signals import Float32Array, UInt8Array

IRIS_ARM_MM: Final = 10.7
CORNEA_CENTRE_MM: Final = 5.7
CORNEA_ENDS: Final = 0.90
CORNEA_ENDED: Final = 1.08
"""Iris radii between which the cornea flattens out."""


@kernel
def _turn_iris(
    axes: Float32Array, yaw: float, pitch: float, radius: float, scratch: Float32Array
) -> None:
    """Work out shift and foreshortening of the iris in the photo's plane.

    Args:
        axes: (3, 3) columns are the head's axes in frame coordinates.
        yaw: radians, + to the subject's left (image right).
        pitch: radians, + down.
        radius: of the circle on which the iris moves, any unit.
        scratch: (8,): filled with shift x, y (unit of radius), then the inverse of the 2x2 map of
            the disc, row by row.
    """
    cy, sy = math.cos(yaw), math.sin(yaw)
    cp, sp = math.cos(pitch), math.sin(pitch)
    # Columns of the ball's rotation in head axes (x right, y down, z away): it carries the
    # direction towards the camera, (0, 0, -1), to (sin yaw cos pitch, sin pitch, -...).
    r00, r01, r02 = cy, -sy * sp, -sy * cp
    r10, r11, r12 = 0.0, cp, -sp
    r20, r21, r22 = sy, cy * sp, cy * cp
    for row in range(2):
        a0, a1, a2 = axes[row, 0], axes[row, 1], axes[row, 2]
        m0 = a0 * r00 + a1 * r10 + a2 * r20
        m1 = a0 * r01 + a1 * r11 + a2 * r21
        m2 = a0 * r02 + a1 * r12 + a2 * r22
        scratch[row] = radius * (a2 - m2)
        for col in range(2):
            scratch[2 + 2 * row + col] = m0 * axes[col, 0] + m1 * axes[col, 1] + m2 * axes[col, 2]
    a, b, c, d = scratch[2], scratch[3], scratch[4], scratch[5]
    det = max(a * d - b * c, 0.2)
    scratch[2], scratch[3], scratch[4], scratch[5] = d / det, -b / det, -c / det, a / det


@kernel
def _draw_ball(
    frame: UInt8Array,
    local: Float32Array,
    curves: Float32Array,
    rest_map: Float32Array,
    shadow: Float32Array,
    sclera: Float32Array,
    origin: Float32Array,
    iris: Float32Array,
    glint: Float32Array,
    center: Float32Array,
    radius: float,
    edge: Float32Array,
    turn: Float32Array,
    glint_share: float,
    region: np.ndarray,
    colour: Float32Array,
) -> None:
    """Blend what shows between the lid margins into the frame."""
    ox, oy = local[lids.ORIGIN_X], local[lids.ORIGIN_Y]
    ax, ay = local[lids.AXIS_X], local[lids.AXIS_Y]
    width, size, shade = local[lids.WIDTH], local[lids.SIZE], local[lids.SHADE]
    # Photos have soft edges: about one px of the frame at 2x, at least one output px.
    soft = max(0.5, 0.0045 * size)
    closing = min(max(local[lids.CLOSURE], 0.0), 1.0)
    left_open = 1.0 - smoothstep(closing, 0.90, 0.98)
    if left_open <= 0.0:
        return
    upper_dark = shadow[0] * (1.0 + 0.5 * closing)
    upper_reach, lower_reach = shadow[1] * size, shadow[3] * size
    mid = (iris.shape[0] - 1) // 2
    shift_x, shift_y = turn[0], turn[1]
    hold = glint_share
    lids.region_of(local, 2.0, frame.shape[1], frame.shape[0], region)
    for y in range(region[1], region[3]):
        for x in range(region[0], region[2]):
            dx, dy = x - ox, y - oy
            t = (dx * ax + dy * ay) / width
            q = dy * ax - dx * ay
            at = (t - lids.CURVE_FIRST) / lids.CURVE_STEP
            i = int(at)
            if at < 0.0 or i > lids.CURVE_STEPS - 2:
                continue
            f = at - i
            u0, u1 = curves[lids.UPPER, i], curves[lids.UPPER, i + 1]
            l0, l1 = curves[lids.LOWER, i], curves[lids.LOWER, i + 1]
            run = lids.CURVE_STEP * width
            rise, fall = (u1 - u0) / run, (l1 - l0) / run
            above = (q - u0 - f * (u1 - u0)) / math.sqrt(1.0 + rise * rise)
            below = (l0 + f * (l1 - l0) - q) / math.sqrt(1.0 + fall * fall)
            # Box-filtered coverage of the band between the margins: exactly 0 for closed lids.
            cover = (min(above, soft) + min(below, soft)) / (soft + soft)
            if cover <= 0.0:
                continue
            cover = min(cover, 1.0) * left_open
            px = rest_map[0, 0] * x + rest_map[0, 1] * y + rest_map[0, 2]
            py = rest_map[1, 0] * x + rest_map[1, 1] * y + rest_map[1, 2]
            sample_texture(sclera, px - origin[0], py - origin[1], colour)
            red, green, blue = colour[0], colour[1], colour[2]
            gx, gy = px - center[0], py - center[1]
            ix, iy = gx - shift_x, gy - shift_y
            jx = turn[2] * ix + turn[3] * iy
            jy = turn[4] * ix + turn[5] * iy
            r = math.sqrt(jx * jx + jy * jy) / radius
            if r < edge[1]:
                part = 1.0 - smoothstep(r, edge[0], edge[1])
                sample_texture(iris, jx + mid, jy + mid, colour)
                red += part * (colour[0] - red)
                green += part * (colour[1] - green)
                blue += part * (colour[2] - blue)
            light = (
                1.0
                - upper_dark * math.exp(-max(above, 0.0) / upper_reach)
                - shadow[2] * math.exp(-max(below, 0.0) / lower_reach)
            ) * shade
            red, green, blue = red * light, green * light, blue * light
            kx, ky = gx - hold * shift_x + mid, gy - hold * shift_y + mid
            if 0.0 < kx < mid + mid and 0.0 < ky < mid + mid:
                sample_texture(glint, kx, ky, colour)
                # The cornea ends at the limbus: the white, flatter and wet, shows no such image.
                on_cornea = 1.0 - smoothstep(r, CORNEA_ENDS, CORNEA_ENDED)
                red += on_cornea * colour[0]
                green += on_cornea * colour[1]
                blue += on_cornea * colour[2]
            for c in range(3):
                value = red if c == 0 else (green if c == 1 else blue)
                old = float(frame[y, x, c])
                value = old + cover * (min(value, 255.0) - old)
                frame[y, x, c] = np.uint8(max(value + 0.5, 0.0))


def scale_eyes(assets: Mapping[str, NDArray[Any]], scale: float) -> dict[str, NDArray[Any]]:
    """Make of EyeAssets.to_arrays() what EyeDrawer reads, at `scale` output px per frame px."""
    arrays = kernel_arrays(assets)
    for name in ("sclera", "iris", "glint"):
        arrays[name] = np.stack([prefilter(one, scale) for one in arrays[name]])
    return arrays


class EyeDrawer:
    """Draws both eyes of one portrait; one per renderer, as it owns scratch memory.

    Args:
        arrays: from scale_eyes.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self._unit_px = float(self._arrays["unit"][0])
        self._anchors = self._arrays["margin_rest"].mean((1, 2))
        self._local = np.zeros((2, lids.NUM_LOCAL), np.float32)
        self._curves = np.zeros((2, lids.NUM_CURVES, lids.CURVE_STEPS), np.float32)
        self._knots = np.zeros((6, 16), np.float32)
        self._rest_map = np.zeros((2, 2, 3), np.float32)
        self._points = np.zeros((6, 3), np.float32)
        self._turn = np.zeros(8, np.float32)
        self._region = np.zeros(4, np.int64)
        self._colour = np.zeros(4, np.float32)

    def draw(self, pose: FramePose, frame: UInt8Array) -> None:
        """Draw eyes and lids over the skin.

        Args:
            pose: of the frame.
            frame: (H, W, 4) uint8 RGBA; colours are blended in place, alpha stays.
        """
        a = self._arrays
        # 2x px of the photo: two per frame px.
        radius_px = 2 * self._unit_px * IRIS_ARM_MM / OUTER_EYE_DISTANCE_MM
        for eye in (0, 1):
            local, curves = self._local[eye], self._curves[eye]
            lids.trace_lids(
                pose.vertices, pose.shading, a["margin_ids"][eye], a["row_ids"][eye],
                a["margin_rest"][eye], a["row_rest"][eye], pose.skull, pose.projection,
                self._knots, curves, local,
            )  # fmt: skip
            per_px = fill_rest_map(
                self._anchors[eye], pose.skull, pose.projection, self._points, self._rest_map[eye]
            )
            local[lids.SIZE] = self._unit_px * per_px
            yaw, pitch = pose.gaze[1 - eye]  # the pose's rows are left, right
            _turn_iris(a["axes"], yaw, pitch, radius_px, self._turn)
            _draw_ball(
                frame, local, curves, self._rest_map[eye], a["shadow"], a["sclera"][eye],
                a["patch_origin"][eye], a["iris"][eye], a["glint"][eye], a["iris_center"][eye],
                a["iris_radius"][eye], a["iris_edge"][eye], self._turn,
                CORNEA_CENTRE_MM / IRIS_ARM_MM, self._region, self._colour,
            )  # fmt: skip
            lids.draw_lid(
                frame, local, curves, a["lid_skin"][eye], a["lash_ratio"][eye], a["lash_range"],
                a["lash_color"][eye], a["lash_strength"][eye], a["grain"],
                self._region, self._colour,
            )  # fmt: skip
