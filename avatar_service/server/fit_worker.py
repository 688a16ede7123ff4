"""Fitting photos in processes of their own, at low priority and within bounds.

A fit holds the GIL for a second or two; in the service's own process live sessions would stutter.
A photo that makes a decoder allocate without end, loop or crash loses its own fit and no other.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from avatar_service.confined import GIB, Bounds, ConfinedWorker, WorkFailed, failed_as
from avatar_service.errors import Reason
from avatar_service.server.avatar_store import FitFacts

if TYPE_CHECKING:
    from avatar_service.portrait.image_file import LoadedImage

NICENESS: Final = 10
FIT_BOUNDS: Final = Bounds(
    # The largest photo takes 1.2 GiB; models, compiler and OpenCV about as much.
    memory_bytes=4 * GIB,
    # Model loading and compiling included, on a machine that is busy.
    cpu_secs=120.0,
    wall_secs=180.0,
    file_bytes=GIB,
)


class FitWorker:
    """Runs `Portrait.from_image` elsewhere; called from any thread, which waits.

    Of two processes the first, which is sealed, makes pixels of the stranger's bytes. The second
    takes no more than a hash of these: it compiles kernels and writes files.
    """

    def __init__(self, bounds: Bounds = FIT_BOUNDS) -> None:
        self._decoder = ConfinedWorker(replace(bounds, is_sealed=True), niceness=NICENESS)
        self._fitter = ConfinedWorker(bounds, niceness=NICENESS)

    def fit(self, photo: bytes, crop: str, size_px: int, path: Path) -> FitFacts:
        """Fit a photo and store the portrait at `path`; see avatar_store.Fit.

        Raises what Portrait.from_image raises; INVALID_IMAGE if the photo takes a process down or
        more than it may.
        """
        try:
            image, (width_px, height_px) = self._decoder.run(_decode, photo)
            notes = self._fitter.run(_fit, image, photo, crop, size_px, path)
        except WorkFailed as error:
            raise failed_as(Reason.INVALID_IMAGE, "the photo", error) from error
        return FitFacts(width_px, height_px, notes)

    def close(self) -> None:
        """End the processes; the next fit starts others."""
        self._decoder.close()
        self._fitter.close()


def _decode(photo: bytes) -> tuple[LoadedImage, tuple[int, int]]:
    from avatar_service.portrait.image_file import load_image

    return load_image(photo), _upright_size(photo)


def _fit(image: LoadedImage, photo: bytes, crop: str, size_px: int, path: Path) -> tuple[str, ...]:
    from avatar_service.jit import note_compiled
    from avatar_service.portrait.portrait import Portrait
    from avatar_service.render.cpu import CpuRenderer
    from avatar_service.session.compilation import PICTURE

    # The cache is for the commands: what the service holds of a person lies in one folder.
    portrait = Portrait.from_image(
        photo,
        crop="keep" if crop == "keep" else "face",
        size_px=size_px,
        use_cache=False,
        decode=lambda _: image,
    )
    portrait.save(path)
    # Compiles the kernels where nothing stutters; the service then finds them in the cache.
    CpuRenderer(portrait, size_px).warm_up()
    note_compiled(PICTURE)
    return tuple(portrait.notices)


def _upright_size(photo: bytes) -> tuple[int, int]:
    """Return width and height as a viewer shows the photo (EXIF orientations 5-8 lie on a side)."""
    from PIL import Image

    with Image.open(io.BytesIO(photo)) as picture:
        width, height = picture.size
        is_sideways = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (height, width) if is_sideways else (width, height)
