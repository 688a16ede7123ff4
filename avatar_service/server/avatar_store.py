"""Avatars on disk: one folder each under AVATAR_HOME, named by the hash of what it was made from.

A folder holds the photo, the facts and the fitted portraits by size; the consent it rests on is a
signed statement in the consent book. It is made aside and renamed into place whole, on disk by
then; deleting erases all of it. Only this user can enter. Several processes may use one home: what
is aside is its maker's for as long as that lives, and erased by any other one after that.
Blocking; the server calls it on worker threads.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import secrets
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.orphans import OwnedFile, OwnedFolder, may_be_owned, reclaim
from avatar_service.provenance.consent import Consent
from avatar_service.provenance.consent_book import ConsentBook
from avatar_service.provenance.private_files import (
    replace_synced,
    sync_file,
    sync_folder,
    write_synced,
)

log = logging.getLogger(__name__)

DEFAULT_SIZE_PX: Final = 512
_PARTIAL: Final = ".partial-"


@dataclass(frozen=True, slots=True)
class FitFacts:
    """What fitting a photo told.

    Attributes:
        width_px, height_px: of the photo, after the EXIF rotation.
        notes: lines for a person.
    """

    width_px: int
    height_px: int
    notes: tuple[str, ...] = ()


Fit = Callable[[bytes, str, int, Path], FitFacts]
"""Fit a photo (bytes, crop, size_px) and write the portrait to a path."""


@dataclass(frozen=True, slots=True)
class StoredAvatar:
    """One avatar and the facts about it; `create_time` is aware."""

    avatar_id: str
    display_name: str
    create_time: datetime
    consent: Consent
    crop: str
    photo_width_px: int
    photo_height_px: int
    photo_sha256: str
    notes: tuple[str, ...]


class AvatarStore:
    """The avatars of this service.

    Args:
        home: folder that holds the folder `avatars`.
        consents: where statements are kept.
        rig_version: changes whenever portraits made before cannot be used any more.
        fit: see Fit.
    """

    def __init__(
        self,
        home: Path,
        consents: ConsentBook,
        *,
        rig_version: int,
        fit: Fit,
        max_avatars: int,
        max_per_owner: int | None = None,
    ) -> None:
        self._folder = home / "avatars"
        self._consents = consents
        self._rig_version = rig_version
        self._fit = fit
        self._max_avatars = max_avatars
        self._max_per_owner = max_avatars if max_per_owner is None else max_per_owner
        self._refitting = threading.Lock()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise AvatarError(
                Reason.INVALID_FILE, f"cannot make the folder {self._folder}: {error.strerror}"
            ) from error
        self.erase_left_over()

    def erase_left_over(self) -> None:
        """Erase what killed processes left half made, or half erased; it may hold a photo."""
        self._consents.erase_left_over()
        for folder in (self._folder, *self._folder.glob("[!.]*")):
            for path in reclaim(folder, _PARTIAL, spares=may_be_owned):
                log.info("removed what a killed service had left: %s", path.name)

    def create(
        self, photo: bytes, *, crop: str, display_name: str, consent: Consent, owner: str = ""
    ) -> StoredAvatar:
        """Make an avatar; the same photo gives the same one, with the newest statement.

        Raises CONSENT_REQUIRED, QUOTA_EXCEEDED, STORAGE_EXHAUSTED and what the fit raises.
        """
        consent.check()
        digest = hashlib.sha256(photo)
        sha256 = digest.hexdigest()
        digest.update(f"|{crop}|{self._rig_version}".encode())
        avatar_id = digest.hexdigest()[:32]
        place = self._folder / avatar_id
        self._consents.check_not_revoked(sha256)
        if place.is_dir():
            try:
                self._update(place, display_name, consent)
            except OSError as error:
                raise _cannot_store(error) from error
            return self.get(avatar_id)
        if sum(1 for _ in self._folder.iterdir()) >= self._max_avatars:
            raise AvatarError(
                Reason.QUOTA_EXCEEDED,
                f"{self._max_avatars} avatars are stored; delete one that is not needed",
            )
        self._check_quota(owner)
        try:
            with OwnedFolder(self._folder, _PARTIAL) as aside:
                partial = aside.path
                portrait = partial / self._portrait_name(DEFAULT_SIZE_PX)
                facts = self._fit(photo, crop, DEFAULT_SIZE_PX, portrait)
                sync_file(portrait)
                write_synced(partial / "photo", photo)
                statement = self._consents.record(consent, sha256, "avatar")
                record = {
                    "statement": statement.digest,
                    "display_name": display_name,
                    "create_time": datetime.now(UTC).isoformat(),
                    "crop": crop,
                    "photo_width_px": facts.width_px,
                    "photo_height_px": facts.height_px,
                    "photo_sha256": sha256,
                    "notes": list(facts.notes),
                    "rig_version": self._rig_version,
                    "owner": owner,
                }
                write_synced(partial / "avatar.json", _json(record))
                sync_folder(partial)
                if not place.is_dir():  # another call may have made the same one meanwhile
                    partial.rename(place)
                    sync_folder(self._folder)
        except OSError as error:
            raise _cannot_store(error) from error
        try:
            self._consents.check_not_revoked(sha256)
        except AvatarError:  # revoked while it was being made
            self.delete(avatar_id)
            raise
        return self.get(avatar_id)

    def get(self, avatar_id: str) -> StoredAvatar:
        """Return an avatar. Raises AVATAR_NOT_FOUND."""
        place = self._place(avatar_id)
        record = _read_record(place / "avatar.json")
        return StoredAvatar(
            avatar_id=avatar_id,
            display_name=record["display_name"],
            create_time=datetime.fromisoformat(record["create_time"]),
            consent=self._consents.read(record["statement"]),
            crop=record["crop"],
            photo_width_px=record["photo_width_px"],
            photo_height_px=record["photo_height_px"],
            photo_sha256=record["photo_sha256"],
            notes=tuple(record["notes"]),
        )

    def list_all(self) -> list[StoredAvatar]:
        """Return all avatars, newest first; damaged ones are logged and left out."""
        avatars = []
        for path in self._folder.iterdir():
            if path.name.startswith(_PARTIAL):
                continue
            try:
                avatars.append(self.get(path.name))
            except AvatarError as error:
                log.error("avatar %s: %s", path.name, error.reason)
        return sorted(avatars, key=lambda a: (a.create_time, a.avatar_id), reverse=True)

    def delete(self, avatar_id: str) -> None:
        """Erase an avatar with its photo and everything derived. Raises AVATAR_NOT_FOUND."""
        place = self._place(avatar_id)
        with contextlib.suppress(AvatarError):  # a damaged one is erased all the same
            self._consents.note_erased(
                _read_record(place / "avatar.json")["photo_sha256"], "avatar"
            )
        gone = self._folder / (_PARTIAL + secrets.token_hex(8))
        place.rename(gone)  # from here on nobody finds it
        while gone.is_dir():
            with contextlib.suppress(FileNotFoundError):  # another process erases it, too
                shutil.rmtree(gone)
        sync_folder(self._folder)

    def delete_photo(self, photo_sha256: str) -> int:
        """Erase every avatar made of a photo; return how many there were."""
        num_erased = 0
        for path in list(self._folder.iterdir()):
            with contextlib.suppress(AvatarError):
                if _read_record(path / "avatar.json")["photo_sha256"] == photo_sha256:
                    self.delete(path.name)
                    num_erased += 1
        return num_erased

    def check_may_show(self, avatar_id: str) -> None:
        """Raise what ends the right to show an avatar: AVATAR_NOT_FOUND, CONSENT_REQUIRED.

        Anything else says that it cannot be known now, or that what is stored is damaged.
        """
        record = _read_record(self._place(avatar_id) / "avatar.json")
        self._consents.check_not_revoked(record["photo_sha256"])
        self._consents.read(record["statement"]).check()

    def portrait_path(self, avatar_id: str, size_px: int) -> Path:
        """Return the portrait fitted for a frame size.

        It is made where it is the first of its size, or was made by an older version of the rig.
        Who asks while it is being made waits for that one: clients that lose patience and ask
        again would else have it made once for each time they asked.

        Raises AVATAR_NOT_FOUND, and CONSENT_REQUIRED once the consent has expired.
        """
        place = self._place(avatar_id)
        self.check_may_show(avatar_id)
        path = place / self._portrait_name(size_px)
        if not path.is_file():
            with self._refitting:  # one after the other, as the fit's process does it anyway
                if not path.is_file():
                    self._refit(place, size_px, path)
        return path

    def _refit(self, place: Path, size_px: int, path: Path) -> None:
        """Fit an avatar's photo for a frame size, in place of what an older rig has made."""
        crop = _read_record(self._place(place.name) / "avatar.json")["crop"]
        try:
            with OwnedFolder(place, _PARTIAL) as aside:
                partial = aside.path / path.name
                self._fit((place / "photo").read_bytes(), crop, size_px, partial)
                for outdated in place.glob(f"portrait_{size_px}.v*.npz"):
                    outdated.unlink()
                replace_synced(partial, path)
        except OSError as error:
            self._place(place.name)  # erased meanwhile: AVATAR_NOT_FOUND
            raise _cannot_store(error) from error

    def _check_quota(self, owner: str) -> None:
        """Raise QUOTA_EXCEEDED where a client has its share of avatars."""
        if self._max_per_owner >= self._max_avatars:
            return
        num_owned = 0
        for path in self._folder.glob("[!.]*/avatar.json"):
            with contextlib.suppress(AvatarError):  # damaged, or erased since: nobody's
                num_owned += _read_record(path).get("owner", "") == owner
        if num_owned >= self._max_per_owner:
            raise AvatarError(
                Reason.QUOTA_EXCEEDED,
                f"{num_owned} avatars of this client are stored; {self._max_per_owner} are allowed",
            )

    def _portrait_name(self, size_px: int) -> str:
        return f"portrait_{size_px}.v{self._rig_version}.npz"

    def _place(self, avatar_id: str) -> Path:
        place = self._folder / avatar_id
        is_name = len(avatar_id) == 32 and set(avatar_id) <= set("0123456789abcdef")
        if not is_name or not place.is_dir():
            raise AvatarError(
                Reason.AVATAR_NOT_FOUND, "there is no avatar of this id", field="avatar_id"
            )
        return place

    def _update(self, place: Path, display_name: str, consent: Consent) -> None:
        record = _read_record(place / "avatar.json")
        statement = self._consents.record(consent, record["photo_sha256"], "avatar")
        record["statement"] = statement.digest
        record["display_name"] = display_name or record["display_name"]
        with OwnedFile(place, _PARTIAL) as aside:
            aside.file.write(_json(record))
            aside.sync()
            aside.rename(place / "avatar.json")
            sync_folder(place)


def _json(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=2) + "\n").encode()


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not {"statement", "photo_sha256"} <= record.keys():
            raise ValueError("no signed statement")
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise _damaged() from error
        is_full = error.errno in (errno.EMFILE, errno.ENFILE)
        raise AvatarError(
            Reason.STORAGE_EXHAUSTED if is_full else Reason.INVALID_FILE,
            f"the stored avatar cannot be read: {error.strerror}",
        ) from error
    except (ValueError, AttributeError) as error:
        raise _damaged() from error
    return record


def _damaged() -> AvatarError:
    return AvatarError(
        Reason.INVALID_FILE, "the stored avatar is damaged; delete it and make it again"
    )


def _cannot_store(error: OSError) -> AvatarError:
    return AvatarError(Reason.STORAGE_EXHAUSTED, f"the avatar cannot be stored: {error.strerror}")
