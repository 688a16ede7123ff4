"""A disk and a shared memory that are really full: small tmpfs, where this user may mount one."""

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from fakes.service import running_service
from rpc_tools import photo_parts, reason_of, refused

from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.transports.ring import RingGeometry, RingWriter

pytestmark = pytest.mark.unit


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("NOT TESTED: no mount here; the injected faults of the other tests stand in")
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: {mounted.stderr.strip()}; injected faults stand in")
    yield place
    # Lazily: a closed ring stays mapped until its views are gone.
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_ring_that_does_not_fit_is_refused_and_leaves_nothing(small_disk: Path) -> None:
    small = RingWriter(RingGeometry(0, 0, 8), Fraction(40), folder=small_disk)
    with pytest.raises(AvatarError) as fault:
        RingWriter(RingGeometry(256, 256, 8), Fraction(40), folder=small_disk)
    assert fault.value.reason is Reason.STORAGE_EXHAUSTED
    assert list(small_disk.iterdir()) == [small.path]
    small.close()
    assert not list(small_disk.iterdir())


def test_an_avatar_that_does_not_fit_is_refused_and_leaves_nothing(small_disk: Path) -> None:
    with running_service(small_disk / "home") as service:
        store = small_disk / "home" / "avatars"
        error = refused(lambda: service.stub.CreateAvatar(photo_parts(b"x" * (2 << 20))))
        assert reason_of(error) == "STORAGE_EXHAUSTED"
        assert not list(store.iterdir())
        service.stub.CreateAvatar(photo_parts(b"a small photo"))
        service.stub.CreateSession(pb.CreateSessionRequest())
