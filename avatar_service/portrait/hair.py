"""How loosely each vertex hangs on the head: hair and what dangles in it swing after the skull."""

from __future__ import annotations

from typing import Final

import numpy as np

from avatar_service.portrait import topology
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.mesh import FaceMesh
from avatar_service.portrait.patch_tools import blur, sample, smoothstep
from avatar_service.portrait.pixels import AREA, resize

_UNLIKE_SKIN: Final = (28.0, 60.0)
"""Grey levels of difference from the face's skin at which hair begins."""
_SKIN_SPOTS: Final = (50, 280, 101, 330, 151, 4, 152)
ON_TOP: Final = 0.14
"""Share of the swing that hair lying on the skull takes part in at its outline."""
_HANGING: Final = 0.55
"""The same for ends of hair that hang down beside the face and on the shoulders."""


def sway_weights(mesh: FaceMesh, fit: FaceFit, skin_weight: Float64Array) -> Float64Array:
    """Return (V,) 0 fixed to the skull ... 1 hanging freely; 0 on the face.

    Args:
        mesh: with depths.
        fit: of the photo.
        skin_weight: (V,) 1 moves with the head, 0 with the torso.
    """
    unit = fit.head.unit_px
    side = fit.canvas_alpha.shape[0]
    picture = blur(resize(fit.canvas2x, (side, side), AREA).astype(np.float32), 0.03 * unit)
    spots = fit.landmarks[list(_SKIN_SPOTS), :2] + fit.margin_px
    skin = np.median(sample(picture, spots), 0)
    colours = sample(picture, mesh.vertices[:, :2] + fit.margin_px)
    # Brightness differs over a head as well; a colour of its own tells more.
    difference = np.abs(colours - skin).max(-1)
    is_hair = smoothstep(difference, *_UNLIKE_SKIN)

    position = fit.head.to_head(mesh.vertices)
    oval = mesh.vertices[mesh.oval, :2]
    away = np.sqrt(((mesh.vertices[:, None, :2] - oval) ** 2).sum(-1).min(1)) / unit
    ears = float(position[list(topology.EAR_POINTS), 1].mean())
    on_top = ON_TOP * smoothstep(away, 0.05, 0.45) * smoothstep(-position[:, 1], -ears, 0.3 - ears)
    # In front of the neck there are collars and beards; they stay where they are.
    beside = smoothstep(np.abs(position[:, 0]), 0.45, 0.75)
    below = smoothstep(position[:, 1], ears - 0.25, ears + 0.75)
    hanging = _HANGING * smoothstep(away, 0.04, 0.40) * below * beside
    weight = is_hair * (on_top + hanging) * smoothstep(skin_weight, 0.05, 0.5)
    weight[: mesh.num_face] = 0
    weight = _smooth(mesh, np.asarray(weight, np.float64))[mesh.anchor]
    return np.where(skin_weight > 0, weight, 0.0)


def _smooth(mesh: FaceMesh, weight: Float64Array) -> Float64Array:
    """Average with the neighbours twice, so that single vertices do not jerk."""
    a, b = mesh.edges.T
    count = len(weight)
    degree = np.maximum(np.bincount(mesh.edges.ravel(), minlength=count), 1)
    for _ in range(2):
        around = np.bincount(a, weight[b], count) + np.bincount(b, weight[a], count)
        weight = 0.5 * weight + 0.5 * around / degree
        weight[: mesh.num_face] = 0
    return weight
