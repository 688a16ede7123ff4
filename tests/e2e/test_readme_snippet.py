"""The README's ten lines of client run as they are printed."""

from __future__ import annotations

import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avatar_service.cli.portraits import default_portrait_bytes
from avatar_service.portrait.models import are_models_present
from avatar_service.session.service_process import ServiceProcess

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.live,
    pytest.mark.skipif(
        not are_models_present(), reason="landmark models are absent: run `avatar models fetch`"
    ),
]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ServiceProcess]:
    with ServiceProcess({"home": str(tmp_path / "home")}) as process:
        yield process


def test_the_readme_client_speaks(
    service: ServiceProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippet = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert snippet is not None
    code = snippet[1].replace("127.0.0.1:50551", service.address)
    with wave.open(str(ROOT / "avatar_service/data/demo_speech.wav")) as speech:
        rate, data = speech.getframerate(), speech.readframes(2 * speech.getframerate())
    with wave.open(str(tmp_path / "speech.wav"), "wb") as short:
        short.setnchannels(1)
        short.setsampwidth(2)
        short.setframerate(rate)
        short.writeframes(data)
    (tmp_path / "me.jpg").write_bytes(default_portrait_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["texture"].shape == (512, 512, 4)
    assert names["texture"][..., 3].min() == 255
    assert names["curves"].shape == (52,)
    assert names["session"].statistics().counters.num_frames >= 60
