"""A portrait as one file: a numpy archive without pickle, and the cache of fitted portraits.

Nested dataclasses are flattened to names with dots; numbers and texts become 0-d arrays.
"""

from __future__ import annotations

import contextlib
import struct
import tokenize
import typing
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from avatar_service.config import cache_dir
from avatar_service.errors import AvatarError, Reason
from avatar_service.orphans import OwnedFile, may_be_owned, reclaim

_KIND: Final = "avatar.portrait"
_ASIDE: Final = ".portrait-"
_MAX_BYTES: Final = 500_000_000
_T = TypeVar("_T")
Check = Callable[[Mapping[str, NDArray[Any]]], None]
_UNREADABLE: Final = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and NumPy raise on files that are damaged, encrypted, or no archives at all."""


def check_size(size_px: int, allowed: tuple[int, ...]) -> None:
    """Raise INVALID_FIELD unless the size is one of those allowed."""
    if size_px not in allowed:
        texts = ", ".join(str(size) for size in allowed)
        raise AvatarError(
            Reason.INVALID_FIELD, f"Size {size_px} is not offered; use {texts}.", field="size_px"
        )


def save(portrait: object, path: Path, version: int) -> None:
    """Write a (nested) dataclass to one file, whole or not at all.

    Raises:
        AvatarError: INVALID_FILE where the path cannot be written.
    """
    arrays = {"kind": np.array(_KIND), "version": np.array(version), **_flatten(portrait, "")}
    try:
        with OwnedFile(path.parent, _ASIDE, ".npz") as aside:
            np.savez(aside.file, **arrays)
            aside.rename(path)
    except OSError as error:
        raise AvatarError(
            Reason.INVALID_FILE, f"The portrait cannot be written: {error.strerror}."
        ) from error


def load(path: Path, kind: type[_T], version: int, check: Check) -> _T:
    """Read a dataclass that save wrote.

    Args:
        path: the file.
        kind: the dataclass.
        version: that the file must have.
        check: of the arrays by name; see stored_arrays.check_stored.

    Raises:
        AvatarError: INVALID_FILE, damaged, of another kind or version.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("too large")
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: np.asarray(data[name]) for name in data.files}
        if str(arrays["kind"]) != _KIND:
            raise ValueError("another kind")
        found = int(arrays["version"])
    except _UNREADABLE as error:
        raise AvatarError(
            Reason.INVALID_FILE, "The file is no stored portrait, or it is damaged."
        ) from error
    if found != version:
        raise AvatarError(
            Reason.INVALID_FILE,
            f"The portrait was stored by version {found}; this is version {version}. "
            "Create it again from the photo.",
        )
    try:
        check(arrays)
        return cast(_T, _rebuild(kind, arrays, ""))
    except KeyError as error:
        raise _damaged(f"{error.args[0]} is missing") from error
    except (ValueError, TypeError) as error:
        raise _damaged(str(error)) from error


def _damaged(what: str) -> AvatarError:
    return AvatarError(
        Reason.INVALID_FILE,
        f"The stored portrait is damaged: {what}. Create it again from the photo.",
    )


def cache_path(content_hash: str) -> Path:
    """Return where the fitted portrait of a photo is cached."""
    return cache_dir() / "portraits" / f"{content_hash}.npz"


def erase_left_over() -> None:
    """Erase what killed processes had half written to the cache; it holds a face."""
    reclaim(cache_dir() / "portraits", _ASIDE, spares=may_be_owned)


def erase_cached(photo_sha256: str) -> int:
    """Erase every cached portrait of a photo (SHA-256 of its bytes); return how many there were."""
    erase_left_over()
    found = list((cache_dir() / "portraits").glob(f"{photo_sha256}-*.npz"))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def load_cached(path: Path, kind: type[_T], version: int, check: Check) -> _T | None:
    """Read a cached portrait; a damaged one is dropped and None returned."""
    try:
        return load(path, kind, version, check)
    except AvatarError:
        # The photo is at hand, so nothing is lost: it is fitted again.
        with contextlib.suppress(OSError):
            path.unlink()
        return None


def save_cached(portrait: object, path: Path, version: int) -> None:
    """Write to the cache where that is possible; an unwritable cache costs time only."""
    erase_left_over()
    with contextlib.suppress(OSError, AvatarError):
        path.parent.mkdir(parents=True, exist_ok=True)
        save(portrait, path, version)


def _flatten(value: Any, prefix: str) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for entry in fields(value):
        item, name = getattr(value, entry.name), prefix + entry.name
        if is_dataclass(item):
            arrays |= _flatten(item, name + ".")
        else:
            arrays[name] = np.asarray(item)
    return arrays


def _rebuild(kind: type, arrays: Mapping[str, Any], prefix: str) -> object:
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for entry in fields(kind):
        hint, name = hints[entry.name], prefix + entry.name
        if is_dataclass(hint):
            values[entry.name] = _rebuild(cast(type, hint), arrays, name + ".")
        elif hint in (int, float, bool, str):
            values[entry.name] = hint(arrays[name].item())
        elif typing.get_origin(hint) is tuple:
            values[entry.name] = tuple(str(text) for text in arrays[name])
        else:
            values[entry.name] = arrays[name]
    return kind(**values)
