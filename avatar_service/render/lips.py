"""Lips: the posed opening as curves, and the line of closed lips.

The mouth is worked on in its own posed axes: p runs along the line of the inner lip corners (px
from the image-left one; t = p / width), q is the distance below it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from avatar_service.jit import kernel
from avatar_service.render.sdf import fill_curve, place_point, smoothstep
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import Float32Array, UInt8Array

CURVE_STEPS: Final = 128
CURVE_FIRST: Final = -0.125
CURVE_STEP: Final = 1.25 / (CURVE_STEPS - 1)
UPPER, LOWER, OUTER = 0, 1, 2
"""Rows of the lip curves: inner upper, inner lower and outer lower lip."""

NUM_LOCAL: Final = 17
(
    ORIGIN_X, ORIGIN_Y, AXIS_X, AXIS_Y, WIDTH, SIZE, GAP, SHADE,
    ROUND, TIP_P, TIP_Q, TONGUE_UP, TONGUE_OUT, LIFT, SEAM, CLOSED,
    AS_PHOTO,
) = range(NUM_LOCAL)  # fmt: skip
"""Entries of the mouth's local frame: corner, unit axis, distance of the corners (px), output px
per length unit, widest opening (units), brightness factor, roundness of the lips 0..1, tongue tip
(px), how far the tongue is raised and stuck out (0..1), lift of the photo's own teeth (px), weight
of the seam, 1 where lips are shut, 1 where an open mouth is posed as in the photo."""

_FUNNEL = EXPRESSION_INDEX["mouthFunnel"]
_PUCKER = EXPRESSION_INDEX["mouthPucker"]
# All coefficients of the mouth stand together.
FIRST_MOUTH: Final = min(i for name, i in EXPRESSION_INDEX.items() if name.startswith("mouth"))
LAST_MOUTH: Final = max(i for name, i in EXPRESSION_INDEX.items() if name.startswith("mouth"))
_TONGUE_OUT = EXPRESSION_INDEX["tongueOut"]

# Own teeth may end this far below the upper lip when it is not smiling, units.
SPEECH_TOOTH_SHOW: Final = 0.040
LIP_COMES_DOWN: Final = 0.35
ROUNDING_HIDES: Final = 0.085
ROUND_RAISES: Final = 0.055
"""How far rounded lips reach down over modelled upper teeth, units."""

BESIDE_OWN: Final = 0.62
"""Light on modelled teeth that stand beside the photo's own ones."""
BACK_UNLIT: Final = 0.8
"""How much less light from outside reaches the back teeth than the front ones."""
RED_SHADE: Final = 0.78
"""Green and blue of teeth in full shade, as a share of their red."""
UPPER_WET: Final = 0.8
"""How much of the upper lip's wet side is seen at its margin; the lower one's faces the camera."""
UPPER_WET_REACH: Final = 0.008
LOWER_WET_REACH: Final = 0.018
"""Distances from the margins over which the wet sides turn away, units."""
SLIT_SHUT: Final = 0.020
SLIT_OPEN: Final = 0.080
"""Openings lower than the first show nothing but wet sides, from the second on all that is behind
them, units."""
WET_SPARES: Final = 0.92
"""Share of the wet sides that teeth hide."""
TOOTH_SHUT: Final = 0.014
TOOTH_OPEN: Final = 0.036
"""Openings lower than the first show no teeth, from the second on teeth hide the wet sides, units:
lips that hardly part must not show a white line."""
WET_SHINES: Final = 0.45
"""How much brighter the lower lip's wet side is at its margin."""

TIP_SHOWS_FROM: Final = 0.45
"""A tongue raised this far (TONGUE_UP) begins to come between the teeth."""
TIP_TALL: Final = 0.5
"""Height of its tip before the upper teeth, as a share of the opening."""


@kernel
def _round_opening(curves: Float32Array, rounding: float, amount: float) -> float:
    """Keep the opening widest in the middle and round at its corners; return its widest gap.

    Lips bulge inwards beside the corners; the mesh, which only knows their margin, would leave
    wedges there. The skin texture below the margin is lip.

    Args:
        curves: (3, CURVE_STEPS), the inner lips are changed in place.
        rounding: 0 corners that taper to a point, 1 nearly an ellipse.
        amount: 0 leaves the opening as it is, 1 cuts all that is beyond that shape.
    """
    widest = 0.0
    for i in range(CURVE_STEPS):
        off = abs(2.0 * (CURVE_FIRST + CURVE_STEP * i) - 1.0)
        if off < 0.5:
            widest = max(widest, curves[LOWER, i] - curves[UPPER, i])
    power = 2.8 - 0.7 * rounding
    bluntness = 0.85 - 0.20 * rounding
    reach = 0.97 - 0.09 * rounding  # the very corners stay shut
    for i in range(CURVE_STEPS):
        off = abs(2.0 * (CURVE_FIRST + CURVE_STEP * i) - 1.0) / reach
        most = 0.0
        if off < 1.0:
            inner = 1.0 - math.exp(power * math.log(max(off, 1e-3)))
            most = widest * math.exp(bluntness * math.log(max(inner, 1e-6)))
        excess = curves[LOWER, i] - curves[UPPER, i] - most
        if excess > 0.0:
            curves[UPPER, i] += 0.5 * amount * excess
            curves[LOWER, i] -= 0.5 * amount * excess
    return widest


@kernel
def trace_lips(
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
    left, right = lip_ids[0, 0], lip_ids[0, 10]
    ox, oy = vertices[left, 0], vertices[left, 1]
    dx, dy = vertices[right, 0] - ox, vertices[right, 1] - oy
    width = max(math.sqrt(dx * dx + dy * dy), 1.0)
    ax, ay = dx / width, dy / width
    local[ORIGIN_X], local[ORIGIN_Y] = ox, oy
    local[AXIS_X], local[AXIS_Y] = ax, ay
    local[WIDTH] = width
    size = local[SIZE]
    t, q, spot = knots[0], knots[1], knots[2]
    shade = 0.0
    for side in range(3):
        for k in range(11):
            i = outer_ids[1, k] if side == OUTER else lip_ids[side, k]
            rx, ry = vertices[i, 0] - ox, vertices[i, 1] - oy
            t[k] = (rx * ax + ry * ay) / width
            q[k] = ry * ax - rx * ay
            shade += shading[i]
        fill_curve(t[:11], q[:11], CURVE_FIRST, CURVE_STEP, curves[side])
    local[SHADE] = shade / 33.0
    rounding = min(
        0.9 * max(coefficients[_FUNNEL], 0.0) + 0.8 * max(coefficients[_PUCKER], 0.0),
        1.0,
    )
    local[ROUND] = rounding
    # As wide as in the photo, an open mouth has the photo's own corners.
    place_point(lip_rest[0, 0], skull, projection, knots[2])
    place_point(lip_rest[0, 10], skull, projection, knots[3])
    rest_width = max((knots[3, 0] - knots[2, 0]) * ax + (knots[3, 1] - knots[2, 1]) * ay, 1.0)
    narrower = smoothstep(1.0 - width / rest_width, 0.02, 0.11)
    amount = max(rounding, narrower) if is_open > 0.5 else 1.0
    gap = _round_opening(curves, rounding, amount) / size
    local[GAP] = gap
    place_point(tongue_tip, jaw, projection, spot)
    rx, ry = spot[0] - ox, spot[1] - oy
    local[TIP_P] = rx * ax + ry * ay
    local[TIP_Q] = ry * ax - rx * ay
    tongue = max(coefficients[_TONGUE_OUT], 0.0)
    local[TONGUE_UP] = smoothstep(tongue, 0.0, 0.35)
    local[TONGUE_OUT] = smoothstep(tongue, 0.25, 1.0)
    # A smile bares more of the teeth than speech does. The mesh takes the upper lip down by a share
    # of the photo's gap only; what would still hang below it too far is lifted: fully where the
    # mouth is nearly shut or narrower than in the smiling photo, not where it smiles like it.
    place_point(lip_rest[0, 5], skull, projection, knots[2])
    place_point(lip_rest[1, 5], skull, projection, knots[3])
    rest_gap = (knots[3, 1] - knots[2, 1]) * ax - (knots[3, 0] - knots[2, 0]) * ay
    # Rounded lips reach over the edges of the teeth, which the mesh's thin margin cannot.
    shown = SPEECH_TOOTH_SHOW - ROUNDING_HIDES * rounding
    excess = own_show - LIP_COMES_DOWN * max(rest_gap, 0.0) / size - shown
    nearly_shut = 1.0 - smoothstep(gap * size / max(rest_gap, 1.0), 0.25, 0.85)
    local[LIFT] = size * max(excess, 0.0) * max(narrower, rounding, nearly_shut)
    local[CLOSED] = 1.0 - smoothstep(gap, 0.004, 0.045)
    # Shut lips of the photo bring their own line, until an expression squeezes it to a staircase.
    moved = 0.0
    for k in range(FIRST_MOUTH, LAST_MOUTH + 1):
        moved += coefficients[k]
    ajar = abs(gap * size / max(rest_gap, 1.0) - 1.0)
    wider = abs(width / rest_width - 1.0)
    alike = (1.0 - smoothstep(ajar, 0.06, 0.30)) * (1.0 - smoothstep(wider, 0.02, 0.08))
    if own_show <= 0.0:  # modelled teeth would change into the photo's in the middle of a word
        alike *= 1.0 - smoothstep(moved, 0.02, 0.20)
    local[AS_PHOTO] = alike * (1.0 - rounding) if is_open > 0.5 else 0.0
    weight = 0.78 if is_open > 0.5 else 0.50 * smoothstep(moved, 0.02, 0.30)
    local[SEAM] = local[CLOSED] * weight


@kernel
def draw_seam(
    frame: UInt8Array, local: Float32Array, curves: Float32Array, seam: Float32Array
) -> None:
    """Draw the dark line where closed lips meet."""
    weight = local[SEAM]
    if weight <= 0:
        return
    ox, oy, ax, ay = local[ORIGIN_X], local[ORIGIN_Y], local[AXIS_X], local[AXIS_Y]
    width, size = local[WIDTH], local[SIZE]
    sigma = 0.0085 * size + 0.30
    top, bottom = 1e6, -1e6
    for i in range(CURVE_STEPS):
        top, bottom = min(top, curves[UPPER, i]), max(bottom, curves[LOWER, i])
    margin = 4.0 * sigma
    x0, y0, x1, y1 = 1e9, 1e9, -1e9, -1e9
    for i in range(4):
        p = 0.0 if i % 2 == 0 else width
        q = top if i < 2 else bottom
        x, y = ox + p * ax - q * ay, oy + p * ay + q * ax
        x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    first_x, first_y = max(int(x0 - margin), 0), max(int(y0 - margin), 0)
    last_x = min(int(x1 + margin) + 2, frame.shape[1])
    last_y = min(int(y1 + margin) + 2, frame.shape[0])
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
            f = at - i
            m0 = 0.5 * (curves[UPPER, i] + curves[LOWER, i])
            m1 = 0.5 * (curves[UPPER, i + 1] + curves[LOWER, i + 1])
            rise = (m1 - m0) / run
            away = (q - m0 - f * (m1 - m0)) / math.sqrt(1.0 + rise * rise) / sigma
            if abs(away) > 3.5:
                continue
            # Sharp below the overhanging upper lip, softer towards the lower one.
            spread = 1.0 if away < 0.0 else 1.5
            line = math.exp(-(away / spread) * (away / spread))
            ends = smoothstep(t, -0.02, 0.14) * smoothstep(t, 1.02, 0.86)
            k = weight * line * (0.12 + 0.88 * ends)
            k *= smoothstep(t, -0.05, 0.02) * smoothstep(t, 1.05, 0.98)
            for c in range(3):
                old = float(frame[y, x, c])
                frame[y, x, c] = np.uint8(max(old + k * (seam[c] - old) + 0.5, 0.0))
