import datetime
from pathlib import Path

import pytest
from avatar_client import (
    AccessError,
    AvatarClientError,
    BackOff,
    Consent,
    ExhaustedError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    PreconditionError,
    TimeoutExceededError,
    UnavailableError,
    connect,
)
from avatar_client.sources import host_of, is_local

from avatar_service.errors import ANSWERS, AvatarError, Reason

pytestmark = pytest.mark.unit
CONSENT = Consent("Ada", "my own photo")


def test_a_service_that_is_starting_is_waited_for(service):
    service.num_unavailable = 3
    with connect(service.target, back_off=BackOff(initial_secs=0.001)) as client:
        assert client.info.api_version == "1.0"
    assert len(service.requests) == 4


def test_nobody_there_is_told_with_the_address():
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1\b") as caught:
        connect("127.0.0.1:1", timeout_secs=0.3)
    assert caught.value.retry_secs is not None


@pytest.mark.parametrize("version", ["2.0", "0.9"])
def test_another_major_version_is_refused(service, version):
    service.api_version = version
    with pytest.raises(PreconditionError, match=version) as caught:
        connect(service.target)
    assert caught.value.reason == "PROTOCOL_MISMATCH"


def test_a_newer_minor_version_is_fine(service):
    service.api_version = "1.7"
    connect(service.target).close()


def test_the_token_goes_with_every_call(service):
    with connect(service.target, token="secret") as client:
        client.create_avatar(b"photo", CONSENT)
        client.open_session("a1", transport="grpc").close()
    assert service.tokens == {"Bearer secret"}


def test_a_token_never_leaves_the_machine_in_the_clear():
    with pytest.raises(AccessError, match="TLS"):
        connect("example.org:50551", token="secret", timeout_secs=0.1)


@pytest.mark.parametrize(
    ("target", "host", "local"),
    [
        ("localhost:50551", "localhost", True),
        ("127.0.0.2:1", "127.0.0.2", True),
        ("[::1]:50551", "::1", True),
        ("dns:///game.example:1", "game.example", False),
        ("dns:game.example:1", "game.example", False),
        ("10.0.0.1:50551", "10.0.0.1", False),
        ("127.example.org:1", "127.example.org", False),
        ("unix:/run/avatar.sock", "", True),
    ],
)
def test_where_a_target_is(target, host, local):
    assert is_local(target) is local
    if host:
        assert host_of(target) == host


def test_a_photo_goes_in_chunks_behind_its_header(client, service):
    photo = bytes(range(256)) * 700
    end = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
    consent = Consent("Ada", "written consent", stated_by="Studio", valid_until=end)
    avatar = client.create_avatar(photo, consent, display_name="Ada", crop="keep")
    assert avatar.avatar_id == "a1"
    (header, *chunks) = service.uploads[0]
    assert header.header.photo_bytes == len(photo)
    assert header.header.consent.subject == "Ada"
    assert header.header.consent.valid_until.ToDatetime(datetime.UTC) == end
    assert b"".join(part.photo_chunk for part in chunks) == photo
    assert max(len(part.photo_chunk) for part in chunks) <= 64 << 10


def test_a_consent_without_time_zone_is_refused(client):
    consent = Consent("Ada", "my own", valid_until=datetime.datetime(2030, 1, 1))
    with pytest.raises(ValueError, match="time zone"):
        client.create_avatar(b"x", consent)


def test_all_pages_of_a_list_are_read(client):
    assert [avatar.avatar_id for avatar in client.list_avatars()] == ["a0", "a1", "a2"]
    assert client.delete_avatar("a1", end_sessions=True) == 2


TYPES = {
    "INVALID_ARGUMENT": InvalidRequestError,
    "NOT_FOUND": NotFoundError,
    "FAILED_PRECONDITION": PreconditionError,
    "RESOURCE_EXHAUSTED": ExhaustedError,
    "UNAVAILABLE": UnavailableError,
    "UNAUTHENTICATED": AccessError,
    "PERMISSION_DENIED": AccessError,
    "INTERNAL": InternalError,
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_the_table_arrives_typed(client, service, reason):
    service.fault = AvatarError(reason, "what is wrong", field="photo", metadata={"limit": "3"})
    with pytest.raises(TYPES.get(ANSWERS[reason].code, AvatarClientError)) as caught:
        client.get_session("s1")
    error = caught.value
    assert (error.reason, error.message) == (reason.value, "what is wrong")
    assert error.retry_secs == ANSWERS[reason].retry_secs
    assert error.field == "photo"
    assert error.metadata == {"limit": "3"}
    assert str(error) == f"what is wrong ({reason.value})"


def test_an_answer_that_does_not_come_is_a_timeout(service, monkeypatch):
    import threading

    hold = threading.Event()
    monkeypatch.setattr(service, "_enter", lambda *_: hold.wait(5))
    with pytest.raises(TimeoutExceededError) as caught:
        connect(service.target, timeout_secs=0.2)
    hold.set()
    assert caught.value.reason == "TIMEOUT"


@pytest.mark.parametrize("photo", ["me.jpg", Path("me.jpg"), None])
def test_a_path_in_place_of_a_photo_is_told_before_anything_is_sent(client, service, photo):
    sent = len(service.requests)
    with pytest.raises(ValueError, match=rf"photo: {type(photo).__name__}; .*read_bytes"):
        client.create_avatar(photo, CONSENT)
    with pytest.raises(ValueError, match="crop: 'head'; face or keep is expected"):
        client.create_avatar(b"photo", CONSENT, crop="head")
    assert len(service.requests) == sent
