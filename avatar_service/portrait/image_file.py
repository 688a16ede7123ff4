"""Photo bytes from outside -> upright 8-bit RGB, with limits checked before decoding.

The header is read first: a file that announces too many pixels is refused before any pixel of it
is unpacked (decompression bombs).
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import Float32Array, UInt8Array

MAX_FILE_BYTES: Final = 50_000_000
MAX_PIXELS: Final = 64_000_000
MIN_SIDE_PX: Final = 64
MAX_SIDE_PX: Final = 2048
"""Larger photos are reduced to this side: a face of 1024 px of detail needs no more."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")

_FORMATS_TEXT: Final = "JPEG, PNG, WebP, BMP or TIFF"


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """One decoded photo.

    Attributes:
        pixels: (height, width, 3) uint8 sRGB, upright, alpha composed over mid grey.
        alpha: (height, width) float32 0..1 where the file has a real alpha channel, else None.
    """

    pixels: UInt8Array
    alpha: Float32Array | None


def load_image(source: bytes | Path, *, max_side_px: int = MAX_SIDE_PX) -> LoadedImage:
    """Decode a photo of any common kind.

    Handles EXIF rotation, transparency, grey, 16-bit and CMYK pictures; animated files give their
    first picture.

    Raises:
        AvatarError: INVALID_IMAGE with the reason, where it is no picture, is cut short, or
            exceeds MAX_FILE_BYTES or MAX_PIXELS.
    """
    data = read_photo(source)
    if not data:
        raise _invalid("The photo is empty.")
    if len(data) > MAX_FILE_BYTES:
        raise _invalid(
            f"The photo has {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are allowed."
        )
    try:
        with warnings.catch_warnings():
            # What Pillow has to say about damaged tags and huge pictures is answered below or does
            # not matter; a stranger's file must not fill the log of a service.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise _invalid(
                        f"The photo has {width} x {height} pixels; "
                        f"at most {MAX_PIXELS:,} are allowed."
                    )
                if min(width, height) < MIN_SIDE_PX:
                    raise _invalid(
                        f"The photo has {width} x {height} pixels; "
                        f"each side needs at least {MIN_SIDE_PX}."
                    )
                if max(width, height) > 2 * max_side_px:
                    # JPEG decodes smaller for less work; other formats ignore this.
                    picture.draft("RGB", (2 * max_side_px, 2 * max_side_px))
                return _convert(picture, max_side_px)
    except AvatarError:
        raise
    except UnidentifiedImageError as error:
        raise _invalid(f"The file is not a photo; use {_FORMATS_TEXT}.") from error
    except Image.DecompressionBombError as error:
        raise _invalid(f"The photo has too many pixels; at most {MAX_PIXELS:,}.") from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        # What Pillow raises on damaged files of the several formats.
        raise _invalid("The photo is damaged or cut short; save it again.") from error
    except MemoryError as error:
        raise _invalid("The photo needs more memory than there is; make it smaller.") from error


def read_photo(source: bytes | Path) -> bytes:
    """Return the photo file's bytes.

    Raises:
        AvatarError: INVALID_IMAGE where the file cannot be read or is too large.
    """
    if isinstance(source, bytes):
        return source
    try:
        if source.exists() and not source.is_file():
            raise _invalid(f"The photo {source.name} is not a file.")
        size = source.stat().st_size
        if size > MAX_FILE_BYTES:
            raise _invalid(f"The photo has {size:,} bytes; at most {MAX_FILE_BYTES:,} are allowed.")
        return source.read_bytes()
    except OSError as error:
        raise _invalid(f"The photo {source.name} cannot be read: {error.strerror}.") from error


def _convert(picture: Image.Image, max_side_px: int) -> LoadedImage:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith(("I", "F")):
        # 16-bit (or wider) grey: Pillow's own conversion to 8 bits clips instead of scaling.
        values = np.asarray(upright, np.float64)
        if not np.isfinite(values).all():
            raise _invalid("The photo holds values that are no numbers; save it as 8-bit.")
        top = 1.0 if upright.mode == "F" and values.max() <= 1 else 65535.0
        grey = np.clip(values / top * 255, 0, 255).astype(np.uint8)
        upright = Image.fromarray(grey)
    if max(upright.size) > max_side_px:
        scale = max_side_px / max(upright.size)
        size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
        upright = upright.convert("RGBA" if _has_alpha(upright) else "RGB")
        upright = upright.resize(size, Image.Resampling.LANCZOS)
    alpha: Float32Array | None = None
    if _has_alpha(upright):
        rgba = np.asarray(upright.convert("RGBA"))
        coverage = rgba[..., 3].astype(np.float32) / np.float32(255)
        opaque = rgba[..., :3] * coverage[..., None] + 127.0 * (1 - coverage[..., None])
        pixels = np.clip(opaque + 0.5, 0, 255).astype(np.uint8)
        alpha = coverage if coverage.min() <= 0.98 else None
    else:
        pixels = np.array(upright.convert("RGB"))
    return LoadedImage(np.ascontiguousarray(pixels), alpha)


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info


def _invalid(message: str) -> AvatarError:
    return AvatarError(Reason.INVALID_IMAGE, message, field="photo")
