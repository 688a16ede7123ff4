"""Real portraits for tests: the astronaut of scikit-image, and shared photos where present."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from avatar_service.portrait.face_fit import FaceFit, fit_face
from avatar_service.portrait.image_file import load_image
from avatar_service.portrait.models import are_models_present
from avatar_service.portrait.portrait import Portrait
from avatar_service.signals import UInt8Array

SHARED = Path(__file__).parents[3] / "shared" / "data" / "portraits"


def need_models() -> None:
    """Skip the calling test where the landmark models are not installed."""
    if not are_models_present():
        pytest.skip("needs the landmark models: run `avatar models fetch`")


def shared_photo(name: str) -> bytes:
    """Return a shared test photo, or skip where that folder is absent."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"needs the shared test photo {name}")
    return path.read_bytes()


def encode(pixels: UInt8Array, kind: str = "PNG", **options: object) -> bytes:
    """Encode (height, width, channels) pixels as a photo file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def astronaut_pixels() -> UInt8Array:
    """Return the astronaut, (512, 512, 3)."""
    return np.asarray(data.astronaut(), np.uint8)


@functools.cache
def astronaut_fit() -> FaceFit:
    """Return the astronaut's fit."""
    need_models()
    return fit_face(load_image(encode(astronaut_pixels())))


@functools.cache
def astronaut() -> Portrait:
    """Return the astronaut's portrait (512 px)."""
    need_models()
    return Portrait.from_image(encode(astronaut_pixels()), use_cache=False)
