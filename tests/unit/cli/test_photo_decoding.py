"""`avatar animate` decodes its photo once, early, and in a process that is bounded."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from avatar_service.cli import decoding
from avatar_service.cli.app import app
from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import models, portrait
from avatar_service.portrait.image_file import LoadedImage

pytestmark = pytest.mark.unit


def reason_of(photo: Path, speech: Path) -> Reason:
    out = photo.with_name("out.mp4")
    arguments = ["animate", str(photo), str(speech), "-o", str(out), "--consent", "Jane; her own"]
    fault = CliRunner().invoke(app, arguments).exception
    assert isinstance(fault, AvatarError), fault
    return fault.reason


def test_a_photo_is_decoded_once_and_not_in_the_process_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_HOME", str(tmp_path / "home"))
    pixels = np.random.default_rng(7).integers(0, 256, (80, 90, 3), np.uint8)
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), pixels[..., ::-1])
    speech = tmp_path / "speech.wav"
    with wave.open(str(speech), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    asked: list[str] = []
    fitted: list[LoadedImage] = []
    once = decoding.once

    def ask(reason: Reason, what: str, *work: Any) -> Any:
        asked.append(what)
        return once(reason, what, *work)

    def open_here(*_: object, **__: object) -> None:
        raise AssertionError("decoded in the process of the command")

    def fit(image: LoadedImage, **_: object) -> None:
        fitted.append(image)
        raise AvatarError(Reason.NO_FACE, "no face")

    monkeypatch.setattr(decoding, "once", ask)
    monkeypatch.setattr(Image, "open", open_here)
    monkeypatch.setattr(models, "ensure_models", lambda _: None)
    monkeypatch.setattr(portrait, "fit_face", fit)
    assert reason_of(photo, speech) is Reason.NO_FACE
    assert asked.count("the photo") == 1
    assert (fitted[0].pixels == pixels).all()

    photo.write_bytes(b"no photo")  # another file of the same name is not taken for it
    assert reason_of(photo, speech) is Reason.INVALID_IMAGE
    assert asked.count("the photo") == 2
