"""The neutral head's vertices as the motion benchmark measures errors on them."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.export.neutral_head import (
    EYE_X,
    MOUTH_HALF_WIDTH,
    MOUTH_Y,
    neutral_head,
)
from avatar_service.motion.vertex_error import ShapeVertices

_PUPILS_MM: Final = 65.0
_LIP_HALF_HEIGHT: Final = 0.14


def neutral_vertices() -> ShapeVertices:
    """Scale the neutral head to 65 mm between the pupils and mark its lips."""
    head = neutral_head()
    x, y, z = head.vertices.T
    from_mouth = np.hypot(x / (1.15 * MOUTH_HALF_WIDTH), (y - MOUTH_Y) / _LIP_HALF_HEIGHT)
    is_lip = (from_mouth < 1) & (z > np.median(z))
    return ShapeVertices(head.deltas * (_PUPILS_MM / (2 * EYE_X)), is_lip)
