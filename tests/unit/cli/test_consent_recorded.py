"""A consent stands in the book once its photo has turned out to be of use, and not before."""

from __future__ import annotations

import wave
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from avatar_service.cli import animation
from avatar_service.cli.app import app
from avatar_service.cli.consent import consent_for
from avatar_service.errors import AvatarError, Reason

pytestmark = pytest.mark.unit


@pytest.fixture
def photo(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("AVATAR_HOME", str(tmp_path / "home"))
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.full((80, 80, 3), 128, np.uint8))
    return path


def listed() -> str:
    result = CliRunner().invoke(app, ["consents", "list", "--json"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_attempt_whose_photo_failed_leaves_no_consent(photo: Path, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AvatarError(Reason.NO_FACE, "no face")

    monkeypatch.setattr(animation, "load_portrait", refuse)
    speech = photo.with_name("speech.wav")
    with wave.open(str(speech), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    out = photo.with_name("out.mp4")
    arguments = ["animate", str(photo), str(speech), "-o", str(out), "--consent", "Jane; her own"]
    fault = CliRunner().invoke(app, arguments).exception
    assert isinstance(fault, AvatarError)
    assert fault.reason is Reason.NO_FACE
    assert "Jane" not in listed()


def test_what_was_recorded_is_listed_and_once_revoked_refused_at_the_door(photo: Path) -> None:
    given = consent_for("Jane; her own", photo)
    assert "Jane" not in listed()
    given.record("video")
    assert "Jane" in listed()
    given.book.revoke(given.photo_sha256)
    with pytest.raises(AvatarError) as fault:
        consent_for("Jane; her own", photo)
    assert fault.value.reason is Reason.CONSENT_REQUIRED
