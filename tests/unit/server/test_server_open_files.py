"""The limit of open files, in processes of their own: a test's own limit stays as it was."""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit"),
]
_SCRIPT = """
import logging, resource, sys
from avatar_service.server.open_files import allow_many_open_files
logging.basicConfig()
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(allow_many_open_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limits_after(soft: int, hard: int) -> tuple[list[int], str]:
    script = _SCRIPT.format(soft=soft, hard=hard)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return [int(word) for word in done.stdout.split()], done.stderr


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    assert limits_after(256, 6000) == ([6000, 6000, 6000], "")


def test_too_low_a_hard_limit_is_told() -> None:
    limits, told = limits_after(256, 512)
    assert limits == [512, 512, 512]
    assert "only 512 files" in told
