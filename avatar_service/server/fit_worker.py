"""Fitting photos in a process of its own, at low priority.

A fit holds the GIL for a second or two; in the service's own process live sessions would stutter.
The process is started with the first photo, kept, and made anew if it dies.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.server.avatar_store import FitFacts

NICENESS: Final = 10
FIT_TIMEOUT_SECS: Final = 120.0
"""Bound for one photo, model loading and compiling included."""


class FitWorker:
    """Runs `Portrait.from_image` elsewhere; called from any thread, which waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def fit(self, photo: bytes, crop: str, size_px: int, path: Path) -> FitFacts:
        """Fit a photo and store the portrait at `path`; see avatar_store.Fit.

        Raises what Portrait.from_image raises; INVALID_IMAGE if the photo takes the process down
        or too long.
        """
        future = self._submit(photo, crop, size_px, path)
        try:
            return future.result(FIT_TIMEOUT_SECS)
        except (BrokenProcessPool, TimeoutError) as error:
            self.close()
            raise AvatarError(
                Reason.INVALID_IMAGE, "the photo cannot be processed; try another file of it"
            ) from error

    def close(self) -> None:
        """End the process; the next fit starts another one."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()

    def _submit(self, photo: bytes, crop: str, size_px: int, path: Path) -> Future[FitFacts]:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    1, multiprocessing.get_context("spawn"), initializer=_begin
                )
            return self._pool.submit(_fit, photo, crop, size_px, path)


def _begin() -> None:
    """Set the worker process up: low priority, one thread, gone with its parent."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _fit(photo: bytes, crop: str, size_px: int, path: Path) -> FitFacts:
    from avatar_service.portrait.portrait import Portrait
    from avatar_service.render.cpu import CpuRenderer

    # The cache is for the commands: what the service holds of a person lies in one folder.
    portrait = Portrait.from_image(
        photo, crop="keep" if crop == "keep" else "face", size_px=size_px, use_cache=False
    )
    portrait.save(path)
    # Compiles the kernels where nothing stutters; the service then finds them in the cache.
    CpuRenderer(portrait, size_px).warm_up()
    width_px, height_px = _upright_size(photo)
    return FitFacts(width_px, height_px, tuple(portrait.notices))


def _upright_size(photo: bytes) -> tuple[int, int]:
    """Return width and height as a viewer shows the photo (EXIF orientations 5-8 lie on a side)."""
    from PIL import Image

    with Image.open(io.BytesIO(photo)) as picture:
        width, height = picture.size
        is_sideways = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (height, width) if is_sideways else (width, height)
