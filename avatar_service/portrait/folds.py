"""Softens the folds that a smile in the photo presses between nose and mouth.

The mesh relaxes a photographed smile, but its folds are painted into the texture: on rounded lips
they would stay as two hard lines.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from avatar_service.portrait import topology
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import signed_distance, spline
from avatar_service.portrait.pixels import disc, gaussian
from avatar_service.signals import Float32Array

# From the wing of the nose round the mouth's corner to beside the chin, right side.
_FOLD: Final = (129, 203, 206, 216, 212, 202)
_HALF_WIDTH: Final = 0.11
"""Reach of the softening beside that line, units."""
_STRENGTH: Final = 0.8
"""Share of a fold's darkness that goes away under a full smile."""
_GRAIN: Final = 0.8
"""Dark spots of up to so many deviations of the skin's detail are grain, not crease."""
_LIP_GAP: Final = 0.03
"""Kept clear of the lips, units."""


def soften_folds(colors: Float32Array, fit: FaceFit) -> None:
    """Lighten the valleys of brightness along both folds by the photo's smile, in place.

    A valley is what a morphological closing fills; ridges and fine texture stay as they are.

    Args:
        colors: (2S, 2S, 3) float32 0..255.
        fit: of the photo.
    """
    if fit.smile <= 0:
        return
    unit = 2 * fit.head.unit_px
    points = 2 * fit.landmarks[:, :2] + 0.5
    around = points[[*_FOLD, *topology.mirrored(_FOLD)]]
    x0, y0 = np.maximum(np.floor(around.min(0) - 0.2 * unit), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(around.max(0) + 0.2 * unit), colors.shape[0]).astype(int)
    region = colors[y0:y1, x0:x1]
    shape, origin = (y1 - y0, x1 - x0), (int(x0), int(y0))

    mask = np.zeros(shape, np.float32)
    for fold in (_FOLD, topology.mirrored(_FOLD)):
        line = spline(points[list(fold)], per_segment=4, closed=False)
        ribbon = np.concatenate([line, line[::-1] + [0, 0.01]])
        distance = np.abs(signed_distance(ribbon, shape, origin))
        mask = np.maximum(mask, np.exp(-0.5 * (distance / (_HALF_WIDTH / 2 * unit)) ** 2))
    lips = (*topology.LIP_OUTER_UPPER, *topology.LIP_OUTER_LOWER[-2:0:-1])
    outside = -signed_distance(spline(points[list(lips)], closed=True), shape, origin)
    mask *= np.clip((outside - _LIP_GAP * unit) / (_LIP_GAP * unit), 0, 1)

    smooth = gaussian(region, 0.008 * unit)
    side = 2 * round(0.06 * unit) + 1
    # Per channel: the fold takes the colour of the skin beside it.
    closed = np.asarray(cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, disc(side)), np.float32)
    lift = np.clip(gaussian(closed, 0.02 * unit) - smooth, 0, None)
    # A hard crease is finer than that; what is deeper than the skin's grain belongs to it.
    fine = gaussian(region, 0.002 * unit)
    grain = _GRAIN * float(np.std((fine - smooth)[mask > 0.3])) if (mask > 0.3).any() else 0.0
    crease = np.clip(smooth - fine - grain, 0, None)
    region += _STRENGTH * fit.smile * mask[..., None] * (lift + crease)
    np.clip(region, 0, 255, out=region)
