"""What several end-to-end tests need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from native_abi import Native
from native_build import build


@pytest.fixture(scope="session")
def library() -> Path:
    """Return the native client's library."""
    return build("system") / "libavatar_client.so"


@pytest.fixture
def native(library: Path) -> Iterator[Callable[..., Native]]:
    """Connect native clients, which are closed after the test."""
    opened: list[Native] = []

    def connect(address: str, **options: object) -> Native:
        opened.append(Native(library, address, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield connect
    for each in opened:
        each.close()
