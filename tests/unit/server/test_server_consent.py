"""The right to be shown ends while a session runs."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from fakes.service import running_service
from rpc_tools import CONSENT, Stream, photo_parts, reason_of, refused
from typer.testing import CliRunner

from avatar_service.cli.consents import app
from avatar_service.gen.avatar.v1 import avatar_pb2
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.provenance.consent_book import ConsentBook

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def stub(home):
    with running_service(home) as running:
        yield running.stub


def open_stream(stub, photo: bytes, consent=CONSENT) -> Stream:
    avatar = stub.CreateAvatar(photo_parts(photo, consent=consent)).avatar.avatar_id
    session = stub.CreateSession(pb.CreateSessionRequest(avatar_id=avatar)).session
    return Stream(stub, session.session_id)


def test_revoking_by_command_ends_the_session_and_erases_the_photo(stub, home) -> None:
    stream, other = open_stream(stub, b"revoked"), open_stream(stub, b"still allowed")
    sha256 = hashlib.sha256(b"revoked").hexdigest()
    done = CliRunner().invoke(app, ["revoke", sha256[:16], "--home", str(home)])
    assert done.exit_code == 0, done.output
    assert "erased 1 avatar" in done.output
    assert reason_of(refused(stream.rest)) in ("CONSENT_REQUIRED", "SESSION_CLOSED")
    assert not any(p.read_bytes() == b"revoked" for p in home.rglob("photo"))
    again = refused(lambda: stub.CreateAvatar(photo_parts(b"revoked")))
    assert reason_of(again) == "CONSENT_REQUIRED"
    assert "Jane" not in again.details()
    listed = CliRunner().invoke(app, ["list", "--json", "--home", str(home)])
    assert '"state": "revoked"' in listed.output
    assert CliRunner().invoke(app, ["check", "--home", str(home)]).exit_code == 0
    other.close()


def test_no_session_begins_once_the_consent_is_revoked(stub, home) -> None:
    avatar_id = stub.CreateAvatar(photo_parts(b"about to be erased")).avatar.avatar_id
    sha256 = hashlib.sha256(b"about to be erased").hexdigest()
    ConsentBook(home / "provenance").revoke(sha256)  # another process, before it erases
    wanted = pb.CreateSessionRequest(avatar_id=avatar_id)
    assert reason_of(refused(lambda: stub.CreateSession(wanted))) == "CONSENT_REQUIRED"


def test_a_consent_that_expires_ends_the_session(stub) -> None:
    consent = avatar_pb2.ConsentStatement(subject="A", basis="own")
    consent.valid_until.FromDatetime(datetime.now(UTC) + timedelta(seconds=2))
    assert reason_of(refused(open_stream(stub, b"soon over", consent).rest)) == "CONSENT_REQUIRED"


def test_the_check_exits_with_1_where_the_ledger_was_changed(stub, home) -> None:
    stub.CreateAvatar(photo_parts(b"one more"))
    ledger = home / "provenance" / "ledger.jsonl"
    whole = ledger.read_bytes()
    try:
        ledger.write_bytes(whole.replace(b'"avatar"', b'"head"', 1))
        done = CliRunner().invoke(app, ["check", "--home", str(home)])
    finally:
        ledger.write_bytes(whole)
    assert done.exit_code == 1
    assert "line 1 was changed" in done.output
