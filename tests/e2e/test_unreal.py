"""The Unreal plugin against behavioural stand-ins and the real service.

This checks what we believe about the engine's API, and everything of the plugin that is not the
engine. It is no proof that the plugin works in an engine: docs/unreal.md says what is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from native_build import built

from avatar_service.export.conventions import LIVE_LINK_NAMES
from avatar_service.render.badge import draw_badge
from avatar_service.render.finish import badge_margin
from avatar_service.session.service_process import ServiceProcess
from tools.clients.parts import ROOT
from tools.clients.unreal import UNREAL, Game, build_unreal

pytestmark = [pytest.mark.e2e, pytest.mark.live]

RATE_HZ = 16_000
TIMEOUT_SECS = 240
Row = dict[str, Any]
Play = Callable[..., list[Row]]
STATES = {"disconnected": 0, "connecting": 1, "ready": 2, "reconnecting": 3, "failed": 4}


@pytest.fixture(scope="module")
def game() -> Game:
    return built(lambda: build_unreal("g++"))


@pytest.fixture(scope="module")
def driver(game: Game) -> Path:
    return game.driver


def options(home: Path) -> dict[str, str]:
    return {"home": str(home)}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with ServiceProcess(options(tmp_path_factory.mktemp("home"))) as running:
        yield running
        assert running.process.poll() is None, " / ".join(running.lines)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's Content folder: a face, and speech-like sound with a pause."""
    cv2 = pytest.importorskip("cv2")
    data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("content")
    (folder / "Faces").mkdir()
    cv2.imwrite(str(folder / "Faces/Anna.png"), data.astronaut()[..., ::-1])
    for name, secs in (("short", 1.6), ("long", 3.2)):
        time = np.arange(int(RATE_HZ * secs)) / RATE_HZ
        voice = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
        loudness = np.clip(np.sin(2 * np.pi * 3 * time), 0, None)
        wave = voice * loudness * 0.2
        # Nowhere exactly zero: every sample that is heard can be counted.
        wave = np.where(np.abs(wave) < 0.001, 0.001, wave)
        wave.astype(np.float32).tofile(folder / f"{name}.pcm")
    np.full(int(RATE_HZ * 3.2), 0.001, np.float32).tofile(folder / "hush.pcm")
    return folder


@pytest.fixture
def environ(game: Game, content: Path, tmp_path: Path) -> dict[str, str]:
    folders = {
        "STUB_PLUGIN_DIR": game.plugin,
        "STUB_CONTENT_DIR": content,
        "STUB_OUT_DIR": tmp_path,
    }
    return {**os.environ, **{name: str(path) for name, path in folders.items()}}


@pytest.fixture
def play(driver: Path, service: ServiceProcess, content: Path, environ: dict[str, str]) -> Play:
    def run(mode: str, *, photo: str = "-", wave: str = "short", **extra: str) -> list[Row]:
        done = subprocess.run(
            [driver, mode, service.address, photo, content / f"{wave}.pcm"],
            env={**environ, **extra},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECS,
        )
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, f"{rows[-1:]} {done.stderr[-3000:]} {list(service.lines)[-5:]}"
        return rows

    return run


def of(rows: list[Row], kind: str) -> list[Row]:
    return [row for row in rows if row["kind"] == kind]


def only(rows: list[Row], kind: str) -> Row:
    (row,) = of(rows, kind)
    return row


def num_samples(content: Path, wave: str) -> int:
    return (content / f"{wave}.pcm").stat().st_size // 4


def check_shown_follows_heard(rows: list[Row]) -> None:
    """Between a moment after the first sample and the last one, time shown is what was heard."""
    started, ended = only(rows, "started")["at"], of(rows, "ended")[0]["at"]
    ticks = [row for row in of(rows, "tick") if started + 0.3 < row["at"] < ended]
    shown = np.array([row["shown"] for row in ticks])
    assert (np.diff(shown) >= 0).all()
    heard = np.array([row["heard"] for row in ticks]) / RATE_HZ
    # The mixer generates 2 blocks ahead and tells in blocks of 21 ms; the clock smooths them.
    offset = heard - shown
    assert np.ptp(offset) < 0.09, offset


def check_lips_follow_sound(rows: list[Row]) -> None:
    """The jaw moves with the loudness of what is heard, not of what was sent."""
    started = only(rows, "started")["at"]
    ticks = [row for row in of(rows, "tick") if row["at"] > started]
    given = np.array([row["heard"] for row in ticks]) / RATE_HZ
    jaw = np.array([row["jaw"] for row in ticks])
    is_playing = (np.diff(given, append=given[-1]) > 0) & (given > 0.2)
    lags = np.arange(-0.1, 0.3, 0.02)
    likeness = []
    for lag in lags:
        loudness = np.clip(np.sin(6 * np.pi * (given - lag)), 0, None)
        likeness.append(np.corrcoef(loudness[is_playing], jaw[is_playing])[0, 1])
    # The stand-in's mixer takes 2 blocks of 21 ms ahead, the device another 40 ms.
    assert max(likeness) > 0.5
    assert 0.03 < lags[int(np.argmax(likeness))] < 0.18


def check_curves(row: Row) -> None:
    assert row["role"] == "LiveLinkBasicRole"
    assert row["names"] == list(LIVE_LINK_NAMES)
    jaw = np.array(row["jaw"])
    assert jaw.min() >= 0.0
    assert 0.1 < jaw.max() <= 1.0
    leaps = int((np.abs(np.diff(jaw)) >= 0.4).sum())
    assert leaps <= 2, "a loaded machine leaves ticks out, and a restart pictures"
    assert row["removed"] >= 1


def test_automation_tests_pass_with_both_compilers(driver: Path, environ: dict[str, str]) -> None:
    clang = built(lambda: build_unreal("clang++"))
    for program in (driver, clang.driver):
        done = subprocess.run([program, "automation"], env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        results = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(results) == 9
        assert all(result["checks"] > 0 and result["failures"] == 0 for result in results)


def test_a_wave_is_heard_seen_and_drives_curves(play: Play, content: Path, tmp_path: Path) -> None:
    rows = play("speak", photo="Faces/Anna.png")
    assert [row["state"] for row in of(rows, "state")] == [
        STATES["connecting"], STATES["ready"], STATES["disconnected"],
    ]  # fmt: skip
    assert not only(rows, "ended")["interrupted"]
    assert of(rows, "tick")[-1]["heard"] == num_samples(content, "short")
    check_shown_follows_heard(rows)
    check_lips_follow_sound(rows)
    check_curves(only(rows, "live_link"))
    assert only(rows, "figures")["transport"] == "shared memory"

    texture = only(rows, "texture")
    assert (texture["width"], texture["srgb"]) == (512, True)
    speaking = [row for row in of(rows, "tick") if only(rows, "started")["at"] < row["at"]]
    secs = speaking[-1]["at"] - speaking[0]["at"]
    updates = speaking[-1]["updates"] - speaking[0]["updates"]
    assert updates > 0.5 * 40 * secs
    assert speaking[-1]["busy"] == 0
    at_rest, opened = (
        np.fromfile(tmp_path / f"{name}.rgba", np.uint8).reshape(512, 512, 4).astype(int)
        for name in ("rest", "open")
    )
    assert (opened[..., 3] == 255).all()
    moved = np.abs(opened - at_rest).mean(-1)
    assert moved.max() > 40
    assert moved[:40, :40].mean() < 6
    label = draw_badge(512)[..., 3] > 0
    rows_px, columns_px = label.shape
    low = 512 - badge_margin(512)
    corner = moved[low - rows_px : low, badge_margin(512) :][:, :columns_px]
    assert corner[label].mean() > 40, "the badge that was asked for is shown"

    asked = [row["id"] for row in of(rows, "asked")]
    assert asked[0] > 0
    assert asked[1] == 0  # there is no emotion "hungry"
    assert asked[0] in [row["id"] for row in of(rows, "controls")]
    assert [row["reason"] for row in of(rows, "fault")] == ["INVALID_FIELD"]
    morphs = {row["name"]: row for row in of(rows, "morph")}
    assert set(morphs) == {"jawOpen", "eyeBlink_L", "EyeBlinkRight", "mouth_funnel"}
    assert morphs["jawOpen"]["high"] > 0.1 > morphs["jawOpen"]["low"]


def test_streamed_samples_with_a_stall(play: Play, content: Path) -> None:
    rows = play("stream")
    assert of(rows, "tick")[-1]["heard"] == num_samples(content, "short")
    ended = only(rows, "ended")
    assert not ended["interrupted"]
    # 1.6 s of speech, and the time for which nothing came.
    assert 2.2 < ended["at"] - only(rows, "started")["at"] < 6.0
    check_lips_follow_sound(rows)
    check_curves(only(rows, "live_link"))
    assert not of(rows, "texture")  # without a photo there are curves only


def test_speech_follows_a_device_that_runs_fast(play: Play) -> None:
    rows = play("speak", photo="Faces/Anna.png", wave="long", STUB_AUDIO_RATE="1.005")
    check_shown_follows_heard(rows)


def test_interrupt_is_silent_at_once_and_speech_goes_on_after(play: Play, content: Path) -> None:
    rows = play("interrupt", wave="long")
    cut, again = only(rows, "cut")["at"], only(rows, "again")["at"]
    first, second = of(rows, "ended")
    assert first["interrupted"]
    assert first["at"] - cut < 0.05
    assert not second["interrupted"]
    between = [row for row in of(rows, "tick") if cut < row["at"] < again]
    assert between[-1]["heard"] - between[0]["heard"] == 0
    assert between[-1]["jaw"] < 0.1
    assert len(of(rows, "interrupted")) == 1
    heard = of(rows, "tick")[-1]["heard"]
    assert heard - between[-1]["heard"] == num_samples(content, "long")


def jaws(rows: list[Row], heard: int, begin: float, end: float) -> list[float]:
    """The jaw while the seconds from begin to end of what was said are heard."""
    at = [(row["heard"] - heard) / RATE_HZ for row in of(rows, "tick")]
    return [row["jaw"] for row, t in zip(of(rows, "tick"), at, strict=True) if begin < t < end]


def test_known_phones_move_the_lips_where_the_sound_tells_nothing(
    play: Play, content: Path
) -> None:
    rows = play("phones", wave="hush")
    first = num_samples(content, "hush")
    for heard in (0, first):  # a wave, then the same in pieces
        # The picture of what the mixer has taken comes about 0.1 s later.
        assert max(jaws(rows, heard, 0.85, 1.25)) > 0.25, heard
        assert max(jaws(rows, heard, 1.65, 2.15)) < 0.1, heard
        assert max(jaws(rows, heard, 2.45, 2.75)) > 0.25, heard
    assert [row["interrupted"] for row in of(rows, "ended")] == [False] * 3
    (fault,) = of(rows, "fault")
    assert "overlaps" in fault["message"]


def test_pictures_come_as_h264_where_that_is_asked_for(play: Play, tmp_path: Path) -> None:
    rows = play("video", photo="Faces/Anna.png")
    figures = only(rows, "figures")
    assert figures["transport"] == "gRPC"
    assert only(rows, "texture")["width"] == 512
    assert 0 < figures["bytes"] < 512 * 512 * 4, "of all pictures together: less than one is raw"
    picture = np.fromfile(tmp_path / "video.rgba", np.uint8).reshape(512, 512, 4)
    assert (picture[..., 3] == 255).all()
    assert picture[..., :3].std() > 30


def test_without_an_audio_device_speech_ends_in_time(play: Play) -> None:
    rows = play("stream", STUB_NO_AUDIO="1")
    assert not only(rows, "ended")["interrupted"]


def test_what_is_refused_is_told(play: Play) -> None:
    rows = play("refused", photo="Faces/Anna.png")
    reasons = [row["reason"] for row in of(rows, "fault")]
    assert reasons == ["CONSENT_REQUIRED", "INVALID_FILE", "INVALID_AUDIO"]
    assert only(rows, "factory")["refused"]


@pytest.mark.parametrize("is_same_home", [True, False], ids=["same avatars", "lost avatars"])
def test_a_restarted_service_goes_on_with_the_sentence(
    driver: Path, content: Path, environ: dict[str, str], tmp_path: Path, is_same_home: bool
) -> None:
    first = ServiceProcess(options(tmp_path / "home"))
    second = None
    game = subprocess.Popen(
        [driver, "restart", first.address, "Faces/Anna.png", content / "long.pcm"],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        rows: list[Row] = []
        assert game.stdout is not None
        for line in game.stdout:
            rows.append(json.loads(line))
            if rows[-1]["kind"] == "kill":
                first.kill()
                home = tmp_path / ("home" if is_same_home else "other")
                second = ServiceProcess({**options(home), "listen": first.address})
        assert game.wait(TIMEOUT_SECS) == 0, rows[-3:]
    finally:
        game.kill()
        first.stop()
        if second is not None:
            second.stop()
    states = [row["state"] for row in of(rows, "state")]
    assert states[:4] == [1, STATES["ready"], STATES["reconnecting"], STATES["ready"]]
    assert not only(rows, "ended")["interrupted"]
    # What the mixer had taken but not yet played is said again: 3 blocks of 21 ms.
    extra = of(rows, "tick")[-1]["heard"] - num_samples(content, "long")
    assert 0 <= extra < 0.2 * RATE_HZ
    check_curves(only(rows, "live_link"))
    # Its phones were sent again too, with what was left of them.
    assert max(jaws(rows, extra, 2.45, 2.75)) > 0.25
    assert max(jaws(rows, extra, 1.65, 2.15)) < 0.1


def test_the_example_is_the_one_in_the_manual(play: Play, content: Path) -> None:
    source = (UNREAL / "Example" / "TalkingActor.cpp").read_text()
    found = re.search(r"// README begins\n(.*?)// README ends", source, re.DOTALL)
    assert found is not None
    assert found[1] in (ROOT / "docs" / "unreal.md").read_text()
    rows = play("example")
    assert of(rows, "tick")[-1]["heard"] == num_samples(content, "short")
    assert only(rows, "texture")["width"] == 512


def test_headers_that_the_engine_would_refuse_are_refused(tmp_path: Path) -> None:
    good = (UNREAL / "Example" / "TalkingActor.h").read_text()
    tool = ROOT / "tests" / "unreal_stubs" / "header_tool.py"
    for wrong, right, words in [
        ("USoundWave* Line", "TObjectPtr<USoundWave> Line", "TObjectPtr"),
        ("std::string Line", "TObjectPtr<USoundWave> Line", "not a reflected type"),
        ("", "\tGENERATED_BODY()\n", "has no GENERATED_BODY"),
        ("\n", "\t/** What to say. */\n", "no tooltip"),
        ("", ', Category = "Avatar"', "no Category"),
    ]:
        (tmp_path / "TalkingActor.h").write_text(good.replace(right, wrong))
        command = ["python3", tool, tmp_path, tmp_path / "out"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1
        assert words in done.stderr
