import os
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from avatar_service.audio.file import read_audio, stream_audio
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
