"""Every parser of outside bytes, on its corpus and on some hundred mutations of it.

Hours of it: `python -m tools.fuzz --minutes 60 TARGET`.
"""

from __future__ import annotations

import random
import time

import pytest

from tools.fuzz.__main__ import run_one, seeds_of
from tools.fuzz.mutate import mutated
from tools.fuzz.targets import TARGETS

pytestmark = pytest.mark.unit

NUM_INPUTS = 400
CPU_SECS = 1.5
"""Bound of a target in the tests, whatever its inputs take."""


@pytest.mark.filterwarnings("error")  # a stranger's bytes must not fill the log of a service
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_refusals_comes_out_of(name: str) -> None:
    target, rng = TARGETS[name], random.Random(20261127)
    seeds = seeds_of(target)
    assert seeds, "a corpus is committed"
    for data in (b"", *seeds):
        assert run_one(target, data) is None
    ends = time.process_time() + CPU_SECS
    for _ in range(NUM_INPUTS):
        if time.process_time() > ends:
            break
        data = mutated(seeds, rng)
        problem = run_one(target, data)
        assert problem is None, f"{problem}\ninput: {data[:200]!r} ({len(data)} bytes)"
