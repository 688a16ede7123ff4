"""Photos that are made to harm: they lose their own fit, and the next one goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fakes.bombs import png_bomb

from avatar_service.confined import GIB, Bounds
from avatar_service.errors import AvatarError, Reason
from avatar_service.server.fit_worker import FitWorker

pytestmark = pytest.mark.unit


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux")
def test_a_photo_that_unpacks_to_more_than_the_bound_is_refused(tmp_path: Path) -> None:
    worker = FitWorker(Bounds(memory_bytes=GIB // 8, wall_secs=240.0))
    try:
        for photo, told in (
            (png_bomb(8000, 8000), "memory"),
            (png_bomb(60_000, 2_000, colour=0, depth=8), "at most 64,000,000 are allowed"),
            (b"no photo at all", "is not a photo"),
        ):
            with pytest.raises(AvatarError, match=told) as fault:
                worker.fit(photo, "face", 512, tmp_path / "portrait.npz")
            assert fault.value.reason is Reason.INVALID_IMAGE
        assert not list(tmp_path.iterdir())
    finally:
        worker.close()
