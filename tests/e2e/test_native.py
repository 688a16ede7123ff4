"""The native client: its own tests, its exports, and rings written by the service's writer."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from native_abi import MIRRORS
from native_build import NATIVE, build, run_ctest

from avatar_service.signals import MotionFrame
from avatar_service.transports import motion_codec, motion_schema
from avatar_service.transports.ring import RingGeometry, RingWriter

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def system() -> Path:
    return build("system")


def test_its_own_tests_pass(system: Path) -> None:
    run_ctest("system", system)


@pytest.mark.parametrize("preset", ["asan", "tsan", "mingw"])
def test_its_own_tests_pass_with_sanitizers_fuzzers_and_on_windows(preset: str) -> None:
    run_ctest(preset, build(preset))


def test_only_avatar_functions_are_exported_and_all_that_the_header_declares(system: Path) -> None:
    library = system / "libavatar_client.so"
    listing = subprocess.run(
        ["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True
    )
    exported = {line.split()[-1] for line in listing.stdout.splitlines()}
    headers = "".join(path.read_text() for path in NATIVE.glob("include/avatar_client/*.h"))
    declared = set(re.findall(r"AVATAR_API [^;(]*?\b(avatar_\w+)\(", headers))
    assert exported == declared
    assert len(declared) > 40


def test_generated_tables_are_up_to_date() -> None:
    subprocess.run([sys.executable, NATIVE / "tools/gen_tables.py", "--check"], check=True)


def test_the_header_is_plain_c_and_cpp(system: Path, tmp_path: Path) -> None:
    for compiler, standard, name in (("gcc", "c11", "a.c"), ("g++", "c++11", "a.cpp")):
        source = tmp_path / name
        source.write_text('#include "avatar_client.h"\n#include "avatar_tables.h"\n')
        command = [compiler, f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror"]
        command += ["-fsyntax-only", f"-I{NATIVE / 'include'}", str(source)]
        subprocess.run(command, check=True)


def test_every_header_stands_alone_and_the_umbrella_has_them_all() -> None:
    umbrella = (NATIVE / "include/avatar_client.h").read_text()
    for header in NATIVE.glob("include/avatar_client/*.h"):
        assert f'#include "avatar_client/{header.name}"' in umbrella
        assert len(header.read_text().splitlines()) <= 200
        command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
        subprocess.run([*command, "-x", "c", str(header)], check=True)


def test_the_structs_of_the_tests_are_those_of_the_header(tmp_path: Path) -> None:
    source = tmp_path / "sizes.c"
    checks = [
        f'_Static_assert(sizeof({name}) == {ctypes.sizeof(mirror)}, "{name}");'
        for name, mirror in MIRRORS.items()
    ]
    source.write_text('#include "avatar_client.h"\n' + "\n".join(checks))
    include = f"-I{NATIVE / 'include'}"
    subprocess.run(["gcc", "-std=c11", "-fsyntax-only", include, str(source)], check=True)


def dump(system: Path, ring: RingWriter, pixels: Path) -> dict[str, object]:
    done = subprocess.run(
        [system / "tests/ring_dump", ring.path, pixels], capture_output=True, text=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(("width", "height"), [(0, 0), (64, 48), (512, 512)])
def test_a_ring_of_the_service_is_read_byte_by_byte(
    system: Path, tmp_path: Path, width: int, height: int
) -> None:
    random = np.random.default_rng(11)
    ring = RingWriter(RingGeometry(width, height), Fraction(30000, 1001), folder=tmp_path)
    try:
        for seq in range(1, 12):
            motion = MotionFrame(
                pts_nanos=seq * 33_366_666,
                seq=3 * seq,
                epoch=65_540,
                expression=random.random(52, np.float32),
                head_rotation=random.uniform(-0.4, 0.4, 3).astype(np.float32),
                head_translation=random.uniform(-1, 1, 3).astype(np.float32),
                gaze=random.uniform(-0.5, 0.5, (2, 2)).astype(np.float32),
                emotion=random.random(8, np.float32),
                speech=0.75,
            )
            pixels = random.integers(0, 256, (height, width, 4), np.uint8) if width else None
            ring.publish(motion, pixels)
        told = dump(system, ring, tmp_path / "pixels")
        assert told["seq"] == motion.seq
        assert told["pts_nanos"] == motion.pts_nanos
        assert told["epoch"] == motion.epoch
        assert told["fps"] == [30000, 1001]
        assert (told["width_px"], told["height_px"]) == (width, height)
        assert told["ring_id"] == ring.ring_id.hex()
        assert told["is_live"] == 1
        channels = told["motion"]
        assert isinstance(channels, dict)
        assert list(channels) == [channel.name for channel in motion_schema.CHANNELS]
        floats = np.array(list(channels.values()), np.float32)
        np.testing.assert_array_equal(floats, motion_codec.to_floats(motion))
        if pixels is not None:
            assert (tmp_path / "pixels").read_bytes() == pixels.tobytes()
    finally:
        ring.close()


def test_a_ring_of_another_version_is_refused_with_its_reason(system: Path, tmp_path: Path) -> None:
    ring = RingWriter(RingGeometry(16, 16), Fraction(40), folder=tmp_path)
    try:
        with ring.path.open("r+b") as file:
            file.seek(8)
            file.write((2).to_bytes(4, "little"))
        told = dump(system, ring, tmp_path / "pixels")
        assert told["reason"] == "PROTOCOL_MISMATCH"
        assert told["code"] == 9
    finally:
        ring.close()
