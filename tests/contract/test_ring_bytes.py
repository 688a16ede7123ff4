"""The bytes of ring and latent: what the writer writes is the golden file, and C and Python read
the golden file alike."""

import json
import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from avatar_client import RingReader
from avatar_client import ring_layout as client_layout
from avatar_client.gen.avatar.v1 import endpoint_pb2
from avatar_client.motion import decode_blob
from fakes.latents import distinct_motion

from avatar_service.transports import motion_codec
from avatar_service.transports import ring as ring_module
from avatar_service.transports import ring_layout as layout
from avatar_service.transports.ring import RingGeometry, RingWriter

pytestmark = pytest.mark.contract
ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
RING = GOLDEN / "frame_ring_v1.bin"
BLOB = GOLDEN / "motion_blob_v1.bin"
RING_ID = bytes(range(16))
SEQS = (5, 6, 8, 9)  # four pictures through three slots, with a gap


def pixels_of(seq):
    return (np.arange(2 * 4 * 4, dtype=np.uint8) * 7 + seq).reshape(2, 4, 4)


def motion_of(seq):
    return distinct_motion(seq=seq, epoch=seq // 3, pts_nanos=seq * 25_000_000)


def write_ring(folder, monkeypatch):
    """Write the golden scene; what depends on process and time is fixed."""
    monkeypatch.setattr(ring_module.secrets, "token_bytes", lambda _: RING_ID)
    monkeypatch.setattr(ring_module.time, "monotonic_ns", lambda: 123_456_789)
    monkeypatch.setattr(ring_module.os, "getpid", lambda: 4242)
    monkeypatch.setattr(ring_module, "process_start_ticks", lambda: 777)
    ring = RingWriter(RingGeometry(4, 2, 3), Fraction(30000, 1001), folder=folder)
    for seq in SEQS:
        ring.publish(motion_of(seq), pixels_of(seq))
    content = ring.path.read_bytes()
    ring.close()
    return content


def test_the_writer_writes_the_golden_bytes(tmp_path, monkeypatch):
    content = write_ring(tmp_path, monkeypatch)
    blob = motion_codec.encode_blob(distinct_motion())
    if os.environ.get("UPDATE_GOLDEN"):
        RING.write_bytes(content)
        BLOB.write_bytes(blob)
    assert content == RING.read_bytes()
    assert blob == BLOB.read_bytes()


def test_the_python_client_reads_the_golden_bytes():
    descriptor = endpoint_pb2.RingDescriptor(
        path=str(RING), ring_id=RING_ID, file_bytes=RING.stat().st_size, width_px=4, height_px=2
    )
    reader = RingReader(descriptor)
    for seq in SEQS[1:]:
        frame = reader.due(seq * 25_000_000)
        assert (frame.seq, frame.epoch) == (seq, seq // 3)
        np.testing.assert_array_equal(frame.pixels, pixels_of(seq))
        np.testing.assert_array_equal(frame.motion.values, motion_codec.to_floats(motion_of(seq)))
    assert reader.due(SEQS[0] * 25_000_000) is None


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")
@pytest.mark.parametrize("language", ["c11", "c++17"])
def test_c_reads_the_golden_bytes_as_python_does(tmp_path, language):
    source = Path(__file__).parent / "ring_dump.c"
    program = tmp_path / "ring_dump"
    is_cpp = language.startswith("c++")
    compiler = "c++" if is_cpp else "cc"
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} on this machine")
    include = ROOT / "engine_clients/native/include"
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", f"-std={language}"]
    subprocess.run(
        [compiler, "-x", "c++" if is_cpp else "c", *flags, f"-I{include}", source, "-o", program],
        check=True,
    )
    output = subprocess.run(
        [program, RING, BLOB], check=True, capture_output=True, text=True
    ).stdout
    found = json.loads(output)
    slots = found.pop("slots")
    blob = found.pop("blob")
    assert found == {
        "slot_count": 3,
        "width_px": 4,
        "height_px": 2,
        "head": 4,
        "publications": 4,
        "state": layout.STATE_LIVE,
        "epoch": SEQS[-1] // 3,
        "fps": [30000, 1001],
    }
    # Picture 4 has overwritten picture 1.
    for slot, (number, seq) in zip(slots, [(4, 9), (2, 6), (3, 8)], strict=True):
        motion = motion_of(seq)
        assert slot["lock"] == 2 * number
        assert (slot["seq"], slot["pts_nanos"]) == (seq, seq * 25_000_000)
        assert (slot["epoch"], slot["flags"]) == (seq // 3, layout.FLAG_PIXELS)
        assert slot["pixels"] == polynomial_sum(pixels_of(seq))
        for name in ("expression", "head_rotation", "head_translation", "gaze", "emotion"):
            wanted = np.asarray(getattr(motion, name), np.float32).ravel()
            np.testing.assert_array_equal(np.float32(slot[name]), wanted)
        assert np.float32(slot["speech"][0]) == np.float32(motion.speech)
    python = decode_blob(BLOB.read_bytes()).values
    np.testing.assert_allclose(np.float32(blob), python, atol=1e-7, rtol=1e-6)


def polynomial_sum(pixels):
    total = 0
    for value in pixels.ravel().tolist():
        total = (total * 31 + value) & 0xFFFFFFFF
    return total


def test_service_and_client_have_the_same_layout():
    names = {name for name in vars(layout) if name.isupper()}
    assert names == {name for name in vars(client_layout) if name.isupper()}
    for name in names:
        assert getattr(layout, name) == getattr(client_layout, name), name


def test_words_shared_between_processes_are_aligned_and_apart():
    fields = layout.HEADER_DTYPE.fields
    head, publications = fields["head"][1], fields["publications"][1]
    assert head % 64 == 0
    assert head // 64 == publications // 64
    others = {name: entry[1] for name, entry in fields.items()}
    near = {name for name, offset in others.items() if offset // 128 == head // 128}
    assert near == {"head", "publications"}
    assert layout.SLOT_DTYPE.fields["lock"][1] == 0
    assert layout.BLOB_BYTES <= 128
