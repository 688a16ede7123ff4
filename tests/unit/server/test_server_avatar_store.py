import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes.disk_log import DiskLog
from fakes.service import fake_fit

from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.consent import Consent
from avatar_service.provenance.consent_book import ConsentBook
from avatar_service.server.avatar_store import AvatarStore

pytestmark = pytest.mark.unit
CONSENT = Consent("A. Person", "my own photo")


def store(home: Path, **fields) -> AvatarStore:
    book = ConsentBook(home / "provenance")
    return AvatarStore(
        home, book, **{"rig_version": 1, "fit": fake_fit, "max_avatars": 3, **fields}
    )


def create(avatars: AvatarStore, photo: bytes, consent: Consent = CONSENT):
    return avatars.create(photo, crop="face", display_name="", consent=consent)


def reason_of(call) -> Reason:
    with pytest.raises(AvatarError) as fault:
        call()
    return fault.value.reason


def test_an_avatar_survives_a_restart_with_its_consent(tmp_path: Path) -> None:
    made = create(store(tmp_path), b"photo")
    found = store(tmp_path).get(made.avatar_id)
    assert found == made
    assert found.consent.basis == "my own photo"
    assert found.consent.stated_at is not None


def test_only_this_user_can_look_at_avatars(tmp_path: Path) -> None:
    made = create(store(tmp_path), b"photo")
    for folder in (tmp_path / "avatars", tmp_path / "avatars" / made.avatar_id):
        assert folder.stat().st_mode & 0o077 == 0


def test_a_failed_fit_leaves_nothing(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    assert reason_of(lambda: create(avatars, b"cat")) is Reason.NO_FACE
    with pytest.raises(ZeroDivisionError):
        create(avatars, b"bug")
    assert list((tmp_path / "avatars").iterdir()) == []


def test_what_a_killed_service_left_half_made_is_removed(tmp_path: Path) -> None:
    store(tmp_path)
    made = create(store(tmp_path), b"photo")
    place = tmp_path / "avatars" / made.avatar_id
    left_over = [tmp_path / "avatars" / ".partial-0123", place / ".partial-4567"]
    statements = tmp_path / "provenance" / "statements"

    def leave() -> None:
        for folder in left_over:
            folder.mkdir()
            (folder / "photo").write_bytes(b"x")
        (place / ".partial-89ab.npz").write_bytes(b"x")
        (statements / ".new-cdef").write_bytes(b"x")

    def hidden() -> list[Path]:
        return list(tmp_path.rglob(".*"))

    leave()
    avatars = store(tmp_path)  # at once
    assert hidden() == []
    leave()
    avatars.erase_left_over()
    assert hidden() == []
    assert avatars.list_all() == [made]


def test_what_another_service_is_making_is_left_alone(tmp_path: Path) -> None:
    seen = []

    def fit(photo: bytes, crop: str, size_px: int, path: Path):
        facts = fake_fit(photo, crop, size_px, path)
        seen.append(path.name)
        store(tmp_path).erase_left_over()  # another one, of the same home
        assert path.exists()
        return facts

    avatars = store(tmp_path, fit=fit)
    made = create(avatars, b"photo")
    avatars.portrait_path(made.avatar_id, 1024)
    assert seen == ["portrait_512.v1.npz", "portrait_1024.v1.npz"]
    assert [p.name for p in (tmp_path / "avatars").rglob(".*")] == []


def test_an_avatar_is_on_disk_before_it_is_found(tmp_path: Path, monkeypatch) -> None:
    """A cut of the power keeps the old or the new one: names come after what they stand for."""
    avatars = store(tmp_path)
    disk = DiskLog(monkeypatch)
    made = create(avatars, b"photo")
    place = tmp_path / "avatars" / made.avatar_id
    disk.assert_whole(place, *place.iterdir())
    disk.clear()
    create(avatars, b"photo", Consent("A. Person", "a new contract"))
    disk.assert_whole(place / "avatar.json")
    assert disk.num_syncs(place / "avatar.json") == 1
    disk.clear()
    disk.assert_whole(avatars.portrait_path(made.avatar_id, 1024))


def test_an_erased_avatar_does_not_come_back_with_the_power(tmp_path: Path, monkeypatch) -> None:
    avatars = store(tmp_path)
    made = create(avatars, b"photo")
    disk = DiskLog(monkeypatch)
    avatars.delete(made.avatar_id)
    disk.assert_synced(tmp_path / "avatars")


def test_crop_and_rig_version_make_another_avatar(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    face = create(avatars, b"photo")
    keep = avatars.create(b"photo", crop="keep", display_name="", consent=CONSENT)
    newer = create(store(tmp_path, rig_version=2), b"photo")
    assert len({face.avatar_id, keep.avatar_id, newer.avatar_id}) == 3


def test_the_number_of_avatars_is_bounded(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    for k in range(3):
        create(avatars, b"photo %d" % k)
    assert reason_of(lambda: create(avatars, b"one more")) is Reason.QUOTA_EXCEEDED
    create(avatars, b"photo 1")


@pytest.mark.parametrize("avatar_id", ["", "..", "../x", "a" * 32, "A" * 32, "a" * 31 + "/"])
def test_ids_cannot_leave_the_folder(tmp_path: Path, avatar_id: str) -> None:
    avatars = store(tmp_path)
    (tmp_path / "x").mkdir()
    for call in (avatars.get, avatars.delete, lambda i: avatars.portrait_path(i, 512)):
        assert reason_of(lambda c=call: c(avatar_id)) is Reason.AVATAR_NOT_FOUND


def test_portraits_of_other_sizes_are_fitted_when_asked_for(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    made = create(avatars, b"photo")
    path = avatars.portrait_path(made.avatar_id, 1024)
    assert path.read_bytes() == b"portrait of photo"
    stamp = path.stat().st_mtime_ns
    assert avatars.portrait_path(made.avatar_id, 1024).stat().st_mtime_ns == stamp


def test_portraits_of_an_older_rig_are_fitted_anew_from_the_photo(tmp_path: Path) -> None:
    made = create(store(tmp_path), b"photo")
    newer = store(tmp_path, rig_version=2)
    path = newer.portrait_path(made.avatar_id, 512)
    assert path.read_bytes() == b"portrait of photo"
    assert [p.name for p in path.parent.glob("portrait*")] == ["portrait_512.v2.npz"]


def test_nobody_is_shown_once_the_consent_has_expired(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = create(avatars, b"photo", Consent("A", "own", valid_until=soon))
    avatars.portrait_path(made.avatar_id, 512)
    made.consent.check()
    with pytest.raises(AvatarError) as fault:
        made.consent.check(soon + timedelta(seconds=1))
    assert fault.value.reason is Reason.CONSENT_REQUIRED


def test_a_revoked_photo_is_not_shown_and_not_made_again(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    made = create(avatars, b"photo")
    ConsentBook(tmp_path / "provenance").revoke(made.photo_sha256)
    for call in (
        lambda: avatars.check_may_show(made.avatar_id),
        lambda: avatars.portrait_path(made.avatar_id, 512),
        lambda: create(avatars, b"photo"),
        lambda: avatars.create(b"photo", crop="keep", display_name="", consent=CONSENT),
    ):
        assert reason_of(call) is Reason.CONSENT_REQUIRED


def test_a_photo_revoked_while_its_avatar_is_made_leaves_nothing(tmp_path: Path) -> None:
    made = create(store(tmp_path), b"photo")
    book = ConsentBook(tmp_path / "provenance")

    def slow_fit(photo: bytes, crop: str, size_px: int, path: Path):
        facts = fake_fit(photo, crop, size_px, path)
        book.revoke(made.photo_sha256)
        return facts

    avatars = store(tmp_path, fit=slow_fit)
    with pytest.raises(AvatarError) as fault:
        avatars.create(b"photo", crop="keep", display_name="", consent=CONSENT)
    assert fault.value.reason is Reason.CONSENT_REQUIRED
    assert [p.name for p in (tmp_path / "avatars").iterdir()] == [made.avatar_id]


def test_all_avatars_of_a_photo_are_erased_together(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    made = create(avatars, b"photo")
    avatars.create(b"photo", crop="keep", display_name="", consent=CONSENT)
    other = create(avatars, b"another")
    assert avatars.delete_photo(made.photo_sha256) == 2
    assert [one.avatar_id for one in avatars.list_all()] == [other.avatar_id]


def test_a_new_statement_replaces_the_one_before(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    made = create(avatars, b"photo")
    create(avatars, b"photo", Consent("A. Person", "a new contract"))
    assert avatars.get(made.avatar_id).consent.basis == "a new contract"


def test_an_avatar_whose_statement_was_changed_is_not_shown(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    made = create(avatars, b"photo", Consent("A", "until tomorrow"))
    (path,) = (tmp_path / "provenance" / "statements").glob("*.json")
    path.write_text(path.read_text().replace("until tomorrow", "for ever"))
    assert reason_of(lambda: avatars.check_may_show(made.avatar_id)) is Reason.INVALID_FILE


def test_a_damaged_avatar_does_not_hide_the_others(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    broken, whole = create(avatars, b"one"), create(avatars, b"two")
    (tmp_path / "avatars" / broken.avatar_id / "avatar.json").write_text("{")
    assert [one.avatar_id for one in avatars.list_all()] == [whole.avatar_id]
    assert reason_of(lambda: avatars.get(broken.avatar_id)) is Reason.INVALID_FILE
    avatars.delete(broken.avatar_id)


def test_deleting_erases_every_file(tmp_path: Path) -> None:
    avatars = store(tmp_path)
    made = create(avatars, b"photo")
    avatars.portrait_path(made.avatar_id, 1024)
    avatars.delete(made.avatar_id)
    assert list((tmp_path / "avatars").iterdir()) == []


def test_who_asks_for_a_portrait_that_is_being_made_waits_for_it(tmp_path: Path) -> None:
    made = create(store(tmp_path), b"photo")
    may_end, fits = threading.Event(), []

    def slow_fit(photo: bytes, crop: str, size_px: int, path: Path):
        fits.append(path)
        may_end.wait(10)
        return fake_fit(photo, crop, size_px, path)

    newer = store(tmp_path, rig_version=2, fit=slow_fit)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(newer.portrait_path, made.avatar_id, 512) for _ in range(4)]
        while not fits:
            time.sleep(0.001)
        time.sleep(0.05)  # for the others to come as far as they may
        may_end.set()
        assert len({one.result(10) for one in asked}) == 1
    assert len(fits) == 1


def test_an_avatar_erased_while_it_is_fitted_is_not_there(tmp_path: Path) -> None:
    made = create(store(tmp_path), b"photo")

    def fit_and_erase(photo: bytes, crop: str, size_px: int, path: Path):
        newer.delete(made.avatar_id)
        return fake_fit(photo, crop, size_px, path)

    newer = store(tmp_path, rig_version=2, fit=fit_and_erase)
    asked = lambda: newer.portrait_path(made.avatar_id, 512)  # noqa: E731
    assert reason_of(asked) is Reason.AVATAR_NOT_FOUND
    assert list((tmp_path / "avatars").iterdir()) == []


def test_a_damaged_avatar_keeps_nobody_from_making_another(tmp_path: Path) -> None:
    avatars = store(tmp_path, max_per_owner=2)
    broken = create(avatars, b"photo")
    (tmp_path / "avatars" / broken.avatar_id / "avatar.json").write_text("{")
    create(avatars, b"photo 2")
    create(avatars, b"photo 3")
    avatars.delete(broken.avatar_id)
    assert reason_of(lambda: create(avatars, b"photo 4")) is Reason.QUOTA_EXCEEDED
