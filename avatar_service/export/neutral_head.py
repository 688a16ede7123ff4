"""The head that is exported when no portrait is given: made of formulas, owned by nobody.

A grid wrapped around measured cross-sections (rows by height y, columns by angle), features added
as bumps, and cut open along the mouth and the two lid lines. Proportions: eyes at y = 0, outer eye
corners at x = +-0.5 (the length unit), mouth 68 mm below the eyes, head 150 mm wide, 230 mm high.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from avatar_service.export.head_mesh import EyeBalls, HeadMesh

Array = NDArray[np.float64]

MOUTH_Y: Final = -0.76
MOUTH_HALF_WIDTH: Final = 0.27
EYE_X: Final = 0.345
EYE_HALF_WIDTH: Final = 0.165
EYE_RADIUS: Final = 0.168
UPPER_LID_GAP: Final = 0.080
LOWER_LID_GAP: Final = 0.050
_LID_CLEARANCE: Final = 0.012

# Cross-sections: height y, half width, depth in front of and behind the axis.
_SECTIONS: Final = np.array(
    [
        (1.36, 0.02, 0.02, 0.02),
        (1.30, 0.38, 0.36, 0.48),
        (1.15, 0.60, 0.62, 0.75),
        (0.90, 0.76, 0.82, 0.98),
        (0.55, 0.84, 0.94, 1.10),
        (0.25, 0.85, 0.97, 1.12),
        (0.00, 0.83, 0.93, 1.10),
        (-0.30, 0.80, 0.92, 1.00),
        (-0.55, 0.77, 0.92, 0.86),
        (-0.80, 0.70, 0.91, 0.70),
        (-1.00, 0.60, 0.89, 0.58),
        (-1.13, 0.51, 0.84, 0.53),
        (-1.23, 0.45, 0.70, 0.51),
        (-1.32, 0.42, 0.46, 0.50),
        (-1.60, 0.42, 0.40, 0.50),
        (-1.90, 0.47, 0.43, 0.53),
    ]
)
# Bumps on the front: centre x (mirrored), centre y, height along z, width x, width y.
_BUMPS: Final = (
    (EYE_X, 0.02, -0.10, 0.19, 0.12),  # sockets
    (0.33, 0.21, 0.05, 0.22, 0.07),  # brow ridge
    (0.50, -0.33, 0.05, 0.18, 0.14),  # cheekbones
    (0.11, -0.44, 0.09, 0.065, 0.06),  # wings of the nose
    (0.00, -0.40, 0.10, 0.095, 0.095),  # tip of the nose
    (0.00, -0.705, 0.050, 0.20, 0.045),  # upper lip
    (0.00, -0.820, 0.055, 0.17, 0.050),  # lower lip
    (0.00, MOUTH_Y, -0.030, 0.24, 0.022),  # the line between them
    (0.00, -0.930, -0.045, 0.20, 0.050),  # fold above the chin
    (0.00, -1.090, 0.060, 0.17, 0.090),  # chin
)
_TEXTURE_PX: Final = 512
_PALETTE_V: Final = 0.97
_SKIN_V: Final = 0.94
_CAVITY_U, _TEETH_U, _TONGUE_U = 0.1, 0.4, 0.7


@dataclass(frozen=True, slots=True)
class HeadGrid:
    """The mesh with what the shapes need to know of each vertex.

    Attributes:
        vertices: (V, 3) at rest.
        flat: (V, 2) x, y before lids and lips were opened, where shapes are defined.
        triangles: (T, 3).
        uv: (V, 2).
        above_mouth: (V,) bool, on the upper side of the mouth line.
        above_lids: (V,) bool, on the upper side of the lid line.
        front: (V,) 0..1, fades towards the ears.
        kind: (V,) 0 skin, 1 mouth cavity and teeth of the skull, 2 those of the jaw, 3 tongue.
        sphere: (2, 3) centres of the eyes.
        source: (V,) the skin vertex whose displacement a vertex of the mouth follows, else itself.
        follow: (V,) how much of it, 1 at the lips' inner edge.
    """

    vertices: Array
    flat: Array
    triangles: NDArray[np.int32]
    uv: Array
    above_mouth: NDArray[np.bool_]
    above_lids: NDArray[np.bool_]
    front: Array
    kind: NDArray[np.int32]
    sphere: Array
    source: NDArray[np.int64]
    follow: Array


def gaussian(x: Array, y: Array, cx: float, cy: float, sx: float, sy: float) -> Array:
    """exp(-((x - cx) / sx)^2 - ((y - cy) / sy)^2)."""
    value: Array = np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2)
    return value


def smoothstep(t: Array) -> Array:
    """3 t^2 - 2 t^3 on 0..1, clamped."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def lid_gap(x: Array, gap: float) -> Array:
    """Height of a lid above the lid line along x, an almond."""
    u = (np.abs(x) - EYE_X) / EYE_HALF_WIDTH
    value: Array = gap * np.clip(1 - u * u, 0, None)
    return value


def over_eyeball(vertices: Array, sphere: Array) -> Array:
    """Lift z so that skin lies on the eyeballs instead of in them; returns z, (V,)."""
    z = vertices[:, 2].copy()
    for center in sphere:
        dx, dy = vertices[:, 0] - center[0], vertices[:, 1] - center[1]
        inside = (EYE_RADIUS + _LID_CLEARANCE) ** 2 - dx * dx - dy * dy
        cap = center[2] + np.sqrt(np.clip(inside, 0, None))
        z = np.where((inside > 0) & (z > 0), np.maximum(z, cap), z)
    return z


def _rows() -> Array:
    """Heights of the rows, dense at lids and lips; the lid line and the mouth line are rows."""
    parts = [
        np.linspace(1.36, 0.40, 14, endpoint=False),
        np.linspace(0.40, 0.16, 5, endpoint=False),
        np.linspace(0.16, -0.16, 16, endpoint=False),
        np.linspace(-0.16, -0.60, 10, endpoint=False),
        np.linspace(-0.60, -0.92, 16, endpoint=False),
        np.linspace(-0.92, -1.30, 8, endpoint=False),
        np.linspace(-1.30, -1.90, 5),
    ]
    return np.concatenate(parts)


def _columns() -> Array:
    """Angles from -pi to pi, dense in front; first and last are the seam at the back."""
    side = np.concatenate([np.linspace(0, 0.95, 31), np.linspace(0.95, np.pi, 14)[1:]])
    return np.concatenate([-side[:0:-1], side])


@lru_cache(maxsize=1)
def head_grid() -> HeadGrid:
    """Build the grid."""
    ys, angles = _rows(), _columns()
    section = PchipInterpolator(_SECTIONS[::-1, 0], _SECTIONS[::-1, 1:])
    width, depth_front, depth_back = section(ys).T  # (R,)
    sine, cosine = np.sin(angles), np.cos(angles)
    x = width[:, None] * sine  # (R, C)
    y = np.repeat(ys[:, None], len(angles), axis=1)
    z = np.where(cosine > 0, depth_front[:, None] * cosine, depth_back[:, None] * cosine)
    front = smoothstep(np.broadcast_to((cosine + 0.1) / 0.5, z.shape))
    for cx, cy, height, sx, sy in _BUMPS:
        bump = gaussian(x, y, cx, cy, sx, sy)
        if cx:
            bump = bump + gaussian(x, y, -cx, cy, sx, sy)
        z = z + height * bump * front
    bridge = np.clip((0.14 - y) / 0.55, 0, 1) * (y > -0.50)
    z = z + 0.10 * bridge * np.exp(-((x / 0.075) ** 2)) * front

    rows, columns = z.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    u = np.broadcast_to((angles + np.pi) / (2 * np.pi), z.shape)
    v = (ys[0] - y) / (ys[0] - ys[-1]) * _SKIN_V
    uv = np.stack([u, v], axis=-1).reshape(-1, 2)

    # Cut: below a slit the quads use copies of the slit's vertices.
    lower = index.copy()
    mouth_row = int(np.argmin(np.abs(ys - MOUTH_Y)))
    lid_row = int(np.argmin(np.abs(ys)))
    in_front = cosine > 0
    on_mouth = in_front & (np.abs(x[mouth_row]) < MOUTH_HALF_WIDTH)
    on_lids = in_front & (np.abs(np.abs(x[lid_row]) - EYE_X) < EYE_HALF_WIDTH)
    copies: list[int] = []
    for row, mask in ((mouth_row, on_mouth), (lid_row, on_lids)):
        for column in np.flatnonzero(mask):
            lower[row, column] = len(points) + len(copies)
            copies.append(int(index[row, column]))
    points = np.concatenate([points, points[copies]])
    uv = np.concatenate([uv, uv[copies]])
    row_of = np.concatenate([np.repeat(np.arange(rows), columns), np.full(len(copies), -1)])
    copied_row = np.array(copies) // columns
    above_mouth = np.concatenate([row_of[: rows * columns] <= mouth_row, copied_row < mouth_row])
    above_lids = np.concatenate([row_of[: rows * columns] <= lid_row, copied_row < lid_row])

    a, b = lower[:-1, :-1], lower[:-1, 1:]
    c, d = index[1:, :-1], index[1:, 1:]
    quads = np.stack([a, c, d, a, d, b], axis=-1).reshape(-1, 3)

    sphere = _eye_centers(points)
    flat = points[:, :2].copy()
    fall = np.exp(-((points[:, 1] / 0.10) ** 2)) * (points[:, 2] > 0)
    up, down = lid_gap(flat[:, 0], UPPER_LID_GAP), lid_gap(flat[:, 0], LOWER_LID_GAP)
    points[:, 1] += np.where(above_lids, up, -down) * fall
    points[:, 2] = over_eyeball(points, sphere)
    mouth = (index[mouth_row, on_mouth], lower[mouth_row, on_mouth])
    return _with_mouth(
        HeadGrid(
            points,
            flat,
            quads.astype(np.int32),
            uv,
            above_mouth,
            above_lids,
            np.concatenate([front.ravel(), front.ravel()[copies]]),
            np.zeros(len(points), np.int32),
            sphere,
            np.arange(len(points)),
            np.ones(len(points)),
        ),
        mouth,
    )


def _eye_centers(points: Array) -> Array:
    """Put the eyeballs so that their front lies at the skin of the socket."""
    y = 0.5 * (UPPER_LID_GAP - LOWER_LID_GAP)
    near = np.hypot(points[:, 0] - EYE_X, points[:, 1] - y) + 10 * (points[:, 2] < 0)
    z = points[int(np.argmin(near)), 2] - 0.80 * EYE_RADIUS
    return np.array([[EYE_X, y, z], [-EYE_X, y, z]])


def _with_mouth(grid: HeadGrid, mouth: tuple[NDArray[np.int64], NDArray[np.int64]]) -> HeadGrid:
    """Add what is behind the lips: cavity, teeth, tongue."""
    x, z = grid.vertices[mouth[0]][:, [0, 2]].T
    n = len(x)
    start = len(grid.vertices)
    vertices, uvs = [grid.vertices], [grid.uv]
    triangles, kinds = [grid.triangles], [grid.kind]
    sources, follows = [grid.source], [grid.follow]

    def ring(points: Array, color_u: float, kind: int, source: int, follow: float) -> int:
        """Append one row of vertices; returns the index of its first."""
        first = sum(len(part) for part in vertices)
        count = len(points)
        vertices.append(points)
        uvs.append(np.tile([color_u, _PALETTE_V], (count, 1)))
        kinds.append(np.full(count, kind, np.int32))
        edge = mouth[source]
        sources.append(edge if count == n else np.arange(first, first + count))
        follows.append(np.full(count, follow))
        return first

    def arc(scale: float, y: float, back: float) -> Array:
        return np.stack([x * scale, np.full(n, MOUTH_Y + y), z - back], axis=-1)

    def join(first: int, second: int) -> None:
        i = np.arange(n - 1)
        a, b, c, d = first + i, first + i + 1, second + i, second + i + 1
        triangles.append(np.stack([a, c, b, b, c, d], -1).reshape(-1, 3).astype(np.int32))

    deepest = []
    for half, sign, kind in ((0, 1, 1), (1, -1, 2)):
        edge = ring(grid.vertices[mouth[half]], _CAVITY_U, kind, half, 1.0)
        middle = ring(arc(0.97, sign * 0.11, 0.10), _CAVITY_U, kind, half, 0.6)
        deep = ring(arc(0.95, sign * 0.08, 0.50), _CAVITY_U, kind, half, 0.0)
        gap = 0.012 if sign > 0 else 0.004
        biting = ring(arc(0.86, sign * gap, 0.055), _TEETH_U, kind, half, 0.0)
        root = ring(arc(0.86, sign * 0.095, 0.065), _TEETH_U, kind, half, 0.0)
        for upper, lower in ((edge, middle), (middle, deep), (biting, root)):
            join(*((lower, upper) if sign > 0 else (upper, lower)))
        deepest.append(deep)
    join(*deepest)  # the back wall; its lower edge moves with the jaw
    tongue, faces = _tongue(float(z.max()))
    first = ring(tongue, _TONGUE_U, 3, 0, 0.0)
    triangles.append((faces + first).astype(np.int32))

    everything = np.concatenate(vertices)
    kind_of = np.concatenate(kinds)
    inside = kind_of[start:]
    extra = len(inside)
    return HeadGrid(
        everything,
        np.concatenate([grid.flat, everything[start:, :2]]),
        np.concatenate(triangles),
        np.concatenate(uvs),
        np.concatenate([grid.above_mouth, inside == 1]),
        np.concatenate([grid.above_lids, np.zeros(extra, bool)]),
        np.concatenate([grid.front, np.ones(extra)]),
        kind_of,
        grid.sphere,
        np.concatenate(sources),
        np.concatenate(follows),
    )


def _tongue(lip_z: float) -> tuple[Array, NDArray[np.int64]]:
    """A flat ellipsoid on the floor of the mouth."""
    n, m = 8, 14
    polar = np.linspace(0, np.pi, n)[:, None]
    around = np.linspace(0, 2 * np.pi, m)[None, :]
    x = 0.15 * np.sin(polar) * np.cos(around)
    y = MOUTH_Y - 0.075 + 0.045 * np.sin(polar) * np.sin(around)
    z = lip_z - 0.30 + 0.20 * np.cos(polar) * np.ones_like(around)
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    index = np.arange(n * m).reshape(n, m)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return points, np.stack([a, c, b, b, c, d], axis=-1).reshape(-1, 3)


def _png(rgb: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", rgb[..., ::-1])
    if not done:
        raise RuntimeError("PNG encoding failed")
    return data.tobytes()


def _skin_texture() -> bytes:
    """Skin, lips, brows, hair and, in the lowest rows, the flat colours of the mouth."""
    size = _TEXTURE_PX
    v, u = (np.mgrid[:size, :size] + 0.5) / size
    ys = _rows()
    y = ys[0] - v / _SKIN_V * (ys[0] - ys[-1])
    angle = u * 2 * np.pi - np.pi
    width = PchipInterpolator(_SECTIONS[::-1, 0], _SECTIONS[::-1, 1])(np.clip(y, ys[-1], ys[0]))
    x = np.where(np.cos(angle) > 0, width * np.sin(angle), 9.0)
    color = np.empty((size, size, 3))
    color[:] = (222, 178, 152)
    lips = np.clip(
        1.6 * gaussian(x, y, 0, MOUTH_Y + 0.045, 0.23, 0.050)
        + 1.6 * gaussian(x, y, 0, MOUTH_Y - 0.055, 0.20, 0.058)
        - 0.35,
        0,
        1,
    )
    blush = 0.35 * (gaussian(x, y, 0.5, -0.4, 0.2, 0.16) + gaussian(x, y, -0.5, -0.4, 0.2, 0.16))
    arch = 0.23 + 0.05 * np.cos((np.abs(x) - 0.36) * 5)
    brow = np.clip(
        1.8 * np.exp(-(((np.abs(x) - 0.35) / 0.19) ** 4) - ((y - arch) / 0.030) ** 2) - 0.5, 0, 1
    )
    hair = smoothstep((y - 0.78 + 0.9 * np.clip(np.abs(angle) - 0.9, 0, 0.9) + 0.2 * x**2) / 0.06)
    hair = np.where(y > -0.75, hair, 0) * (np.abs(angle) < 9)
    for mask, tint in (
        (blush, (206, 130, 112)),
        (lips, (186, 98, 92)),
        (brow, (84, 60, 46)),
        (hair, (70, 50, 40)),
    ):
        color += np.clip(mask, 0, 1)[..., None] * (np.array(tint) - color)
    palette = v[:, 0] > _SKIN_V + 0.005
    flat = np.where(u < 0.25, 0, np.where(u < 0.55, 1, 2))
    colors = np.array([(70, 24, 26), (236, 230, 216), (190, 98, 100)])
    color[palette] = colors[flat[palette]]
    return _png(np.round(color).astype(np.uint8))


def _eye_texture() -> bytes:
    """Sclera, iris and pupil seen from the front; the disc's radius is half the picture."""
    size = 128
    y, x = (np.mgrid[:size, :size] + 0.5) / size * 2 - 1
    r = np.hypot(x, y)
    iris = 0.46
    color = np.empty((size, size, 3))
    color[:] = (240, 236, 230)
    rays = 0.85 + 0.15 * np.cos(np.arctan2(y, x) * 24)
    shade = np.stack([96 * rays, 128 * rays, 146 * rays], axis=-1)
    edge = smoothstep((iris - r) / 0.03)[..., None]
    color += edge * (shade - color)
    color *= 1 - 0.55 * np.exp(-(((r - iris) / 0.035) ** 2))[..., None]
    color *= 1 - smoothstep((0.20 - r) / 0.03)[..., None] * 0.94
    return _png(np.round(color).astype(np.uint8))


@lru_cache(maxsize=1)
def neutral_head() -> HeadMesh:
    """Build the neutral head with its 52 shapes (some 20 ms; kept)."""
    from avatar_service.export.neutral_shapes import neutral_deltas

    grid = head_grid()
    return HeadMesh(
        vertices=grid.vertices.astype(np.float32),
        triangles=grid.triangles,
        uv=grid.uv.astype(np.float32),
        deltas=neutral_deltas(grid).astype(np.float32),
        texture=_skin_texture(),
        pivot=np.array([0, -0.9, -0.15], np.float32),
        head_weight=smoothstep((grid.vertices[:, 1] + 1.75) / 0.5).astype(np.float32),
        eyes=EyeBalls(grid.sphere.astype(np.float32), EYE_RADIUS, _eye_texture()),
        lit=True,
    )
