"""The skin and lashes of a closed lid, taken from what an open one shows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.eye_geometry import EyeGeometry
from avatar_service.portrait.patch_tools import FloatArray, blur, sample, smoothstep, spline

LID_ROWS: Final = 40
LID_COLUMNS: Final = 48
LASH_DEPTHS: Final = 16
LASH_INNER: Final = -0.012
LASH_OUTER: Final = 0.045
"""Range of the lash strip above the lid margin, outer-eye distances."""

_FAIR_BROW: Final = (0.72, 0.90)
"""Brightness of a brow's hairs, as a share of the skin's beside it, from which lashes are fairer
than dark and by which they are as fair as can be."""
_FAIR_LASH: Final = 0.62
"""Brightness of the fairest lash line, as a share of the lid's skin."""
_FAIR_IS_WEAKER: Final = 0.45


def _resample_row(points: NDArray[np.floating], ends: NDArray[np.floating]) -> FloatArray:
    """Return LID_COLUMNS points along a lid row closed by the eye's corners, even in width."""
    line = spline(np.concatenate([ends[:1], points, ends[1:]]), closed=False)
    along = line @ (ends[1] - ends[0])
    along = np.maximum.accumulate(along - along[0])
    want = np.linspace(0.0, along[-1], LID_COLUMNS)
    return np.stack([np.interp(want, along, line[:, k]) for k in (0, 1)], -1).astype(np.float32)


def _smooth_columns(values: FloatArray, weight: FloatArray, sigma: float) -> FloatArray:
    """Smooth (columns, 3) along the columns with per-column weights."""
    reach = np.subtract.outer(np.arange(LID_COLUMNS), np.arange(LID_COLUMNS))
    kernel = np.exp(-0.5 * (reach / sigma) ** 2) * (weight[None] + 1e-3)
    return np.asarray(kernel @ values / kernel.sum(1, keepdims=True), np.float32)


def _in_its_surroundings(
    skin: FloatArray, image: FloatArray, row2: FloatArray, row3: FloatArray, eye: EyeGeometry
) -> FloatArray:
    """Give (columns, 3) lid skin the colour cast and at most the brightness of what is around it.

    Its brightest samples alone are paler than the skin that the lid will border on.
    """
    spots = [row2 + k * (row3 - row2) for k in np.linspace(0.3, 1.0, 6)]
    around = sample(blur(image, 1.0), np.concatenate([*spots, eye.below, eye.below]))
    luma = around.mean(-1)
    lit = luma >= np.percentile(luma, 40)  # brows and creases apart
    around, luma = around[lit], luma[lit]
    cast = np.median(around, 0) / max(float(np.median(around.mean(-1))), 1.0)
    level = skin.mean(-1, keepdims=True)
    most = 1.02 * float(np.median(luma))
    own = skin / np.maximum(level, 1.0)
    # A paler lid takes most of the cast around it, a more colourful one (make-up) stays.
    paler = smoothstep(np.ptp(cast) - np.ptp(own, axis=-1, keepdims=True), -0.05, 0.10)
    own = own + 0.75 * paler * (cast - own)
    level = np.minimum(level, most + 0.3 * (level - most))
    return np.asarray(own * level, np.float32)


def _fairness(image: FloatArray, eye: EyeGeometry) -> float:
    """Return how fair this person's lashes are, 0 dark .. 1 as pale as skin, judged by the brow.

    At the lid's margin the shadow between the lids hides the lashes' own colour.
    """
    upper, lower = eye.brow[0, 1:-1], eye.brow[1, 1:-1]
    hairs = np.concatenate([upper + k * (lower - upper) for k in np.linspace(0.1, 0.9, 9)])
    beside = np.concatenate([upper + 0.6 * (upper - lower), lower + 0.5 * (lower - upper)])
    dark = float(np.percentile(sample(image, hairs).mean(-1), 25))
    skin = float(np.median(sample(image, beside).mean(-1)))
    return float(smoothstep(np.array(dark / max(skin, 1.0)), *_FAIR_BROW))


def _creases(t: NDArray[np.floating], v: NDArray[np.floating]) -> FloatArray:
    """Return (rows, columns) factors: the crease, and the fine folds along a closed lid."""
    across, along = v[:, None], t[None]
    ends = 1 - np.abs(2 * along - 1) ** 3
    dark = 0.13 * np.exp(-(((across - 0.05) / 0.10) ** 2))
    for place, depth, phase in ((0.24, 0.016, 0.4), (0.40, 0.022, 2.1), (0.57, 0.018, 3.7)):
        line = place + 0.025 * np.sin(5.0 * along + phase) + 0.05 * (2 * along - 1) ** 2
        dark = dark + depth * ends * np.exp(-(((across - line) / 0.022) ** 2))
        dark = dark - 0.6 * depth * ends * np.exp(-(((across - line - 0.045) / 0.022) ** 2))
    return np.asarray(1 - dark, np.float32)


def unfold_lid(
    image: FloatArray, eye: EyeGeometry
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Return the lid's skin, the lash ratio strip, the lash colour and the lash strength."""
    ends = np.stack([eye.upper[0], eye.upper[-1]])
    margin = _resample_row(eye.upper[6:-6:6], ends)
    row2 = _resample_row(eye.row2, ends)
    row3 = _resample_row(eye.row3, ends)
    # Skin of the fold above the crease, and of the lid where it shows: bright samples only, as
    # lashes, creases and brows are darker than skin.
    spots = [row2 + k * (row3 - row2) for k in np.linspace(0.15, 0.95, 8)]
    spots += [margin + k * (row2 - margin) for k in (0.55, 0.75)]
    colours = sample(image, np.stack(spots))
    luma = colours.mean(-1)
    middle = np.percentile(luma, 68)
    weight = smoothstep(luma, 0.78 * middle, 0.92 * middle) * (luma < 1.35 * middle)
    column = (colours * weight[..., None]).sum(0) / (weight.sum(0)[:, None] + 1e-3)
    skin = _smooth_columns(column, weight.sum(0), 5.0)
    # A lid is seldom much darker than the skin below the eye: where it seems so, shadows of brow
    # and lashes were sampled.
    below = np.median(sample(blur(image, 1.5), eye.below), 0)
    lift = 0.76 * float(below.mean()) / np.maximum(skin.mean(-1, keepdims=True), 1)
    share = 0.8 * smoothstep(lift, 1.0, 1.4)
    skin = skin * np.clip(lift, 1.0, 1.4) * (1 - share) + 0.8 * below * share

    skin = _in_its_surroundings(skin, image, row2, row3, eye)

    v = np.linspace(0.0, 1.0, LID_ROWS)
    t = np.linspace(0.0, 1.0, LID_COLUMNS)
    # The lid lies on the ball: lightest above its middle, turning away below and to the sides;
    # the crease is a soft shadow.
    shade = 1.0 + 0.03 * np.exp(-(((v - 0.42) / 0.25) ** 2)) - 0.09 * v**2
    side = 1.0 - 0.07 * np.abs(2 * t - 1) ** 2.5
    shade = shade[:, None] * side[None] * _creases(t, v)
    # Shade on skin is warm: it takes less of red.
    lid_skin = skin[None] * shade[..., None] ** np.array([0.85, 1.05, 1.1])

    depth = np.linspace(LASH_INNER, LASH_OUTER, LASH_DEPTHS) * eye.unit
    up = np.array([ends[1, 1] - ends[0, 1], ends[0, 0] - ends[1, 0]])
    up = up / np.linalg.norm(up)
    strip = sample(image, margin[None] + depth[:, None, None] * up)
    ratio = np.clip(strip.mean(-1) / np.maximum(skin.mean(-1), 1.0)[None], 0.08, 1.0)
    keep = 1 - smoothstep(depth / eye.unit, 0.010, 0.038)
    ratio = 1 - 0.8 * (1 - ratio) * keep[:, None]
    ratio = np.asarray(blur(ratio, 0.7), np.float32)
    edge = np.abs(depth) < 0.014 * eye.unit
    middle_part = slice(LID_COLUMNS // 6, -LID_COLUMNS // 6)
    darkest = ratio[edge][:, middle_part].min(0)
    strength = float(np.clip(0.95 * (1 - np.median(darkest)), 0.15, 0.8))
    near = strip[edge][:, middle_part].reshape(-1, 3)
    dark = near[np.argsort(near.mean(-1))[: max(4, len(near) // 5)]].mean(0)
    fair = _fairness(image, eye)
    colour = 0.8 * dark + fair * (_FAIR_LASH * skin.mean(0) - 0.8 * dark)
    strength *= 1 - _FAIR_IS_WEAKER * fair
    return lid_skin.astype(np.float32), ratio, np.asarray(colour, np.float32), strength
