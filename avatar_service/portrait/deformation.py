"""Spreads the motion of a few handle landmarks smoothly over the mesh.

Minimises bending: (L M^-1 L + W) d = W t with the cotangent Laplacian L, lumped masses M, and
stiff weights W on handles and pins (Botsch, Sorkine: On Linear Variational Surface Deformation
Methods, TVCG 2008). Lip slit and eye holes stay open: displacements do not pass across them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.mesh import FaceMesh

_HANDLE_WEIGHT: Final = 1e5
_MIN_COTANGENT, _MAX_COTANGENT = 0.05, 6.0
"""Cotangents are clamped: slivers of the landmark mesh would otherwise dominate."""
_REACH: Final = 0.42
"""Outer vertices further than this (units) from the face's outline never move with expression."""
_PIN_ABOVE: Final = 0.35
"""Outer vertices higher than this (units below the eyes) are hair and ears: pinned."""

Targets = Mapping[int, Iterable[float]]
"""Landmark -> displacement (x, y, z) in head coordinates, units."""


class DeformationSpace:
    """The bending energy of one mesh; make a solver per group of handles."""

    def __init__(self, mesh: FaceMesh, position: Float64Array) -> None:
        """Build from head coordinates: position (V, 3) in units."""
        self._count = len(position)
        self._energy = _bending_energy(mesh, position)
        outline = mesh.vertices[mesh.oval, :2]
        unit = np.linalg.norm(mesh.vertices[33] - mesh.vertices[263])
        outer = mesh.outer
        gaps = mesh.vertices[outer, None, :2] - outline[None]
        is_far = np.sqrt((gaps**2).sum(-1)).min(1) > _REACH * unit
        self._pins = outer[is_far | (position[outer, 1] < _PIN_ABOVE)]

    def solver(self, handles: Iterable[int]) -> Solver:
        """Factorise for one set of handles; those without a target are held in place."""
        weight = np.zeros(self._count)
        weight[np.array(sorted(set(handles)))] = _HANDLE_WEIGHT
        weight[self._pins] = _HANDLE_WEIGHT
        system = self._energy + scipy.sparse.diags(weight) + 1e-6 * scipy.sparse.eye(self._count)
        return Solver(weight, scipy.sparse.linalg.splu(system.tocsc()))


class Solver:
    """Solves displacement fields for one set of handles."""

    def __init__(self, weight: Float64Array, factors: scipy.sparse.linalg.SuperLU) -> None:
        self._weight = weight
        self._factors = factors

    def solve(self, targets: Targets) -> Float64Array:
        """Return (V, 3) displacements in head coordinates that meet the targets.

        Raises:
            KeyError: a target that is no handle of this solver.
        """
        wanted = np.zeros((len(self._weight), 3))
        for landmark, displacement in targets.items():
            if self._weight[landmark] == 0:
                raise KeyError(landmark)
            wanted[landmark] = np.asarray(tuple(displacement), np.float64)
        solved: Float64Array = self._factors.solve(self._weight[:, None] * wanted)
        return solved


def _bending_energy(mesh: FaceMesh, position: Float64Array) -> scipy.sparse.csc_matrix:
    triangles = mesh.solid_triangles
    count = len(position)
    rows: list[NDArray[np.int32]] = []
    columns: list[NDArray[np.int32]] = []
    weights: list[Float64Array] = []
    mass = np.zeros(count)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        a, b, c = (position[triangles[:, n]] for n in (i, j, k))
        first, second = a - c, b - c
        area2 = np.linalg.norm(np.cross(first, second), axis=1)
        cotangent = (first * second).sum(1) / np.maximum(area2, 1e-7)
        weight = np.clip(cotangent, _MIN_COTANGENT, _MAX_COTANGENT) / 2
        rows += [triangles[:, i], triangles[:, j]]
        columns += [triangles[:, j], triangles[:, i]]
        weights += [weight, weight]
        np.add.at(mass, triangles[:, i], np.maximum(area2, 1e-5) / 6)
    adjacency = scipy.sparse.coo_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), (count, count)
    ).tocsr()
    laplacian = scipy.sparse.diags(np.asarray(adjacency.sum(1)).ravel()) - adjacency
    return (laplacian @ scipy.sparse.diags(1 / np.maximum(mass, 1e-5)) @ laplacian).tocsc()
