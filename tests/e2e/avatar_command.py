"""The command `avatar` in processes of its own, as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TIMEOUT_SECS = 300
_EACH = """
import contextlib, io, json, sys
from avatar_service.cli import main
for arguments in json.load(sys.stdin):
    sys.argv, said, code = ["avatar", *arguments], io.StringIO(), 0
    with contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            code = end.code
    print("RESULT", json.dumps([code, said.getvalue()]))
"""


class Ended(NamedTuple):
    """How a command ended and what it said on stderr."""

    returncode: int
    stderr: str

    @property
    def complaint(self) -> str:
        """The one line of an error; fails where there are more, or a traceback."""
        assert "Traceback" not in self.stderr
        lines = [line for line in self.stderr.splitlines() if line.startswith("error:")]
        assert (self.returncode, len(lines)) == (2, 1), self.stderr
        return lines[0]


def avatar(*arguments: object) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "avatar_service.cli", *map(str, arguments)]


def environment() -> dict[str, str]:
    """Return this process's environment on one thread, without anybody's consent."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    environ.pop("AVATAR_CONSENT", None)
    return environ


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        avatar(*arguments),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECS,
        env=environment(),
        stdin=subprocess.DEVNULL,
        check=False,
    )


def run_each(commands: Sequence[Sequence[object]], cwd: Path) -> list[Ended]:
    """Run several one after the other in one process: starting one takes seconds."""
    done = subprocess.run(
        [sys.executable, "-c", _EACH],
        input=json.dumps([[str(part) for part in command] for command in commands]),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECS,
        env=environment(),
        check=False,
        cwd=cwd,
    )
    rows = [row for row in done.stdout.splitlines() if row.startswith("RESULT ")]
    assert len(rows) == len(commands), done.stderr
    return [Ended(*json.loads(row.removeprefix("RESULT "))) for row in rows]
