"""Small kernels shared by eyes and mouth: curves, texture look-up, rigid placement."""

from __future__ import annotations

import math

from avatar_service.jit import kernel
from avatar_service.signals import Float32Array


@kernel
def smoothstep(value: float, low: float, high: float) -> float:
    """Return 0 below `low`, 1 above `high`, and 3t^2 - 2t^3 between."""
    t = (value - low) / (high - low)
    t = min(max(t, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@kernel
def _limit(tangent: float, before: float, after: float) -> float:
    """Limit a tangent so that the curve does not overshoot (Fritsch and Carlson 1980)."""
    most = 3.0 * min(abs(before), abs(after))
    return min(max(tangent, -most), most)


@kernel
def fill_curve(
    x: Float32Array, y: Float32Array, first: float, step: float, out: Float32Array
) -> None:
    """Tabulate the smooth curve through knots as y over x.

    Cubic Hermite segments with the slopes of the parabola through each three knots (Bessel
    tangents), limited; knots are pushed apart, from the middle outwards, where x does not rise.
    Beyond the ends y stays constant.

    Args:
        x: (n,) knots, made increasing in place.
        y: (n,) values.
        first: x of out[0].
        step: spacing of out.
        out: (m,) the table.
    """
    n = x.shape[0]
    apart = 0.01
    for i in range(n // 2 + 1, n):
        x[i] = max(x[i], x[i - 1] + apart)
    for i in range(n // 2 - 1, -1, -1):
        x[i] = min(x[i], x[i + 1] - apart)
    k = 0
    for i in range(out.shape[0]):
        at = first + step * i
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
            before = (y[k] - y[k - 1]) / h0
            left = _limit((before * h + slope * h0) / (h + h0), before, slope)
        right = slope
        if k < n - 2:
            h1 = x[k + 2] - x[k + 1]
            after = (y[k + 2] - y[k + 1]) / h1
            right = _limit((after * h + slope * h1) / (h + h1), slope, after)
        t = (at - x[k]) / h
        s = 1.0 - t
        out[i] = (
            s * s * (1.0 + 2.0 * t) * y[k]
            + t * t * (3.0 - 2.0 * t) * y[k + 1]
            + h * t * s * (s * left - t * right)
        )


@kernel
def sample_texture(texture: Float32Array, x: float, y: float, out: Float32Array) -> None:
    """Write an (h, w, c) texture's bilinear value at texel (x, y) to out[:c], edges clamped."""
    height, width, channels = texture.shape
    x = min(max(x, 0.0), (width - 1))
    y = min(max(y, 0.0), (height - 1))
    i = min(int(x), width - 2)
    j = min(int(y), height - 2)
    fx = x - i
    fy = y - j
    for c in range(channels):
        top = texture[j, i, c] + fx * (texture[j, i + 1, c] - texture[j, i, c])
        low = texture[j + 1, i, c] + fx * (texture[j + 1, i + 1, c] - texture[j + 1, i, c])
        out[c] = top + fy * (low - top)


@kernel
def sample_map(texture: Float32Array, x: float, y: float) -> float:
    """Return the bilinear value of an (h, w) map at texel (x, y), edges clamped."""
    height, width = texture.shape
    x = min(max(x, 0.0), (width - 1))
    y = min(max(y, 0.0), (height - 1))
    i = min(int(x), width - 2)
    j = min(int(y), height - 2)
    fx = x - i
    fy = y - j
    top = texture[j, i] + fx * (texture[j, i + 1] - texture[j, i])
    low = texture[j + 1, i] + fx * (texture[j + 1, i + 1] - texture[j + 1, i])
    return float(top + fy * (low - top))


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
    out[0] = (k * x + projection[0] + 0.5) * projection[2] - 0.5
    out[1] = (k * y + projection[0] + 0.5) * projection[2] - 0.5


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
    stretch = 1.0 + anchor[2] / projection[1]
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
    if abs(det) < 1e-6:
        det = 1e-6
    two = 2.0 / det
    out[0, 0], out[0, 1] = d * two, -b * two
    out[1, 0], out[1, 1] = -c_ * two, a * two
    u = 2.0 * (anchor[0] / stretch + projection[0]) + 0.5
    v = 2.0 * (anchor[1] / stretch + projection[0]) + 0.5
    out[0, 2] = u - out[0, 0] * ax - out[0, 1] * ay
    out[1, 2] = v - out[1, 0] * ax - out[1, 1] * ay
    return math.sqrt(abs(det))
