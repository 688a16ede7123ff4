"""Eyelids: the posed lid margins as curves, and the skin and lashes a closing lid unfolds.

An eye is worked on in its own posed axes: t runs along the line of its two corners (0 at the
image-left one, 1 at the other), q is the distance below that line in output px.
The mesh stretches the photo's lid over the eye; what it would smear (lashes, crease) is painted
over here: lid skin stretched only between crease and lashes, the photo's own lashes at their own
size along the margin, and the dark line where closed lids meet.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from avatar_service.jit import kernel
from avatar_service.render.sdf import (
    fill_curve,
    place_point,
    sample_map,
    sample_texture,
    smoothstep,
)
from avatar_service.signals import Float32Array, UInt8Array

NUM_CURVES: Final = 3
UPPER, LOWER, CREASE = 0, 1, 2
"""Rows of the curve table."""
CURVE_STEPS: Final = 128
CURVE_FIRST: Final = -0.125
CURVE_STEP: Final = 1.25 / (CURVE_STEPS - 1)

NUM_LOCAL: Final = 10
ORIGIN_X, ORIGIN_Y, AXIS_X, AXIS_Y, WIDTH, CLOSURE, SHADE, TOP, BOTTOM, SIZE = range(NUM_LOCAL)
"""Entries of an eye's local frame: corner, unit axis, distance of the corners, 0 open .. 1 closed,
brightness factor, least and greatest q of the curves, output px per length unit."""

# The crease follows the brow and this share of the lid margin's way.
CREASE_FOLLOWS: Final = 0.15
# Where the lid's upper end lies between the first (0) and the second row (1) above the margin.
CREASE_HEIGHT: Final = 0.30


@kernel
def trace_lids(
    vertices: Float32Array,
    shading: Float32Array,
    margin_ids: np.ndarray,
    row_ids: np.ndarray,
    margin_rest: Float32Array,
    row_rest: Float32Array,
    skull: Float32Array,
    projection: Float32Array,
    knots: Float32Array,
    curves: Float32Array,
    local: Float32Array,
) -> None:
    """Fill one eye's local frame and curve table from the posed mesh.

    Args:
        vertices: (V, 3) posed, output px.
        shading: (V,).
        margin_ids: (2, 9) of the eye.
        row_ids: (2, 7).
        margin_rest: (2, 9, 3).
        row_rest: (2, 7, 3).
        skull: (3, 4).
        projection: (4,).
        knots: (6, 16) scratch.
        curves: (NUM_CURVES, CURVE_STEPS), filled.
        local: (NUM_LOCAL,), filled except SIZE.
    """
    left, right = margin_ids[0, 0], margin_ids[0, 8]
    ox, oy = vertices[left, 0], vertices[left, 1]
    dx, dy = vertices[right, 0] - ox, vertices[right, 1] - oy
    width = max(math.sqrt(dx * dx + dy * dy), 1.0)
    ax, ay = dx / width, dy / width
    local[ORIGIN_X], local[ORIGIN_Y] = ox, oy
    local[AXIS_X], local[AXIS_Y] = ax, ay
    local[WIDTH] = width

    t, q, rest, spot = knots[0], knots[1], knots[2], knots[3]
    lifted = knots[4]  # how far each upper knot is below its rest
    shade = 0.0
    for side in range(2):
        for k in range(9):
            i = margin_ids[side, k]
            rx, ry = vertices[i, 0] - ox, vertices[i, 1] - oy
            t[k] = (rx * ax + ry * ay) / width
            q[k] = ry * ax - rx * ay
            shade += shading[i]
            if side == 0:
                place_point(margin_rest[0, k], skull, projection, spot)
                rest[k] = (spot[1] - oy) * ax - (spot[0] - ox) * ay
                lifted[k] = q[k] - rest[k]
        fill_curve(t[:9], q[:9], CURVE_FIRST, CURVE_STEP, curves[side])
    local[SHADE] = shade / 18.0

    open_now, open_rest = 0.0, 1e-3
    for k in range(2, 7):
        upper, lower = margin_ids[0, k], margin_ids[1, k]
        gap = (vertices[lower, 1] - vertices[upper, 1]) * ax - (
            vertices[lower, 0] - vertices[upper, 0]
        ) * ay
        open_now += max(gap, 0.0)
        place_point(margin_rest[1, k], skull, projection, spot)
        below = (spot[1] - oy) * ax - (spot[0] - ox) * ay
        open_rest += max(below - rest[k], 0.0)
    local[CLOSURE] = 1.0 - open_now / open_rest

    mix = CREASE_HEIGHT
    t[0], q[0] = -0.02, 0.0
    for j in range(7):
        place_point(row_rest[0, j], skull, projection, spot)
        px = spot[0] + 0.0
        py = spot[1] + 0.0
        place_point(row_rest[1, j], skull, projection, spot)
        i = row_ids[1, j]
        follow = CREASE_FOLLOWS * lifted[j + 1]
        rx = px + mix * (spot[0] - px) + (vertices[i, 0] - spot[0]) - ox
        ry = py + mix * (spot[1] - py) + (vertices[i, 1] - spot[1]) - oy
        t[j + 1] = min(max((rx * ax + ry * ay) / width, 0.02), 0.98)
        q[j + 1] = ry * ax - rx * ay + follow
    t[8], q[8] = 1.02, 0.0
    fill_curve(t[:9], q[:9], CURVE_FIRST, CURVE_STEP, curves[CREASE])

    # The crease is an arch that ends at the corners; its height there is all that landmarks tell.
    tall = 0.0
    for j in range(5):
        at = 0.3 + 0.1 * j
        i = int((at - CURVE_FIRST) / CURVE_STEP)
        tall += max(curves[UPPER, i] - curves[CREASE, i], 0.0) / 5.0
    for i in range(CURVE_STEPS):
        off = 2.0 * (CURVE_FIRST + CURVE_STEP * i) - 1.0
        off = off / 1.06
        arch = max(1.0 - off * off, 0.0)
        curves[CREASE, i] = curves[UPPER, i] - tall * math.sqrt(arch) * (0.35 + 0.65 * arch)
    top, bottom = 1e6, -1e6
    for i in range(CURVE_STEPS):
        for c in range(NUM_CURVES):
            top = min(top, curves[c, i])
            bottom = max(bottom, curves[c, i])
    local[TOP], local[BOTTOM] = top, bottom


@kernel
def region_of(local: Float32Array, margin: float, width: int, height: int, out: np.ndarray) -> None:
    """Write the box x0, y0, x1, y1 (ends excluded) that an eye covers, grown by margin px."""
    ax, ay, long = local[AXIS_X], local[AXIS_Y], local[WIDTH]
    x0, y0, x1, y1 = 1e9, 1e9, -1e9, -1e9
    for i in range(2):
        for j in range(2):
            p = long * (-0.08 if i == 0 else 1.08)
            q = local[TOP] if j == 0 else local[BOTTOM]
            x = local[ORIGIN_X] + p * ax - q * ay
            y = local[ORIGIN_Y] + p * ay + q * ax
            x0, x1 = min(x0, x), max(x1, x)
            y0, y1 = min(y0, y), max(y1, y)
    out[0] = min(max(int(math.floor(x0 - margin)), 0), width)
    out[1] = min(max(int(math.floor(y0 - margin)), 0), height)
    out[2] = min(max(int(math.ceil(x1 + margin)) + 1, 0), width)
    out[3] = min(max(int(math.ceil(y1 + margin)) + 1, 0), height)


@kernel
def draw_lid(
    frame: UInt8Array,
    local: Float32Array,
    curves: Float32Array,
    skin: Float32Array,
    lash_ratio: Float32Array,
    lash_range: Float32Array,
    lash_color: Float32Array,
    lash_strength: float,
    grain: Float32Array,
    region: np.ndarray,
    colour: Float32Array,
) -> None:
    """Blend a closing upper lid and its lashes into the frame.

    Args:
        frame: (H, W, 4) RGBA, colour changed in place, alpha kept.
        local: (NUM_LOCAL,) of the eye.
        curves: (NUM_CURVES, CURVE_STEPS).
        skin: (rows, columns, 3) of the closed lid.
        lash_ratio: (depths, columns).
        lash_range: (2,) units.
        lash_color: (3,).
        lash_strength: 0..1.
        grain: (h, w) to be added.
        region: (4,) scratch.
        colour: (3,) scratch.
    """
    closure = local[CLOSURE]
    amount = smoothstep(closure, 0.05, 0.42)
    if amount <= 0:
        return
    line = lash_strength * smoothstep(closure, 0.15, 0.85)
    ox, oy, ax, ay = local[ORIGIN_X], local[ORIGIN_Y], local[AXIS_X], local[AXIS_Y]
    width, size, shade = local[WIDTH], local[SIZE], local[SHADE]
    rows, columns = skin.shape[0], skin.shape[1]
    depths = lash_ratio.shape[0]
    grain_h, grain_w = grain.shape
    per_texel = 2.0 / (size / 135.0)  # grain keeps its size on the face
    sigma = 0.0075 * size + 0.30
    fringe = 0.026 * size
    region_of(
        local,
        fringe + 0.06 * size + 3.0,
        frame.shape[1],
        frame.shape[0],
        region,
    )
    for y in range(region[1], region[3]):
        for x in range(region[0], region[2]):
            dx, dy = x - ox, y - oy
            t = (dx * ax + dy * ay) / width
            if t < -0.06 or t > 1.06:
                continue
            q = dy * ax - dx * ay
            at = (t - CURVE_FIRST) / CURVE_STEP
            i = min(max(int(at), 0), CURVE_STEPS - 2)
            f = at - i
            upper = curves[UPPER, i] + f * (curves[UPPER, i + 1] - curves[UPPER, i])
            crease = curves[CREASE, i] + f * (curves[CREASE, i + 1] - curves[CREASE, i])
            rise = (curves[UPPER, i + 1] - curves[UPPER, i]) / (CURVE_STEP * width)
            above = (upper - q) / math.sqrt(1.0 + rise * rise)
            if above < -fringe:
                continue
            tall = max(upper - crease, 0.02 * size)
            v = 1.0 - (upper - q) / tall
            if v < -0.7:
                continue
            ends = smoothstep(t, -0.04, 0.20) * smoothstep(t, 1.04, 0.80)
            cover = amount * ends * smoothstep(v, -0.65, 0.30)
            cover *= min(max(above + 0.5, 0.0), 1.0)
            column = t * (columns - 1)
            red, green, blue = (
                float(frame[y, x, 0]),
                float(frame[y, x, 1]),
                float(frame[y, x, 2]),
            )
            if cover > 0.0:
                sample_texture(skin, column, max(v, 0.0) * (rows - 1), colour)
                depth = (above / size - lash_range[0]) / (lash_range[1] - lash_range[0])
                ratio = 1.0
                if depth < 1.0:
                    ratio = sample_map(lash_ratio, column, depth * (depths - 1))
                gx = int(t * width * per_texel + 512.0)
                gy = int(above * per_texel + 512.0)
                fine = 1.3 * grain[gy % grain_h, gx % grain_w]
                factor = ratio * shade
                red += cover * (colour[0] * factor + fine - red)
                green += cover * (colour[1] * factor + fine - green)
                blue += cover * (colour[2] * factor + fine - blue)
            # The line where the lids meet, thin at the corners, with a fringe of lashes below.
            taper = smoothstep(t, 0.0, 0.22) * smoothstep(t, 1.0, 0.78)
            taper = 0.25 + 0.75 * taper
            taper *= smoothstep(t, -0.03, 0.05) * smoothstep(t, 1.03, 0.95)
            near = (above + 0.1 * sigma) / sigma
            dark = math.exp(-near * near)
            if above < 0.0:
                dark = max(dark, 0.26 * math.exp(above / (0.35 * fringe)))
            dark *= line * taper
            red += dark * (lash_color[0] - red)
            green += dark * (lash_color[1] - green)
            blue += dark * (lash_color[2] - blue)
            frame[y, x, 0] = np.uint8(min(max(red + 0.5, 0.0), 255.0))
            frame[y, x, 1] = np.uint8(min(max(green + 0.5, 0.0), 255.0))
            frame[y, x, 2] = np.uint8(min(max(blue + 0.5, 0.0), 255.0))
