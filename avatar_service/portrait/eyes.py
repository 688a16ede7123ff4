"""Eyes of a portrait: what lies behind the lids, and the lids' own skin and lashes.

The photo shows an eye once, half covered. To look elsewhere and to blink it needs four things that
are taken apart here: the white without the iris, the whole iris without its reflection, the
reflection, and the skin that a closing lid unfolds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait.camera import camera_from_frame
from avatar_service.portrait.eye_geometry import LOWER_SHADOW, UPPER_SHADOW, EyeGeometry
from avatar_service.portrait.eye_geometry import lid_shadow as lid_shadow
from avatar_service.portrait.eye_lids import LASH_INNER, LASH_OUTER, unfold_lid
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.patch_tools import (
    FloatArray,
    blur,
    patch_bounds,
    push_pull,
    sample,
    signed_distance,
    smoothstep,
)
from avatar_service.portrait.skin_grain import skin_grain

AnyArray = NDArray[Any]
Int32Array = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class EyeAssets:
    """Plain arrays; the leading axis of 2 is the subject's right eye, then the left one.

    Rows along an eye run from its image-left to its image-right corner. "2x px" are pixels of
    `FaceFit.image2x`; rest positions are in camera space (portrait/camera.py); colours are sRGB
    0..255, not rounded.

    Attributes:
        margin_ids: (2, 2, 9) landmarks of the upper and the lower lid margin.
        row_ids: (2, 2, 7) landmarks of the first and second row above the upper margin.
        margin_rest: (2, 2, 9, 3) rest positions of the margins.
        row_rest: (2, 2, 7, 3) rest positions of the rows.
        axes: (3, 3) columns are the head's x, y, z axes in frame coordinates.
        unit: (1,) outer-eye distance, frame px.
        shadow: (4,) the upper lid's shadow on the ball, strength and reach (units), then the
            lower lid's: see `lid_shadow`.
        patch_origin: (2, 2) first pixel of the white's patch, 2x px.
        sclera: (2, h, w, 3) the white without iris and without the lids' shadow.
        iris: (2, n, n, 3) whole iris, centred, 1 texel = one 2x px.
        glint: (2, n, n, 3) the reflection on it, to be added.
        iris_center: (2, 2) 2x px.
        iris_radius: (2,) 2x px.
        iris_edge: (2, 2) from and to where the iris fades out, in radii.
        lid_skin: (2, rows, columns, 3) closed lid from its crease (row 0) to the lashes.
        lash_range: (2,) depth of the first and last row of lash_ratio, units above the margin.
        lash_ratio: (2, depths, columns) photo over lid skin around the upper margin.
        lash_color: (2, 3) the lash line's.
        lash_strength: (2,) how strong the lash line is, 0..1.
        grain: (32, 64) fine detail of the skin, to be added; 1 texel = one 2x px.
    """

    margin_ids: Int32Array
    row_ids: Int32Array
    margin_rest: FloatArray
    row_rest: FloatArray
    axes: FloatArray
    unit: FloatArray
    shadow: FloatArray
    patch_origin: FloatArray
    sclera: FloatArray
    iris: FloatArray
    glint: FloatArray
    iris_center: FloatArray
    iris_radius: FloatArray
    iris_edge: FloatArray
    lid_skin: FloatArray
    lash_range: FloatArray
    lash_ratio: FloatArray
    lash_color: FloatArray
    lash_strength: FloatArray
    grain: FloatArray

    def to_arrays(self) -> dict[str, AnyArray]:
        """Return the fields by name, for storage and for render.eyes.EyeDrawer."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> EyeAssets:
        """Rebuild from what to_arrays returned."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def _grid(x0: float, y0: float, width: int, height: int) -> FloatArray:
    x, y = np.meshgrid(np.arange(width) + x0, np.arange(height) + y0)
    return np.stack([x, y], -1).astype(np.float32)


def _sclera(
    image: FloatArray, eye: EyeGeometry, origin: FloatArray, shape: tuple[int, int]
) -> FloatArray:
    """Return the white of the eye over a patch, the iris and the lids' shadow removed."""
    grid = _grid(float(origin[0]), float(origin[1]), shape[1], shape[0])
    pixels = sample(image, grid)
    inside = signed_distance(eye.ring, shape, (int(origin[0]), int(origin[1])))
    _, light = eye.light(grid)
    light = np.where(inside > 0, light, 1.0 - UPPER_SHADOW[0])[..., None]
    from_iris = np.linalg.norm(grid - eye.iris_center, axis=-1) / eye.iris_radius
    edge_end = eye.iris_edge[1]
    bare = (inside > 1.2) & (from_iris > edge_end - 0.02)
    luma = pixels.mean(-1)
    if bare.sum() > 25:  # lashes and their shadow are no sclera
        bare &= luma >= 0.9 * np.percentile(luma[bare], 30)
    lit = np.minimum(pixels / light, 255.0)
    if bare.sum() > 15:
        reach = 0.55 * eye.iris_radius
        weight = blur(bare.astype(np.float32), reach)
        base = blur(lit * bare[..., None], reach) / (weight + 1e-5)[..., None]
        mean = lit[bare].mean(0)
        trust = smoothstep(weight, 0.005, 0.06)[..., None]
        base = base * trust + mean * (1 - trust)
        grey = base.mean(-1, keepdims=True) * mean / mean.mean()
        base = 0.55 * base + 0.45 * (0.6 * grey + 0.4 * base.mean(-1, keepdims=True))
    else:
        # Hardly any white is seen (small or painted eyes): a dull white lit like the lids.
        around = sample(image, np.concatenate([eye.row2, eye.row3]))
        tone = np.median(around, 0)
        base = np.broadcast_to(0.6 * tone + 0.4 * tone.mean() * 1.1, lit.shape).copy()
    own = smoothstep(inside, -0.7, 0.7) * smoothstep(from_iris, edge_end - 0.06, edge_end + 0.10)
    return np.asarray(base * (1 - own[..., None]) + lit * own[..., None], np.float32)


def _iris(image: FloatArray, eye: EyeGeometry, half: int) -> tuple[FloatArray, FloatArray]:
    """Return the completed iris and the reflection on it, both (2 half + 1)^2."""
    size = 2 * half + 1
    offset = _grid(-half, -half, size, size)
    grid = offset + eye.iris_center
    pixels = sample(image, grid)
    origin = np.floor(eye.iris_center - half).astype(int)
    inside = signed_distance(
        eye.ring - (eye.iris_center - half - origin), (size, size), (int(origin[0]), int(origin[1]))
    )
    _, light = eye.light(grid)
    lit = np.minimum(pixels / light[..., None], 255.0)
    radius = np.linalg.norm(offset, axis=-1)
    seen = inside > 1.6
    profile = np.zeros((size, 3), np.float32)
    colour = np.full(3, 30.0, np.float32)
    luma = lit.mean(-1)
    for ring in range(size):  # from the pupil outwards; unseen rings repeat the last one
        at = seen & (np.abs(radius - ring) < 1.0)
        if at.sum() > 2:
            order = lit[at][np.argsort(luma[at])]
            # Reflections sit on the pupil: judge it by its darker part.
            share = 0.35 if ring < 0.5 * eye.iris_radius else 0.75
            kept = order[: max(1, int(np.ceil(share * len(order))))]
            colour = np.median(kept, 0)
        profile[ring] = colour
    index = np.clip(radius, 0, size - 1.001)
    low = index.astype(int)
    part = (index - low)[..., None]
    radial = blur(profile[low] * (1 - part) + profile[low + 1] * part, 0.8)
    excess = luma - radial.mean(-1)
    within = 1 - smoothstep(radius / eye.iris_radius, 0.78, 0.92)
    bright = smoothstep(excess, 26.0, 60.0) * within * seen
    bright = np.clip(blur(bright, 0.7) * 1.4, 0, 1)[..., None]
    glint = np.clip(lit - radial, 0, None) * bright
    clean = lit * (1 - bright) + radial * bright
    trust = (blur(seen.astype(np.float32), 1.2) * seen)[..., None]
    mirrored_rows = clean[::-1]
    mirrored_trust = trust[::-1]
    hidden = radial * 0.5 + 0.5 * (mirrored_rows * mirrored_trust + radial * (1 - mirrored_trust))
    return clean * trust + hidden * (1 - trust), np.asarray(glint * light[..., None], np.float32)


def build_eyes(fit: FaceFit, image2x: NDArray[np.floating] | NDArray[np.uint8]) -> EyeAssets:
    """Take both eyes of a portrait apart.

    Args:
        fit: the fitted face.
        image2x: (2S, 2S, 3) the photo, spectacles already removed where there were any.
    """
    image = np.asarray(image2x, np.float32)
    eyes = [EyeGeometry(fit, k) for k in (0, 1)]
    width = int(np.ceil(1.5 * max(e.width for e in eyes)))
    height = int(np.ceil(1.1 * max(e.width for e in eyes)))
    half = int(np.ceil(max((e.iris_edge[1] + 0.05) * e.iris_radius for e in eyes)))
    origins, scleras, irises, glints, lids = [], [], [], [], []
    for eye in eyes:
        center = (eye.ring.min(0) + eye.ring.max(0)) / 2
        origin = np.round(center - np.array([width, height]) / 2).astype(np.float32)
        origins.append(origin)
        scleras.append(_sclera(image, eye, origin, (height, width)))
        iris, glint = _iris(image, eye, half)
        irises.append(iris)
        glints.append(glint)
        lids.append(unfold_lid(image, eye))
    margins = np.array([[e.upper_ids, e.lower_ids] for e in eyes], np.int32)
    rows = np.array([[e.row2_ids, e.row3_ids] for e in eyes], np.int32)
    rest = camera_from_frame(fit.landmarks, fit.head, fit.size_px).astype(np.float32)
    return EyeAssets(
        margin_ids=margins,
        row_ids=rows,
        margin_rest=rest[margins],
        row_rest=rest[rows],
        axes=fit.head.rotation.astype(np.float32),
        unit=np.array([fit.head.unit_px], np.float32),
        shadow=np.array([*UPPER_SHADOW, *LOWER_SHADOW], np.float32),
        patch_origin=np.stack(origins),
        sclera=np.stack(scleras),
        iris=np.stack(irises).astype(np.float32),
        glint=np.stack(glints),
        iris_center=np.stack([e.iris_center for e in eyes]),
        iris_radius=np.array([e.iris_radius for e in eyes], np.float32),
        iris_edge=np.array([e.iris_edge for e in eyes], np.float32),
        lid_skin=np.stack([lid[0] for lid in lids]),
        lash_range=np.array([LASH_INNER, LASH_OUTER], np.float32),
        lash_ratio=np.stack([lid[1] for lid in lids]),
        lash_color=np.stack([lid[2] for lid in lids]),
        lash_strength=np.array([lid[3] for lid in lids], np.float32),
        grain=skin_grain(image, fit),
    )


def fill_eyes(foreground: FloatArray, fit: FaceFit) -> None:
    """Paint lid skin over the eyes of the skin texture, so that no eye shows under a closed lid.

    Args:
        foreground: (2S, 2S, 3) float32 0..255, changed in place.
        fit: the fitted face.
    """
    for index in (0, 1):
        eye = EyeGeometry(fit, index)
        x0, y0, x1, y1 = patch_bounds(eye.ring, 0.5 * eye.width, foreground.shape)
        region = foreground[y0:y1, x0:x1]
        inside = signed_distance(eye.ring, region.shape[:2], (x0, y0))
        luma = region.mean(-1)
        near = (inside < -0.05 * eye.width) & (inside > -0.3 * eye.width)
        tone = float(np.percentile(luma[near], 65)) if near.any() else float(luma.mean())
        known = near & (luma > 0.8 * tone)
        skin = blur(push_pull(region, known), 0.03 * eye.width)
        cover = smoothstep(inside, -0.8, 1.0)[..., None]
        region[:] = region * (1 - cover) + 0.9 * skin * cover
