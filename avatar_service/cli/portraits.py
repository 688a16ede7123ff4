"""The portrait a command works on: the user's, or the public-domain one of scikit-image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from avatar_service.cli.console import say, waiting
from avatar_service.errors import AvatarError, Reason

if TYPE_CHECKING:
    from avatar_service.portrait.crop import CropPolicy
    from avatar_service.portrait.portrait import Portrait


FITTING: Final = "fitting {}; the first one on a machine compiles the kernels, a minute or two"


def default_portrait_bytes() -> bytes:
    """Return the photo of Eileen Collins (NASA, public domain) that scikit-image ships, as PNG.

    Raises:
        AvatarError: INVALID_FILE where scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError:
        raise AvatarError(
            Reason.INVALID_FILE,
            "the default portrait comes with scikit-image: "
            "pip install 'avatar-service[demo]', or name a photo with --portrait",
        ) from None
    import cv2

    ok, encoded = cv2.imencode(".png", data.astronaut()[..., ::-1])
    if not ok:
        raise AvatarError(Reason.BUG, "the default portrait could not be encoded")
    return encoded.tobytes()


def read_photo(path: Path | None) -> bytes:
    """Read the photo named by the user, or the default one.

    Raises:
        AvatarError: INVALID_IMAGE where it cannot be read or is too large.
    """
    if path is None:
        return default_portrait_bytes()
    from avatar_service.portrait import image_file

    return image_file.read_photo(path)


def load_portrait(path: Path | None, *, size_px: int = 512, crop: CropPolicy = "face") -> Portrait:
    """Make (or take from the cache) the rig of a photo, telling what is remarkable about it."""
    from avatar_service.cli.decoding import decode_photo
    from avatar_service.portrait.models import ensure_models
    from avatar_service.portrait.portrait import Portrait

    ensure_models(say)
    photo = read_photo(path)
    with waiting(FITTING.format(path.name if path is not None else "the demo's photo")):
        portrait = Portrait.from_image(photo, crop=crop, size_px=size_px, decode=decode_photo)
    for notice in portrait.notices:
        say(f"note: {notice}")
    return portrait
