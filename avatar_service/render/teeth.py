"""Rows of teeth: 3D arches, posed and tabulated so that a pixel finds its place on the strip."""

from __future__ import annotations

from typing import Final

from avatar_service.jit import kernel
from avatar_service.render.lips import AXIS_X, AXIS_Y, ORIGIN_X, ORIGIN_Y, WIDTH
from avatar_service.render.sdf import place_point, sample_texture
from avatar_service.signals import Float32Array

STRIP_STEPS: Final = 192
STRIP_FIRST: Final = -0.25
STRIP_STEP: Final = 1.5 / (STRIP_STEPS - 1)
COLUMN, TOP, BOTTOM = 0, 1, 2
"""Rows of a tooth strip's table over p / width: strip column 0..1 (-1 = no teeth), its q ends."""


@kernel
def trace_strip(
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
        p = 0.0
        for end in range(2):
            place_point(arch[end, k], matrix, projection, spot)
            rx, ry = spot[0] - ox, spot[1] - oy
            p += 0.5 * (rx * ax + ry * ay) / width
            knots[1 + end, k] = ry * ax - rx * ay
        knots[0, k] = p
    first, last = n // 2, n // 2
    while first > 0 and knots[0, first - 1] < knots[0, first] - 1e-4:
        first -= 1
    while last < n - 1 and knots[0, last + 1] > knots[0, last] + 1e-4:
        last += 1
    k = first
    for i in range(STRIP_STEPS):
        at = STRIP_FIRST + STRIP_STEP * i
        if at < knots[0, first] or at >= knots[0, last]:
            table[COLUMN, i] = -1.0
            edge = first if at < knots[0, first] else last
            table[TOP, i], table[BOTTOM, i] = knots[1, edge], knots[2, edge]
            continue
        while at > knots[0, k + 1]:
            k += 1
        f = (at - knots[0, k]) / (knots[0, k + 1] - knots[0, k])
        table[COLUMN, i] = (k + f) / (n - 1)
        table[TOP, i] = knots[1, k] + f * (knots[1, k + 1] - knots[1, k])
        table[BOTTOM, i] = knots[2, k] + f * (knots[2, k + 1] - knots[2, k])


@kernel
def look_up_strip(
    table: Float32Array, teeth: Float32Array, t: float, q: float, out: Float32Array
) -> float:
    """Sample a tooth strip at a pixel: out[:4] premultiplied.

    Returns:
        The side of the arch, 0 in the middle .. 1 at its ends; -1 where there is no tooth.
    """
    at = (t - STRIP_FIRST) / STRIP_STEP
    i = int(at)
    if at < 0.0 or i > STRIP_STEPS - 2:
        return -1.0
    if table[COLUMN, i] < 0.0 or table[COLUMN, i + 1] < 0.0:
        return -1.0
    f = at - i
    column = table[COLUMN, i] + f * (table[COLUMN, i + 1] - table[COLUMN, i])
    top = table[TOP, i] + f * (table[TOP, i + 1] - table[TOP, i])
    bottom = table[BOTTOM, i] + f * (table[BOTTOM, i + 1] - table[BOTTOM, i])
    v = (q - top) / max(bottom - top, 0.5)
    if v < 0.0 or v > 1.0:
        return -1.0
    sample_texture(teeth, column * (teeth.shape[1] - 1), v * (teeth.shape[0] - 1), out)
    return float(abs(2.0 * column - 1.0))
