"""What is fuzzed: each target takes bytes and returns, or lets escape what should not happen.

A refusal with a reason is what a parser is for; every other exception, a crash, or an answer that
breaks its own promise is a finding.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_service.errors import AvatarError
from avatar_service.signals import AudioChunk, MotionFrame

MAX_ITEMS: Final = 200
"""Frames or chunks taken of one input."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser.

    Attributes:
        name: also the folder of its corpus.
        summary: one line.
        run: parses bytes; raises on a finding only.
    """

    name: str
    summary: str
    run: Callable[[bytes], None]


def _photo(data: bytes) -> None:
    from avatar_service.portrait.image_file import MAX_SIDE_PX, load_image

    with contextlib.suppress(AvatarError):
        image = load_image(data)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.ndim == 3
        assert max(image.pixels.shape[:2]) <= MAX_SIDE_PX


def _audio(data: bytes) -> None:
    from avatar_service.audio.file import stream_audio

    with _as_file(data, ".bin") as path, contextlib.suppress(AvatarError):
        for samples in islice(stream_audio(path), MAX_ITEMS):
            assert samples.dtype == np.float32
            assert np.isfinite(samples).all()
            assert not len(samples) or np.abs(samples).max() <= 1.0


def _pcm(data: bytes) -> None:
    """The first bytes choose rate, channels and format; the rest comes in two pieces."""
    from avatar_service.audio.ingest import PcmIngest, SampleFormat

    if len(data) < 4:
        return
    with contextlib.suppress(AvatarError):
        ingest = PcmIngest(
            sample_rate_hz=int.from_bytes(data[:2], "little"),
            num_channels=data[2] % 40,
            sample_format=list(SampleFormat)[data[3] % 2],
        )
        cut = 4 + len(data[4:]) // 3
        for samples in (ingest.push(data[4:cut]), ingest.push(data[cut:]), ingest.flush()):
            assert np.isfinite(samples).all()
            assert not len(samples) or np.abs(samples).max() <= 1.0


def _latent(data: bytes) -> None:
    from avatar_client import motion as client_motion

    from avatar_service.transports import motion_codec

    decoded: list[Any] = []
    for decode in (motion_codec.decode_blob, client_motion.decode_blob):
        try:
            decoded.append(decode(data))
        except ValueError:
            decoded.append(None)
    ours, theirs = decoded
    assert (ours is None) == (theirs is None), "service and client refuse the same blobs"
    if ours is not None:
        assert motion_codec.encode_blob(ours) == data, "what is decoded is encoded back"


def _ring(data: bytes) -> None:
    """A descriptor that believes the header, and a reader that must not."""
    from avatar_client import RingReader
    from avatar_client import ring_layout as layout
    from avatar_client.errors import RingError
    from avatar_client.gen.avatar.v1 import endpoint_pb2

    head = np.zeros(1, layout.HEADER_DTYPE)
    raw = data[: head.nbytes].ljust(head.nbytes, b"\0")
    header = np.frombuffer(raw, layout.HEADER_DTYPE)[0]
    with _as_file(data, "") as path:
        descriptor = endpoint_pb2.RingDescriptor(
            path=str(path),
            ring_id=header["ring_id"].tobytes(),
            file_bytes=len(data),
            width_px=int(header["width_px"]),
            height_px=int(header["height_px"]),
        )
        try:
            reader = RingReader(descriptor)
        except RingError:
            return
        for pts in (-1, 0, 1 << 40, (1 << 63) - 1):
            reader.due(pts)
            reader.motion_due(pts)
        for _ in range(4):
            reader.next(0.0)
        reader.close()


def _motion_file(data: bytes) -> None:
    """The first byte chooses the suffix."""
    from avatar_service.export.formats import READERS, import_motion

    suffixes = sorted(READERS)
    with (
        _as_file(data[1:], suffixes[data[0] % len(suffixes)] if data else ".csv") as path,
        contextlib.suppress(AvatarError),
    ):
        last = -1
        for frame in islice(import_motion(path), MAX_ITEMS):
            assert frame.pts_nanos > last
            last = frame.pts_nanos


def _zmq(data: bytes) -> None:
    """Three parts, cut where the first two bytes say."""
    import msgpack
    import zmq
    from avatar_client.zmq_source import read_message

    if len(data) < 3:
        return
    num_parts, cut, body = data[0] % 5, data[1], data[2:]
    parts = [zmq.Frame(part) for part in (b"topic", body[:cut], body[cut:], b"", b"")[:num_parts]]
    with contextlib.suppress(ValueError, TypeError, KeyError, msgpack.UnpackException):
        frame = read_message(parts)
        assert frame is None or frame.motion.values.shape == (71,)


def _tokens(data: bytes) -> None:
    from avatar_service.server.access import read_tokens

    with _as_file(data, "") as path, contextlib.suppress(AvatarError):
        assert read_tokens(path)


def _config(data: bytes) -> None:
    from avatar_service.config import load_config

    with _as_file(data, ".toml") as path, contextlib.suppress(AvatarError):
        load_config(environ={}, toml_file=path)


def _proto(data: bytes) -> None:
    from tools.fuzz.protos import check_bytes

    check_bytes(data)


def _a2f(data: bytes) -> None:
    """A clip of NVIDIA's interface: messages of up to 255 bytes, each behind its length."""
    from google.protobuf.message import DecodeError

    from avatar_service.server.a2f.clip import Clip
    from avatar_service.server.a2f.gen.nvidia_ace.controller.v1 import controller_pb2

    clip, is_open = Clip(lambda rate, controls: _StillMotion()), False
    with contextlib.suppress(AvatarError, DecodeError):
        while data:
            size, message = data[0], controller_pb2.AudioStream()
            message.ParseFromString(data[1 : 1 + size])
            data = data[1 + size :]
            part = message.WhichOneof("stream_part")
            if part == "audio_stream_header" and not is_open:
                clip.open(message.audio_stream_header, 0.0)
                is_open = True
            elif part == "audio_with_emotion" and is_open:
                list(clip.push(message.audio_with_emotion))
        if is_open:
            list(clip.finish())


class _StillMotion:
    """A motion source at rest, 30 frames per second."""

    def __init__(self) -> None:
        self._num_samples = self._num_made = 0

    def push(self, chunk: AudioChunk) -> None:
        """Count the samples."""
        self._num_samples += len(chunk.samples)

    def pull(self) -> Iterator[MotionFrame]:
        """Yield the frames whose time has come."""
        while self._num_made * 16_000 <= self._num_samples * 30:
            pts_nanos = self._num_made * 1_000_000_000 // 30
            self._num_made += 1
            yield MotionFrame(pts_nanos=pts_nanos, seq=self._num_made)

    def set_controls(self, controls: object, effective_pts_nanos: int = 0, /) -> int:
        """Change nothing."""
        return effective_pts_nanos


TARGETS: Final = {
    target.name: target
    for target in (
        Target("photo", "photos: JPEG, PNG, WebP, BMP, TIFF", _photo),
        Target("audio", "audio files that FFmpeg reads", _audio),
        Target("pcm", "PCM bytes of any format", _pcm),
        Target("proto", "every message of avatar.v1, and its checks", _proto),
        Target("latent", "motion blobs, in service and client", _latent),
        Target("ring", "ring files, in the client", _ring),
        Target("motion", "motion files of other tools", _motion_file),
        Target("zmq", "ZeroMQ messages, in the client", _zmq),
        Target("a2f", "clips of Audio2Face-3D clients", _a2f),
        Target("tokens", "token files", _tokens),
        Target("config", "configuration files", _config),
    )
}


@contextlib.contextmanager
def _as_file(data: bytes, suffix: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="avatar-fuzz-", dir=_memory()) as folder:
        path = Path(folder) / f"input{suffix}"
        path.write_bytes(data)
        yield path


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
