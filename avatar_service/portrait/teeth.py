"""Procedural rows of teeth: one texture per jaw, drawn over the arch unrolled to a strip."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from avatar_service.portrait.patch_tools import FloatArray, smoothstep

# Mean crown widths, midline to second molar, mm; heights as a share of the central incisor's.
# (Wheeler's Dental Anatomy, table of average tooth dimensions.)
_UPPER_WIDTHS_MM: Final = (8.5, 6.5, 7.5, 7.0, 7.0, 10.0, 9.0)
_UPPER_HEIGHTS: Final = (1.0, 0.87, 0.96, 0.83, 0.79, 0.73, 0.70)
_LOWER_WIDTHS_MM: Final = (5.0, 5.5, 7.0, 7.0, 7.0, 11.0, 10.5)
_LOWER_HEIGHTS: Final = (0.90, 0.93, 1.0, 0.88, 0.86, 0.80, 0.78)

CROWN_HEIGHT_MM: Final = 10.5
STRIP_HEIGHT_MM: Final = 14.5
"""From the gum's upper end to the edge of the central incisors, and a little beyond."""
EDGE_ROW: Final = 0.955
"""Where the edge of the tallest tooth lies in the strip, 0 gum .. 1."""
WIDTH_PX: Final = 640
HEIGHT_PX: Final = 80


def half_row_mm(jaw: Literal["upper", "lower"]) -> float:
    """Return the arc length from the midline to the end of the row."""
    return float(sum(_UPPER_WIDTHS_MM if jaw == "upper" else _LOWER_WIDTHS_MM))


def paint_teeth(jaw: Literal["upper", "lower"], tooth: FloatArray, gum: FloatArray) -> FloatArray:
    """Paint one row of teeth.

    Args:
        jaw: which row; the lower one is returned upside down, edges on top.
        tooth: (3,) colour of a lit incisor, 0..255.
        gum: (3,) colour of the gum.

    Returns:
        (HEIGHT_PX, WIDTH_PX, 4) premultiplied 0..255; columns even in arc length.
    """
    widths, heights = (
        (_UPPER_WIDTHS_MM, _UPPER_HEIGHTS) if jaw == "upper" else (_LOWER_WIDTHS_MM, _LOWER_HEIGHTS)
    )
    width, height = WIDTH_PX, HEIGHT_PX
    u = np.linspace(-1, 1, width, dtype=np.float32)[None]
    v = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    px = 1.0 / height
    crown = EDGE_ROW - CROWN_HEIGHT_MM / STRIP_HEIGHT_MM  # row of the tallest gum line
    colour = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width), np.float32)
    tone = np.random.default_rng(7)
    end = sum(widths)
    start = 0.0
    for number, (size, share) in enumerate(zip(widths, heights, strict=True)):
        near, far = start / end, (start + size) / end
        start += size
        for side in (-1, 1):
            middle, half = side * (near + far) / 2, (far - near) / 2
            first = max(0, int((middle - 1.3 * half + 1) / 2 * width))
            last = min(width, int((middle + 1.3 * half + 1) / 2 * width) + 1)
            columns = slice(first, last)
            x = (u[:, columns] - middle) / half  # -1..1 across the tooth
            ax = np.abs(x)
            edge = crown + (EDGE_ROW - crown) * (share if jaw == "upper" else 0.5 + 0.5 * share)
            # Incisors end flat with round corners, the canine in a point, molars in cusps.
            round_off = (0.030, 0.045, 0.075, 0.06, 0.05, 0.03, 0.03)[number]
            power = (6.0, 4.0, 1.6, 2.2, 2.2, 4.0, 4.0)[number]
            edge_line = edge - round_off * ax**power
            gum_line = crown + (1 - share) * 0.12 + 0.055 * ax**2
            neck = 1.0 - 0.10 * smoothstep(v, edge - 0.1, crown)  # narrower at the gum
            sides = smoothstep((neck * 1.0 - ax) * (far - near) * width / 4, -0.8, 1.2)
            mask = sides * smoothstep((edge_line - v) / px, -1.0, 3.0)
            mask = mask * smoothstep((v - gum_line) / px, -1.5, 3.5)
            along = np.clip((v - gum_line) / (edge_line - gum_line + 1e-3), 0, 1)
            shade = 1.0 - 0.16 * ax**4 - 0.05 * ax**2
            shade = shade * (0.90 + 0.10 * smoothstep(along, 0.0, 0.35))
            shade = shade * (1 - 0.07 * smoothstep(along, 0.8, 1.0))
            warm = 1 - smoothstep(along, 0.0, 0.6)
            warm = warm + (0.5 if number == 2 else 0.25 if number > 2 else 0.0)
            tint = np.stack([1 - 0.01 * warm, 1 - 0.035 * warm, 1 - 0.09 * warm], -1)
            lit = tooth * tint * (shade * (1 + tone.uniform(-0.02, 0.02)))[..., None]
            colour[:, columns] += mask[..., None] * (lit - colour[:, columns])
            alpha[:, columns] += mask * (1 - alpha[:, columns])
    gums = smoothstep((0.5 - v) / px, 0, 12) * np.ones_like(u) * (1 - alpha)
    colour += gum * (gums * (0.75 + 0.25 * smoothstep(v, 0.0, 0.3)))[..., None]
    alpha = alpha + gums
    strip = np.concatenate([colour, 255 * alpha[..., None]], -1)
    if jaw == "lower":
        strip = strip[::-1]
    return np.ascontiguousarray(np.clip(strip, 0, 255), np.float32)
