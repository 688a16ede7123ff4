"""The tongue where it is stuck out over the lower lip."""

from __future__ import annotations

import math

import numpy as np

from avatar_service.jit import kernel
from avatar_service.render.lips import (
    AXIS_X,
    AXIS_Y,
    CURVE_FIRST,
    CURVE_STEP,
    CURVE_STEPS,
    LOWER,
    ORIGIN_X,
    ORIGIN_Y,
    OUTER,
    SHADE,
    SIZE,
    TIP_P,
    TONGUE_OUT,
    UPPER,
    WIDTH,
)
from avatar_service.render.sdf import smoothstep
from avatar_service.signals import Float32Array, UInt8Array


@kernel
def draw_tongue(
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
    ox, oy, ax, ay = local[ORIGIN_X], local[ORIGIN_Y], local[AXIS_X], local[AXIS_Y]
    width, size, shade = local[WIDTH], local[SIZE], local[SHADE]
    tip_p = local[TIP_P]
    mid = min(
        max((tip_p / width - CURVE_FIRST) / CURVE_STEP, 0.0),
        CURVE_STEPS - 2,
    )
    i = int(mid)
    lip_q, outer_q = curves[LOWER, i], curves[OUTER, i]
    start = curves[UPPER, i]
    # From the lower teeth to well below the lower lip.
    end = lip_q + out * (outer_q - lip_q + 0.085 * size)
    tall = max(end - start, 1.0)
    broad = tongue_half_width * size * (0.72 + 0.14 * out)
    broad = min(broad, 0.40 * width)
    soft = max(0.5, 0.006 * size)
    cast = 0.030 * size
    reach_p, reach_q = broad + cast + 2.0, end + 2.0 * cast
    x0, y0, x1, y1 = 1e9, 1e9, -1e9, -1e9
    for j in range(4):
        p = tip_p + (-reach_p if j % 2 == 0 else reach_p)
        q = start if j < 2 else reach_q
        x, y = ox + p * ax - q * ay, oy + p * ay + q * ax
        x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    first_x, first_y = max(int(x0), 0), max(int(y0), 0)
    last_x, last_y = min(int(x1) + 2, frame.shape[1]), min(int(y1) + 2, frame.shape[0])
    run = CURVE_STEP * width
    for y in range(first_y, last_y):
        for x in range(first_x, last_x):
            dx, dy = x - ox, y - oy
            p, q = dx * ax + dy * ay, dy * ax - dx * ay
            t = p / width
            at = (t - CURVE_FIRST) / CURVE_STEP
            i = int(at)
            if at < 0.0 or i > CURVE_STEPS - 2:
                continue
            u0, u1 = curves[UPPER, i], curves[UPPER, i + 1]
            rise = (u1 - u0) / run
            above = (q - u0 - (at - i) * (u1 - u0)) / math.sqrt(1.0 + rise * rise)
            if above < -soft:
                continue
            s = (q - start) / tall
            xt = (p - tip_p) / broad
            # Outline: sides that converge to a round tip, as the distance to a rounded box.
            here = broad * (1.0 - 0.16 * smoothstep(s, 0.2, 1.0))
            corner = 0.88 * here
            bx = abs(p - tip_p) - (here - corner)
            by = (q - end) + corner
            if by > 0.0 and bx > 0.0:
                inside = corner - math.sqrt(bx * bx + by * by)
            else:
                inside = corner - max(bx, by)
            cover = min(max(inside / (soft + soft) + 0.5, 0.0), 1.0)
            cover *= min(max(above / (soft + soft) + 0.5, 0.0), 1.0)
            cover *= smoothstep(out, 0.0, 0.15)
            # Soft shadow on lip and chin.
            shadow = (
                0.35
                * out
                * smoothstep(inside + 0.4 * cast, -cast, cast)
                * smoothstep(above, 0.0, 0.03 * size)
            )
            arch = math.sqrt(max(1.0 - min(xt * xt, 1.0), 0.0))
            lit = 0.74 + 0.26 * arch
            # Shaded by the upper lip where it comes out, turning down at its tip.
            lit *= 0.42 + 0.58 * smoothstep(s, 0.0, 0.42)
            lit *= 1.0 - 0.16 * smoothstep(s, 0.80, 1.02)
            groove = math.exp(-(xt * xt) / 0.014) * smoothstep(s, 0.95, 0.55)
            lit *= 1.0 - 0.10 * groove
            sheen = 26.0 * math.exp(-((abs(xt) - 0.42) ** 2) / 0.03 - ((s - 0.66) ** 2) / 0.02)
            for c in range(3):
                old = float(frame[y, x, c]) * (1.0 - shadow * (1.0 - cover))
                value = min((tongue[c] * lit + sheen) * shade, 255.0)
                frame[y, x, c] = np.uint8(max(old + cover * (value - old) + 0.5, 0.0))
