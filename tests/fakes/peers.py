"""Programs of others that tests need: skipped where absent, but not where CI has promised them."""

from __future__ import annotations

import importlib
import os
from typing import Any, NoReturn

import pytest

MUST_RUN = "AVATAR_TESTS_MUST_RUN"


def missing(what: str, install: str) -> NoReturn:
    """Skip, telling how to install what is missing; fail where nothing may be skipped."""
    message = f"NOT TESTED: {what} is not there; install it by: {install}"
    if os.environ.get(MUST_RUN):
        pytest.fail(message)
    pytest.skip(message)


def import_peer(module: str, install: str) -> Any:
    """Import a library of others, or `missing`."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        missing(module, install)
