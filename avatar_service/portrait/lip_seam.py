"""The exact line where closed lips meet, found as the darkest path between the corners."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from avatar_service.portrait import topology
from avatar_service.portrait.head_frame import HeadFrame
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.pixels import gaussian
from avatar_service.signals import UInt8Array

_NUM_OFFSETS: Final = 25
_REACH: Final = 0.05
"""The seam is sought this far (units) above and below the landmarks."""
_PRIOR: Final = 12.0
_BEND: Final = 400.0
"""Costs, in grey levels, of leaving the landmarks and of a step between neighbours."""


def snap_to_seam(image2x: UInt8Array, landmarks: Float64Array, head: HeadFrame) -> Float64Array:
    """Move both inner lip rows of a closed mouth onto the dark seam.

    The path that costs least is found by dynamic programming over the offsets at each of the
    eleven lip columns.

    Args:
        image2x: (2S, 2S, 3) uint8.
        landmarks: (468, 3) frame px; a moved copy is returned.
        head: for the direction across the lips.
    """
    grey = gaussian(cv2.cvtColor(image2x, cv2.COLOR_RGB2GRAY).astype(np.float32), 1.2)
    upper, lower = list(topology.LIP_INNER_UPPER), list(topology.LIP_INNER_LOWER)
    middle = (landmarks[upper, :2] + landmarks[lower, :2]) / 2  # (11, 2)
    down = head.rotation[:2, 1] / np.linalg.norm(head.rotation[:2, 1])
    reach = max(3.0, _REACH * head.unit_px)
    offsets = np.linspace(-reach, reach, _NUM_OFFSETS)
    samples = (2 * (middle[:, None] + offsets[None, :, None] * down) + 0.5).astype(np.float32)
    darkness = cv2.remap(grey, samples[..., 0], samples[..., 1], cv2.INTER_LINEAR)
    cost = darkness - darkness.mean(1, keepdims=True) + (offsets / reach) ** 2 * _PRIOR
    step_cost = (np.subtract.outer(offsets, offsets) / reach) ** 2 * _BEND
    path = cheapest_path(cost, step_cost)
    moved = np.convolve(np.pad(offsets[path], 1, "edge"), [0.25, 0.5, 0.25], "valid")
    seam = middle + moved[:, None] * down
    result = landmarks.copy()
    for row in (upper, lower):
        result[row[1:-1], :2] = seam[1:-1]
        for end in (0, -1):  # corners belong to the cheek as well: half way
            result[row[end], :2] = (landmarks[row[end], :2] + seam[end]) / 2
    return result


def cheapest_path(cost: Float64Array, step_cost: Float64Array) -> list[int]:
    """Return the row of each column on the path that costs least (dynamic programming).

    Args:
        cost: (columns, rows).
        step_cost: (rows, rows) of a step between neighbouring columns.
    """
    total = cost[0]
    origins = []
    for column in cost[1:]:
        through = total[None, :] + step_cost
        origins.append(through.argmin(1))
        total = column + through.min(1)
    path = [int(total.argmin())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return path[::-1]
