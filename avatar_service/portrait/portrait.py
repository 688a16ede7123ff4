"""A photo made ready to move: everything a renderer needs, and nothing of the models.

Convention:
    Camera space, frame and output px: see render/projection.py and portrait/camera.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from avatar_service.portrait import archive
from avatar_service.portrait.background import repair_background
from avatar_service.portrait.blendshapes import Blendshapes, solve_blendshapes
from avatar_service.portrait.camera import camera_from_frame, focal_px
from avatar_service.portrait.clothes import find_clothes
from avatar_service.portrait.crop import CropPolicy
from avatar_service.portrait.depth import BodyFields, add_depth
from avatar_service.portrait.expression_folds import paint_folds
from avatar_service.portrait.eyes import EyeAssets, build_eyes
from avatar_service.portrait.face_fit import FaceFit, fit_face
from avatar_service.portrait.hair import sway_weights
from avatar_service.portrait.image_file import LoadedImage, load_image, read_photo
from avatar_service.portrait.light import MIN_LIGHT, fit_light, vertex_normals
from avatar_service.portrait.mesh import build_mesh
from avatar_service.portrait.mouth import MouthAssets, build_mouth
from avatar_service.portrait.spectacles import SpectaclesAssets, take_off_spectacles
from avatar_service.portrait.stored_arrays import check_stored
from avatar_service.portrait.strands import comb_strands
from avatar_service.portrait.texture import build_texture, own_colors
from avatar_service.portrait.topology import Int32Array
from avatar_service.portrait.torso import TorsoAssets, TorsoSplit, split_torso
from avatar_service.signals import Float32Array, UInt8Array

FORMAT_VERSION: Final = 68
"""Raised whenever a stored portrait of an older version would render differently or not at all."""
SIZES_PX: Final = (256, 512, 1024)
_STAYS: Final = 0.01
"""What follows the head by less than this moves with the torso."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """The mesh at rest.

    Attributes:
        rest: (V, 3) float32 camera space; rows 0..467 are the landmarks, below num_face the face.
        uv: (V, 2) float32 px of the texture.
        triangles: (T, 3) int32 to draw; solid_triangles (U, 3) those without eye and mouth holes.
        oval: (R,) int32 vertices of the face's outline.
        skin_weight: (V,) float32, 1 follows the head, 0 the torso.
        rise_weight: (V,) float32, the same where the head takes it upwards.
        sway: (V,) float32, how loosely it hangs on the head; see hair.sway_weights.
        strand_amount, strand_kind: (V,) float32, strands of hair; see strands.comb_strands.
        rotation: (3, 3) float32, columns are the head's axes (x, y down, z away) at rest.
        center, pivot, hinge: (3,) float32 camera space: between the outer eye corners, the neck's
            turning point, the jaw's.
        unit_px: one schema length unit.
        focal_px: distance of the camera from the head's centre.
        light: (4,) float32 brightness = light[0] + light[1:] . normal, grey levels.
        rest_light: (V,) float32 that brightness at rest.
        source_yaw, source_pitch: how the photo's head is turned, radians, schema's signs.
    """

    rest: Float32Array
    uv: Float32Array
    triangles: Int32Array
    solid_triangles: Int32Array
    oval: Int32Array
    skin_weight: Float32Array
    rise_weight: Float32Array
    sway: Float32Array
    strand_amount: Float32Array
    strand_kind: Float32Array
    rotation: Float32Array
    center: Float32Array
    pivot: Float32Array
    hinge: Float32Array
    light: Float32Array
    rest_light: Float32Array
    num_face: int
    unit_px: float
    focal_px: float
    source_yaw: float
    source_pitch: float


@dataclass(frozen=True, slots=True)
class Portrait:
    """One person, ready to be rendered.

    Attributes:
        size_px: side of the frame that was fitted.
        margin_px: how far the texture reaches beyond the frame, frame px.
        texture: (2C, 2C, 4) uint8 premultiplied RGBA; see texture.build_texture.
        folds: (C, C, 2) uint8, folds of the expressions; see expression_folds.paint_folds.
        background: (S, S, 3) uint8, the room without the person.
        photo: (S, S, 3) uint8, the frame as photographed.
        geometry, shapes, eyes, mouth, spectacles, torso: what moves.
        content_hash: of the photo's bytes and the options; names the cache entry.
        notices: remarks for the user.
    """

    size_px: int
    margin_px: int
    texture: UInt8Array
    folds: UInt8Array
    background: UInt8Array
    photo: UInt8Array
    geometry: Geometry
    shapes: Blendshapes
    eyes: EyeAssets
    mouth: MouthAssets
    spectacles: SpectaclesAssets
    torso: TorsoAssets
    content_hash: str
    notices: tuple[str, ...] = ()

    @classmethod
    def from_image(
        cls,
        data: bytes | Path,
        *,
        crop: CropPolicy = "face",
        size_px: int = 512,
        use_cache: bool = True,
        decode: Callable[[bytes], LoadedImage] = load_image,
    ) -> Portrait:
        """Fit a portrait; the same photo and options give the same portrait.

        Args:
            data: the photo file's bytes, or its path.
            crop: see crop.CropPolicy.
            size_px: side of the frame, 256, 512 or 1024.
            use_cache: read and write the fitted portrait in the user's cache.
            decode: another way to load_image, in a process of its own for one.

        Raises:
            AvatarError: INVALID_IMAGE, NO_FACE, FACE_TOO_SMALL, FACE_TURNED_AWAY,
                INVALID_FIELD, or MODELS_NOT_AVAILABLE.
        """
        archive.check_size(size_px, SIZES_PX)
        photo = read_photo(data)
        content_hash = _hash_of(photo, crop, size_px)
        cached = archive.cache_path(content_hash) if use_cache else None
        if cached is not None and cached.is_file():
            found = archive.load_cached(cached, cls, FORMAT_VERSION, check_stored)
            if found is not None:
                return found
        portrait = _build(fit_face(decode(photo), crop=crop, size_px=size_px), content_hash)
        if cached is not None:
            archive.save_cached(portrait, cached, FORMAT_VERSION)
        return portrait

    def save(self, path: Path) -> None:
        """Write one .npz file (no pickle), all or nothing."""
        archive.save(self, path, FORMAT_VERSION)

    @classmethod
    def load(cls, path: Path) -> Portrait:
        """Read what save wrote.

        Raises:
            AvatarError: INVALID_FILE, damaged, of another kind or version.
        """
        return archive.load(path, cls, FORMAT_VERSION, check_stored)


def _hash_of(photo: bytes, crop: str, size_px: int) -> str:
    # Begins with the photo's own, so that all that was made of a photo can be found and erased.
    options = hashlib.sha256(f"{crop}|{size_px}|{FORMAT_VERSION}".encode())
    return f"{hashlib.sha256(photo).hexdigest()}-{options.hexdigest()[:16]}"


def _geometry(fit: FaceFit, fields: BodyFields) -> Geometry:
    head, mesh, skin_weight = fit.head, fields.mesh, fields.skin_weight
    rest = camera_from_frame(mesh.vertices, head, fit.size_px)
    points = np.stack([head.center, head.pivot, head.hinge])
    center, pivot, hinge = camera_from_frame(points, head, fit.size_px).astype(np.float32)
    normals = vertex_normals(rest, mesh.solid_triangles)
    light = fit_light(fit.image, fit.landmarks, normals)
    rest_light = np.maximum(light[0] + normals @ light[1:], MIN_LIGHT)
    sway = sway_weights(mesh, fit, skin_weight)
    strand_amount, strand_kind = comb_strands(mesh, fit, sway, skin_weight)
    return Geometry(
        rest=rest.astype(np.float32),
        uv=(2 * (mesh.vertices[:, :2] + fit.margin_px) + 0.5).astype(np.float32),
        triangles=mesh.triangles,
        solid_triangles=mesh.solid_triangles,
        oval=mesh.oval,
        skin_weight=skin_weight.astype(np.float32),
        rise_weight=fields.rise_weight.astype(np.float32),
        sway=sway.astype(np.float32),
        strand_amount=strand_amount.astype(np.float32),
        strand_kind=strand_kind.astype(np.float32),
        rotation=head.rotation.astype(np.float32),
        center=center,
        pivot=pivot,
        hinge=hinge,
        light=light,
        rest_light=rest_light.astype(np.float32),
        num_face=mesh.num_face,
        unit_px=head.unit_px,
        focal_px=focal_px(head),
        source_yaw=head.yaw,
        source_pitch=head.pitch,
    )


def _build(photographed: FaceFit, content_hash: str) -> Portrait:
    whole, spectacles = take_off_spectacles(photographed)
    background = repair_background(whole.image, whole.alpha)
    colors = own_colors(whole, background)
    clothes = find_clothes(whole, colors)
    split = split_torso(whole, colors, clothes) if clothes else TorsoSplit.none(whole, colors)
    fit = split.head
    fields = add_depth(build_mesh(fit, is_whole=clothes is None), fit, clothes)
    geometry = _geometry(fit, fields)
    eyes = build_eyes(fit, fit.image2x)
    return Portrait(
        size_px=fit.size_px,
        margin_px=fit.margin_px,
        texture=build_texture(fit, split.colors, split.alpha),
        folds=paint_folds(fit),
        background=background,
        photo=photographed.image,
        geometry=geometry,
        shapes=solve_blendshapes(fields.mesh, fit),
        eyes=eyes,
        mouth=build_mouth(fit, fit.image2x, eyes),
        spectacles=spectacles,
        torso=split.assets(geometry.rest[geometry.skin_weight < _STAYS, 2]),
        content_hash=content_hash,
        notices=fit.notices,
    )
