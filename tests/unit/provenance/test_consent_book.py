import gc
import json
import multiprocessing
import os
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.consent import Consent
from avatar_service.provenance.consent_audit import audit_all, read_export
from avatar_service.provenance.consent_book import ConsentBook, State
from avatar_service.provenance.installation import Identity, Installation
from avatar_service.provenance.ledger import LOCKED_RETRY_SECS
from avatar_service.provenance.statements import parse_statement

pytestmark = pytest.mark.unit
PHOTO, OTHER = "ab" * 32, "cd" * 32
JANE = Consent("Jane Doe", "she agreed in writing")


def reason_of(call) -> Reason:
    with pytest.raises(AvatarError) as fault:
        call()
    assert "\n" not in fault.value.message
    return fault.value.reason


def ledger_of(folder: Path) -> Path:
    return folder / "ledger.jsonl"


def test_a_statement_is_found_again_by_another_process(tmp_path: Path) -> None:
    made = ConsentBook(tmp_path).record(JANE, PHOTO, "avatar")
    again = ConsentBook(tmp_path)
    assert again.read(made.digest).subject == "Jane Doe"
    (standing,) = again.standings()
    assert (standing.photo_sha256, standing.state) == (PHOTO, State.VALID)
    assert again.audit().faults == ()


def test_only_this_user_can_read_key_ledger_and_statements(tmp_path: Path) -> None:
    folder = tmp_path / "provenance"
    ConsentBook(folder).record(JANE, PHOTO, "avatar")
    for path in [folder, *folder.rglob("*")]:
        if path.name != "ledger.lock":
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Installation(tmp_path)
    (tmp_path / "installation.pem").chmod(0o644)
    assert reason_of(lambda: Installation(tmp_path)) is Reason.INVALID_FILE


def test_two_processes_that_begin_at_once_get_one_key(tmp_path: Path) -> None:
    first, second = Installation(tmp_path), Installation(tmp_path)
    assert first.identity == second.identity
    assert [p.name for p in tmp_path.iterdir()] == ["installation.pem"]


def test_a_file_system_without_links_gets_a_key_too(tmp_path: Path, monkeypatch) -> None:
    def link(source: str, target: Path) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr("avatar_service.provenance.installation.os.link", link)
    first = Installation(tmp_path)
    monkeypatch.undo()
    assert Installation(tmp_path).identity == first.identity
    assert [p.name for p in tmp_path.iterdir()] == ["installation.pem"]


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "installation.pem"
    path.touch(mode=0o600)
    path.write_text(text)
    assert reason_of(lambda: Installation(tmp_path)) is Reason.INVALID_FILE


def test_the_ledger_names_nobody(tmp_path: Path) -> None:
    ConsentBook(tmp_path).record(JANE, PHOTO, "avatar")
    text = ledger_of(tmp_path).read_text()
    assert "Jane" not in text
    assert "writing" not in text


def test_a_revoked_photo_takes_no_new_statement_until_reinstated(tmp_path: Path) -> None:
    book = ConsentBook(tmp_path)
    book.record(JANE, PHOTO, "avatar")
    ConsentBook(tmp_path).revoke(PHOTO)  # as the command does, beside a running service
    assert book.standings()[0].state is State.REVOKED
    assert reason_of(lambda: book.record(JANE, PHOTO, "avatar")) is Reason.CONSENT_REQUIRED
    book.record(JANE, OTHER, "avatar")
    book.reinstate(PHOTO)
    book.record(JANE, PHOTO, "avatar")
    assert book.standings()[0].state is State.VALID
    assert book.audit().faults == ()


def test_forgetting_erases_the_name_and_leaves_the_ledger_whole(tmp_path: Path) -> None:
    book = ConsentBook(tmp_path)
    made = book.record(JANE, PHOTO, "avatar")
    book.revoke(PHOTO, forget=True)
    assert not any("Jane" in p.read_text() for p in tmp_path.rglob("*.json*"))
    assert book.standings()[0].consent is None
    assert reason_of(lambda: book.read(made.digest)) is Reason.INVALID_FILE
    assert book.audit().faults == ()


def test_an_expired_statement_is_told(tmp_path: Path) -> None:
    book = ConsentBook(tmp_path)
    soon = datetime.now(UTC) + timedelta(hours=1)
    book.record(Consent("A", "own", valid_until=soon), PHOTO, "avatar")
    assert book.standings()[0].state is State.VALID
    assert book.standings(soon + timedelta(seconds=1))[0].state is State.EXPIRED


def test_a_statement_changed_by_hand_does_not_hold(tmp_path: Path) -> None:
    book = ConsentBook(tmp_path)
    made = book.record(JANE, PHOTO, "avatar")
    (path,) = (tmp_path / "statements").glob("*.json")
    path.write_text(path.read_text().replace("Jane", "Joan"))
    assert reason_of(lambda: book.read(made.digest)) is Reason.INVALID_FILE
    assert len(book.audit().faults) == 2  # changed, and so not the one the ledger knows


def test_a_statement_exchanged_for_another_signed_one_does_not_hold(tmp_path: Path) -> None:
    book = ConsentBook(tmp_path)
    first = book.record(JANE, PHOTO, "avatar")
    second = book.record(Consent("John", "own"), OTHER, "avatar")
    folder = tmp_path / "statements"
    other = (folder / f"{second.digest[:32]}.json").read_bytes()
    (folder / f"{first.digest[:32]}.json").write_bytes(other)
    assert reason_of(lambda: book.read(first.digest)) is Reason.INVALID_FILE


def five_lines(folder: Path) -> ConsentBook:
    book = ConsentBook(folder)
    for k in range(5):
        book.record(Consent(f"person {k}", "own"), f"{k:064x}", "avatar")
    return book


def change(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"avatar"', b'"video"'), *lines[2:]]


@pytest.mark.parametrize(
    "tamper",
    [
        change,
        lambda lines: lines[:2] + lines[3:],
        lambda lines: lines[1:],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [*lines[:2], b"{}\n", *lines[3:]],
        lambda lines: [*lines[:2], b"\xff\n", *lines[2:]],
    ],
)
def test_every_change_of_the_ledger_is_found(tmp_path: Path, tamper) -> None:
    book = five_lines(tmp_path)
    lines = ledger_of(tmp_path).read_bytes().splitlines(keepends=True)
    ledger_of(tmp_path).write_bytes(b"".join(tamper(lines)))
    assert book.audit().faults


def test_lines_cut_off_are_found_by_a_noted_head(tmp_path: Path) -> None:
    book = five_lines(tmp_path)
    head = book.audit().head
    lines = ledger_of(tmp_path).read_bytes().splitlines(keepends=True)
    ledger_of(tmp_path).write_bytes(b"".join(lines[:-1]))
    assert head not in book.audit().hashes
    # The process that has read more than is there now does not go on writing.
    assert reason_of(lambda: book.record(JANE, PHOTO, "avatar")) is Reason.INVALID_FILE


def test_what_a_crash_left_incomplete_is_taken_away(tmp_path: Path) -> None:
    book = five_lines(tmp_path)
    with open(ledger_of(tmp_path), "ab") as file:
        file.write(b'{"number":6,"time":"2026')
    assert len(book.standings()) == 5
    book.record(JANE, PHOTO, "avatar")
    assert len(ConsentBook(tmp_path).standings()) == 6
    assert book.audit().faults == ()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path, monkeypatch) -> None:
    book = five_lines(tmp_path)
    before = ledger_of(tmp_path).read_bytes()
    real = os.write

    def write(handle: int, data: bytes) -> int:
        real(handle, data[:10])
        with open("/dev/full", "wb", buffering=0) as full:
            return full.write(data)

    monkeypatch.setattr("avatar_service.provenance.ledger.os.write", write)
    assert reason_of(lambda: book.record(JANE, PHOTO, "avatar")) is Reason.STORAGE_EXHAUSTED
    monkeypatch.undo()
    assert ledger_of(tmp_path).read_bytes() == before
    book.record(JANE, PHOTO, "avatar")


def _append(folder: Path, name: str) -> None:
    book = ConsentBook(folder)
    for k in range(10):
        book.note_shown(PHOTO, f"{name}{k}", "session")


def test_processes_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    ConsentBook(tmp_path).record(JANE, PHOTO, "avatar")
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append, args=(tmp_path, name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    book = ConsentBook(tmp_path)
    assert book.audit().num_lines == 31
    assert book.audit().faults == ()
    assert book.standings()[0].num_shown == 30
    assert book.shown_under("b3")[0][1:] == (PHOTO, "session")


def test_an_export_is_checked_without_the_installation(tmp_path: Path) -> None:
    data = json.dumps(five_lines(tmp_path).export()).encode()
    found = audit_all(*read_export(data))
    assert (found.num_lines, found.num_statements, found.faults) == (5, 5, ())
    forged = data.replace(b"person 3", b"person 4")
    assert audit_all(*read_export(forged)).faults


def test_a_photo_is_named_by_the_start_of_its_hash(tmp_path: Path) -> None:
    book = five_lines(tmp_path)
    book.record(JANE, PHOTO, "avatar")
    assert book.find("ABABABAB") == PHOTO
    for prefix in ("ab", "00000000", "ffffffff"):
        assert reason_of(lambda p=prefix: book.find(p)) is Reason.INVALID_FIELD


@given(st.binary(max_size=300))
def test_any_bytes_as_a_statement_or_an_export_are_refused(data: bytes) -> None:
    for parse in (read_export, lambda d: parse_statement(d, Identity(b"\0" * 32))):
        assert reason_of(lambda p=parse: p(data)) is Reason.INVALID_FILE


def test_what_was_shown_is_kept_on_disk_and_not_in_memory(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("avatar_service.provenance.ledger.os.fsync", lambda handle: None)
    book = ConsentBook(tmp_path)
    book.record(JANE, PHOTO, "avatar")

    def show(count: int) -> None:
        for k in range(count):
            book.note_shown(PHOTO, f"{k:016x}", "session")

    show(20)  # what is made once
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        show(200)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 200 * 100  # a line is 400 bytes on disk and was 850 in memory
    assert book.standings()[0].num_shown == 220
    assert len(book.shown_under(f"{7:016x}")) == 2
    assert book.audit().faults == ()


def test_a_locked_ledger_is_told_as_what_passes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("avatar_service.provenance.ledger.LOCK_TIMEOUT_SECS", 0.0)
    book = ConsentBook(tmp_path)
    book.record(JANE, PHOTO, "avatar")
    calls = [
        lambda: book.check_not_revoked(PHOTO),
        lambda: book.note_shown(PHOTO, "0", "session"),
        lambda: book.record(JANE, PHOTO, "avatar"),
        lambda: book.revoke(PHOTO, forget=True),
        lambda: book.reinstate(PHOTO),
        book.export,
    ]
    with FileLock(tmp_path / "ledger.lock"):
        for call in calls:
            with pytest.raises(AvatarError, match="locked by another process") as fault:
                call()
            assert fault.value.reason is Reason.STORAGE_EXHAUSTED
            assert fault.value.retry_secs == LOCKED_RETRY_SECS
    book.check_not_revoked(PHOTO)
