"""Depth of hair, neck and body, and how far each vertex follows the head.

The landmark model gives depths for the face only. Outside it, depth runs from the outline of the
face back to the silhouette; the torso stays behind and does not turn with the head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.clothes import Clothes
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.mesh import FaceMesh, near_person
from avatar_service.portrait.neck import shows_more
from avatar_service.portrait.patch_tools import sample
from avatar_service.portrait.pixels import distance_to

_MAX_SLOPE: Final = 1.15
"""Largest depth step of an edge per step in the image: steeper ones tear when the head turns."""
_RELAX_PASSES: Final = 80
_BARE_REACH: Final = (0.09, 0.15)
_AT_COLLAR: Final = 0.06
"""So near to bare skin, by the second at the collar, is neck; so near to clothes is its end,
units."""
_SLIDES: Final = 0.24
"""Where jaw and collar are nearer to each other than this (units) the neck slides over the collar
with the jaw: there is not enough of it to stretch, and it would fold."""
_STRETCH, _RISE = 0.3, 0.35
"""The neck is stretched by that share when the jaw rises by so much (units: 15 degrees)."""
_ALIKE: Final = 26.0
"""Grey levels within which two colours may be of one material."""


@dataclass(frozen=True, slots=True)
class BodyFields:
    """The mesh with depths, and its weights.

    Attributes:
        mesh: with z filled in everywhere.
        skin_weight: (V,) 1 moves with the head, 0 with the torso.
        rise_weight: (V,) the same where the head takes it upwards, never less.
    """

    mesh: FaceMesh
    skin_weight: Float64Array
    rise_weight: Float64Array


def add_depth(mesh: FaceMesh, fit: FaceFit, clothes: Clothes | None = None) -> BodyFields:
    """Fill in the outer depths and the skin weights.

    Args:
        mesh: of build_mesh.
        fit: as for build_mesh.
        clothes: of the layer behind the mesh; None where the mesh shows the clothes itself.
    """
    harmonic = _Harmonic(mesh)
    head = fit.head
    position = head.to_head(_with_depth(mesh.vertices, head.center[2]))
    chin = float(head.to_head(fit.landmarks[topology.CHIN])[1])
    depth = _outer_depth(mesh, fit, harmonic, position, chin)
    vertices = _with_depth(mesh.vertices, _relax(mesh, depth[mesh.anchor])[mesh.anchor])
    follows, rises = _skin_weights(mesh, fit, harmonic, position, chin, clothes)
    return BodyFields(
        mesh=replace(mesh, vertices=vertices),
        skin_weight=follows[mesh.anchor],
        rise_weight=np.maximum(follows, rises)[mesh.anchor],
    )


class _Harmonic:
    """Smoothest extension of fixed values over the mesh (edge weights 1 / length)."""

    def __init__(self, mesh: FaceMesh) -> None:
        a, b = mesh.edges.T
        length = np.linalg.norm(mesh.vertices[a, :2] - mesh.vertices[b, :2], axis=1)
        weight = 1 / np.maximum(length, 1.0)
        self._count = len(mesh.vertices)
        adjacency = scipy.sparse.coo_matrix(
            (np.r_[weight, weight], (np.r_[a, b], np.r_[b, a])), (self._count, self._count)
        ).tocsr()
        self._laplacian = (
            scipy.sparse.diags(np.asarray(adjacency.sum(1)).ravel()) - adjacency
        ).tocsr()

    def extend(self, fixed: NDArray[np.intp], values: Float64Array) -> Float64Array:
        """Return (V,) values that equal `values` at the vertices `fixed`.

        Parts of the mesh without any fixed vertex keep 0.
        """
        result = np.zeros(self._count)
        result[fixed] = values
        free = np.setdiff1d(np.arange(self._count), fixed)
        rows = self._laplacian[free]
        # The small diagonal decides parts that touch no fixed vertex.
        system = rows[:, free] + 1e-9 * scipy.sparse.eye(len(free))
        result[free] = scipy.sparse.linalg.spsolve(system.tocsc(), -rows[:, fixed] @ result[fixed])
        return result


def _outer_depth(
    mesh: FaceMesh, fit: FaceFit, harmonic: _Harmonic, position: Float64Array, chin: float
) -> Float64Array:
    unit, outer, oval = fit.head.unit_px, mesh.outer, mesh.oval.astype(np.intp)
    solid = cv2.erode((fit.canvas_alpha > 0.5).astype(np.uint8), np.ones((9, 9), np.uint8))
    pixels = np.clip(np.round(mesh.vertices[outer, :2]) + fit.margin_px, 0, len(solid) - 1)
    columns, rows = pixels.astype(int).T
    silhouette = outer[solid[rows, columns] == 0]
    # 0 at the face's outline, 1 at the silhouette.
    outward = harmonic.extend(
        np.r_[oval, silhouette], np.r_[np.zeros(len(oval)), np.ones(len(silhouette))]
    )
    outline_depth = harmonic.extend(oval, mesh.vertices[oval, 2])
    ears = fit.head.to_head(fit.landmarks[list(topology.EAR_POINTS)]).mean(0)
    middle = float(fit.head.to_frame(np.array([0.0, ears[1], ears[2]]))[2]) + 0.12 * unit
    back = np.maximum(middle, outline_depth + 0.10 * unit)
    t = np.clip(outward, 0, 1)
    depth = outline_depth + (back - outline_depth) * (0.35 * t + 0.65 * t * t)
    is_body = _smoothstep(position[:, 1], chin - 0.05, chin + 0.5)
    body_depth = 0.75 * middle + 0.25 * outline_depth
    result = mesh.vertices[:, 2].copy()
    result[outer] = (depth * (1 - is_body) + body_depth * is_body)[outer]
    return result


def _relax(mesh: FaceMesh, depth: Float64Array) -> Float64Array:
    """Flatten edges steeper than _MAX_SLOPE; this cures most tearing at the silhouette."""
    a, b = mesh.edges.T
    count = len(depth)
    length = np.linalg.norm(mesh.vertices[a, :2] - mesh.vertices[b, :2], axis=1)
    limit = _MAX_SLOPE * np.maximum(length, 0.5)
    degree = np.maximum(np.bincount(mesh.edges.ravel(), minlength=count), 1)
    z = depth.copy()
    for _ in range(_RELAX_PASSES):
        step = z[b] - z[a]
        excess = np.sign(step) * np.maximum(np.abs(step) - limit, 0)
        z += 0.9 * (np.bincount(a, excess, count) - np.bincount(b, excess, count)) / degree
    return z


def _skin_weights(
    mesh: FaceMesh,
    fit: FaceFit,
    harmonic: _Harmonic,
    position: Float64Array,
    chin: float,
    clothes: Clothes | None,
) -> tuple[Float64Array, Float64Array]:
    outer = mesh.outer
    x, y = np.abs(position[outer, 0]), position[outer, 1]
    face = np.arange(mesh.num_face)
    if clothes is None:
        collar = _high_collars(mesh, fit, position, chin)
        neck, follows, rises = outer[:0], np.zeros(0), np.zeros(0)
    else:
        collar = np.zeros(len(outer), bool)
        neck, follows, rises = _bare_neck(mesh, fit, clothes, outer[y >= chin - 0.45])
    head = outer[(y < chin - 0.45) & ~collar]
    torso = outer[(y > chin + 0.62) | ((y > chin + 0.30) & (x > 0.95)) | collar]
    torso = np.setdiff1d(torso, neck)
    fixed = np.r_[face, head, torso, neck]
    rigid = np.r_[np.ones(len(face) + len(head)), np.zeros(len(torso))]
    weights = []
    for of_neck in (follows, rises):
        weight = _smoothstep(harmonic.extend(fixed, np.r_[rigid, of_neck]), 0, 1)
        weight[face] = 1
        weights.append(weight)
    return weights[0], weights[1]


def _bare_neck(
    mesh: FaceMesh, fit: FaceFit, clothes: Clothes, low: NDArray[np.intp]
) -> tuple[NDArray[np.intp], Float64Array, Float64Array]:
    """Return which low vertices are skin of the neck, and how far each follows the head.

    The neck stays with the collar that it ends at, and goes with the jaw that it begins at. A
    rising jaw draws it out over the neck that stays (neck.py), and stretches it a little.

    Returns:
        (N,) vertices; (N,) their weights, and (N,) those where the head rises.
    """
    unit = fit.head.unit_px
    points = mesh.vertices[low, :2] + fit.margin_px
    bare = clothes.bare.astype(np.float32)
    near, by_collar = (near_person(bare, points, reach * unit) for reach in _BARE_REACH)
    to_collar = sample(distance_to(clothes.mask) / unit, points)
    # What hangs around the neck at its end belongs to it.
    is_neck = (mesh.anchor[low] == low) & (near | (by_collar & (to_collar < _AT_COLLAR)))
    neck, to_collar = low[is_neck], to_collar[is_neck]
    gaps = mesh.vertices[neck, None, :2] - mesh.vertices[None, mesh.oval, :2]
    from_jaw = np.sqrt((gaps**2).sum(-1)).min(1, initial=np.inf) / unit
    from_collar = np.maximum(to_collar - _AT_COLLAR, 0)
    slides = 1 - _smoothstep(from_jaw, 0, _SLIDES)
    follows = slides + (1 - slides) * from_collar / (from_collar + from_jaw + 1e-6)
    rises = np.clip(1 - _STRETCH / _RISE * from_jaw, 0, 1)
    return neck, follows, shows_more(fit, clothes) * rises


def _high_collars(
    mesh: FaceMesh, fit: FaceFit, position: Float64Array, chin: float
) -> NDArray[np.bool_]:
    """Tell which outer vertices are high collars: beside the chin, and no hair by their colour.

    They stay with the shoulders; long hair at the same place follows the head.
    """
    outer = mesh.outer
    side = fit.canvas_alpha.shape[0]
    picture = cv2.resize(fit.canvas2x, (side, side), interpolation=cv2.INTER_AREA)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.03 * fit.head.unit_px), np.float64)
    last = side - 1
    pixels = np.clip(np.round(mesh.vertices[:, :2]) + fit.margin_px, 0, last).astype(int)
    colours = picture[pixels[:, 1], pixels[:, 0]]
    x, y = np.abs(position[outer, 0]), position[outer, 1]
    on_person = mesh.anchor[outer] == outer
    above = outer[on_person & (y < -0.35)]
    beside = on_person & (y > chin - 0.55) & (x > 0.62)
    if len(above) < 4 or not beside.any():
        return np.zeros(len(outer), bool)
    # Hair has lights and shades: what is near to any of its colours may be hair.
    hair = colours[above]
    skin = colours[: mesh.num_face]
    near_hair = _nearest(colours[outer], hair) < _ALIKE
    near_skin = _nearest(colours[outer], skin[:: max(1, len(skin) // 200)]) < _ALIKE
    return np.asarray(beside & ~near_hair & ~near_skin)


def _nearest(colours: Float64Array, others: Float64Array) -> Float64Array:
    """Return (N,) the distance of each colour to the nearest of the others."""
    gaps = np.abs(colours[:, None] - others[None]).max(-1)
    nearest: Float64Array = gaps.min(1)
    return nearest


def _with_depth(vertices: Float64Array, depth: Float64Array | float) -> Float64Array:
    result = vertices.copy()
    result[:, 2] = depth
    return result


def _smoothstep(values: Float64Array, low: float, high: float) -> Float64Array:
    t = np.clip((values - low) / (high - low), 0, 1)
    smooth: Float64Array = t * t * (3 - 2 * t)
    return smooth
