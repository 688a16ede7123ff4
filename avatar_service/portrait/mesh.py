"""The portrait's mesh: the face's triangles refined once, joined to a grid over hair and body.

Texture coordinates are the vertices' own rest positions in the photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray

from avatar_service.portrait import topology
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.landmark_nets import NUM_LANDMARKS, Float64Array
from avatar_service.portrait.pixels import shrink
from avatar_service.portrait.topology import Int32Array
from avatar_service.portrait.unfold import flatten_far_side, unfold
from avatar_service.signals import Float32Array

_GRID_PARTS: Final = 28.4
"""Grid cells per side of the frame: 18 px at 512."""
_OVAL_GAP_PARTS: Final = 64
"""Grid points keep 1/64 of the frame's side away from the face's outline."""
_PERSON_REACH_PARTS: Final = 25
"""The grid covers the person and this much more: 1/25 of the frame's side."""

_TIP_STEP: Final = 0.8
"""Distance of the points along the hair's outline, cells."""
_HEAD_BELOW_EYES: Final = 0.5
"""Down to here the outline is that of head and hair, units."""


@dataclass(frozen=True, slots=True)
class FaceMesh:
    """Vertices and triangles over the person.

    Attributes:
        vertices: (V, 3) float64 frame px; rows 0..467 are the landmarks, rows below num_face the
            face, the rest hair and body (their z is filled in by depth.py).
        triangles: (T, 3) int32, all of one winding; the eye and mouth holes first, face next.
        solid_triangles: (U, 3) int32, those without the holes: skin that carries strain.
        num_face: number of vertices of the face.
        oval: (R,) int32 vertices on the face's outline, a closed loop.
        edges: (E, 2) int32 edges of the solid triangles.
        anchor: (V,) the vertex whose depth and motion a vertex takes: itself on the person; for
            one in the background the nearest on the person, so that the outline's soft edge stays
            with the outline.
    """

    vertices: Float64Array
    triangles: Int32Array
    solid_triangles: Int32Array
    num_face: int
    oval: Int32Array
    edges: Int32Array
    anchor: NDArray[np.intp]

    @property
    def outer(self) -> NDArray[np.intp]:
        """Indices of the vertices outside the face."""
        return np.arange(self.num_face, len(self.vertices))


def build_mesh(fit: FaceFit, *, is_whole: bool = True) -> FaceMesh:
    """Refine the face and lay the grid around it; outer depths are zero.

    Args:
        fit: its canvas_alpha covers what the mesh is to cover.
        is_whole: whether the mesh is the whole person; else it is the head over a layer of the
            torso, and has edges of its own along the neck.
    """
    landmarks = flatten_far_side(unfold(fit.landmarks, fit.head.unit_px), fit.head)
    refined = _Refinement(landmarks)
    face = refined.refine(topology.TRIANGLES)
    holes = refined.fill_holes(_hole_triangles())
    oval = refined.loop(topology.FACE_OVAL)
    vertices = np.array(refined.vertices)
    num_face = len(vertices)

    outline = vertices[oval, :2]
    grid = _with_outline(_grid_around(fit, outline), outline, fit, is_whole)
    points = np.concatenate([outline, grid])
    cells = scipy.spatial.Delaunay(points).simplices
    contour = outline.astype(np.float32).reshape(-1, 1, 2)
    outside = [not _is_inside(contour, center, 0.0) for center in points[cells].mean(1)]
    numbers = np.concatenate([oval, num_face + np.arange(len(grid))])
    around = numbers[cells[np.array(outside)]]
    vertices = np.concatenate([vertices, np.pad(grid, ((0, 0), (0, 1)))])

    solid = _wind(vertices, np.concatenate([face, around]))
    return FaceMesh(
        vertices=vertices,
        triangles=_wind(vertices, np.concatenate([holes, face, around])),
        solid_triangles=solid,
        num_face=num_face,
        oval=np.asarray(oval, np.int32),
        edges=_edges_of(solid),
        anchor=_anchors(fit, vertices, num_face),
    )


class _Refinement:
    """Splits triangles at their edges' middles, each middle made once."""

    def __init__(self, landmarks: Float64Array) -> None:
        assert len(landmarks) == NUM_LANDMARKS
        self.vertices: list[Float64Array] = list(landmarks)
        self._middles: dict[tuple[int, int], int] = {}

    def middle(self, a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in self._middles:
            self._middles[key] = len(self.vertices)
            self.vertices.append((self.vertices[a] + self.vertices[b]) / 2)
        return self._middles[key]

    def refine(self, triangles: Int32Array) -> Int32Array:
        result = []
        for a, b, c in triangles.tolist():
            ab, bc, ca = self.middle(a, b), self.middle(b, c), self.middle(c, a)
            result += [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        return np.array(result, np.int32)

    def fill_holes(self, triangles: list[tuple[int, int, int]]) -> Int32Array:
        """Triangulate holes so that they share the refined border's vertices (no cracks)."""
        result = []
        for triangle in triangles:
            corners = []
            for a, b in zip(triangle, (*triangle[1:], triangle[0]), strict=True):
                corners.append(a)
                shared = self._middles.get((min(a, b), max(a, b)))
                if shared is not None:
                    corners.append(shared)
            result += [(corners[0], p, q) for p, q in zip(corners[1:], corners[2:], strict=False)]
        return np.array(result, np.int32)

    def loop(self, ring: tuple[int, ...]) -> NDArray[np.intp]:
        """Return a closed landmark loop with its middles."""
        result = []
        for a, b in zip(ring, (*ring[1:], ring[0]), strict=True):
            result += [a, self.middle(a, b)]
        return np.array(result)


def _hole_triangles() -> list[tuple[int, int, int]]:
    holes = []
    for upper, lower in (
        (topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER),
        (topology.LID_UPPER, topology.LID_LOWER),
        (topology.mirrored(topology.LID_UPPER), topology.mirrored(topology.LID_LOWER)),
    ):
        for i in range(len(upper) - 1):
            for triangle in (
                (upper[i], upper[i + 1], lower[i + 1]),
                (upper[i], lower[i + 1], lower[i]),
            ):
                if len(set(triangle)) == 3:
                    holes.append(triangle)
    return holes


def _grid_around(fit: FaceFit, outline: Float64Array) -> Float64Array:
    """Return grid points (N, 2) over the person outside the face, reaching into the margin."""
    size, margin = fit.size_px, fit.margin_px
    steps = np.arange(-margin, size + margin, size / _GRID_PARTS)
    grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    # A small fixed stagger: exactly square cells have no unique triangulation.
    stagger = (np.arange(len(grid)) * 7919 % 13) / 13 - 0.5
    grid += stagger[:, None] * size / 170
    contour = outline.astype(np.float32).reshape(-1, 1, 2)
    gap = size / _OVAL_GAP_PARTS
    grid = grid[[not _is_inside(contour, p, -gap) for p in grid]]
    return grid[near_person(fit.canvas_alpha, grid + margin, size / _PERSON_REACH_PARTS)]


def _with_outline(
    grid: Float64Array, oval: Float64Array, fit: FaceFit, is_whole: bool
) -> Float64Array:
    """Return the grid with points along the outline, finer than the grid.

    Above they are tips of strands; below, of a head over its torso, the sides of the neck and where
    it ends at the collar.
    """
    size, cell = fit.size_px, fit.size_px / _GRID_PARTS
    inside = shrink(fit.canvas_alpha > 0.5, 3)
    points = _outline_points(inside, _TIP_STEP * cell) - fit.margin_px
    middle, unit = fit.head.center[:2], fit.head.unit_px
    wanted = points[:, 1] < middle[1] + _HEAD_BELOW_EYES * unit
    if not is_whole:
        contour = oval.astype(np.float32).reshape(-1, 1, 2)
        gap = 0.5 * size / _OVAL_GAP_PARTS
        wanted |= np.array([not _is_inside(contour, p, -gap) for p in points], bool)
    points = points[wanted & ((points > 1 - fit.margin_px) & (points < size - 2)).all(1)]
    if not len(points):
        return grid
    apart, _ = scipy.spatial.cKDTree(points).query(grid)
    return np.concatenate([grid[apart > _TIP_STEP * cell], points])


def _outline_points(mask: NDArray[np.bool_], spacing_px: float) -> Float64Array:
    """Return (N, 2) points along the mask's outlines, px, about evenly spaced."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    rows = []
    for contour in contours:
        line = contour[:, 0].astype(np.float64)
        if len(line) < 4 * spacing_px:
            continue
        # Smoothed along itself: a staircase of pixels is no outline.
        for _ in range(4):
            line = (np.roll(line, 1, 0) + 2 * line + np.roll(line, -1, 0)) / 4
        rows.append(line[:: max(1, round(spacing_px))])
    return np.concatenate(rows) if rows else np.zeros((0, 2))


def near_person(alpha: Float32Array, points: Float64Array, reach_px: float) -> NDArray[np.bool_]:
    """Return which points (N, 2) of the mask lie within reach of the person."""
    side = 2 * round(reach_px) + 1
    wide = cv2.dilate((alpha > 0.02).astype(np.uint8), np.ones((side, side), np.uint8))
    columns, rows = np.clip(np.round(points), 0, np.array(alpha.shape[::-1]) - 1).astype(int).T
    near: NDArray[np.bool_] = wide[rows, columns] > 0
    return near


def _anchors(fit: FaceFit, vertices: Float64Array, num_face: int) -> NDArray[np.intp]:
    last = np.array(fit.canvas_alpha.shape[::-1]) - 1
    pixels = np.clip(np.round(vertices[:, :2]) + fit.margin_px, 0, last).astype(int)
    on_person = fit.canvas_alpha[pixels[:, 1], pixels[:, 0]] > 0.5
    on_person[:num_face] = True
    anchor = np.arange(len(vertices))
    inside = np.flatnonzero(on_person)
    _, nearest = scipy.spatial.cKDTree(vertices[inside, :2]).query(vertices[~on_person, :2])
    anchor[~on_person] = inside[nearest]
    return anchor


def _is_inside(contour: Float32Array, point: Float64Array, beyond_px: float) -> bool:
    """Whether a point lies inside, or outside by less than -beyond_px."""
    distance = cv2.pointPolygonTest(contour, (float(point[0]), float(point[1])), True)
    return bool(distance >= beyond_px)


def _wind(vertices: Float64Array, triangles: Int32Array) -> Int32Array:
    """Turn all triangles the same way round in the image."""
    a, b, c = (vertices[triangles[:, i], :2] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    wound = triangles.copy()
    wound[area < 0] = wound[area < 0][:, ::-1]
    return np.ascontiguousarray(wound, np.int32)


def _edges_of(triangles: Int32Array) -> Int32Array:
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int32)
