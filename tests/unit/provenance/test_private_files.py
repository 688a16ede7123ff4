import errno
from pathlib import Path

import pytest
from fakes.disk_log import DiskLog
from fakes.stopped_process import StoppedProcess

from avatar_service.cli.token import token
from avatar_service.errors import AvatarError
from avatar_service.provenance.consent import Consent
from avatar_service.provenance.consent_book import ConsentBook

pytestmark = pytest.mark.unit
_WRITE = """
from pathlib import Path
from avatar_service.provenance.private_files import write_private
write_private(Path(sys.argv[1]), b"who is shown by what right")
"""


def aside(folder: Path) -> list[Path]:
    return sorted(folder.rglob(".*"))


def test_what_a_killed_process_has_half_written_goes_and_what_is_being_written_stays(
    tmp_path: Path,
) -> None:
    book = ConsentBook(tmp_path)
    statement = tmp_path / "statements" / "0123.json"
    with (
        StoppedProcess("fsync", _WRITE, statement) as killed,
        StoppedProcess("fsync", _WRITE, tmp_path / "key.pem") as also_killed,
        StoppedProcess("fsync", _WRITE, statement) as living,
    ):
        killed.kill()
        also_killed.kill()
        assert len(aside(tmp_path)) == 3
        assert b"who is shown" in aside(tmp_path)[0].read_bytes()
        ConsentBook(tmp_path)  # the next start
        assert [path.parent for path in aside(tmp_path)] == [tmp_path / "statements"]
        book.erase_left_over()  # and one that runs on
        living.go_on()
    assert aside(tmp_path) == []
    assert statement.read_bytes() == b"who is shown by what right"


def test_keys_statements_and_the_ledger_are_on_disk_before_they_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskLog(monkeypatch)
    book = ConsentBook(tmp_path)
    disk.assert_whole(tmp_path / "installation.pem")
    disk.clear()
    book.record(Consent("A. Person", "my own photo"), 64 * "a", "avatar")
    (statement,) = (tmp_path / "statements").iterdir()
    disk.assert_whole(statement)
    disk.assert_synced(tmp_path / "ledger.jsonl", tmp_path)  # made by that
    disk.clear()
    book.note_shown(64 * "a", "0", "session")
    disk.assert_synced(tmp_path / "ledger.jsonl")


def test_a_token_file_is_the_old_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskLog(monkeypatch)
    for _ in range(2):
        disk.clear()
        token(file=tmp_path / "tokens")
        disk.assert_whole(tmp_path / "tokens")


def test_a_token_that_finds_the_disk_full_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = tmp_path / "tokens"
    token(file=tokens)
    before = tokens.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(AvatarError, match=r"cannot write .*tokens: No space left"):
        token(file=tokens)
    assert tokens.read_bytes() == before
    assert list(tmp_path.iterdir()) == [tokens]
