"""A fitted portrait as a head for model files: its mesh, shapes and texture, with eyes and mouth.

The portrait's renderer draws eyes and mouth as layers of the picture; a model file needs bodies
there instead: eyeballs behind the lid openings, and a dark pocket behind the lips.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.export.head_mesh import EyeBalls, HeadMesh
from avatar_service.portrait.eyes import EyeAssets
from avatar_service.portrait.portrait import Portrait
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES

Array = NDArray[np.float64]

# Landmarks of the face mesh: outer and inner corner of the subject's left and right eye, and the
# ring of the inner lips (public FACEMESH index lists).
_EYE_CORNERS: Final = ((263, 362), (33, 133))
_INNER_LIPS: Final = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
_POCKET_DEPTH: Final = 0.35
_DARK_ROWS_PX: Final = 4
_NECK_WEIGHT: Final = 0.5
"""What follows the head by less than this is neck: the torso's picture stands behind it."""
_EYE_RADIUS_PER_WIDTH: Final = 0.52
_EYE_TEXTURE_PX: Final = 256


def head_from_portrait(portrait: Portrait) -> HeadMesh:
    """Turn a portrait into a head, straightened to face forward."""
    geometry = portrait.geometry
    vertices, deltas = _neutral_shapes(portrait)
    triangles = _facing_out(vertices, geometry.solid_triangles.astype(np.int64))
    rgba, dark_v = _texture(portrait)
    uv = geometry.uv / [rgba.shape[1], rgba.shape[0]]
    weight = geometry.skin_weight.astype(np.float64)
    if portrait.torso.is_shown:
        vertices, deltas, triangles, uv, weight = _with_torso(
            portrait, vertices, deltas, triangles, uv, weight, rgba.shape[0]
        )
    vertices, deltas, triangles, uv, weight = _with_mouth_pocket(
        vertices, deltas, triangles, uv, weight, dark_v
    )
    done, image = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
    if not done:
        raise RuntimeError("PNG encoding failed")
    pivot = _to_head(geometry.pivot - geometry.center, geometry.rotation, geometry.unit_px)
    return HeadMesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles.astype(np.int32),
        uv=uv.astype(np.float32),
        deltas=deltas.astype(np.float32),
        texture=image.tobytes(),
        pivot=pivot.astype(np.float32),
        head_weight=weight.astype(np.float32),
        eyes=_eyes(vertices, portrait.eyes),
        has_alpha=True,
    )


def _neutral_shapes(portrait: Portrait) -> tuple[Array, Array]:
    """Rest vertices with closed lips and without the photo's smile, and the 52 shapes from there.

    The renderer takes the photo's own expression out as a function of what is asked
    (render/expression.py); here its straight-line form: each shape is the difference between that
    coefficient at 1 and the neutral face.
    """
    geometry, shapes = portrait.geometry, portrait.shapes

    def field(name: str) -> Array:
        moved = shapes.displacement(name, len(geometry.rest))
        return _to_head(moved, geometry.rotation, geometry.unit_px)

    rest = _to_head(geometry.rest - geometry.center, geometry.rotation, geometry.unit_px)
    deltas = np.stack([field(name) for name in EXPRESSION_NAMES])
    if shapes.source_gap > 0:
        closing = field("sourceClose")
        rest = rest + closing
        left = max(0.0, 1 - shapes.jaw_gap / shapes.source_gap)
        share = max(0.0, 1 - shapes.source_gap / shapes.jaw_gap)
        jaw = EXPRESSION_INDEX["jawOpen"]
        deltas[jaw] = share * deltas[jaw] - (1 - left) * closing
    if shapes.source_smile > 0:
        sober = field("sourceUnsmile")
        rest = rest + sober
        for side in ("Left", "Right"):
            smile = EXPRESSION_INDEX[f"mouthSmile{side}"]
            deltas[smile] = (1 - 0.4 * shapes.source_smile) * deltas[smile] - 0.5 * sober
    return rest, deltas


def _to_head(
    vectors: NDArray[np.floating], rotation: NDArray[np.floating], unit_px: float
) -> Array:
    """Camera-space px to the schema's head frame and unit: axes (x, y down, z away) flipped."""
    along: Array = np.asarray(vectors, np.float64) @ np.asarray(rotation, np.float64) / unit_px
    return along * [1.0, -1.0, -1.0]


def _facing_out(vertices: Array, triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the triangles the winding whose normals look at the camera on the whole."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return triangles if np.cross(b - a, c - a)[:, 2].sum() > 0 else triangles[:, ::-1]


def _texture(portrait: Portrait) -> tuple[NDArray[np.uint8], float]:
    """Straight alpha: the person, the torso's layer, and below a dark strip for the mouth.

    Returns it and the strip's v.
    """
    parts = [portrait.texture, *([portrait.torso.texture] if portrait.torso.is_shown else [])]
    premultiplied = np.concatenate(parts)
    alpha = premultiplied[..., 3:].astype(np.float32)
    straight = premultiplied.astype(np.float32)
    straight[..., :3] = np.where(alpha > 0, straight[..., :3] * 255 / np.maximum(alpha, 1), 0)
    rows = np.zeros((_DARK_ROWS_PX, premultiplied.shape[1], 4), np.float32)
    rows[:] = (44, 18, 18, 255)
    whole = np.concatenate([straight, rows]).clip(0, 255).round().astype(np.uint8)
    return whole, 1 - 0.5 * _DARK_ROWS_PX / len(whole)


def _with_torso(
    portrait: Portrait,
    vertices: Array,
    deltas: Array,
    triangles: NDArray[np.int64],
    uv: Array,
    weight: Array,
    texture_rows: int,
) -> tuple[Array, Array, NDArray[np.int64], Array, Array]:
    """Add the torso's layer: a flat picture behind the neck, which does not move with the head."""
    geometry, torso = portrait.geometry, portrait.torso
    rows, columns = torso.texture.shape[:2]
    behind = geometry.rest[geometry.skin_weight < _NECK_WEIGHT, 2].max(initial=torso.depth)
    texels = np.array([[x, y] for y in (0, rows - 1) for x in (0, columns - 1)], np.float64)
    places = (texels + [0, torso.top] - 0.5) / 2 - portrait.margin_px
    stretch = 1 + behind / geometry.focal_px
    camera = np.column_stack([(places - (portrait.size_px - 1) / 2) * stretch, np.full(4, behind)])
    added = _to_head(camera - geometry.center, geometry.rotation, geometry.unit_px)
    faces = _facing_out(added, np.array([[0, 1, 2], [1, 3, 2]])) + len(vertices)
    texture_uv = (texels + [0.5, portrait.texture.shape[0] + 0.5]) / [columns, texture_rows]
    return (
        np.concatenate([vertices, added]),
        np.concatenate([deltas, np.zeros((len(deltas), 4, 3))], axis=1),
        np.concatenate([triangles, faces]),
        np.concatenate([uv, texture_uv]),
        np.concatenate([weight, np.zeros(4)]),
    )


def _with_mouth_pocket(
    vertices: Array,
    deltas: Array,
    triangles: NDArray[np.int64],
    uv: Array,
    weight: Array,
    dark_v: float,
) -> tuple[Array, Array, NDArray[np.int64], Array, Array]:
    """Add a wall from the inner lips backwards, and its floor, all dark; it follows the lips."""
    lips = np.array(_INNER_LIPS)
    count, start = len(lips), len(vertices)
    edge = vertices[lips]
    back = edge - [0, 0, _POCKET_DEPTH]
    middle = back.mean(axis=0, keepdims=True)
    i = np.arange(count)
    following = (i + 1) % count
    wall = [
        np.stack([start + i, start + count + i, start + count + following], -1),
        np.stack([start + i, start + count + following, start + following], -1),
        np.stack(
            [start + count + i, np.full(count, start + 2 * count), start + count + following], -1
        ),
    ]
    moved = deltas[:, lips]
    added = np.concatenate([moved, moved, moved.mean(axis=1, keepdims=True)], axis=1)
    num_added = 2 * count + 1
    return (
        np.concatenate([vertices, edge, back, middle]),
        np.concatenate([deltas, added], axis=1),
        np.concatenate([triangles, *wall]),
        np.concatenate([uv, np.tile([0.5, dark_v], (num_added, 1))]),
        np.concatenate([weight, np.ones(num_added)]),
    )


def _eyes(vertices: Array, assets: EyeAssets) -> EyeBalls:
    """Eyeballs that fill the lid openings from behind, with the photo's own iris and white."""
    corners = np.array([[vertices[outer], vertices[inner]] for outer, inner in _EYE_CORNERS])
    width = float(np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1).mean())
    radius = _EYE_RADIUS_PER_WIDTH * width
    centers = corners.mean(axis=1) - [0, 0, 0.72 * radius]
    return EyeBalls(centers.astype(np.float32), radius, _eye_texture(assets, radius))


def _eye_texture(assets: EyeAssets, radius: float) -> bytes:
    """The left eye's iris in the middle of its white, the ball seen from the front."""
    half = _EYE_TEXTURE_PX // 2
    iris_radius = float(assets.iris_radius[1]) / (2 * float(assets.unit[0]) * radius) * half
    scale = iris_radius / float(assets.iris_radius[1])
    iris = cv2.resize(assets.iris[1].astype(np.float32), None, fx=scale, fy=scale)
    white = np.median(assets.sclera[1].reshape(-1, 3), axis=0)
    image = np.broadcast_to(white, (2 * half, 2 * half, 3)).copy()
    y, x = np.mgrid[: 2 * half, : 2 * half] + 0.5 - half
    inside = np.clip((iris_radius - np.hypot(x, y)) / 2 + 0.5, 0, 1)[..., None]
    side = min(iris.shape[0], 2 * half) // 2
    middle = iris.shape[0] // 2
    placed = image.copy()
    window = slice(half - side, half + side)
    placed[window, window] = iris[middle - side : middle + side, middle - side : middle + side]
    image += inside * (placed - image)
    done, encoded = cv2.imencode(".png", image.clip(0, 255).round().astype(np.uint8)[..., ::-1])
    if not done:
        raise RuntimeError("PNG encoding failed")
    return encoded.tobytes()
