"""`python -m tools.fuzz --minutes 60 TARGET`: fuzz one parser, or all in turn.

With atheris installed (pip install atheris) the search follows the code's branches; without, it
mutates the corpus at random. An input that is a finding is written to out/fuzz/TARGET/ and named;
the exit code is then 1. Run a finding again: `python -m tools.fuzz TARGET --input FILE`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import random
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from rich.progress import Progress

from tools.fuzz.mutate import MAX_BYTES, mutated
from tools.fuzz.targets import TARGETS, Target

CORPUS: Final = Path(__file__).parent / "corpus"
FINDINGS: Final = Path("out/fuzz")
STALL_SECS: Final = 20.0
"""CPU time of one input; more is a finding."""


def seeds_of(target: Target) -> list[bytes]:
    """Return the committed inputs of a target."""
    folder = CORPUS / target.name
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def run_one(target: Target, data: bytes) -> str | None:
    """Run one input; return what is wrong, None if nothing is."""
    began = time.process_time()
    try:
        target.run(data)
    except Exception:
        return traceback.format_exc(limit=-4)
    took = time.process_time() - began
    return f"took {took:.1f} s of CPU time" if took > STALL_SECS else None


def fuzz(target: Target, seconds: float, *, seed: int | None = None) -> Path | None:
    """Mutate the corpus for a while; return the file of a finding."""
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    rng, seeds = random.Random(seed), seeds_of(target)
    num_runs, began = 0, time.monotonic()
    # The newest input, kept until it has returned: a crash leaves its cause behind.
    last = FINDINGS / target.name / "last"
    last.parent.mkdir(parents=True, exist_ok=True)
    with Progress() as bar:
        task = bar.add_task(target.name, total=seconds)
        while (elapsed := time.monotonic() - began) < seconds:
            data = mutated(seeds, rng)
            last.write_bytes(data)
            if (problem := run_one(target, data)) is not None:
                return keep(target, data, problem)
            num_runs += 1
            bar.update(task, completed=elapsed)
    print(f"{target.name}: {num_runs} inputs in {seconds:.0f} s, seed {seed}: nothing found")
    last.unlink(missing_ok=True)
    return None


def keep(target: Target, data: bytes, problem: str) -> Path:
    """Write a finding down and say so."""
    path = FINDINGS / target.name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{target.name}: FOUND, {path}\n{problem}")
    return path


def fuzz_guided(target: Target, seconds: float) -> int:
    """Let atheris search, in a process of its own (it never returns); its exit code."""
    found = FINDINGS / target.name
    reached = found / "corpus"  # inputs that reach new branches; the next run begins with them
    reached.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tools.fuzz.guided", target.name, str(reached)]
    command += [str(CORPUS / target.name), f"-max_total_time={int(seconds)}"]
    command += [f"-max_len={MAX_BYTES}", f"-artifact_prefix={found}{os.sep}", "-timeout=30"]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Parse the arguments and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)}; none: all")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target [1]")
    parser.add_argument("--seed", type=int, help="of the random mutations; repeats a run")
    parser.add_argument("--input", type=Path, help="run this file once")
    parser.add_argument("--engine", choices=("auto", "atheris", "random"), default="auto")
    options = parser.parse_args()
    unknown = [name for name in options.target if name not in TARGETS]
    if unknown:
        parser.error(f"unknown target {unknown[0]}: {', '.join(TARGETS)}")
    targets = [TARGETS[name] for name in options.target or TARGETS]
    if options.input is not None:
        problem = run_one(targets[0], options.input.read_bytes())
        print(problem or "nothing found")
        return int(problem is not None)
    has_atheris = importlib.util.find_spec("atheris") is not None
    if options.engine == "atheris" and not has_atheris:
        parser.error("atheris is not installed: pip install atheris")
    is_guided = has_atheris and options.engine != "random" and options.seed is None
    num_found = 0
    for target in targets:
        if is_guided:
            num_found += fuzz_guided(target, options.minutes * 60) != 0
        else:
            num_found += fuzz(target, options.minutes * 60, seed=options.seed) is not None
    return int(num_found > 0)


if __name__ == "__main__":
    raise SystemExit(main())
