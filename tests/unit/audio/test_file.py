import os
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from avatar_service.audio.file import probe_cut, read_audio, stream_audio
from avatar_service.errors import AvatarError, Reason

pytestmark = pytest.mark.unit


def tone(rate: int, secs: float, frequency: float = 300.0) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * frequency * np.arange(round(rate * secs)) / rate)).astype(
        np.float32
    )


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 96_000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "PCM_U8"])
def test_wav_of_any_rate_and_layout(tmp_path: Path, rate: int, subtype: str) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.stack([tone(rate, 1.0)] * 2, 1), rate, subtype=subtype)
    clip = read_audio(path)
    assert len(clip.samples) == 16_000
    assert clip.samples.dtype == np.float32
    assert (clip.source_rate_hz, clip.source_channels) == (rate, 2)
    error = np.abs(clip.samples - tone(16_000, 1.0))[200:-200].max()
    assert error < (0.02 if subtype == "PCM_U8" else 2e-3)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_compressed_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    soundfile.write(path, tone(44_100, 1.0), 44_100)
    clip = read_audio(path)
    assert abs(clip.duration_secs - 1.0) < 0.06
    middle = clip.samples[4_000:12_000]
    assert abs(float(np.std(middle)) - 0.4 / 2**0.5) < 0.02


def test_part_of_a_file_is_the_same_samples(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone(22_050, 2.0), 22_050)
    whole = read_audio(path).samples
    part = read_audio(path, start_secs=0.5, duration_secs=0.75).samples
    np.testing.assert_array_equal(part, whole[8_000:20_000])
    tail = read_audio(path, start_secs=1.9, duration_secs=10).samples
    np.testing.assert_array_equal(tail, whole[30_400:])


def test_stream_equals_whole(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone(44_100, 1.03), 44_100)
    chunks = list(stream_audio(path, start_secs=0.1))
    np.testing.assert_array_equal(np.concatenate(chunks), read_audio(path, start_secs=0.1).samples)
    assert {len(chunk) for chunk in chunks[:-1]} == {1_600}


def _text(path: Path) -> None:
    path.write_text("this is a poem\n" * 40)


def _zero_bytes(path: Path) -> None:
    path.write_bytes(b"")


def _noise_bytes(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5_000))


def _no_samples(path: Path) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)


def _video_only(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (_text, "clip"),
        (_zero_bytes, "empty"),
        (_noise_bytes, "clip"),
        (_no_samples, "empty"),
        (_video_only, "no audio track"),
        (_folder, "not a file"),
        (lambda path: None, "no audio file"),
    ],
)
def test_bad_files_get_one_clear_line(tmp_path: Path, make: object, word: str) -> None:
    path = tmp_path / "clip.wav"
    make(path)  # type: ignore[operator]
    with pytest.raises(AvatarError) as caught:
        read_audio(path)
    assert caught.value.reason is Reason.INVALID_FILE
    assert word in caught.value.message
    assert "\n" not in caught.value.message


def test_nan_in_a_file_is_refused(tmp_path: Path) -> None:
    samples = tone(16_000, 0.5)
    samples[1_000] = np.nan
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    with pytest.raises(AvatarError) as caught:
        read_audio(path)
    assert caught.value.reason is Reason.INVALID_AUDIO


@pytest.mark.parametrize("part", [{"start_secs": -1.0}, {"duration_secs": 0.0}])
def test_impossible_parts_are_refused(tmp_path: Path, part: dict[str, float]) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone(16_000, 0.5), 16_000)
    with pytest.raises(AvatarError) as caught:
        read_audio(path, **part)  # type: ignore[arg-type]
    assert caught.value.reason is Reason.INVALID_FIELD


def test_part_beyond_the_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone(16_000, 0.5), 16_000)
    with pytest.raises(AvatarError, match=r"0\.50 s") as caught:
        read_audio(path, start_secs=3.0)
    assert caught.value.reason is Reason.INVALID_FILE


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    for path in (tmp_path / "fifo.wav", Path("/dev/zero"), tmp_path):
        with pytest.raises(AvatarError, match="is not a file") as fault:
            read_audio(path)
        assert fault.value.reason is Reason.INVALID_FILE


def test_too_many_channels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "64.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(64)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(128 * 1600))
    with pytest.raises(AvatarError, match="64 channels; 1 to 8 are allowed") as fault:
        next(stream_audio(path))
    assert fault.value.reason is Reason.INVALID_AUDIO


def test_a_codec_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, tone(16_000, 0.1), 16_000, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[20:22] = b"\x01\x42"  # the format tag of the header
    path.write_bytes(data)
    with pytest.raises(AvatarError, match="unknown codec"):
        read_audio(path)


def _wav(path: Path, *, cut_to: int | None = None, data_size: int | None = None) -> Path:
    """Write 2 s of 16 kHz, 16 bit mono behind a header of 44 bytes, and damage it."""
    soundfile.write(path, tone(16_000, 2.0), 16_000, subtype="PCM_16")
    data = bytearray(path.read_bytes()[:cut_to])
    if data_size is not None:
        data[40:44] = data_size.to_bytes(4, "little")
    path.write_bytes(data)
    return path


def test_a_wav_that_lacks_its_end_is_known_by_its_header(tmp_path: Path) -> None:
    cut = probe_cut(_wav(tmp_path / "cut.wav", cut_to=44 + 16_000))
    assert cut == (2.0, 0.5)
    assert read_audio(tmp_path / "cut.wav").duration_secs == 0.5


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_a_wav_written_as_a_stream_promises_nothing(tmp_path: Path, size: int) -> None:
    assert probe_cut(_wav(tmp_path / "stream.wav", data_size=size)) is None


@pytest.mark.parametrize("cut_to", [None, 44 + 64_000 - 100, 43, 20, 4, 0])
def test_a_whole_wav_and_one_without_a_header_promise_nothing(
    tmp_path: Path, cut_to: int | None
) -> None:
    assert probe_cut(_wav(tmp_path / "clip.wav", cut_to=cut_to)) is None


@pytest.mark.parametrize("damage", [(22, 0), (24, 0), (34, 0), (20, 0x55)])
def test_a_header_of_nonsense_promises_nothing(tmp_path: Path, damage: tuple[int, int]) -> None:
    path = _wav(tmp_path / "clip.wav", cut_to=1_000)
    data = bytearray(path.read_bytes())
    where, value = damage
    data[where : where + 2] = value.to_bytes(2, "little")
    path.write_bytes(data)
    assert probe_cut(path) is None


def test_damaged_headers_are_survived(tmp_path: Path) -> None:
    """Of 500 of a seed some lie about their sizes in ways that wave answers by RuntimeError."""
    path = _wav(tmp_path / "clip.wav", cut_to=200)
    whole, random = path.read_bytes(), np.random.default_rng(1)
    for _ in range(500):
        data = bytearray(whole[: random.choice([200, 100, 60, 44, 30])])
        for where in random.integers(0, min(len(data), 48), 3):
            data[where] = random.choice([0, 1, 128, 255])
        path.write_bytes(data)
        cut = probe_cut(path)
        assert cut is None or cut[0] > cut[1] >= 0.0


def test_other_files_promise_nothing(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.flac", tone(16_000, 1.0), 16_000)
    assert probe_cut(tmp_path / "clip.flac") is None
    assert probe_cut(tmp_path / "nothing.wav") is None
