"""Text of the command line: what is accepted, and one clear line for what is not."""

from __future__ import annotations

import json
import math
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_service.cli.consent import obtain_consent, parse_consent
from avatar_service.cli.options import (
    check_distinct,
    parse_background,
    parse_emotion,
    parse_gaze,
)
from avatar_service.cli.portraits import read_photo
from avatar_service.cli.report import write_json
from avatar_service.config import parse_fps
from avatar_service.errors import AvatarError, Reason
from avatar_service.render.devices import open_render_device
from avatar_service.signals import Background

pytestmark = pytest.mark.unit


def test_emotions_add_up_by_name() -> None:
    assert parse_emotion(["happy:0.6", "sad"]) == {"happy": 0.6, "sad": 1.0}
    assert parse_emotion(["happy:0.2,angry:0.1"]) == {"happy": 0.2, "angry": 0.1}
    assert parse_emotion([]) == {}


@pytest.mark.parametrize("text", ["joyful", "happy:2", "happy:-1", "happy:nan", "happy:x", ":1"])
def test_a_wrong_emotion_names_what_is_allowed(text: str) -> None:
    with pytest.raises(AvatarError) as raised:
        parse_emotion([text])
    assert raised.value.reason is Reason.INVALID_FIELD
    assert "contemptuous" in raised.value.message
    assert "\n" not in raised.value.message


def test_gaze_is_degrees_in_and_radians_out() -> None:
    assert parse_gaze("10,-5") == (math.radians(10), math.radians(-5))
    assert parse_gaze(None) is None


@pytest.mark.parametrize("text", ["", "10", "1,2,3", "a,b", "90,0", "nan,0", "inf,0"])
def test_a_wrong_gaze_is_refused(text: str) -> None:
    with pytest.raises(AvatarError, match="degrees"):
        parse_gaze(text)


def test_backgrounds() -> None:
    assert parse_background("keep")[0] is Background.KEEP
    assert parse_background("transparent")[0] is Background.TRANSPARENT
    assert parse_background("#00b140") == (Background.COLOR, (0, 0xB1, 0x40))


@given(st.text(max_size=12))
def test_any_background_is_understood_or_refused_in_one_line(text: str) -> None:
    is_color = re.fullmatch("#?[0-9a-fA-F]{6}", text) is not None
    if is_color or text in ("keep", "transparent"):
        assert all(0 <= channel <= 255 for channel in parse_background(text)[1])
    else:
        with pytest.raises(AvatarError, match="keep, transparent or a colour") as raised:
            parse_background(text)
        assert raised.value.reason is Reason.INVALID_FIELD


@pytest.mark.parametrize("text", ["gpu", "cuda:x", "", "CPU"])
def test_an_unknown_device_is_refused(text: str) -> None:
    with pytest.raises(AvatarError, match="allowed"):
        open_render_device(text)


def test_a_consent_names_subject_right_and_end() -> None:
    consent = parse_consent("Jane Doe; written agreement; until 2031-05-01")
    assert (consent.subject, consent.basis) == ("Jane Doe", "written agreement")
    assert consent.valid_until == datetime(2031, 5, 1, tzinfo=UTC)
    assert parse_consent("my own photo").basis == "my own photo"


def test_a_consent_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "consent.json"
    file.write_text('{"subject": "Jane", "basis": "contract 7", "valid_until": "2031-05-01"}')
    assert parse_consent(str(file)).basis == "contract 7"


@pytest.mark.parametrize(
    "text", ['{"subject": 1}', '{"who": "x"}', "{", "a; b; until tomorrow", '{"subject": "x"}']
)
def test_an_unreadable_or_incomplete_consent_is_refused(text: str) -> None:
    with pytest.raises(AvatarError) as raised:
        parse_consent(text).check()
    assert raised.value.reason is Reason.CONSENT_REQUIRED


def test_a_script_without_consent_is_told_how_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVATAR_CONSENT", raising=False)
    with pytest.raises(AvatarError, match="--consent") as raised:
        obtain_consent(None)
    assert raised.value.reason is Reason.CONSENT_REQUIRED
    monkeypatch.setenv("AVATAR_CONSENT", "Jane; mine")
    assert obtain_consent(None).subject == "Jane"


def test_an_expired_consent_does_not_hold() -> None:
    with pytest.raises(AvatarError, match="expired"):
        obtain_consent("Jane; contract; until 2001-01-01")


def test_outputs_do_not_overwrite_each_other_or_an_input(tmp_path: Path) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "out.mp4"
    check_distinct([out, None, tmp_path / "report.json"], [photo, None])
    with pytest.raises(AvatarError, match=r"out\.mp4 would be overwritten"):
        check_distinct([out, out], [photo])
    with pytest.raises(AvatarError, match=r"photo\.png would be overwritten"):
        check_distinct([tmp_path / "x" / ".." / "photo.png"], [photo])


@pytest.mark.parametrize("text", ["1e400", "1e99999999", "0", "121", "40/0", "nan", "-5", "4 0"])
def test_an_absurd_frame_rate_is_refused_at_once(text: str) -> None:
    with pytest.raises(AvatarError, match="--fps"):
        parse_fps(text, name="--fps")


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_json(tmp_path / "r.json", {"a": 1})
    assert json.loads((tmp_path / "r.json").read_text()) == {"a": 1}
    with pytest.raises(AvatarError, match="cannot write"):
        write_json(tmp_path / "absent" / "r.json", {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_a_photo_that_is_no_file_is_refused_without_reading(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(AvatarError, match="not a file"):
            read_photo(path)
