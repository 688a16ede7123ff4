"""One session breaks in every way: it ends with a clear status, and the others go on."""

import errno
import os
import time

import grpc
import pytest
from avatar_client.motion import decode_blob
from fakes.service import running_service
from rpc_tools import Stream, audio, details_of, photo_parts, reason_of, refused

from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.gen.avatar.v1 import endpoint_pb2
from avatar_service.session.faults import error_of
from avatar_service.transports import shared_memory

pytestmark = pytest.mark.unit


class CUDARuntimeError(RuntimeError):
    """Named as CuPy's."""


class OutOfMemoryError(RuntimeError):
    """Named as PyTorch's and CuPy's."""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.mark.parametrize(
    ("fault", "reason", "code"),
    [
        (MemoryError(), "CAPACITY_EXHAUSTED", grpc.StatusCode.RESOURCE_EXHAUSTED),
        (OutOfMemoryError("of the GPU"), "CAPACITY_EXHAUSTED", grpc.StatusCode.RESOURCE_EXHAUSTED),
        (CUDARuntimeError("an illegal access"), "DEVICE_FAILED", grpc.StatusCode.ABORTED),
        (ValueError("Jane's secret"), "BUG", grpc.StatusCode.INTERNAL),
        (AvatarError(Reason.WARMING_UP, "not yet"), "WARMING_UP", grpc.StatusCode.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("where", ["push", "pull", "reset"])
def test_a_fault_in_one_session_ends_it_clearly_and_no_other(
    service, fault: Exception, reason: str, code: grpc.StatusCode, where: str
) -> None:
    stub = service.stub
    broken = stub.CreateSession(pb.CreateSessionRequest()).session.session_id
    motion = service.stages.motions[-1]
    sound = stub.CreateSession(pb.CreateSessionRequest()).session.session_id
    broken_stream, sound_stream = Stream(stub, broken), Stream(stub, sound)

    def fail(*_: object) -> None:
        raise fault

    setattr(motion, where, fail)
    if where == "reset":
        broken_stream.send(pb.AnimateRequest(interrupt={}))
    error = refused(broken_stream.rest)
    assert error.code() is code
    assert reason_of(error) == reason
    assert "Jane" not in error.details()
    sound_stream.send(audio(40))
    sound_stream.until("motion")
    sound_stream.close()
    stub.CloseSession(pb.CloseSessionRequest(session_id=sound))
    again = refused(lambda: Stream(stub, broken))
    assert reason_of(again) == "SESSION_CLOSED"
    assert error.details() in again.details(), "why it ended can still be read"


def test_a_gpu_that_fails_in_the_middle_of_a_frame_costs_one_session(service) -> None:
    stub = service.stub
    avatar_id = stub.CreateAvatar(photo_parts()).avatar.avatar_id
    wanted = pb.CreateSessionRequest(avatar_id=avatar_id, width_px=256)
    sound = stub.CreateSession(wanted).session.session_id
    service.stages.fail_at, service.stages.fault = 3, CUDARuntimeError("device-side assert")
    broken = stub.CreateSession(wanted).session.session_id
    service.stages.fail_at, service.stages.fault = None, None
    error = refused(Stream(stub, broken).rest)
    assert reason_of(error) == "DEVICE_FAILED"
    assert "device-side" not in error.details()
    assert "RetryInfo" in details_of(error)
    stream = Stream(stub, sound)
    stream.until("frame")
    stream.close()
    stub.CloseSession(pb.CloseSessionRequest(session_id=sound))


def test_a_gpu_that_stays_broken_ends_all_its_sessions_and_keeps_nothing_of_them(tmp_path) -> None:
    with running_service(tmp_path, shm__folder=tmp_path) as service:
        stub, stages = service.stub, service.stages
        avatar_id = stub.CreateAvatar(photo_parts()).avatar.avatar_id
        wanted = pb.CreateSessionRequest(
            avatar_id=avatar_id, width_px=256, transports=[endpoint_pb2.TRANSPORT_SHM]
        )
        # All at one frame, far enough that every stream is there.
        stages.fail_at, stages.fault = 60, CUDARuntimeError("an illegal access")
        stages.stays_broken = True
        streams = [Stream(stub, stub.CreateSession(wanted).session.session_id) for _ in range(3)]
        for stream in streams:
            assert reason_of(refused(stream.rest)) == "DEVICE_FAILED"
        assert service.service._capacity._reservations == set()
        assert list(tmp_path.glob(shared_memory.PREFIX + "*")) == []
        assert service.service._manager.num_sessions == 0


def test_every_kind_of_fault_is_logged_once() -> None:
    logged: list[Exception] = []

    def on_bug(fault: Exception) -> AvatarError:
        logged.append(fault)
        return AvatarError(Reason.BUG, "ours", metadata={"request_id": "1"})

    known = AvatarError(Reason.SESSION_CLOSED, "closed")
    assert error_of(known, on_bug) is known
    for fault in (MemoryError(), CUDARuntimeError(), ValueError()):
        assert error_of(fault, on_bug).metadata == {"request_id": "1"}
    assert len(logged) == 3


def test_full_shared_memory_refuses_the_session_and_nothing_else(service, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    stub = service.stub
    wanted = pb.CreateSessionRequest(transports=[endpoint_pb2.TRANSPORT_SHM])
    before = stub.CreateSession(wanted).session
    rings = set(shared_memory.default_folder().glob(shared_memory.PREFIX + "*"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        error = refused(lambda: stub.CreateSession(wanted))
    assert reason_of(error) == "STORAGE_EXHAUSTED"
    assert "RetryInfo" in details_of(error)
    made = set(shared_memory.default_folder().glob(shared_memory.PREFIX + "*")) - rings
    assert not {path for path in made if _is_ours(path)}, "no half-made ring is left"
    stream = Stream(stub, before.session_id)
    stream.close()
    after = stub.CreateSession(wanted).session
    for one in (before, after):
        stub.CloseSession(pb.CloseSessionRequest(session_id=one.session_id))


def _is_ours(path) -> bool:
    """Other tests' services make rings in the same folder at the same time."""
    return path.suffix == ".tmp" and path.stat().st_mtime > time.time() - 5


def test_a_full_disk_refuses_the_avatar_and_leaves_no_part_of_it(service, monkeypatch) -> None:
    from avatar_service.server import avatar_store

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    stub = service.stub
    session = stub.CreateSession(pb.CreateSessionRequest()).session
    store = service.service._avatars
    before = set(store._folder.iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(avatar_store, "write_synced", full)
        error = refused(lambda: stub.CreateAvatar(photo_parts(b"another photo")))
    assert reason_of(error) == "STORAGE_EXHAUSTED"
    assert set(store._folder.iterdir()) == before
    stub.CreateAvatar(photo_parts(b"another photo"))
    stream = Stream(stub, session.session_id)
    stream.send(audio(40))
    stream.until("motion")
    stream.close()
    stub.CloseSession(pb.CloseSessionRequest(session_id=session.session_id))


@pytest.mark.parametrize("jump_secs", [-3600.0 * 24 * 365, 3600.0 * 24 * 365])
def test_a_jump_of_the_wall_clock_moves_nothing(service, monkeypatch, jump_secs: float) -> None:
    stub = service.stub
    session_id = stub.CreateSession(pb.CreateSessionRequest()).session.session_id
    stream = Stream(stub, session_id)
    stream.send(audio(1000))
    first = stream.until("motion")
    real, real_nanos = time.time, time.time_ns
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: real() + jump_secs)
        patched.setattr(time, "time_ns", lambda: real_nanos() + round(jump_secs * 1e9))
        pts = [decode_blob(stream.until("motion").blob).pts_nanos for _ in range(10)]
    assert pts == sorted(pts)
    assert 0 < pts[-1] - decode_blob(first.blob).pts_nanos < 60_000_000_000
    state = stub.GetSession(pb.GetSessionRequest(session_id=session_id)).session
    assert state.state == 2, "SESSION_STATE_ACTIVE: not taken for idle"
    stream.close()
    stub.CloseSession(pb.CloseSessionRequest(session_id=session_id))
