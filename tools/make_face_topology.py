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
    return np.array(sorted(faces), np.int16)


def mirror_of(photos: list[Path]) -> NDArray[np.int16]:
    """Return for each landmark the one on the other side of the face (an involution)."""
    count = landmark_nets.NUM_LANDMARKS
    cost = np.zeros((count, count))
    for path in photos:
        image = image_file.load_image(path.read_bytes()).pixels
        best = landmark_nets.detect_faces(image)[0]
        points, _ = landmark_nets.find_landmarks(
            image, best.center, float(best.size.max()) * 1.5, best.angle
        )
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
    np.savez(OUTPUT, triangles=triangles_of(options.wheel), mirror=mirror_of(options.photos))
    print(f"wrote {OUTPUT}")


if __name__ == "__main__":
    main()
