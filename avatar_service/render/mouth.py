"""Inside of the mouth: cavity, tongue, two rows of teeth, the shade between the lips, the seam.

The mouth is worked on in its own posed axes: p runs along the line of the inner lip corners (px
from the image-left one), q is the distance below it. Upper teeth are rigid with the skull, lower
teeth and tongue with the jaw; each row is an arch whose columns are placed in 3D and tabulated
over p, so that a pixel finds its place on the unrolled strip by two look-ups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.render.frame_pose import FramePose
from avatar_service.render.jit import kernel
from avatar_service.render.sdf import (
    fill_curve,
    fill_rest_map,
    place_point,
    sample_texture,
    smoothstep,
)
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import Float32Array, UInt8Array

CURVE_STEPS: Final = 128
CURVE_FIRST: Final = -0.125
CURVE_STEP: Final = 1.25 / (CURVE_STEPS - 1)
UPPER, LOWER, OUTER = 0, 1, 2
"""Rows of the lip curves: inner upper, inner lower and outer lower lip."""

STRIP_STEPS: Final = 192
STRIP_FIRST: Final = -0.25
STRIP_STEP: Final = 1.5 / (STRIP_STEPS - 1)
COLUMN, TOP, BOTTOM = 0, 1, 2
"""Rows of a tooth strip's table over p / width: strip column 0..1 (-1 = no teeth), its q ends."""

NUM_LOCAL: Final = 16
(
    ORIGIN_X, ORIGIN_Y, AXIS_X, AXIS_Y, WIDTH, SIZE, GAP, SHADE,
    ROUND, TIP_P, TIP_Q, TONGUE_UP, TONGUE_OUT, LIFT, SEAM, CLOSED,
) = range(NUM_LOCAL)  # fmt: skip
"""Entries of the mouth's local frame: corner, unit axis, distance of the corners (px), output px
per length unit, widest opening (units), brightness factor, roundness of the lips 0..1, tongue tip
(px), how far the tongue is raised and stuck out (0..1), lift of the photo's own teeth (px), weight
of the seam, 1 where lips are shut."""

_FUNNEL = EXPRESSION_INDEX["mouthFunnel"]
_PUCKER = EXPRESSION_INDEX["mouthPucker"]
_TONGUE_OUT = EXPRESSION_INDEX["tongueOut"]

# Own teeth may end this far below the upper lip when it is not smiling, units.
_SPEECH_TOOTH_SHOW: Final = 0.040


@kernel
def _trace_lips(
    vertices: Float32Array,
    shading: Float32Array,
    coefficients: Float32Array,
    lip_ids: np.ndarray,
    outer_ids: np.ndarray,
    lip_rest: Float32Array,
    skull: Float32Array,
    jaw: Float32Array,
    projection: Float32Array,
    tongue_tip: Float32Array,
    own_show: float,
    is_open: float,
    knots: Float32Array,
    curves: Float32Array,
    local: Float32Array,
) -> None:
    """Fill the mouth's local frame (SIZE is given) and its lip curves from the posed mesh."""
    zero, one = np.float32(0), np.float32(1)
    left, right = lip_ids[0, 0], lip_ids[0, 10]
    ox, oy = vertices[left, 0], vertices[left, 1]
    dx, dy = vertices[right, 0] - ox, vertices[right, 1] - oy
    width = max(math.sqrt(dx * dx + dy * dy), one)
    ax, ay = dx / width, dy / width
    local[ORIGIN_X], local[ORIGIN_Y] = ox, oy
    local[AXIS_X], local[AXIS_Y] = ax, ay
    local[WIDTH] = width
    size = local[SIZE]
    t, q, spot = knots[0], knots[1], knots[2]
    shade = zero
    for side in range(3):
        for k in range(11):
            i = outer_ids[1, k] if side == OUTER else lip_ids[side, k]
            rx, ry = vertices[i, 0] - ox, vertices[i, 1] - oy
            t[k] = (rx * ax + ry * ay) / width
            q[k] = ry * ax - rx * ay
            shade += shading[i]
        fill_curve(t[:11], q[:11], CURVE_FIRST, CURVE_STEP, curves[side])
    local[SHADE] = shade / np.float32(33)
    rounding = min(
        np.float32(0.9) * max(coefficients[_FUNNEL], zero)
        + np.float32(0.8) * max(coefficients[_PUCKER], zero),
        one,
    )
    local[ROUND] = rounding
    gap = _round_opening(curves, rounding) / size
    local[GAP] = gap
    place_point(tongue_tip, jaw, projection, spot)
    rx, ry = spot[0] - ox, spot[1] - oy
    local[TIP_P] = rx * ax + ry * ay
    local[TIP_Q] = ry * ax - rx * ay
    tongue = max(coefficients[_TONGUE_OUT], zero)
    local[TONGUE_UP] = smoothstep(tongue, zero, np.float32(0.35))
    local[TONGUE_OUT] = smoothstep(tongue, np.float32(0.25), one)
    # A smile bares more of the teeth than speech does: as the upper lip comes down from where the
    # photo shows it, teeth that would still hang far below it go up with the jaw's soft tissue.
    down = zero
    for k in range(4, 7):
        place_point(lip_rest[0, k], skull, projection, spot)
        i = lip_ids[0, k]
        down += (vertices[i, 1] - spot[1]) * ax - (vertices[i, 0] - spot[0]) * ay
    down = down / (np.float32(3) * size)
    shown = np.float32(_SPEECH_TOOTH_SHOW) * (one - np.float32(0.8) * rounding)
    excess = max(np.float32(own_show) - down - shown, zero)
    local[LIFT] = size * excess * max(smoothstep(down, zero, np.float32(0.03)), rounding)
    local[CLOSED] = one - smoothstep(gap, np.float32(0.004), np.float32(0.045))
    local[SEAM] = local[CLOSED] * np.float32(0.78 if is_open > 0.5 else 0.0)


@kernel
def _round_opening(curves: Float32Array, rounding: float) -> float:
    """Keep the opening widest in the middle and round at its corners; return its widest gap.

    Lips bulge inwards beside the corners; the mesh, which only knows their margin, would leave
    wedges there. The skin texture below the margin is lip.

    Args:
        curves: (3, CURVE_STEPS), the inner lips are changed in place.
        rounding: 0 corners that taper to a point, 1 nearly an ellipse.
    """
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    widest = zero
    for i in range(CURVE_STEPS):
        off = abs(np.float32(2) * np.float32(CURVE_FIRST + CURVE_STEP * i) - one)
        if off < half:
            widest = max(widest, curves[LOWER, i] - curves[UPPER, i])
    power = np.float32(2.8) - np.float32(0.7) * np.float32(rounding)
    bluntness = np.float32(0.85) - np.float32(0.20) * np.float32(rounding)
    for i in range(CURVE_STEPS):
        off = abs(np.float32(2) * np.float32(CURVE_FIRST + CURVE_STEP * i) - one)
        most = zero
        if off < one:
            inner = one - math.exp(power * math.log(max(off, np.float32(1e-3))))
            most = widest * math.exp(bluntness * math.log(max(inner, np.float32(1e-6))))
        excess = curves[LOWER, i] - curves[UPPER, i] - most
        if excess > zero:
            curves[UPPER, i] += half * excess
            curves[LOWER, i] -= half * excess
    return widest


@kernel
def _trace_strip(
    arch: Float32Array,
    matrix: Float32Array,
    projection: Float32Array,
    local: Float32Array,
    knots: Float32Array,
    table: Float32Array,
) -> None:
    """Tabulate a posed row of teeth over p.

    Only the front of the arch counts: from the column nearest to the middle outwards, as long as p
    goes on rising and falling.

    Args:
        arch: (2, n, 3) camera space, upper and lower end of the strip.
        matrix: (3, 4) skull or jaw.
        projection: (4,).
        local: (NUM_LOCAL,).
        knots: (3, n) scratch: p, q of both ends.
        table: (3, STRIP_STEPS), filled.
    """
    n = arch.shape[1]
    ox, oy, ax, ay = local[ORIGIN_X], local[ORIGIN_Y], local[AXIS_X], local[AXIS_Y]
    width = local[WIDTH]
    spot = table[0]  # free until filled
    for k in range(n):
        p = np.float32(0)
        for end in range(2):
            place_point(arch[end, k], matrix, projection, spot)
            rx, ry = spot[0] - ox, spot[1] - oy
            p += np.float32(0.5) * (rx * ax + ry * ay) / width
            knots[1 + end, k] = ry * ax - rx * ay
        knots[0, k] = p
    first, last = n // 2, n // 2
    while first > 0 and knots[0, first - 1] < knots[0, first] - np.float32(1e-4):
        first -= 1
    while last < n - 1 and knots[0, last + 1] > knots[0, last] + np.float32(1e-4):
        last += 1
    k = first
    for i in range(STRIP_STEPS):
        at = np.float32(STRIP_FIRST + STRIP_STEP * i)
        if at < knots[0, first] or at >= knots[0, last]:
            table[COLUMN, i] = np.float32(-1)
            edge = first if at < knots[0, first] else last
            table[TOP, i], table[BOTTOM, i] = knots[1, edge], knots[2, edge]
            continue
        while at > knots[0, k + 1]:
            k += 1
        f = (at - knots[0, k]) / (knots[0, k + 1] - knots[0, k])
        table[COLUMN, i] = (np.float32(k) + f) / np.float32(n - 1)
        table[TOP, i] = knots[1, k] + f * (knots[1, k + 1] - knots[1, k])
        table[BOTTOM, i] = knots[2, k] + f * (knots[2, k + 1] - knots[2, k])


@kernel
def _look_up_strip(
    table: Float32Array, teeth: Float32Array, t: float, q: float, out: Float32Array
) -> float:
    """Sample a tooth strip at a pixel: out[:4] premultiplied.

    Returns:
        The side of the arch, 0 in the middle .. 1 at its ends; -1 where there is no tooth.
    """
    at = (t - np.float32(STRIP_FIRST)) / np.float32(STRIP_STEP)
    i = int(at)
    if at < np.float32(0) or i > STRIP_STEPS - 2:
        return np.float32(-1)
    if table[COLUMN, i] < np.float32(0) or table[COLUMN, i + 1] < np.float32(0):
        return np.float32(-1)
    f = at - np.float32(i)
    column = table[COLUMN, i] + f * (table[COLUMN, i + 1] - table[COLUMN, i])
    top = table[TOP, i] + f * (table[TOP, i + 1] - table[TOP, i])
    bottom = table[BOTTOM, i] + f * (table[BOTTOM, i + 1] - table[BOTTOM, i])
    v = (q - top) / max(bottom - top, np.float32(0.5))
    if v < np.float32(0) or v > np.float32(1):
        return np.float32(-1)
    sample_texture(
        teeth, column * np.float32(teeth.shape[1] - 1), v * np.float32(teeth.shape[0] - 1), out
    )
    return abs(np.float32(2) * column - np.float32(1))


@kernel
def _draw_inside(
    frame: UInt8Array,
    local: Float32Array,
    curves: Float32Array,
    upper: Float32Array,
    lower: Float32Array,
    teeth_upper: Float32Array,
    teeth_lower: Float32Array,
    own_teeth: Float32Array,
    own_origin: Float32Array,
    own_map: Float32Array,
    cavity: Float32Array,
    tongue: Float32Array,
    tongue_half_width: float,
    sample: Float32Array,
    rgb: Float32Array,
) -> None:
    """Blend all that shows between the lips into the frame."""
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    ox, oy, ax, ay = local[ORIGIN_X], local[ORIGIN_Y], local[AXIS_X], local[AXIS_Y]
    width, size, gap, shade = local[WIDTH], local[SIZE], local[GAP], local[SHADE]
    rounding = local[ROUND]
    has_own = own_teeth.shape[0] > 1
    own_lift = local[LIFT]
    soft = max(half, np.float32(0.0045) * size)
    # Little light enters between lips that are hardly parted, or pushed forward.
    entering = np.float32(0.42) + np.float32(0.58) * smoothstep(
        gap, np.float32(0.012), np.float32(0.085)
    )
    light = entering * (one - np.float32(0.30) * rounding) * shade
    # Teeth stand right behind the lips and catch more of it.
    tooth_light = (np.float32(0.58) + np.float32(0.42) * entering) / entering
    tooth_light *= one - np.float32(0.58) * rounding
    tip_p, tip_q = local[TIP_P], local[TIP_Q]
    raised = local[TONGUE_UP]
    tongue_w = np.float32(tongue_half_width) * size
    # The back of the tongue is seen above its tip, more of it the wider the mouth.
    tongue_h = size * (np.float32(0.045) + np.float32(0.25) * gap + np.float32(0.05) * raised)
    tongue_top = tip_q - tongue_h - raised * np.float32(0.6) * gap * size

    top, bottom = np.float32(1e6), np.float32(-1e6)
    for i in range(CURVE_STEPS):
        top, bottom = min(top, curves[UPPER, i]), max(bottom, curves[LOWER, i])
    x0, y0, x1, y1 = np.float32(1e9), np.float32(1e9), np.float32(-1e9), np.float32(-1e9)
    for i in range(4):
        p = -soft if i % 2 == 0 else width + soft
        q = top if i < 2 else bottom
        x, y = ox + p * ax - q * ay, oy + p * ay + q * ax
        x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    first_x, first_y = max(int(x0) - 2, 0), max(int(y0) - 2, 0)
    last_x, last_y = min(int(x1) + 3, frame.shape[1]), min(int(y1) + 3, frame.shape[0])
    run = np.float32(CURVE_STEP) * width
    for y in range(first_y, last_y):
        for x in range(first_x, last_x):
            dx, dy = np.float32(x) - ox, np.float32(y) - oy
            p, q = dx * ax + dy * ay, dy * ax - dx * ay
            t = p / width
            at = (t - np.float32(CURVE_FIRST)) / np.float32(CURVE_STEP)
            i = int(at)
            if at < zero or i > CURVE_STEPS - 2:
                continue
            f = at - np.float32(i)
            u0, u1 = curves[UPPER, i], curves[UPPER, i + 1]
            l0, l1 = curves[LOWER, i], curves[LOWER, i + 1]
            rise, fall = (u1 - u0) / run, (l1 - l0) / run
            above = (q - u0 - f * (u1 - u0)) / math.sqrt(one + rise * rise)
            below = (l0 + f * (l1 - l0) - q) / math.sqrt(one + fall * fall)
            cover = (min(above, soft) + min(below, soft)) / (soft + soft)
            if cover <= zero:
                continue
            cover = min(cover, one)

            # Cavity: the palate far up is darkest.
            depth = np.float32(0.55) + np.float32(0.45) * smoothstep(
                q, curves[UPPER, i], curves[UPPER, i] + np.float32(0.16) * size
            )
            # Beside the lips it is their wet inner side that is seen, not the dark.
            flesh = np.float32(0.55) * math.exp(
                -max(min(above, below), zero) / (np.float32(0.022) * size)
            )
            for c in range(3):
                rgb[c] = cavity[c] * depth
                rgb[c] += flesh * (np.float32(0.62) * tongue[c] - rgb[c])

            # Tongue: a round back fading into the dark, a groove in its middle.
            xt = (p - tip_p) / tongue_w
            if abs(xt) < np.float32(1.2):
                arch = math.sqrt(max(one - min(xt * xt, one), zero))
                edge = tip_q - (tip_q - tongue_top) * (np.float32(0.35) + np.float32(0.65) * arch)
                inside = smoothstep(
                    q, edge - np.float32(0.020) * size, edge + np.float32(0.035) * size
                )
                inside *= smoothstep(-abs(xt), np.float32(-1.08), np.float32(-0.85))
                front = smoothstep(q, tongue_top, tip_q + np.float32(0.02) * size)
                lit = np.float32(0.36) + (np.float32(0.34) + np.float32(0.15) * raised) * front
                lit *= (np.float32(0.78) + np.float32(0.22) * arch) * (
                    one + np.float32(0.2) * raised
                )
                lit -= np.float32(0.07) * math.exp(-(xt * xt) / np.float32(0.012)) * front
                for c in range(3):
                    rgb[c] += inside * (tongue[c] * lit - rgb[c])
                inside_raised = inside * raised
            else:
                inside_raised = zero

            side = _look_up_strip(lower, teeth_lower, t, q, sample)
            if side >= zero:
                dim = one - np.float32(0.75) * smoothstep(side, np.float32(0.15), np.float32(0.75))
                dim *= np.float32(0.80) * tooth_light
                k = one - inside_raised
                for c in range(3):
                    rgb[c] += k * (sample[c] * dim - sample[3] * np.float32(1 / 255) * rgb[c])
            side = _look_up_strip(upper, teeth_upper, t, q + own_lift, sample)
            if side >= zero:
                dim = one - np.float32(0.78) * smoothstep(side, np.float32(0.14), np.float32(0.72))
                dim *= tooth_light
                # Own teeth cover the front ones; those behind them are not in the photo.
                k = one
                if has_own:
                    k = smoothstep(side, np.float32(0.36), np.float32(0.52))
                    dim *= np.float32(0.6)
                for c in range(3):
                    rgb[c] += k * (sample[c] * dim - sample[3] * np.float32(1 / 255) * rgb[c])
            if has_own:
                px = own_map[0, 0] * x + own_map[0, 1] * y + own_map[0, 2]
                py = own_map[1, 0] * x + own_map[1, 1] * y + own_map[1, 2]
                # Lift: look further down in the photo.
                px += own_lift * (-ay * own_map[0, 0] + ax * own_map[0, 1])
                py += own_lift * (-ay * own_map[1, 0] + ax * own_map[1, 1])
                px, py = px - own_origin[0], py - own_origin[1]
                if -one < px < own_teeth.shape[1] and -one < py < own_teeth.shape[0]:
                    sample_texture(own_teeth, px, py, sample)
                    for c in range(3):
                        rgb[c] += sample[c] * tooth_light - sample[3] * np.float32(1 / 255) * rgb[c]

            # Shade of the lips: close to them, most under the upper one, and in the corners.
            near = min(above, below) / (np.float32(0.040) * size)
            shade_near = np.float32(0.54) + np.float32(0.46) * min(max(near, zero), one)
            under = one - np.float32(0.30) * math.exp(
                -max(above, zero) / (np.float32(0.030) * size)
            )
            aside = abs(t - half) * np.float32(2)
            corner = one - np.float32(0.45) * smoothstep(aside, np.float32(0.50), np.float32(1.05))
            keep = shade_near * under * corner
            if has_own:  # the photo's own shade is in its teeth
                keep = one - (one - keep) * np.float32(0.5)
            keep *= light
            # Light that passes between lips turns red: shade takes more of green and blue.
            keep = max(keep, np.float32(0.02))
            keep_red = math.exp(np.float32(0.84) * math.log(keep))
            keep_blue = math.exp(np.float32(1.06) * math.log(keep))
            for c in range(3):
                value = rgb[c] * (keep_red if c == 0 else keep if c == 1 else keep_blue)
                old = np.float32(frame[y, x, c])
                value = old + cover * (min(value, np.float32(255)) - old)
                frame[y, x, c] = np.uint8(max(value + half, zero))


@kernel
def _draw_seam(
    frame: UInt8Array, local: Float32Array, curves: Float32Array, seam: Float32Array
) -> None:
    """Draw the dark line where closed lips meet."""
    weight = local[SEAM]
    if weight <= 0:
        return
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    ox, oy, ax, ay = local[ORIGIN_X], local[ORIGIN_Y], local[AXIS_X], local[AXIS_Y]
    width, size = local[WIDTH], local[SIZE]
    sigma = np.float32(0.0085) * size + np.float32(0.30)
    top, bottom = np.float32(1e6), np.float32(-1e6)
    for i in range(CURVE_STEPS):
        top, bottom = min(top, curves[UPPER, i]), max(bottom, curves[LOWER, i])
    margin = np.float32(4) * sigma
    x0, y0, x1, y1 = np.float32(1e9), np.float32(1e9), np.float32(-1e9), np.float32(-1e9)
    for i in range(4):
        p = zero if i % 2 == 0 else width
        q = top if i < 2 else bottom
        x, y = ox + p * ax - q * ay, oy + p * ay + q * ax
        x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    first_x, first_y = max(int(x0 - margin), 0), max(int(y0 - margin), 0)
    last_x = min(int(x1 + margin) + 2, frame.shape[1])
    last_y = min(int(y1 + margin) + 2, frame.shape[0])
    run = np.float32(CURVE_STEP) * width
    for y in range(first_y, last_y):
        for x in range(first_x, last_x):
            dx, dy = np.float32(x) - ox, np.float32(y) - oy
            p, q = dx * ax + dy * ay, dy * ax - dx * ay
            t = p / width
            at = (t - np.float32(CURVE_FIRST)) / np.float32(CURVE_STEP)
            i = int(at)
            if at < zero or i > CURVE_STEPS - 2:
                continue
            f = at - np.float32(i)
            m0 = half * (curves[UPPER, i] + curves[LOWER, i])
            m1 = half * (curves[UPPER, i + 1] + curves[LOWER, i + 1])
            rise = (m1 - m0) / run
            away = (q - m0 - f * (m1 - m0)) / math.sqrt(one + rise * rise) / sigma
            if abs(away) > np.float32(3.5):
                continue
            # Sharp below the overhanging upper lip, softer towards the lower one.
            spread = one if away < zero else np.float32(1.5)
            line = math.exp(-(away / spread) * (away / spread))
            ends = smoothstep(t, np.float32(-0.02), np.float32(0.14)) * smoothstep(
                t, np.float32(1.02), np.float32(0.86)
            )
            k = weight * line * (np.float32(0.12) + np.float32(0.88) * ends)
            k *= smoothstep(t, np.float32(-0.05), np.float32(0.02)) * smoothstep(
                t, np.float32(1.05), np.float32(0.98)
            )
            for c in range(3):
                old = np.float32(frame[y, x, c])
                frame[y, x, c] = np.uint8(max(old + k * (seam[c] - old) + half, zero))


@kernel
def _draw_tongue(
    frame: UInt8Array,
    local: Float32Array,
    curves: Float32Array,
    tongue: Float32Array,
    tongue_half_width: float,
) -> None:
    """Draw the tongue where it is stuck out over the lower lip."""
    out = local[TONGUE_OUT]
    if out <= 0:
        return
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    ox, oy, ax, ay = local[ORIGIN_X], local[ORIGIN_Y], local[AXIS_X], local[AXIS_Y]
    width, size, shade = local[WIDTH], local[SIZE], local[SHADE]
    tip_p = local[TIP_P]
    mid = min(
        max((tip_p / width - np.float32(CURVE_FIRST)) / np.float32(CURVE_STEP), zero),
        np.float32(CURVE_STEPS - 2),
    )
    i = int(mid)
    lip_q, outer_q = curves[LOWER, i], curves[OUTER, i]
    start = curves[UPPER, i]
    # From the lower teeth to well below the lower lip.
    end = lip_q + out * (outer_q - lip_q + np.float32(0.085) * size)
    tall = max(end - start, one)
    broad = np.float32(tongue_half_width) * size * (np.float32(0.72) + np.float32(0.14) * out)
    broad = min(broad, np.float32(0.40) * width)
    soft = max(half, np.float32(0.006) * size)
    cast = np.float32(0.030) * size
    reach_p, reach_q = broad + cast + np.float32(2), end + np.float32(2) * cast
    x0, y0, x1, y1 = np.float32(1e9), np.float32(1e9), np.float32(-1e9), np.float32(-1e9)
    for j in range(4):
        p = tip_p + (-reach_p if j % 2 == 0 else reach_p)
        q = start if j < 2 else reach_q
        x, y = ox + p * ax - q * ay, oy + p * ay + q * ax
        x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    first_x, first_y = max(int(x0), 0), max(int(y0), 0)
    last_x, last_y = min(int(x1) + 2, frame.shape[1]), min(int(y1) + 2, frame.shape[0])
    run = np.float32(CURVE_STEP) * width
    for y in range(first_y, last_y):
        for x in range(first_x, last_x):
            dx, dy = np.float32(x) - ox, np.float32(y) - oy
            p, q = dx * ax + dy * ay, dy * ax - dx * ay
            t = p / width
            at = (t - np.float32(CURVE_FIRST)) / np.float32(CURVE_STEP)
            i = int(at)
            if at < zero or i > CURVE_STEPS - 2:
                continue
            u0, u1 = curves[UPPER, i], curves[UPPER, i + 1]
            rise = (u1 - u0) / run
            above = (q - u0 - (at - np.float32(i)) * (u1 - u0)) / math.sqrt(one + rise * rise)
            if above < -soft:
                continue
            s = (q - start) / tall
            xt = (p - tip_p) / broad
            # Outline: sides that converge to a round tip, as the distance to a rounded box.
            here = broad * (one - np.float32(0.16) * smoothstep(s, np.float32(0.2), one))
            corner = np.float32(0.88) * here
            bx = abs(p - tip_p) - (here - corner)
            by = (q - end) + corner
            if by > zero and bx > zero:
                inside = corner - math.sqrt(bx * bx + by * by)
            else:
                inside = corner - max(bx, by)
            cover = min(max(inside / (soft + soft) + half, zero), one)
            cover *= min(max(above / (soft + soft) + half, zero), one)
            cover *= smoothstep(out, zero, np.float32(0.15))
            # Soft shadow on lip and chin.
            shadow = (
                np.float32(0.35)
                * out
                * smoothstep(inside + np.float32(0.4) * cast, -cast, cast)
                * smoothstep(above, zero, np.float32(0.03) * size)
            )
            arch = math.sqrt(max(one - min(xt * xt, one), zero))
            lit = np.float32(0.74) + np.float32(0.26) * arch
            # Shaded by the upper lip where it comes out, turning down at its tip.
            lit *= np.float32(0.42) + np.float32(0.58) * smoothstep(s, zero, np.float32(0.42))
            lit *= one - np.float32(0.16) * smoothstep(s, np.float32(0.80), np.float32(1.02))
            groove = math.exp(-(xt * xt) / np.float32(0.014)) * smoothstep(
                s, np.float32(0.95), np.float32(0.55)
            )
            lit *= one - np.float32(0.10) * groove
            sheen = np.float32(26) * math.exp(
                -((abs(xt) - np.float32(0.42)) ** 2) / np.float32(0.03)
                - ((s - np.float32(0.66)) ** 2) / np.float32(0.02)
            )
            for c in range(3):
                old = np.float32(frame[y, x, c]) * (one - shadow * (one - cover))
                value = min((tongue[c] * lit + sheen) * shade, np.float32(255))
                frame[y, x, c] = np.uint8(max(old + cover * (value - old) + half, zero))


class MouthDrawer:
    """Draws the mouth of one portrait; one per renderer, as it owns scratch memory.

    Args:
        arrays: MouthAssets.to_arrays() of portrait/mouth.py.
        frame_px: side of the portrait's frame.
        out_px: side of the rendered picture.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], frame_px: int, out_px: int) -> None:
        self._arrays = {
            name: np.ascontiguousarray(value, np.int32 if name.endswith("_ids") else np.float32)
            for name, value in arrays.items()
        }
        a = self._arrays
        self._unit_px = float(a["unit"][0])
        unit_out = self._unit_px * out_px / frame_px
        for name in ("teeth_upper", "teeth_lower"):
            a[name] = _fit_texture(a[name], round(1.35 * unit_out * 1.3))
        self._anchor = np.ascontiguousarray(a["lip_rest"].mean((0, 1)))
        self._own_anchor = self._anchor
        self._local = np.zeros(NUM_LOCAL, np.float32)
        self._curves = np.zeros((3, CURVE_STEPS), np.float32)
        self._strips = np.zeros((2, 3, STRIP_STEPS), np.float32)
        self._knots = np.zeros((4, max(16, a["arch_upper"].shape[1])), np.float32)
        self._rest_map = np.zeros((2, 3), np.float32)
        self._points = np.zeros((6, 3), np.float32)
        self._sample = np.zeros(4, np.float32)
        self._rgb = np.zeros(3, np.float32)

    def draw(self, pose: FramePose, frame: UInt8Array) -> None:
        """Draw the mouth over the skin.

        Args:
            pose: of the frame.
            frame: (H, W, 4) uint8 RGBA; colours are blended in place, alpha stays.
        """
        a, local, curves = self._arrays, self._local, self._curves
        per_px = fill_rest_map(
            self._anchor, pose.skull, pose.projection, self._points, self._rest_map
        )
        local[SIZE] = self._unit_px * per_px
        _trace_lips(
            pose.vertices, pose.shading, pose.coefficients, a["lip_ids"], a["outer_ids"],
            a["lip_rest"], pose.skull, pose.jaw, pose.projection, a["tongue_tip"],
            a["own_show"][0], a["is_open"][0], self._knots, curves, local,
        )  # fmt: skip
        upper, lower = self._strips
        _trace_strip(a["arch_upper"], pose.skull, pose.projection, local, self._knots, upper)
        _trace_strip(a["arch_lower"], pose.jaw, pose.projection, local, self._knots, lower)
        _draw_inside(
            frame, local, curves, upper, lower, a["teeth_upper"], a["teeth_lower"],
            a["own_teeth"], a["own_origin"], self._rest_map, a["cavity"], a["tongue"],
            a["tongue_half_width"][0], self._sample, self._rgb,
        )  # fmt: skip
        _draw_seam(frame, local, curves, a["seam"])
        _draw_tongue(frame, local, curves, a["tongue"], a["tongue_half_width"][0])


def _fit_texture(texture: Float32Array, width: int) -> Float32Array:
    """Reduce a strip to about one texel per output px, so that it does not flicker."""
    if width >= texture.shape[1]:
        return texture
    height = max(4, round(texture.shape[0] * width / texture.shape[1]))
    reduced = cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(reduced, np.float32)
