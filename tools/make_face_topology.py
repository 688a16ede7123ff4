"""Make avatar_service/portrait/face_topology.npz: the triangles and the left/right map.

Run: python tools/make_face_topology.py WHEEL PHOTO [PHOTO ...]

WHEEL is the pinned mediapipe wheel (Apache-2.0): its public edge list gives the triangles. The
photos, any frontal faces, give the left/right map: each landmark of a photo against those of its
mirror image, matched over all photos together. The same inputs give the same file.
"""

from __future__ import annotations

import argparse
import ast
import collections
import itertools
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from avatar_service.portrait import image_file, landmark_nets
from avatar_service.signals import UInt8Array

EDGE_LIST = "mediapipe/python/solutions/face_mesh_connections.py"
OUTPUT = Path(__file__).parents[1] / "avatar_service/portrait/face_topology.npz"


def triangles_of(wheel: Path) -> NDArray[np.int16]:
    """Return the 3-cycles of the tessellation's edges, less those that are no faces."""
    with zipfile.ZipFile(wheel) as archive:
        tree = ast.parse(archive.read(EDGE_LIST))
    edges: set[tuple[int, int]] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FACEMESH_TESSELATION":
            assert isinstance(node.value, ast.Call)
            edges = {(min(a, b), max(a, b)) for a, b in ast.literal_eval(node.value.args[0])}
    neighbours: dict[int, set[int]] = collections.defaultdict(set)
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    cycles = {tuple(sorted((a, b, c))) for a, b in edges for c in neighbours[a] & neighbours[b]}
    uses = collections.Counter(e for t in cycles for e in itertools.combinations(t, 2))
    # A cycle whose three edges all bound two other triangles is a hole of the mesh, not a face.
    faces = [t for t in cycles if not all(uses[e] == 3 for e in itertools.combinations(t, 2))]
    return _orient(np.array(sorted(faces), np.int16))


def _orient(triangles: NDArray[np.int16]) -> NDArray[np.int16]:
    """Turn all triangles the same way round.

    Neighbours share an edge in opposite directions; which way round all of them run is decided by
    a photo (see main).
    """
    by_edge: dict[tuple[int, int], list[int]] = collections.defaultdict(list)
    for number, triangle in enumerate(triangles.tolist()):
        for a, b in itertools.combinations(sorted(triangle), 2):
            by_edge[a, b].append(number)
    turned = [list(triangle) for triangle in triangles.tolist()]
    done, waiting = {0}, [0]
    while waiting:
        a, b, c = turned[waiting.pop()]
        for start, end in ((a, b), (b, c), (c, a)):
            for other in by_edge[min(start, end), max(start, end)]:
                if other in done:
                    continue
                t = turned[other]
                if (start, end) in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0])):
                    t.reverse()
                done.add(other)
                waiting.append(other)
    if len(done) != len(turned):
        raise SystemExit("The mesh is not connected.")
    return np.array(turned, np.int16)


def _area(photo: Path, triangles: NDArray[np.int16]) -> float:
    """Return the signed area of the mesh on a face (positive: clockwise in the image)."""
    points = _landmarks(photo)[1]
    a, b, c = (points[triangles[:, i], :2] for i in range(3))
    return float(np.cross(np.pad(b - a, ((0, 0), (0, 1))), np.pad(c - a, ((0, 0), (0, 1)))).sum())


def _landmarks(path: Path) -> tuple[UInt8Array, NDArray[np.float64]]:
    image = image_file.load_image(path.read_bytes()).pixels
    best = landmark_nets.detect_faces(image)[0]
    points, _ = landmark_nets.find_landmarks(
        image, best.center, float(best.size.max()) * 1.5, best.angle
    )
    return image, points


def mirror_of(photos: list[Path]) -> NDArray[np.int16]:
    """Return for each landmark the one on the other side of the face (an involution)."""
    count = landmark_nets.NUM_LANDMARKS
    cost = np.zeros((count, count))
    for path in photos:
        image, points = _landmarks(path)
        flipped = landmark_nets.find_landmarks_flipped(image, points)
        _, size_px, _ = landmark_nets.region_of(points)
        delta = (points[:, None, :2] - flipped[None, :, :2]) / size_px
        cost += (delta**2).sum(-1)
    mirror = linear_sum_assignment(cost + cost.T)[1]
    if not np.array_equal(mirror[mirror], np.arange(count)):
        raise SystemExit("The match is no involution; give more and more frontal photos.")
    return np.asarray(mirror, np.int16)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    options = parser.parse_args()
    triangles, mirror = triangles_of(options.wheel), mirror_of(options.photos)
    if _area(options.photos[0], triangles) < 0:
        triangles = triangles[:, ::-1]
    np.savez(OUTPUT, triangles=np.ascontiguousarray(triangles), mirror=mirror)
    print(f"wrote {OUTPUT}")


if __name__ == "__main__":
    main()
