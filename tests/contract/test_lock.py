"""The lock names what pyproject.toml wants, each file with a hash; and its check can fail."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from tools.lock import LOCK, locked, problems, wanted

pytestmark = pytest.mark.contract


def test_the_lock_fits() -> None:
    text = LOCK.read_text("utf-8")
    assert problems(text, wanted()) == []
    assert len(locked(text)) > 30, "what is needed by what is needed stands there too"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("grpcio==1.80 \\\n    --hash=sha256:00\n", "is wanted"),
        ("grpcio==1.99\n", "has no hash"),
        ("numpy==2.0 \\\n    --hash=sha256:00\n", "grpcio is not locked"),
    ],
)
def test_what_does_not_fit_is_said(text: str, told: str) -> None:
    found = problems(text, [Requirement("grpcio>=1.90"), Requirement("torch>=2")])
    assert any(told in line for line in found)
    assert not any("torch" in line for line in found)
