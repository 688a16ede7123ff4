"""Recorded sessions are repeated bit for bit; what is not recorded is not there."""

import time
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from avatar_service.cli.app import app
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.stage import MotionStage
from avatar_service.session import recording
from avatar_service.session.recording import PULL, SUFFIX, Recorder, frame_bytes
from avatar_service.session.replay import replay
from avatar_service.session.session_request import SessionRequest
from avatar_service.signals import AudioChunk, AudioRole, Controls

pytestmark = pytest.mark.unit

LOOKAHEAD = 40_000_000
SECRET = "HH"
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(folder: Path, *, has_audio: bool, max_bytes: int = 1 << 30, secs: float = 1.2) -> Path:
    """Talk to a recorded stage as a session does, in uneven steps, with everything in it."""
    recorder = Recorder(folder, has_audio, max_bytes, lambda: DATE)
    recorder.check()
    request = SessionRequest(rate=Fraction(30000, 1001), controls=Controls(seed=5))
    inner = MotionStage(request.rate, request.controls, lookahead_nanos=LOOKAHEAD)
    stage = recorder.wrap(inner, "abcdefghij", request, LOOKAHEAD)
    rng = np.random.default_rng(3)
    at, step = 0, 0
    frames = []
    while at < secs * 16_000:
        count = int(rng.integers(40, 900))
        is_speech = at > 0.3 * 16_000
        samples = (0.1 * rng.standard_normal(count) * is_speech).astype(np.float32)
        stage.push(AudioChunk(samples, at * 62_500, is_speech=is_speech))
        at += count
        step += 1
        if step == 8:
            stage.push_phones([TimedPhone(0.0, 0.2, SECRET)], "arpabet", at * 62_500)
        if step == 10:
            stage.set_controls(Controls(seed=5, emotion={"happy": 0.7}, gaze=(0.2, 0.1)), 0)
        if step == 14:
            heard = (0.1 * rng.standard_normal(320)).astype(np.float32)
            stage.push(AudioChunk(heard, at * 62_500, role=AudioRole.LISTEN))
        if step == 20:
            stage.reset(1)
        frames += list(stage.pull())
    assert len(frames) > 20
    stage.close()
    (path,) = folder.glob(f"*{SUFFIX}")
    return path


@pytest.fixture(scope="module")
def with_audio(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("with"), has_audio=True)


@pytest.fixture(scope="module")
def without_audio(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("without"), has_audio=False)


def test_a_recording_with_audio_is_repeated_bit_for_bit(with_audio: Path) -> None:
    report = replay(with_audio)
    assert report.difference is None
    assert report.compared == report.frames > 20
    assert not report.is_cut
    assert not report.needs_audio
    assert not report.environment


def test_without_audio_what_precedes_the_speech_is_compared_and_nothing_is_told_of_it(
    with_audio: Path, without_audio: Path
) -> None:
    report = replay(without_audio)
    assert report.difference is None
    assert report.needs_audio
    assert 3 < report.compared < report.frames
    # As words: two letters lie among the bytes of numbers by chance.
    assert SECRET in words_in(list(msgpack.Unpacker(with_audio.open("rb"))))
    assert SECRET not in words_in(list(msgpack.Unpacker(without_audio.open("rb"))))
    assert without_audio.stat().st_size < 0.2 * with_audio.stat().st_size


def words_in(record: object) -> set[str]:
    if isinstance(record, dict):
        record = [*record.keys(), *record.values()]
    if isinstance(record, list):
        return set().union(*map(words_in, record))
    return {record} if isinstance(record, str) else set()


def test_the_files_are_the_users_alone(with_audio: Path) -> None:
    assert with_audio.stat().st_mode & 0o777 == 0o600


def changed(path: Path, tmp_path: Path, change) -> Path:
    records = list(msgpack.Unpacker(path.open("rb")))
    change(records)
    other = tmp_path / "changed"
    other.write_bytes(b"".join(msgpack.packb(record) for record in records))
    return other


def first_pull(records: list) -> list:
    return next(record[1] for record in records if isinstance(record, list) and record[0] == PULL
                and record[1])  # fmt: skip


def test_one_flipped_bit_is_found_and_named(with_audio: Path, tmp_path: Path) -> None:
    def flip(records: list) -> None:
        pull = first_pull(records)
        data = bytearray(pull[0])
        data[8 + 4 * 52] ^= 1  # the lowest bit of the head's yaw
        pull[0] = bytes(data)

    path = changed(with_audio, tmp_path, flip)
    found = replay(path).difference
    assert found is not None
    assert (found.frame, found.channel) == (0, "head.yaw")
    assert found.recorded != found.replayed
    shown = CliRunner().invoke(app, ["replay", str(path)])
    assert shown.exit_code == 1
    assert "head.yaw" in shown.stdout


def test_another_digest_is_found_without_audio_too(without_audio: Path, tmp_path: Path) -> None:
    def change(records: list) -> None:
        pull = first_pull(records)
        pull[0] = bytes(16)

    found = replay(changed(without_audio, tmp_path, change)).difference
    assert found is not None
    assert (found.frame, found.channel) == (0, "")


def test_other_controls_make_other_latents(with_audio: Path, tmp_path: Path) -> None:
    def change(records: list) -> None:
        records[0]["controls"]["seed"] = 6

    assert replay(changed(with_audio, tmp_path, change)).difference is not None


def test_a_file_cut_off_by_a_crash_is_replayed_as_far_as_it_goes(
    with_audio: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes(with_audio.read_bytes()[:-7])
    report = replay(cut)
    assert report.is_cut
    assert report.difference is None
    assert report.compared > 20
    shown = CliRunner().invoke(app, ["replay", str(cut)])
    assert shown.exit_code == 0
    assert "equal bit for bit" in shown.stdout


def test_the_command_says_what_it_compared(with_audio: Path) -> None:
    shown = CliRunner().invoke(app, ["replay", str(with_audio)])
    assert shown.exit_code == 0, shown.output
    assert "equal bit for bit" in shown.stdout


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"\x81\xa6format\xa1x", b"\xc1" * 100])
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(AvatarError) as fault:
        replay(path)
    assert fault.value.reason is Reason.INVALID_FILE
    assert "\n" not in fault.value.message


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(at=st.integers(0, 4000), data=st.binary(min_size=1, max_size=40))
def test_damaged_files_are_refused_or_differ_and_never_crash(
    without_audio: Path, tmp_path: Path, at: int, data: bytes
) -> None:
    whole = without_audio.read_bytes()[:4000]
    path = tmp_path / "damaged"
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])
    reason = Reason.INVALID_FILE
    try:
        replay(path)
    except AvatarError as error:
        reason = error.reason
    assert reason is Reason.INVALID_FILE


def test_a_full_disk_or_a_limit_ends_the_recording_and_not_the_session(
    tmp_path: Path, monkeypatch
) -> None:
    short = record(tmp_path / "limit", has_audio=True, max_bytes=20_000)
    assert short.stat().st_size <= 20_000
    assert replay(short).difference is None

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(recording.os, "fdopen", lambda *_: Full())
    record(tmp_path / "full", has_audio=True)


def test_a_folder_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AvatarError, match=r"record\.folder"):
        Recorder(tmp_path / "file" / "below", False, 1, lambda: DATE).check()


def test_speech_is_kept_to_the_last_bit() -> None:
    stage = MotionStage()
    stage.push(AudioChunk(np.zeros(3200, np.float32), 0))
    frame = next(iter(stage.pull()))
    assert len(frame_bytes(frame)) == 8 + 4 * 70 + 8


def test_a_recorded_session_of_the_service_is_replayed(tmp_path: Path) -> None:
    from fakes.service import FakeStages, running_service

    stages = FakeStages
    real = lambda _self, request, nanos: MotionStage(  # noqa: E731
        request.rate, request.controls, lookahead_nanos=nanos
    )
    from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb

    with (
        pytest.MonkeyPatch.context() as patched,
        running_service(tmp_path / "home", record__folder=tmp_path / "r", record__audio=True) as s,
    ):
        patched.setattr(stages, "make_motion", real)
        session_id = s.stub.CreateSession(pb.CreateSessionRequest()).session.session_id
        deadline = time.monotonic() + 20
        while s.service._manager.get(session_id).session.stats.frames < 20:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        s.stub.CloseSession(pb.CloseSessionRequest(session_id=session_id))
    (path,) = (tmp_path / "r").glob(f"*{SUFFIX}")
    report = replay(path)
    assert report.difference is None
    assert report.compared >= 20
