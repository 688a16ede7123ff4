"""The mouth's error in millimetres on a head: LVE and MVE as the field defines them.

LVE (lip vertex error, Richard et al. 2021, MeshTalk): the largest error of a lip vertex in each
frame, averaged over the frames. MVE: the error averaged over all vertices and frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatar_service.signals import Float32Array


@dataclass(frozen=True, slots=True)
class ShapeVertices:
    """How a head's vertices follow the 52 coefficients.

    Attributes:
        deltas_mm: (52, V, 3) displacement at coefficient 1, on a head of 65 mm between the pupils.
        is_lip: (V,) truth values.
    """

    deltas_mm: Float32Array
    is_lip: NDArray[np.bool_]


def vertex_errors(
    expression: Float32Array, reference: Float32Array, head: ShapeVertices
) -> tuple[float, float]:
    """Compare two mouths on one head.

    Args:
        expression: (steps, 52).
        reference: (steps, 52); the rest of the longer one is left out.
        head: what they drive.

    Returns:
        LVE and MVE in millimetres.
    """
    count = min(len(expression), len(reference))
    difference = np.asarray(expression[:count] - reference[:count], np.float32)
    moved = np.tensordot(difference, head.deltas_mm, axes=1)  # (steps, V, 3)
    distance = np.linalg.norm(moved, axis=2)
    return float(distance[:, head.is_lip].max(axis=1).mean()), float(distance.mean())
