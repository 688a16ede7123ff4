"""Kernels that move the mesh: expression, head, perspective, shading.

Convention:
    Camera space and output px: see projection.py. Expression: effective coefficients of all
    shapes, order of portrait.blendshapes.SHAPE_NAMES.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from avatar_service.jit import kernel
from avatar_service.portrait.shapes_mouth import (
    JAW_FORWARD,
    JAW_GLIDE,
    JAW_OPEN_RADIANS,
    JAW_SIDE,
)
from avatar_service.portrait.topology import Int32Array
from avatar_service.signals import Float32Array

ACTIVE: Final = np.float32(1e-4)
_GLIDE_Y, _GLIDE_Z = JAW_GLIDE[1], JAW_GLIDE[2]
TORSO_SHIFT: Final = 0.4
"""Share of a sideways or vertical head shift that the torso takes part in."""
SHADE_STRENGTH, SHADE_MIN, SHADE_MAX = 0.8, 0.74, 1.26
MIN_LIGHT: Final = 20.0


@kernel
def blend(
    rest: Float32Array,
    start: Int32Array,
    vertex: Int32Array,
    delta: Float32Array,
    coefficients: Float32Array,
    out: Float32Array,
) -> None:
    """Set out = rest + sum of coefficient * shape over the active shapes."""
    for i in range(rest.shape[0]):
        for j in range(3):
            out[i, j] = rest[i, j]
    for k in range(coefficients.shape[0]):
        c = coefficients[k]
        if c > -ACTIVE and c < ACTIVE:
            continue
        for n in range(start[k], start[k + 1]):
            i = vertex[n]
            out[i, 0] += c * delta[n, 0]
            out[i, 1] += c * delta[n, 1]
            out[i, 2] += c * delta[n, 2]


@kernel
def part_margins(
    vertices: Float32Array, pairs: Int32Array, down: Float32Array, upper_share: float
) -> None:
    """Keep margins (lips, lids) from passing through each other.

    Args:
        vertices: (V, 3), changed in place.
        pairs: (P, 2) upper and lower vertex.
        down: (3,) the head's y axis.
        upper_share: how much of an overlap the upper margin gives way, 0..1.
    """
    for p in range(pairs.shape[0]):
        upper, lower = pairs[p, 0], pairs[p, 1]
        gap = np.float32(0)
        for j in range(3):
            gap += (vertices[lower, j] - vertices[upper, j]) * down[j]
        if gap < 0:
            for j in range(3):
                vertices[upper, j] += np.float32(upper_share) * gap * down[j]
                vertices[lower, j] -= np.float32(1 - upper_share) * gap * down[j]


def down_in_picture(rotation: Float32Array) -> Float32Array:
    """Return (3,) the head's y axis as seen at rest: lids meet there, one further forward.

    Args:
        rotation: (3, 3) the head's axes at rest, camera space.
    """
    axis = rotation[:, 1] * np.array([1, 1, 0], np.float32)
    return np.asarray(axis / np.linalg.norm(axis), np.float32)


@kernel
def turn_axis(matrix: Float32Array, axis: Float32Array, out: Float32Array) -> None:
    """Set out (3,) to where a (3, 4) matrix turns an axis, as a unit vector in the image."""
    x = matrix[0, 0] * axis[0] + matrix[0, 1] * axis[1] + matrix[0, 2] * axis[2]
    y = matrix[1, 0] * axis[0] + matrix[1, 1] * axis[1] + matrix[1, 2] * axis[2]
    length = math.sqrt(x * x + y * y) + np.float32(1e-9)
    out[0], out[1], out[2] = x / length, y / length, np.float32(0)


@kernel
def pose_head(
    rotation: Float32Array,
    pivot: Float32Array,
    hinge: Float32Array,
    unit: float,
    turn: Float32Array,
    shift: Float32Array,
    opening: float,
    jaw_side: float,
    jaw_forward: float,
    skull: Float32Array,
    jaw: Float32Array,
) -> None:
    """Work out the rigid motions of skull and jaw, (3, 4) each.

    Args:
        rotation: (3, 3) the head's axes at rest.
        pivot: (3,) the neck's turning point, camera space.
        hinge: (3,) the jaw's, camera space.
        unit: px of one schema length unit.
        turn: (3,) yaw, pitch, roll, schema's signs.
        shift: (3,) head translation, schema's axes, units.
        opening: of the jaw, 1 = jawOpen 1.
        jaw_side: + to the subject's left, 1 = jawLeft 1.
        jaw_forward: 1 = jawForward 1.
        skull: (3, 4) out: camera space at rest -> posed, with the skull.
        jaw: (3, 4) out: the same, with the jaw.
    """
    # Schema axes (x left, y up, z out) to head axes (x, y down, z away) flips y and z, which
    # negates yaw and roll and keeps pitch: Ry(-yaw) Rx(pitch) Rz(-roll).
    cy, sy = math.cos(-turn[0]), math.sin(-turn[0])
    cx, sx = math.cos(turn[1]), math.sin(turn[1])
    cz, sz = math.cos(-turn[2]), math.sin(-turn[2])
    # Rows of the product in head axes.
    h00, h01, h02 = cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx
    h10, h11, h12 = cx * sz, cx * cz, -sx
    h20, h21, h22 = -sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx
    for i in range(3):
        a0, a1, a2 = rotation[i, 0], rotation[i, 1], rotation[i, 2]
        b0 = a0 * h00 + a1 * h10 + a2 * h20
        b1 = a0 * h01 + a1 * h11 + a2 * h21
        b2 = a0 * h02 + a1 * h12 + a2 * h22
        for j in range(3):
            skull[i, j] = b0 * rotation[j, 0] + b1 * rotation[j, 1] + b2 * rotation[j, 2]
    for i in range(3):
        offset = shift[i] if i == 0 else -shift[i]
        skull[i, 3] = pivot[i] + offset * unit
        for j in range(3):
            skull[i, 3] -= skull[i, j] * pivot[j]
    # The jaw turns about the hinge's x axis and glides, then follows the skull.
    angle = -JAW_OPEN_RADIANS * opening
    cj, sj = math.cos(angle), math.sin(angle)
    for i in range(3):
        # Row i of (skull rotation @ head axes), in which the jaw's motion is simple.
        s0 = (
            skull[i, 0] * rotation[0, 0]
            + skull[i, 1] * rotation[1, 0]
            + skull[i, 2] * rotation[2, 0]
        )
        s1 = (
            skull[i, 0] * rotation[0, 1]
            + skull[i, 1] * rotation[1, 1]
            + skull[i, 2] * rotation[2, 1]
        )
        s2 = (
            skull[i, 0] * rotation[0, 2]
            + skull[i, 1] * rotation[1, 2]
            + skull[i, 2] * rotation[2, 2]
        )
        t1, t2 = s1 * cj - s2 * sj, s1 * sj + s2 * cj
        for j in range(3):
            jaw[i, j] = s0 * rotation[j, 0] + t1 * rotation[j, 1] + t2 * rotation[j, 2]
        glide_x = JAW_SIDE * jaw_side
        glide_y = _GLIDE_Y * opening
        glide_z = _GLIDE_Z * opening - JAW_FORWARD * jaw_forward
        jaw[i, 3] = skull[i, 3] + (s0 * glide_x + s1 * glide_y + s2 * glide_z) * unit
        for j in range(3):
            jaw[i, 3] += (skull[i, j] - jaw[i, j]) * hinge[j]


@kernel
def pose_mesh(
    vertices: Float32Array,
    skin_weight: Float32Array,
    rise_weight: Float32Array,
    sway: Float32Array,
    strand_amount: Float32Array,
    strand_kind: Float32Array,
    skull: Float32Array,
    lagging: Float32Array,
    strands: Float32Array,
    shift_px: Float32Array,
    projection: Float32Array,
    bound: float,
    camera: Float32Array,
    out: Float32Array,
) -> bool:
    """Move the mesh with head and torso and project it.

    Args:
        vertices: (V, 3) camera space, expression applied.
        skin_weight: (V,) 1 follows the head, 0 the torso.
        rise_weight: (V,) the same where the head takes it upwards.
        sway: (V,) share of the lagging head in the head's motion.
        strand_amount: (V,) share of a strand's own lag.
        strand_kind: (V,) between which kinds of strands, below NUM_KINDS - 1.
        skull: (3, 4) of pose_head.
        lagging: (3, 4) the same of a head that lags behind.
        strands: (NUM_KINDS, 3, 4) the same for each kind of strands.
        shift_px: (4,) camera-space px, of the torso; last, by what share it widens.
        projection: (4,) see projection.py.
        bound: largest output coordinate that the raster takes.
        camera: (V, 3) out: posed, camera space.
        out: (V, 3) out: output px.

    Returns:
        Whether all coordinates are finite and within bounds.
    """
    center, focal, scale, depth_scale = projection
    half = np.float32(0.5)
    widen = np.float32(1) + shift_px[3]
    is_good = True
    for i in range(vertices.shape[0]):
        w = skin_weight[i]
        v = np.float32(1) - w
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        px = skull[0, 0] * x + skull[0, 1] * y + skull[0, 2] * z + skull[0, 3]
        py = skull[1, 0] * x + skull[1, 1] * y + skull[1, 2] * z + skull[1, 3]
        pz = skull[2, 0] * x + skull[2, 1] * y + skull[2, 2] * z + skull[2, 3]
        s = sway[i]
        if s > 0:
            lx = lagging[0, 0] * x + lagging[0, 1] * y + lagging[0, 2] * z + lagging[0, 3]
            ly = lagging[1, 0] * x + lagging[1, 1] * y + lagging[1, 2] * z + lagging[1, 3]
            lz = lagging[2, 0] * x + lagging[2, 1] * y + lagging[2, 2] * z + lagging[2, 3]
            fx, fy, fz = px, py, pz
            px, py, pz = px + s * (lx - px), py + s * (ly - py), pz + s * (lz - pz)
            amount = strand_amount[i]
            if amount > 0:
                kind = int(strand_kind[i])
                f = strand_kind[i] - np.float32(kind)
                m, n = strands[kind], strands[kind + 1]
                for j in range(3):
                    slower = m[j, 0] * x + m[j, 1] * y + m[j, 2] * z + m[j, 3]
                    quicker = n[j, 0] * x + n[j, 1] * y + n[j, 2] * z + n[j, 3]
                    lag = slower + f * (quicker - slower)
                    if j == 0:
                        px += amount * (lag - fx)
                    elif j == 1:
                        py += amount * (lag - fy)
                    else:
                        pz += amount * (lag - fz)
        px = w * px + v * (x * widen + shift_px[0])
        stays = y + shift_px[1]
        rise = rise_weight[i] if py < stays else w
        py = rise * py + (np.float32(1) - rise) * stays
        pz = w * pz + v * (z + shift_px[2])
        camera[i, 0], camera[i, 1], camera[i, 2] = px, py, pz
        k = focal / max(focal + pz, np.float32(0.05) * focal)
        ox = (k * px + center + half) * scale - half
        oy = (k * py + center + half) * scale - half
        out[i, 0], out[i, 1], out[i, 2] = ox, oy, pz * depth_scale
        # Written so that a NaN fails.
        if not (abs(ox) < bound and abs(oy) < bound and abs(pz) < 64 * bound):
            is_good = False
    return is_good


@kernel
def shade(
    camera: Float32Array,
    triangles: Int32Array,
    light: Float32Array,
    rest_light: Float32Array,
    source: Int32Array,
    weight: Float32Array,
    num_face: int,
    normals: Float32Array,
    out: Float32Array,
) -> None:
    """Set out (V,) to the ratio of the light on the posed face to that at rest.

    Args:
        camera: (V, 3) posed vertices, camera space.
        triangles: those of the face.
        light: (4,) of the portrait.
        rest_light: (V,) brightness at rest.
        source: (V,) the face vertex whose ratio a vertex takes (itself, on the face).
        weight: (V,) how much of it: fades out over neck and hair.
        num_face: the face's vertices come first.
        normals: (V, 3) scratch.
        out: (V,) factors.
    """
    for i in range(num_face):
        normals[i, 0] = normals[i, 1] = normals[i, 2] = np.float32(0)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        e0, e1, e2 = (
            camera[b, 0] - camera[a, 0],
            camera[b, 1] - camera[a, 1],
            camera[b, 2] - camera[a, 2],
        )
        f0, f1, f2 = (
            camera[c, 0] - camera[a, 0],
            camera[c, 1] - camera[a, 1],
            camera[c, 2] - camera[a, 2],
        )
        n0, n1, n2 = e1 * f2 - e2 * f1, e2 * f0 - e0 * f2, e0 * f1 - e1 * f0
        for i in (a, b, c):
            normals[i, 0] += n0
            normals[i, 1] += n1
            normals[i, 2] += n2
    for i in range(num_face):
        n0, n1, n2 = normals[i, 0], normals[i, 1], normals[i, 2]
        scale = np.float32(1) / (math.sqrt(n0 * n0 + n1 * n1 + n2 * n2) + np.float32(1e-9))
        bright = light[0] + (light[1] * n0 + light[2] * n1 + light[3] * n2) * scale
        ratio = max(bright, np.float32(MIN_LIGHT)) / rest_light[i]
        ratio = np.float32(1) + (ratio - np.float32(1)) * np.float32(SHADE_STRENGTH)
        normals[i, 0] = min(max(ratio, np.float32(SHADE_MIN)), np.float32(SHADE_MAX))
    for i in range(out.shape[0]):
        out[i] = np.float32(1) + (normals[source[i], 0] - np.float32(1)) * weight[i]
