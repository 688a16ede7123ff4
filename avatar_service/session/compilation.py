"""Kernels are compiled in a process of their own, where they are not in the cache yet.

The compiler takes 150 MB, and gives nothing back to the process that used it. And where it is
compiled, a kernel calls other code of its callees than where it comes from the cache: sums are
rounded differently, and a seed's motion is another one. So whoever lives long, or has to give the
same motion again, has another process compile and then finds the machine code in the cache. It
compiles by itself, as numba does, where that other process fails.

    python -m avatar_service.session.compilation motion
    python -m avatar_service.session.compilation picture PORTRAIT.npz
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import numpy as np

from avatar_service.audio.mel import SAMPLE_RATE_HZ
from avatar_service.jit import is_compiled, note_compiled
from avatar_service.motion.generators import MOTION_MODELS
from avatar_service.motion.stage import MotionStage, compute_together
from avatar_service.portrait.portrait import Portrait
from avatar_service.render.cpu import CpuRenderer
from avatar_service.signals import AudioChunk, Controls

log = logging.getLogger(__name__)

MOTION: Final = "motion"
PICTURE: Final = "picture"
_TIMEOUT_SECS: Final = 900.0
"""On a starved machine; two minutes are usual."""
_HEARD_SECS: Final = 1.0
_COMPILING: Final = threading.Lock()


def compile_ahead(what: str, portrait: Path | None = None) -> None:
    """Have what is not compiled yet compiled; return when the cache holds it.

    Who asks meanwhile waits for it: clients that lose patience and ask again would else start a
    compiler each time.

    Args:
        what: MOTION, or PICTURE.
        portrait: a stored portrait to compile PICTURE with.
    """
    with _COMPILING:
        if not is_compiled(what):
            _compile_elsewhere(what, portrait)


def _compile_elsewhere(what: str, portrait: Path | None) -> None:
    command = [sys.executable, "-m", __name__, what, *([str(portrait)] if portrait else [])]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TIMEOUT_SECS,
            check=False,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("kernels are compiled by this process itself: %s", type(error).__name__)
        return
    if done.returncode != 0:
        fault = (done.stderr.strip().splitlines() or ["no message"])[-1]
        log.warning("kernels are compiled by this process itself: %s", fault)


def compile_motion() -> None:
    """Move with every motion model, alone and in a batch."""
    samples = np.random.default_rng(0).normal(0, 0.1, round(_HEARD_SECS * SAMPLE_RATE_HZ))
    chunk = AudioChunk(samples.astype(np.float32), 0)
    stages = [MotionStage(controls=Controls(motion_model=name)) for name in MOTION_MODELS]
    stages += [MotionStage(), MotionStage()]
    for stage in stages:
        stage.push(chunk)
    compute_together(stages[-2:])
    for stage in stages:
        list(stage.pull())
    note_compiled(MOTION)


def compile_picture(portrait: Path) -> None:
    """Draw a stored portrait in all ways."""
    CpuRenderer(Portrait.load(portrait)).warm_up()
    note_compiled(PICTURE)


def main(arguments: list[str]) -> None:
    """Compile what is named."""
    parser = argparse.ArgumentParser(description="Compile kernels into the cache.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser(MOTION)
    kinds.add_parser(PICTURE).add_argument("portrait", type=Path)
    options = parser.parse_args(arguments)
    if options.kind == MOTION:
        compile_motion()
    else:
        compile_picture(options.portrait)


if __name__ == "__main__":
    main(sys.argv[1:])
