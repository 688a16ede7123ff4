"""Speech that a broken download cut short is animated, and that it was cut is told."""

import wave
from pathlib import Path

import numpy as np
import pytest

from avatar_service.cli.decoding import stream_audio

pytestmark = pytest.mark.unit


def test_speech_that_lacks_its_end_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "line.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(64_000))
    assert len(np.concatenate(list(stream_audio(path)))) == 32_000
    assert capsys.readouterr().err == ""

    path.write_bytes(path.read_bytes()[: 44 + 16_000])
    assert len(np.concatenate(list(stream_audio(path)))) == 8_000
    told = "note: line.wav is cut short: 0.50 of the 2.00 s that its header promises are there\n"
    assert capsys.readouterr().err == told
