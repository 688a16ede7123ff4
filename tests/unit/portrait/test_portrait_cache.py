from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes.stopped_process import StoppedProcess

from avatar_service.portrait import archive

pytestmark = pytest.mark.unit
PHOTO = 64 * "a"
_SAVE = """
from pathlib import Path
from dataclasses import make_dataclass
from avatar_service.portrait import archive
portrait = make_dataclass("Fake", [("pixels", int)])(7)
archive.save_cached(portrait, archive.cache_path(sys.argv[1]), 1)
"""


@dataclass(frozen=True)
class Fake:
    pixels: int = 7


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AVATAR_HOME", str(tmp_path))
    return archive.cache_path("x").parent


@pytest.mark.parametrize("next_one", ["save", "erase"])
def test_what_a_killed_fit_left_goes_and_what_is_being_fitted_stays(
    cache: Path, next_one: str
) -> None:
    with (
        StoppedProcess("replace", _SAVE, f"{PHOTO}-killed") as killed,
        StoppedProcess("replace", _SAVE, f"{PHOTO}-living") as living,
    ):
        killed.kill()
        assert len(list(cache.iterdir())) == 2, "both are written and have no name yet"
        if next_one == "save":
            archive.save_cached(Fake(), archive.cache_path(f"{PHOTO}-next"), 1)
        else:
            assert archive.erase_cached(PHOTO) == 0
        assert len([path for path in cache.iterdir() if path.name.startswith(".")]) == 1
        living.go_on()
    found = archive.load(archive.cache_path(f"{PHOTO}-living"), Fake, 1, lambda _: None)
    assert found == Fake()
    assert archive.erase_cached(PHOTO) == (2 if next_one == "save" else 1)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_even_be_looked_into_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_HOME", str(tmp_path / (300 * "a")))  # no folder has such a name
    path = archive.cache_path(f"{PHOTO}-x")
    assert archive.load_cached(path, Fake, 1, lambda _: None) is None
    archive.save_cached(Fake(), path, 1)
