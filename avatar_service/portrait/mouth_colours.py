"""Colours by which lips, teeth and the dark between them are told apart.

Colours are (..., 3) float32, 0..255; landmarks (468, 3) in frame px of an image at 2x.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.patch_tools import FloatArray, blur, sample

_SEEN_SHARE: Final = 0.25
"""Of what lies between the landmarks' inner lips this much at least is dark or tooth when a mouth
is open. (Measured: 0.39 to 0.78 on open mouths, 0.04 and 0.14 on dim, soft pictures of shut ones.)
"""
_AS_RED_AS_SKIN: Final = 0.68
"""Teeth are less red than this share of the skin's redness (measured 0 to 0.61; lips 0.77)."""

_SKIN_AMONG_LIP: Final = 50.0
"""Per cent of the samples of a lip that may be skin."""
_DARKEST_LIP: Final = 0.2
"""What is darker than this share of the skin is not lip but what lies behind it."""


_COLOURLESS: Final = 0.05
"""Redness that varies less than this over lips and skin tells nothing: the photo has one colour."""


def redness(colours: FloatArray) -> FloatArray:
    """Return (red - mean of green and blue) / brightness of (..., 3) colours."""
    return np.asarray(
        (colours[..., 0] - colours[..., 1:].mean(-1)) / (colours.mean(-1) + 8), np.float32
    )


def is_like_tooth(colours: FloatArray, skin: FloatArray) -> NDArray[np.bool_]:
    """Tell which of (..., 3) colours may be teeth in the light that falls on (3,) skin."""
    luma, lit = colours.mean(-1), float(skin.mean())
    is_pale = redness(colours) < _AS_RED_AS_SKIN * float(redness(skin))
    return np.asarray((is_pale & (luma > 0.6 * lit)) | (luma > 1.1 * lit))


def has_colours(colours: FloatArray) -> bool:
    """Tell whether (..., 3) colours of lips, skin and teeth differ in redness, unlike in sepia."""
    lit = colours.reshape(-1, 3)
    lit = lit[lit.mean(-1) > 0.5 * np.median(lit.mean(-1))]
    low, high = np.percentile(redness(lit), (2, 98))
    return bool(high - low > _COLOURLESS)


def skin_tone(image: FloatArray, landmarks: Float64Array) -> FloatArray:
    """Return the (3,) colour of bare skin."""
    spots = landmarks[list(topology.BARE_SKIN), :2] * 2 + 0.5
    return np.asarray(np.median(sample(blur(image, 3.0), spots), 0), np.float32)


def lip_tones(image: FloatArray, landmarks: Float64Array) -> FloatArray:
    """Return (2, 3): colours of the upper, mostly shaded, and of the lower lip.

    Where a lip is thinner than the landmarks err, most samples are skin: the redder ones count.
    """
    rows = (
        (topology.LIP_INNER_UPPER, topology.LIP_OUTER_UPPER),
        (topology.LIP_INNER_LOWER, topology.LIP_OUTER_LOWER),
    )
    darkest = _DARKEST_LIP * float(skin_tone(image, landmarks).mean())
    tones = []
    for inner, outer in rows:
        found = _between(image, landmarks, inner, outer, np.linspace(0.2, 0.65, 6))
        lit = found[found.mean(-1) > darkest]
        found = lit if len(lit) else found
        red = redness(found)
        tones.append(np.median(found[red >= np.percentile(red, _SKIN_AMONG_LIP)], 0))
    return np.stack(tones)


def is_opening_seen(image: FloatArray, landmarks: Float64Array) -> bool:
    """Tell whether anything but lip is seen between the inner lips.

    In soft, dim pictures the landmark model takes the bulge of a lower lip for an opening. Without
    colour that cannot be told: the landmarks are believed.

    Args:
        image: (2S, 2S, 3).
        landmarks: those of the model, not yet moved.
    """
    rows = topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER
    inside = _between(image, landmarks, *rows, np.linspace(0.1, 0.9, 17))
    tones, skin = lip_tones(image, landmarks), skin_tone(image, landmarks)
    if not has_colours(np.concatenate([inside, tones, skin[None]])):
        return True
    is_dark = inside.mean(-1) < 0.5 * float(tones.mean())
    seen = is_dark | is_like_tooth(inside, skin)
    return float(seen.mean()) >= _SEEN_SHARE


def _between(
    image: FloatArray,
    landmarks: Float64Array,
    first: tuple[int, ...],
    last: tuple[int, ...],
    shares: NDArray[Any],
) -> FloatArray:
    """Return (n, 3) colours at shares of the way between two rows of lips, less their ends."""
    start, end = landmarks[list(first[2:9]), :2], landmarks[list(last[2:9]), :2]
    spots = start + shares[:, None, None] * (end - start)
    return np.asarray(sample(image, spots.reshape(-1, 2) * 2 + 0.5), np.float32)
