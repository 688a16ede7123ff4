"""Tokens, scopes and owners, over real calls; rotation while calls run."""

from __future__ import annotations

import hashlib
import os
import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from fakes.certificates import write_certificate
from fakes.service import FakeStages, RunningService, fake_fit, running_service
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rpc_tools import OBSERVER, Stream, opening, photo_parts, reason_of, refused
from typer.testing import CliRunner

from avatar_service.cli.app import app
from avatar_service.config import TlsConfig, load_config
from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.gen.avatar.v1 import avatar_service_pb2_grpc
from avatar_service.server import interceptor
from avatar_service.server.access import ALLOWED, EVERY_SCOPE, Scope, TokenFile, read_tokens
from avatar_service.server.main import Service
from avatar_service.server.reloading import ReloadedFiles
from avatar_service.server.tls import TlsFiles, read_material

pytestmark = pytest.mark.unit

GAME, RIVAL, WALL, BOSS = (letter * 20 for letter in "grwb")
TOKENS = f"""
# tokens of the test
{GAME} name=game scopes=animate
{RIVAL} name=rival scopes=animate
sha256:{hashlib.sha256(WALL.encode()).hexdigest()} name=wall scopes=observe
{BOSS} name=boss scopes=admin
"""
WAIT_SECS = 10.0


class Caller:
    """A stub that sends one token with every call."""

    def __init__(self, channel: grpc.Channel, token: str) -> None:
        self._stub = avatar_service_pb2_grpc.AvatarServiceStub(channel)
        self._metadata = [("authorization", f"Bearer {token}")]

    def __getattr__(self, name: str):
        method = getattr(self._stub, name)
        return lambda request, **options: method(request, metadata=self._metadata, **options)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("home")
    (home / "tokens").write_text(TOKENS)
    with running_service(home, token_file=home / "tokens") as running:
        yield running


@pytest.fixture
def callers(service: RunningService) -> dict[str, Caller]:
    named = {"game": GAME, "rival": RIVAL, "wall": WALL, "boss": BOSS, "nobody": "x" * 20}
    return {name: Caller(service.channel, token) for name, token in named.items()}


def test_every_method_of_the_service_has_its_scopes() -> None:
    methods = pb.DESCRIPTOR.services_by_name["AvatarService"].methods
    named = {f"/avatar.v1.AvatarService/{method.name}" for method in methods}
    assert named <= set(ALLOWED)


def test_a_wrong_token_or_none_opens_nothing(service, callers) -> None:
    for call in (
        lambda: callers["nobody"].GetServerInfo(pb.GetServerInfoRequest()),
        lambda: service.stub.GetServerInfo(pb.GetServerInfoRequest()),
        lambda: list(callers["nobody"].Animate(iter([opening("x")]))),
        lambda: service.stub.GetServerInfo(
            pb.GetServerInfoRequest(), metadata=[("authorization", f"Basic {GAME}")]
        ),
    ):
        error = refused(call)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert reason_of(error) == "UNAUTHENTICATED"
    health = health_pb2_grpc.HealthStub(service.channel)
    assert health.Check(health_pb2.HealthCheckRequest()).status == 1, "probes carry no token"


def test_a_call_that_never_sends_its_request_holds_no_place(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(interceptor, "REQUEST_SECS", 0.5)
    (tmp_path / "tokens").write_text(TOKENS)
    with running_service(tmp_path, token_file=tmp_path / "tokens", quotas__calls=2) as service:

        def hold(token: str) -> grpc.Future:
            metadata = [("authorization", f"Bearer {token}")]
            call = service.channel.stream_unary("/avatar.v1.AvatarService/GetServerInfo")
            return call.future(iter(queue.Queue().get, None), metadata=metadata)

        assert hold("x" * 20).code() is grpc.StatusCode.UNAUTHENTICATED
        held = [hold(GAME) for _ in range(3)]
        assert sorted(call.code().name for call in held) == [
            "INVALID_ARGUMENT",  # out of patience
            "INVALID_ARGUMENT",
            "RESOURCE_EXHAUSTED",
        ]
        Caller(service.channel, GAME).GetServerInfo(pb.GetServerInfoRequest())


@pytest.mark.parametrize(
    ("caller", "call"),
    [
        ("game", lambda stub: stub.CreateAvatar(photo_parts())),
        ("game", lambda stub: stub.DeleteAvatar(pb.DeleteAvatarRequest(avatar_id="0" * 32))),
        ("wall", lambda stub: stub.CreateSession(pb.CreateSessionRequest())),
        ("wall", lambda stub: stub.ListAvatars(pb.ListAvatarsRequest())),
        ("boss", lambda stub: stub.CreateSession(pb.CreateSessionRequest())),
    ],
)
def test_a_token_covers_its_scopes_and_no_more(callers, caller: str, call) -> None:
    error = refused(lambda: call(callers[caller]))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "scope" in error.details()


def test_a_session_is_steered_by_its_owner_and_watched_by_who_knows_its_id(callers) -> None:
    created = callers["game"].CreateSession(pb.CreateSessionRequest())
    session_id = created.session.session_id
    closing = pb.CloseSessionRequest(session_id=session_id)
    for name in ("rival", "wall"):
        error = refused(lambda name=name: list(callers[name].Animate(iter([opening(session_id)]))))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert refused(lambda name=name: callers[name].CloseSession(closing)).code() is (
            grpc.StatusCode.PERMISSION_DENIED
        )
    watching = callers["wall"].Animate(iter([opening(session_id, OBSERVER)]))
    assert next(watching).opened.session.session_id == session_id
    watching.cancel()
    # What an observer was sent does not make it the controller, with the observer's token.
    replayed = [opening(session_id, OBSERVER), opening(session_id)]
    error = refused(lambda: list(callers["wall"].Animate(iter(replayed))))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    callers["boss"].CloseSession(closing)


def test_who_a_person_is_is_told_to_administrators(callers) -> None:
    made = callers["boss"].CreateAvatar(photo_parts(b"someone")).avatar
    asked = pb.GetAvatarRequest(avatar_id=made.avatar_id)
    assert callers["boss"].GetAvatar(asked).avatar.consent.subject == "A. Person"
    assert not callers["game"].GetAvatar(asked).avatar.HasField("consent")
    listed = callers["game"].ListAvatars(pb.ListAvatarsRequest()).avatars
    assert listed
    assert not any(avatar.HasField("consent") for avatar in listed)
    callers["boss"].DeleteAvatar(pb.DeleteAvatarRequest(avatar_id=made.avatar_id))


def replace_file(path: Path, content: str | bytes) -> None:
    """Swap a file as a careful operator does."""
    partial = path.with_name(path.name + ".new")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)


@contextmanager
def guarded(home: Path, tokens: str, **options: object) -> Iterator[RunningService]:
    (home / "tokens").write_text(tokens)
    with running_service(home, token_file=home / "tokens", **options) as running:
        yield running


def follow(service: RunningService) -> None:
    """Do now what the service does every second."""
    service.call(service.service.housekeeping.follow_files())


def test_a_withdrawn_token_ends_its_streams_and_a_new_one_goes_on(tmp_path: Path) -> None:
    line = "{} name=game scopes=animate\n"
    with guarded(tmp_path, line.format(GAME)) as service:
        old = Caller(service.channel, GAME)
        session_id = old.CreateSession(pb.CreateSessionRequest()).session.session_id
        stream = Stream(old, session_id)
        replace_file(tmp_path / "tokens", line.format(GAME) + line.format(RIVAL))
        follow(service)
        new = Caller(service.channel, RIVAL)
        assert new.GetSession(pb.GetSessionRequest(session_id=session_id)), "both at once"
        replace_file(tmp_path / "tokens", line.format(RIVAL))
        follow(service)
        error = refused(stream.rest)
        assert reason_of(error) == "UNAUTHENTICATED"
        assert "withdrawn" in error.details()
        assert refused(lambda: Stream(old, session_id)).code() is grpc.StatusCode.UNAUTHENTICATED
        taken_over = Stream(new, session_id)  # the client's name owns the session, not its token
        taken_over.close()
        new.CloseSession(pb.CloseSessionRequest(session_id=session_id))


def test_a_stream_that_nobody_reads_ends_too_when_its_token_is_withdrawn(tmp_path: Path) -> None:
    lines = f"{GAME} name=game\n{BOSS} name=boss\n"
    with guarded(tmp_path, lines) as service:
        game = Caller(service.channel, GAME)
        avatar_id = game.CreateAvatar(photo_parts()).avatar.avatar_id
        created = game.CreateSession(pb.CreateSessionRequest(avatar_id=avatar_id))
        session_id = created.session.session_id
        Stream(game, session_id)  # raw frames of 1 MiB, of which none is read
        manager = service.service._manager
        time.sleep(0.3)
        replace_file(tmp_path / "tokens", f"{BOSS} name=boss\n")
        follow(service)
        deadline = time.monotonic() + WAIT_SECS
        while manager.get(session_id).num_streams and time.monotonic() < deadline:
            time.sleep(0.01)
        assert manager.get(session_id).num_streams == 0
        assert not service.service._guard._running


@pytest.mark.parametrize("bad", ["", "short", f"{GAME} scope=admin", f"{GAME}\n{GAME}", None])
def test_a_bad_token_file_leaves_the_old_tokens_in_force(
    tmp_path: Path, bad: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tokens"
    path.write_text(TOKENS)
    tokens = TokenFile(path)
    if bad is None:
        path.unlink()
    else:
        replace_file(path, bad)
    assert not tokens.poll()
    assert not tokens.poll()
    assert tokens.find([("authorization", f"Bearer {GAME}")]).name == "game"
    assert len(caplog.records) == 2, "the file's mode once, the refusal once"
    assert GAME not in caplog.text


def test_a_line_means_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{GAME}\n{WALL} name=wall scopes=observe,animate # both\n")
    first, second = read_tokens(path)
    assert (first.name, first.scopes) == ("default", EVERY_SCOPE)
    assert (second.name, second.scopes) == ("wall", {Scope.OBSERVE, Scope.ANIMATE})
    assert GAME not in repr(first)


@pytest.mark.parametrize(
    "line",
    [
        "short",
        "ümläute" * 4,
        f"{GAME} name=a/b",
        f"{GAME} name={'n' * 41}",
        f"{GAME} scopes=",
        f"{GAME} scopes=root",
        f"{GAME} something",
        "sha256:1234",
    ],
)
def test_a_line_that_means_nothing_is_refused_without_showing_the_token(
    tmp_path: Path, line: str
) -> None:
    (tmp_path / "tokens").write_text(line)
    with pytest.raises(AvatarError) as fault:
        read_tokens(tmp_path / "tokens")
    assert fault.value.reason is Reason.INVALID_FIELD
    assert GAME not in fault.value.message


def test_a_fifo_as_token_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tokens")
    with pytest.raises(AvatarError, match="is not a file"):
        read_tokens(tmp_path / "tokens")


def test_a_change_within_one_tick_of_the_files_clock_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "value"
    path.write_text("one")
    stamp = path.stat().st_mtime_ns
    files = ReloadedFiles((path,), lambda: path.read_text())
    with path.open("r+") as file:  # same inode, size and modification time
        file.write("two")
    os.utime(path, ns=(stamp, stamp))
    assert files.poll()
    assert files.value == "two"


def test_new_connections_get_the_new_certificate(tmp_path: Path) -> None:
    key, pem = write_certificate(tmp_path, "live")
    new_key, new_pem = write_certificate(tmp_path, "new")
    old_root, new_root = pem.read_bytes(), new_pem.read_bytes()
    (tmp_path / "tokens").write_text(TOKENS)
    options = {"tls.certificate": pem, "tls.private_key": key}
    with running_service(tmp_path, token_file=tmp_path / "tokens", **options) as service:
        address = service.address.replace("127.0.0.1", "localhost")

        def accepts(root: bytes) -> bool:
            channel = grpc.secure_channel(
                address,
                grpc.ssl_channel_credentials(root),
                [("grpc.use_local_subchannel_pool", 1)],
            )
            health = health_pb2_grpc.HealthStub(channel)
            try:
                health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            except grpc.RpcError:
                return False
            finally:
                channel.close()
            return True

        assert (accepts(old_root), accepts(new_root)) == (True, False)
        replace_file(pem, new_pem.read_bytes())
        follow(service)
        assert accepts(old_root), "a certificate without its key is not taken over"
        replace_file(key, new_key.read_bytes())
        follow(service)
        assert (accepts(old_root), accepts(new_root)) == (False, True)


def test_mutual_tls_asks_the_client_for_a_certificate(tmp_path: Path) -> None:
    key, pem = write_certificate(tmp_path, "server")
    client_key, client_pem = write_certificate(tmp_path, "client")
    stranger_key, stranger_pem = write_certificate(tmp_path, "stranger")
    options = {"tls.certificate": pem, "tls.private_key": key, "tls.client_ca": client_pem}
    with running_service(tmp_path, **options) as service:
        address = service.address.replace("127.0.0.1", "localhost")
        for own_key, own_pem, is_let_in in (
            (client_key, client_pem, True),
            (stranger_key, stranger_pem, False),
            (None, None, False),
        ):
            credentials = grpc.ssl_channel_credentials(
                pem.read_bytes(),
                own_key.read_bytes() if own_key else None,
                own_pem.read_bytes() if own_pem else None,
            )
            with grpc.secure_channel(
                address, credentials, [("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                stub = avatar_service_pb2_grpc.AvatarServiceStub(channel)
                if is_let_in:
                    stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=5)
                else:
                    error = refused(
                        lambda stub=stub: stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=5)
                    )
                    assert error.code() is grpc.StatusCode.UNAVAILABLE


def test_tls_files_that_cannot_work_are_told_at_the_start(tmp_path: Path) -> None:
    key, pem = write_certificate(tmp_path, "good")
    other_key, _ = write_certificate(tmp_path, "other")
    _, expired = write_certificate(tmp_path, "expired", days=-1)
    locked, locked_pem = write_certificate(tmp_path, "locked", password=b"secret")
    (tmp_path / "no.pem").write_text("nothing")
    bad = tmp_path / "no.pem"
    for certificate, private, ca, told in (
        (bad, key, None, "no certificate"),
        (pem, bad, None, "no private key"),
        (pem, other_key, None, "does not belong"),
        (expired, key, None, "expired on"),
        (locked_pem, locked, None, "password"),
        (pem, key, bad, "tls.client_ca"),
        (pem, tmp_path / "absent", None, "cannot read"),
    ):
        with pytest.raises(AvatarError, match=told) as fault:
            read_material(certificate, private, ca)
        assert fault.value.reason is Reason.INVALID_FIELD
        assert "\n" not in fault.value.message
    assert "PRIVATE" not in repr(TlsFiles(TlsConfig(pem, key))._files.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"shm.group": "no-such-group"}, "shm.group: no group 'no-such-group'"),
        ({"shm.folder": "/proc"}, "shared memory /proc"),
        ({"shm.folder": "/nowhere"}, "shared memory /nowhere"),
        ({"token_file": "/nowhere"}, "token_file: cannot read /nowhere"),
        ({"tls.certificate": "/nowhere", "tls.private_key": "/nowhere"}, "tls.certificate: cannot"),
        ({"listen": "0.0.0.0:0"}, "listen: listening on 0.0.0.0 is open to other machines"),
    ],
)
def test_what_cannot_work_is_told_before_anything_listens(
    tmp_path: Path, options: dict[str, str], told: str
) -> None:
    config = load_config({"home": tmp_path, **options}, environ={})
    with pytest.raises(AvatarError) as fault:
        Service(config, stages=FakeStages(), fit=fake_fit)
    assert told in fault.value.message
    assert "\n" not in fault.value.message


def test_the_command_names_its_options(tmp_path: Path) -> None:
    for arguments, told in (
        (["--max-sessions", "0"], "--max-sessions is 0; 1 to 4096 is allowed"),
        (["--tls-certificate", "a", "--tls-private-key", "b", "--listen", "x"], "--listen is 'x'"),
        (["--log-level", "loud"], "--log-level is 'loud'"),
    ):
        result = CliRunner().invoke(app, ["serve", *arguments])
        assert isinstance(result.exception, AvatarError), result.output
        assert result.exception.message.startswith(told)
