"""Image tools shared by the eye, mouth and spectacle builders: splines, distances, filling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # the fit itself uses these tools
    from avatar_service.portrait.face_fit import FaceFit

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


def smoothstep(values: NDArray[np.floating], low: float, high: float) -> FloatArray:
    """Return 0 below `low`, 1 above `high`, and 3t^2 - 2t^3 between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def spline(points: NDArray[np.floating], *, per_segment: int = 6, closed: bool) -> FloatArray:
    """Densify a polyline by the uniform Catmull-Rom spline through its points.

    Args:
        points: (n, d) control points.
        per_segment: samples per segment.
        closed: whether the last point joins the first.

    Returns:
        (m, d) float32; an open spline ends on the last point.
    """
    p = np.asarray(points, np.float64)
    if closed:
        p = np.concatenate([p[-1:], p, p[:2]])
    else:
        p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.arange(per_segment)[None, :, None] / per_segment
    a, b, c, d = (x[:, None] for x in (p[:-3], p[1:-2], p[2:-1], p[3:]))
    dense = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    out = dense.reshape(-1, p.shape[1])
    if not closed:
        out = np.concatenate([out, p[-2:-1]])
    return out.astype(np.float32)


def signed_distance(
    polygon: NDArray[np.floating], shape: tuple[int, int], origin: tuple[int, int]
) -> FloatArray:
    """Return the distance of each pixel centre to a closed polygon, positive inside.

    Args:
        polygon: (n, 2) vertices in image px.
        shape: (height, width) of the patch.
        origin: (x, y) of the patch's first pixel in the image.
    """
    height, width = shape
    polygon = np.asarray(polygon, np.float32)
    x = np.arange(width, dtype=np.float32)[None] + origin[0]
    y = np.arange(height, dtype=np.float32)[:, None] + origin[1]
    nearest = np.full(shape, np.inf, np.float32)
    inside = np.zeros(shape, np.bool_)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        ex, ey = bx - ax, by - ay
        t = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey + 1e-9), 0.0, 1.0)
        nearest = np.minimum(nearest, (x - ax - ex * t) ** 2 + (y - ay - ey * t) ** 2)
        if ay != by:
            crosses = (ay > y) != (by > y)
            inside ^= crosses & (x < ax + (y - ay) * (ex / ey))
    return np.sqrt(nearest) * np.where(inside, np.float32(1), np.float32(-1))


def push_pull(image: NDArray[np.floating], known: NDArray[np.floating | np.bool_]) -> FloatArray:
    """Fill unknown pixels smoothly from the known ones by an image pyramid.

    After Gortler et al., "The Lumigraph" (SIGGRAPH 1996), section 3.4.

    Args:
        image: (H, W, C).
        known: (H, W) weights 0..1; where all are 0 the result is 0.
    """
    weight = np.ascontiguousarray(known, np.float32)
    levels = [(np.asarray(image, np.float32) * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 2:
        colour, weight = levels[-1]
        smaller = cv2.pyrDown(weight)
        # OpenCV drops a single channel's axis.
        levels.append((cv2.pyrDown(colour).reshape(*smaller.shape, -1), smaller))
    colour, weight = levels[-1]
    filled = colour / np.maximum(weight, 1e-6)[..., None]
    for colour, weight in levels[-2::-1]:
        coarse = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        coarse = coarse.reshape(colour.shape)
        trust = np.clip(weight, 0.0, 1.0)[..., None]
        filled = coarse * (1 - trust) + colour / np.maximum(weight, 1e-6)[..., None] * trust
    return np.asarray(filled, np.float32)


def no_paler(
    filled: FloatArray, luma: FloatArray, known: NDArray[np.bool_], reach: float
) -> FloatArray:
    """Return a fill that is nowhere brighter than what is known around it.

    Reflections and sharpening leave bright seams beside what was taken away; they would run in as
    pale patches.

    Args:
        filled: (H, W, C) of push_pull.
        luma: (H, W) brightness of the picture.
        known: (H, W) where it counts.
        reach: px around that are averaged.
    """
    tone = blur(luma * known, reach) / (blur(known.astype(np.float32), reach) + 1e-4)
    paler = blur(filled.mean(-1), 0.3 * reach) / np.maximum(tone, 1.0)
    return np.asarray(filled / np.maximum(paler, 1.0)[..., None], np.float32)


def blur(image: NDArray[np.floating], sigma: float) -> FloatArray:
    """Return the image blurred by a Gaussian of `sigma` px."""
    return np.asarray(cv2.GaussianBlur(np.asarray(image, np.float32), (0, 0), sigma), np.float32)


def sample(image: NDArray[np.floating], points: NDArray[np.floating]) -> FloatArray:
    """Sample an image bilinearly at (..., 2) points, replicating its border."""
    flat = np.asarray(points, np.float32).reshape(-1, 2)
    grid = np.asarray(image, np.float32)
    # cv2.remap limits its maps to 32767 entries along one side.
    parts = [
        cv2.remap(
            grid,
            part[None, :, 0],
            part[None, :, 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).reshape(len(part), -1)
        for part in np.split(flat, range(16384, len(flat), 16384))
    ]
    channels = parts[0].shape[1]
    out = np.concatenate(parts)
    return out.reshape(*points.shape[:-1], *((channels,) if image.ndim == 3 else ()))


def patch_bounds(
    points: NDArray[np.floating], margin: float, image_shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of the points' box grown by `margin` px, inside the image."""
    height, width = image_shape[:2]
    x0, y0 = np.floor(points.min(0) - margin).astype(int)
    x1, y1 = np.ceil(points.max(0) + margin).astype(int) + 1
    return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)


def photo_blur(fit: FaceFit) -> float:
    """Estimate how blurred the face is, as the sigma of a Gaussian in 2x px.

    A sharp photo loses most of its strong gradients to a blur of 2 px, a blurred one keeps them.
    """
    points = fit.landmarks[:, :2] * 2
    x0, y0, x1, y1 = patch_bounds(points, 0, fit.image2x.shape)
    grey = fit.image2x[y0:y1, x0:x1].mean(-1).astype(np.float32)

    def strength(image: FloatArray) -> float:
        gx, gy = cv2.Sobel(image, -1, 1, 0), cv2.Sobel(image, -1, 0, 1)
        return float(np.percentile(np.hypot(gx, gy), 97))

    kept = strength(grey) / max(strength(blur(grey, 2.0)), 1e-3)
    # Calibrated on photos of known blur.
    return float(np.interp(kept, [1.1, 1.2, 1.45, 1.8], [3.4, 2.5, 1.5, 0.8]))
