"""Writes the corpora: `python -m tools.fuzz.seeds`. Small inputs of our own making, all valid."""

from __future__ import annotations

import io
import json
import random
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgpack
import numpy as np
from PIL import Image

from avatar_service.export.formats import READERS, export_motion
from avatar_service.schema import NUM_EXPRESSIONS
from avatar_service.server.a2f.gen.nvidia_ace.controller.v1 import controller_pb2
from avatar_service.signals import MotionFrame
from avatar_service.transports.motion_codec import encode_blob
from avatar_service.transports.ring import RingGeometry, RingWriter
from tools.fuzz.__main__ import CORPUS
from tools.fuzz.protos import descriptors, random_message

SIDE_PX = 64
TONE = (0.3 * np.sin(np.arange(800) * 0.1)).astype(np.float32)


def main() -> None:
    """Write all corpora anew."""
    for name, inputs in (
        ("photo", photos()),
        ("audio", sounds()),
        ("pcm", pcm()),
        ("proto", messages()),
        ("latent", (encode_blob(frame) for frame in frames(3))),
        ("ring", rings()),
        ("motion", motion_files()),
        ("zmq", zmq_messages()),
        ("a2f", clips()),
        ("tokens", (b"t" * 20, b"# two\n" + b"t" * 20 + b" name=game scopes=animate,observe\n")),
        ("config", (b'listen = "127.0.0.1:1"\n[limits]\nmax_sessions = 3\n[tls]\n',)),
    ):
        write(name, inputs)


def write(name: str, inputs: Iterable[bytes]) -> None:
    """Write one corpus."""
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    sizes = [(folder / f"{number:02d}").write_bytes(data) for number, data in enumerate(inputs)]
    print(f"{name}: {len(sizes)} inputs, {sum(sizes)} bytes")


def frames(count: int) -> list[MotionFrame]:
    """Return latents with something in every channel."""
    rng = np.random.default_rng(1)
    return [
        MotionFrame(
            pts_nanos=k * 25_000_000,
            seq=k + 1,
            expression=rng.uniform(0, 1, NUM_EXPRESSIONS).astype(np.float32),
            head_rotation=rng.uniform(-0.5, 0.5, 3).astype(np.float32),
            head_translation=rng.uniform(-0.5, 0.5, 3).astype(np.float32),
            gaze=rng.uniform(-0.5, 0.5, (2, 2)).astype(np.float32),
            emotion=np.full(8, 0.125, np.float32),
            speech=0.5,
        )
        for k in range(count)
    ]


def photos() -> Iterator[bytes]:
    """Yield a gradient in every format and mode that matters."""
    ramp = np.linspace(0, 255, SIDE_PX).astype(np.uint8)
    red, green = np.meshgrid(ramp, ramp)
    rgb = Image.fromarray(np.stack([red, green, red // 2], -1))
    turned = Image.Exif()
    turned[0x0112] = 6
    for picture, options in (
        (rgb, {"format": "JPEG", "quality": 30, "exif": turned}),
        (rgb.convert("CMYK"), {"format": "JPEG", "quality": 30}),
        (rgb, {"format": "JPEG", "quality": 30, "progressive": True}),
        (rgb.convert("RGBA"), {"format": "PNG"}),
        (rgb.convert("P"), {"format": "PNG"}),
        (rgb.convert("L").convert("I;16"), {"format": "PNG"}),
        (rgb, {"format": "WEBP", "quality": 20}),
        (rgb.convert("RGBA"), {"format": "WEBP", "lossless": True}),
        (rgb.convert("P"), {"format": "BMP"}),
        (rgb, {"format": "TIFF", "compression": "tiff_lzw"}),
        (rgb.convert("F"), {"format": "TIFF", "compression": "tiff_adobe_deflate"}),
    ):
        target = io.BytesIO()
        picture.save(target, **options)
        yield target.getvalue()


def sounds() -> Iterator[bytes]:
    """Yield a short tone in the containers and codecs of everyday."""
    for container, codec in (
        ("wav", "pcm_s16le"),
        ("wav", "pcm_f32le"),
        ("flac", "flac"),
        ("ogg", "libopus"),
        ("mp3", "libmp3lame"),
        ("mp4", "aac"),
        ("aiff", "pcm_s16be"),
    ):
        target = io.BytesIO()
        with av.open(target, "w", format=container) as writer:
            stream: Any = writer.add_stream(codec, rate=48_000 if codec == "libopus" else 16_000)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(TONE[None], "fltp", "mono")
            frame.sample_rate = 16_000
            resampler = av.AudioResampler(stream.format.name, "mono", stream.rate)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                writer.mux(stream.encode(part))
            writer.mux(stream.encode(None))
        yield target.getvalue()


def pcm() -> Iterator[bytes]:
    """Yield PCM behind its rate, channels and format."""
    for rate, channels, number in ((16_000, 1, 0), (44_100, 2, 0), (8_000, 1, 1), (48_000, 32, 1)):
        dtype = "<i2" if number == 0 else "<f4"
        scale = 32767 if number == 0 else 1
        yield struct.pack("<HBB", rate, channels, number) + (TONE * scale).astype(dtype).tobytes()


def messages() -> Iterator[bytes]:
    """Yield one message of every type behind its number."""
    rng = random.Random(7)
    for number, descriptor in enumerate(descriptors()):
        data = b""
        for _ in range(20):  # the fullest of the short ones
            made = random_message(descriptor, rng).SerializeToString()
            data = made if len(data) < len(made) < 600 else data
        yield bytes([number]) + data


def rings() -> Iterator[bytes]:
    """Yield the file of a live ring with pictures, and of one with latents alone."""
    for side in (8, 0):
        with tempfile.TemporaryDirectory() as folder:
            ring = RingWriter(RingGeometry(side, side, 3), Fraction(40), folder=Path(folder))
            for frame in frames(4):
                pixels = ring.acquire()
                ring.publish(frame, pixels if side else None)
            yield Path(ring.path).read_bytes()
            ring.close()


def motion_files() -> Iterator[bytes]:
    """Yield a take per suffix behind the suffix's number."""
    suffixes = sorted(READERS)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".csv", ".npz"):
            path = Path(folder) / f"take{suffix}"
            export_motion(path, frames(3), Fraction(40))
            yield bytes([suffixes.index(suffix)]) + path.read_bytes()
    document, data = _morphs()
    document["buffers"] = [{"byteLength": len(data)}]
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(data), b"BIN\0") + data
    glb = struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
    yield bytes([suffixes.index(".glb")]) + glb
    yield bytes([suffixes.index(".vrm")]) + glb
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:  # a member that is no array
        file.writestr("expression_names.npy", "jawOpen")
    yield bytes([suffixes.index(".npz")]) + archive.getvalue()


def _morphs() -> tuple[dict[str, Any], bytes]:
    """Return a glTF whose mesh has two named targets, moved in three keyframes; and its data."""
    times = np.array([0, 0.025, 0.05], np.float32).tobytes()
    weights = np.array([[0, 1], [0.5, 0.5], [1, 0]], np.float32).tobytes()
    turns = np.array([[0, 0, 0, 1], [0, 0.1, 0, 1], [0, 0.2, 0, 1]], np.float32).tobytes()
    data = times + weights + turns
    views, at = [], 0
    for part in (times, weights, turns):
        views.append({"buffer": 0, "byteOffset": at, "byteLength": len(part)})
        at += len(part)
    return {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}, {"name": "Head"}],
        "meshes": [
            {
                "primitives": [{"attributes": {}, "targets": [{}, {}]}],
                "extras": {"targetNames": ["jawOpen", "mouthSmileLeft"]},
            }
        ],
        "bufferViews": views,
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "SCALAR"},
            {"bufferView": 1, "componentType": 5126, "count": 6, "type": "SCALAR"},
            {"bufferView": 2, "componentType": 5126, "count": 3, "type": "VEC4"},
        ],
        "animations": [
            {
                "samplers": [{"input": 0, "output": 1}, {"input": 0, "output": 2}],
                "channels": [
                    {"sampler": 0, "target": {"node": 0, "path": "weights"}},
                    {"sampler": 1, "target": {"node": 1, "path": "rotation"}},
                ],
            }
        ],
    }, data


def zmq_messages() -> Iterator[bytes]:
    """Yield a latent, a picture, the end: number of parts, header length, header, payload."""
    blob = encode_blob(frames(1)[0])
    common = {"v": 1, "seq": 1, "epoch": 0, "pts": 0, "t": 5}
    for header, payload in (
        ({**common, "kind": "motion"}, blob),
        ({**common, "kind": "frame", "w": 2, "h": 2, "motion": blob}, bytes(16)),
        ({**common, "kind": "end"}, b""),
    ):
        packed = msgpack.packb(header)
        yield bytes([3, len(packed)]) + packed + payload


def clips() -> Iterator[bytes]:
    """Yield a clip: header, audio with an emotion, end."""
    header = controller_pb2.AudioStream()
    audio = header.audio_stream_header.audio_header
    audio.samples_per_second, audio.bits_per_sample, audio.channel_count = 16_000, 16, 1
    header.audio_stream_header.emotion_post_processing_params.emotion_contrast = 1.0
    sound = controller_pb2.AudioStream()
    sound.audio_with_emotion.audio_buffer = bytes(200)
    emotion = sound.audio_with_emotion.emotions.add()
    emotion.emotion["joy"] = 0.5
    parts = [message.SerializeToString() for message in (header, sound, sound)]
    yield b"".join(bytes([len(part)]) + part for part in parts)


if __name__ == "__main__":
    main()
