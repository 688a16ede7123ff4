"""All tests, in two processes: `python -m tools.run_tests [PYTEST OPTIONS]`; `make test` calls it.

Tests marked `live` watch a running service in real time and wait most of the time; they have one
process. All others compute; they run beside it in another one at a lower priority (nice), which
takes what the live ones leave. Results of the second are shown once the first has ended.

Where all tests are asked for, what they draw and move with is compiled before, once: else many
processes of both halves would each compile it on a fresh machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from typing import IO, Final

NICENESS: Final = 10
NO_TESTS: Final = 5
"""pytest's exit code where nothing was selected."""


def compile_kernels() -> None:
    """Fill the cache of compiled kernels, unless it holds them; faults are left to the tests."""
    # Late: it takes seconds to load, and a few tests need no kernels.
    from avatar_service.jit import is_compiled, note_compiled
    from avatar_service.session.compilation import MOTION, PICTURE

    missing = [what for what in (MOTION, PICTURE) if not is_compiled(what)]
    drawing = ["avatar_service.cli", "bench", "render", "--frames", "10"]
    modules = {MOTION: ["avatar_service.session.compilation", MOTION], PICTURE: drawing}
    started = {
        what: subprocess.Popen(
            [sys.executable, "-m", *modules[what]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for what in missing
    }
    if started:
        print("compiling the kernels, once", flush=True)
    for what, process in started.items():
        if process.wait() == 0:
            note_compiled(what)


def run_tests(options: list[str]) -> int:
    """Run both halves; return 0 where all passed, else pytest's exit code of a half that failed."""
    with tempfile.TemporaryFile() as told:
        beside = _start("not live", options, told)
        code = _start("live", options).wait()
        print("\nlive tests have ended; the others:\n", flush=True)
        other = beside.wait()
        told.seek(0)
        sys.stdout.buffer.write(told.read())
        sys.stdout.flush()
    codes = {code, other} - {0}
    if codes - {NO_TESTS}:
        return max(codes - {NO_TESTS})
    return NO_TESTS if code == other == NO_TESTS else 0


def _start(marks: str, options: list[str], out: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", "-m", marks, *options]
    if out is not None and hasattr(os, "nice"):
        command = ["nice", "-n", str(NICENESS), *command]
    return subprocess.Popen(command, stdout=out)


def main() -> int:
    """Run them; on Ctrl-C both halves are told by the terminal, and end by themselves."""
    signal.signal(signal.SIGINT, lambda *_: None)  # no SIG_IGN: that would be inherited
    options = sys.argv[1:]
    if not any(os.path.exists(option) for option in options):
        compile_kernels()
    return run_tests(options)


if __name__ == "__main__":
    sys.exit(main())
