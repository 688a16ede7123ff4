"""Makes `fakes` importable by every test (pytest puts this folder on the path)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_provenance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the key and the consents of whoever runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        if "AVATAR_PROVENANCE" not in os.environ:
            patch.setenv("AVATAR_PROVENANCE", str(tmp_path_factory.mktemp("provenance") / "own"))
        yield
