from pathlib import Path

import pytest
from fakes.stopped_process import StoppedProcess

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
