"""Small kernels shared by the eyes and the mouth: curves, polygon distances, texture look-up."""

from __future__ import annotations

import math

import numpy as np

from avatar_service.render.jit import kernel
from avatar_service.signals import Float32Array


@kernel
def smoothstep(value: float, low: float, high: float) -> float:
    """Return 0 below `low`, 1 above `high`, and 3t^2 - 2t^3 between."""
    t = (value - low) / (high - low)
    t = min(max(t, np.float32(0)), np.float32(1))
    return t * t * (np.float32(3) - np.float32(2) * t)


@kernel
def fill_curve(
    x: Float32Array, y: Float32Array, first: float, step: float, out: Float32Array
) -> None:
    """Tabulate the smooth curve through knots as y over x.

    Cubic Hermite segments with the slopes of the parabola through each three knots (Bessel
    tangents); knots are pushed apart where x does not rise. Beyond the ends y stays constant.

    Args:
        x: (n,) knots, made increasing in place.
        y: (n,) values.
        first: x of out[0].
        step: spacing of out.
        out: (m,) the table.
    """
    n = x.shape[0]
    for i in range(1, n):
        x[i] = max(x[i], x[i - 1] + np.float32(1e-3))
    k = 0
    for i in range(out.shape[0]):
        at = np.float32(first + step * i)
        if at <= x[0]:
            out[i] = y[0]
            continue
        if at >= x[n - 1]:
            out[i] = y[n - 1]
            continue
        while at > x[k + 1]:
            k += 1
        h = x[k + 1] - x[k]
        slope = (y[k + 1] - y[k]) / h
        left = slope
        if k > 0:
            h0 = x[k] - x[k - 1]
            left = ((y[k] - y[k - 1]) / h0 * h + slope * h0) / (h + h0)
        right = slope
        if k < n - 2:
            h1 = x[k + 2] - x[k + 1]
            right = ((y[k + 2] - y[k + 1]) / h1 * h + slope * h1) / (h + h1)
        t = (at - x[k]) / h
        s = np.float32(1) - t
        out[i] = (
            s * s * (np.float32(1) + np.float32(2) * t) * y[k]
            + t * t * (np.float32(3) - np.float32(2) * t) * y[k + 1]
            + h * t * s * (s * left - t * right)
        )


@kernel
def fill_closed_spline(points: Float32Array, per_segment: int, out: Float32Array) -> None:
    """Densify the closed uniform Catmull-Rom spline of (n, 2) points into (n * per_segment, 2)."""
    n = points.shape[0]
    half = np.float32(0.5)
    for i in range(n):
        for c in range(2):
            p0 = points[(i + n - 1) % n, c]
            p1 = points[i, c]
            p2 = points[(i + 1) % n, c]
            p3 = points[(i + 2) % n, c]
            a = p2 - p0
            b = np.float32(2) * p0 - np.float32(5) * p1 + np.float32(4) * p2 - p3
            d = np.float32(3) * (p1 - p2) + p3 - p0
            for j in range(per_segment):
                t = np.float32(j) / np.float32(per_segment)
                out[i * per_segment + j, c] = p1 + half * t * (a + t * (b + t * d))


@kernel
def polygon_distance(
    polygon: Float32Array, x0: int, y0: int, width: int, height: int, out: Float32Array
) -> None:
    """Fill out[:height, :width] with the distance to a closed polygon, positive inside.

    Inside is by the even-odd rule; the loops over a row are branch-free, so they vectorise.

    Args:
        polygon: (n, 2) vertices, px.
        x0: column of the picture that out's first column stands for.
        y0: row of the picture that out's first row stands for.
        width: columns to fill.
        height: rows to fill.
        out: at least (height, width).
    """
    n = polygon.shape[0]
    one, zero = np.float32(1), np.float32(0)
    for row in range(height):
        py = np.float32(row + y0)
        line = out[row]
        for col in range(width):
            line[col] = np.float32(1e12)
        for i in range(n):
            j = i + 1 if i + 1 < n else 0
            ax, ay = polygon[i, 0], polygon[i, 1]
            ex, ey = polygon[j, 0] - ax, polygon[j, 1] - ay
            wy = py - ay
            inverse = one / (ex * ex + ey * ey + np.float32(1e-9))
            start = wy * ey * inverse
            slope = ex * inverse
            base = np.float32(x0) - ax
            for col in range(width):
                wx = base + np.float32(col)
                t = min(max(wx * slope + start, zero), one)
                qx = wx - ex * t
                qy = wy - ey * t
                line[col] = min(line[col], qx * qx + qy * qy)
        for col in range(width):
            line[col] = -math.sqrt(line[col])
        for i in range(n):  # flip the sign left of each crossing
            j = i + 1 if i + 1 < n else 0
            ay, by = polygon[i, 1], polygon[j, 1]
            if (ay > py) != (by > py):
                ax = polygon[i, 0]
                cross = ax + (py - ay) / (by - ay) * (polygon[j, 0] - ax) - np.float32(x0)
                end = min(max(int(math.ceil(cross)), 0), width)
                for col in range(end):
                    line[col] = -line[col]


@kernel
def curve_distance(
    points: Float32Array, x0: int, y0: int, width: int, height: int, out: Float32Array
) -> None:
    """Fill out[:height, :width] with the distance to an open polyline of (n, 2) points."""
    n = points.shape[0]
    one, zero = np.float32(1), np.float32(0)
    for row in range(height):
        py = np.float32(row + y0)
        line = out[row]
        for col in range(width):
            line[col] = np.float32(1e12)
        for i in range(n - 1):
            ax, ay = points[i, 0], points[i, 1]
            ex, ey = points[i + 1, 0] - ax, points[i + 1, 1] - ay
            wy = py - ay
            inverse = one / (ex * ex + ey * ey + np.float32(1e-9))
            start = wy * ey * inverse
            slope = ex * inverse
            base = np.float32(x0) - ax
            for col in range(width):
                wx = base + np.float32(col)
                t = min(max(wx * slope + start, zero), one)
                qx = wx - ex * t
                qy = wy - ey * t
                line[col] = min(line[col], qx * qx + qy * qy)
        for col in range(width):
            line[col] = math.sqrt(line[col])


@kernel
def sample_texture(texture: Float32Array, x: float, y: float, out: Float32Array) -> None:
    """Write the bilinear value of an (h, w, c) texture at texel (x, y) to out[:c], edges clamped."""
    height, width, channels = texture.shape
    x = min(max(x, np.float32(0)), np.float32(width - 1))
    y = min(max(y, np.float32(0)), np.float32(height - 1))
    i = min(int(x), width - 2)
    j = min(int(y), height - 2)
    fx = np.float32(x - i)
    fy = np.float32(y - j)
    for c in range(channels):
        top = texture[j, i, c] + fx * (texture[j, i + 1, c] - texture[j, i, c])
        low = texture[j + 1, i, c] + fx * (texture[j + 1, i + 1, c] - texture[j + 1, i, c])
        out[c] = top + fy * (low - top)


@kernel
def sample_map(texture: Float32Array, x: float, y: float) -> float:
    """Return the bilinear value of an (h, w) map at texel (x, y), edges clamped."""
    height, width = texture.shape
    x = min(max(x, np.float32(0)), np.float32(width - 1))
    y = min(max(y, np.float32(0)), np.float32(height - 1))
    i = min(int(x), width - 2)
    j = min(int(y), height - 2)
    fx = np.float32(x - i)
    fy = np.float32(y - j)
    top = texture[j, i] + fx * (texture[j, i + 1] - texture[j, i])
    low = texture[j + 1, i] + fx * (texture[j + 1, i + 1] - texture[j + 1, i])
    return top + fy * (low - top)


@kernel
def place_point(
    point: Float32Array, matrix: Float32Array, projection: Float32Array, out: Float32Array
) -> None:
    """Move a camera-space point by a (3, 4) matrix and project it: out[:2] in output px.

    The same as transform_points and project_points of render/projection.py, for one point.
    """
    x = matrix[0, 0] * point[0] + matrix[0, 1] * point[1] + matrix[0, 2] * point[2] + matrix[0, 3]
    y = matrix[1, 0] * point[0] + matrix[1, 1] * point[1] + matrix[1, 2] * point[2] + matrix[1, 3]
    z = matrix[2, 0] * point[0] + matrix[2, 1] * point[1] + matrix[2, 2] * point[2] + matrix[2, 3]
    k = projection[1] / (projection[1] + z)
    out[0] = (k * x + projection[0] + np.float32(0.5)) * projection[2] - np.float32(0.5)
    out[1] = (k * y + projection[0] + np.float32(0.5)) * projection[2] - np.float32(0.5)


@kernel
def fill_rest_map(
    anchor: Float32Array,
    matrix: Float32Array,
    projection: Float32Array,
    scratch: Float32Array,
    out: Float32Array,
) -> float:
    """Work out where an output pixel lies in the photo, near a rigid point of the head.

    The rigid motion and the camera are linearised about the point on a plane parallel to the
    photo.

    Args:
        anchor: (3,) camera-space rest position.
        matrix: (3, 4) the pose's skull or jaw matrix.
        projection: (4,) the pose's.
        scratch: (6, 3).
        out: (2, 3) affine map from output px to 2x px of the photo.

    Returns:
        Output px per frame px there.
    """
    stretch = np.float32(1) + anchor[2] / projection[1]
    for k in range(3):
        for c in range(3):
            scratch[k, c] = anchor[c]
    scratch[1, 0] += stretch
    scratch[2, 1] += stretch
    for k in range(3):
        place_point(scratch[k], matrix, projection, scratch[3 + k])
    ax, ay = scratch[3, 0], scratch[3, 1]
    a, b = scratch[4, 0] - ax, scratch[5, 0] - ax
    c_, d = scratch[4, 1] - ay, scratch[5, 1] - ay
    det = a * d - b * c_
    if abs(det) < np.float32(1e-6):
        det = np.float32(1e-6)
    two = np.float32(2) / det
    out[0, 0], out[0, 1] = d * two, -b * two
    out[1, 0], out[1, 1] = -c_ * two, a * two
    u = np.float32(2) * (anchor[0] / stretch + projection[0]) + np.float32(0.5)
    v = np.float32(2) * (anchor[1] / stretch + projection[0]) + np.float32(0.5)
    out[0, 2] = u - out[0, 0] * ax - out[0, 1] * ay
    out[1, 2] = v - out[1, 0] * ax - out[1, 1] * ay
    return math.sqrt(abs(det))
