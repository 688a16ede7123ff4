"""What the commands load, and when."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

_TELL = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{_TELL}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_service_does_not_load_what_training_fitting_and_video_need() -> None:
    loaded = loaded_by("import avatar_service.server.main, avatar_service.session.offline")
    assert "avatar_service.motion.stage" in loaded
    others = {"torch", "scipy.sparse", "scipy.spatial", "scipy.ndimage", "scipy.special", "av"}
    assert not loaded & {*others, "ai_edge_litert"}


@pytest.mark.parametrize("content", [b"no photo", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_photo_is_refused_before_the_rest_is_loaded(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "photo.png").write_bytes(content)
    arguments = ["animate", "photo.png", "speech.wav", "-o", "out.mp4", "--consent", "own photo"]
    code = f"""
import os, sys
from avatar_service.cli import main
os.chdir({str(tmp_path)!r})
sys.argv = ["avatar", *{arguments!r}]
try:
    main()
except SystemExit as ended:
    assert ended.code == 2, ended.code
else:
    raise AssertionError("it was not refused")
"""
    loaded = loaded_by(code)
    assert "avatar_service.portrait.image_file" in loaded
    assert not loaded & {"torch", "numba", "scipy", "cv2", "av", "grpc"}
