"""Procedural rows of teeth: one texture per jaw, drawn over the arch unrolled to a strip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from avatar_service.portrait.patch_tools import FloatArray, smoothstep

CROWN_HEIGHT_MM: Final = 10.5
STRIP_HEIGHT_MM: Final = 14.5
"""From the gum's upper end to the edge of the central incisors, and a little beyond."""
EDGE_ROW: Final = 0.955
"""Where the edge of the tallest tooth lies in the strip, 0 gum .. 1."""
_BETWEEN: Final = 0.66
"""Light between neighbours, as a share of that on their faces."""
_NOTCH_MM: Final = 1.3
"""Below this height neighbours part: a notch opens between their edges."""
WIDTH_PX: Final = 640
HEIGHT_PX: Final = 80


@dataclass(frozen=True, slots=True)
class Crown:
    """One tooth as it is seen from outside.

    Attributes:
        width_mm: mean width.
        height: as a share of the tallest upper one's, CROWN_HEIGHT_MM.
        short_mm: how far its edge stays behind the furthest one of its row.
        round_off, power: how the edge turns up to the sides, share of the strip's height: incisors
            end flat with round corners, the canine in a point, molars in cusps.
        warmth: how much yellower than an incisor.
    """

    width_mm: float
    height: float
    short_mm: float
    round_off: float
    power: float
    warmth: float

    def paint(
        self, x: FloatArray, v: FloatArray, half_px: float, is_between: bool
    ) -> tuple[FloatArray, FloatArray]:
        """Return (h, w) what it covers and (h, w, 3) its light, 1 = a lit face.

        Args:
            x: (1, w) -1..1 across the tooth.
            v: (h, 1) height in the strip, 0 gum .. 1.
            half_px: half its width.
            is_between: a little wider, in shade, without edge: what is seen beside it.
        """
        px = 1.0 / len(v)
        ax = np.abs(x)
        edge = EDGE_ROW - self.short_mm / STRIP_HEIGHT_MM
        top = edge - self.height * CROWN_HEIGHT_MM / STRIP_HEIGHT_MM
        edge_line = edge - self.round_off * ax**self.power
        gum_line = top + 0.055 * ax**2
        along = np.clip((v - gum_line) / (edge_line - gum_line + 1e-3), 0, 1)
        warm = 1 - smoothstep(along, 0.0, 0.6) + self.warmth
        if is_between:
            mask = smoothstep(-ax, -1.15, -1.05)
            mask = mask * smoothstep(edge_line - v, 0.0, _NOTCH_MM / STRIP_HEIGHT_MM)
            shade, warm = np.full_like(warm, _BETWEEN), warm + 1.0
        else:
            neck = 1.0 - 0.10 * smoothstep(v, edge - 0.1, top)  # narrower at the gum
            mask = smoothstep((neck - ax) * half_px, -0.8, 1.2)
            mask = mask * smoothstep((edge_line - v) / px, -1.0, 3.0)
            shade = 1.0 - 0.16 * ax**4 - 0.05 * ax**2
            shade = shade * (0.90 + 0.10 * smoothstep(along, 0.0, 0.35))
            shade = shade * (1 - 0.07 * smoothstep(along, 0.8, 1.0))
        mask = mask * smoothstep((v - gum_line) / px, -1.5, 3.5)
        tint = np.stack([1 - 0.01 * warm, 1 - 0.035 * warm, 1 - 0.09 * warm], -1)
        return np.asarray(mask, np.float32), np.asarray(tint * shade[..., None], np.float32)


# Midline to second molar. Widths and heights: Wheeler's Dental Anatomy, table of average tooth
# dimensions. Centrals, canines and premolars meet the plane of biting, laterals stay a little short
# of it; lower incisors end in one line.
_UPPER: Final = (
    Crown(8.5, 1.00, 0.0, 0.030, 6.0, 0.0),
    Crown(6.5, 0.87, 0.7, 0.045, 4.0, 0.0),
    Crown(7.5, 0.96, 0.1, 0.075, 1.6, 0.5),
    Crown(7.0, 0.83, 0.5, 0.060, 2.2, 0.25),
    Crown(7.0, 0.79, 0.7, 0.050, 2.2, 0.25),
    Crown(10.0, 0.73, 1.0, 0.030, 4.0, 0.25),
    Crown(9.0, 0.70, 1.2, 0.030, 4.0, 0.25),
)
_LOWER: Final = (
    Crown(5.0, 0.90, 0.3, 0.030, 6.0, 0.0),
    Crown(5.5, 0.93, 0.3, 0.045, 4.0, 0.0),
    Crown(7.0, 1.00, 0.0, 0.075, 1.6, 0.5),
    Crown(7.0, 0.88, 0.4, 0.060, 2.2, 0.25),
    Crown(7.0, 0.86, 0.6, 0.050, 2.2, 0.25),
    Crown(11.0, 0.80, 0.8, 0.030, 4.0, 0.25),
    Crown(10.5, 0.78, 1.0, 0.030, 4.0, 0.25),
)


def half_row_mm(jaw: Literal["upper", "lower"]) -> float:
    """Return the arc length from the midline to the end of the row."""
    return sum(crown.width_mm for crown in (_UPPER if jaw == "upper" else _LOWER))


def paint_teeth(
    jaw: Literal["upper", "lower"], tooth: FloatArray, gum: FloatArray, *, tint: float = 1.0
) -> FloatArray:
    """Paint one row of teeth.

    Args:
        jaw: which row; the lower one is returned upside down, edges on top.
        tooth: (3,) colour of a lit incisor, 0..255.
        gum: (3,) colour of the gum.
        tint: how much yellower necks and canines are than edges, 0 in a photo without colours .. 1.

    Returns:
        (HEIGHT_PX, WIDTH_PX, 4) premultiplied 0..255; columns even in arc length.
    """
    row = _UPPER if jaw == "upper" else _LOWER
    width, height = WIDTH_PX, HEIGHT_PX
    u = np.linspace(-1, 1, width, dtype=np.float32)[None]
    v = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    px = 1.0 / height
    colour = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width), np.float32)
    tone = np.random.default_rng(7)
    ends = np.concatenate([[0], np.cumsum([crown.width_mm for crown in row])])
    ends = ends / ends[-1]
    # What is seen between neighbours, which touch, is tooth in their shade, not the dark behind.
    for is_between in (True, False):
        for number, crown in enumerate(row):
            near, far = ends[number : number + 2]
            for side in (-1, 1):
                middle, half = side * (near + far) / 2, (far - near) / 2
                first = max(0, int((middle - 1.3 * half + 1) / 2 * width))
                last = min(width, int((middle + 1.3 * half + 1) / 2 * width) + 1)
                columns = slice(first, last)
                x = (u[:, columns] - middle) / half  # -1..1 across the tooth
                mask, light = crown.paint(x, v, half * width / 2, is_between)
                if not is_between:
                    light = light * (1 + tone.uniform(-0.02, 0.02))
                colour[:, columns] += mask[..., None] * (
                    tooth * (light.mean(-1, keepdims=True) * (1 - tint) + light * tint)
                    - colour[:, columns]
                )
                alpha[:, columns] += mask * (1 - alpha[:, columns])
    gums = smoothstep((0.5 - v) / px, 0, 12) * np.ones_like(u) * (1 - alpha)
    colour += gum * (gums * (0.75 + 0.25 * smoothstep(v, 0.0, 0.3)))[..., None]
    alpha = alpha + gums
    strip = np.concatenate([colour, 255 * alpha[..., None]], -1)
    if jaw == "lower":
        strip = strip[::-1]
    return np.ascontiguousarray(np.clip(strip, 0, 255), np.float32)
