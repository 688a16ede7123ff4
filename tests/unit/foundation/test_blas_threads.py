"""Small products are not worth a second thread that spins; sessions run in parallel instead."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

_COUNT = """
import avatar_service, numpy, os
a = numpy.ones((600, 600)); a @ a
print(len(os.listdir("/proc/self/task")))
"""


def threads_with(**variables: str) -> int:
    others = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", _COUNT]
    done = subprocess.run(
        command, env=others | variables, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_numpy_has_one_thread_unless_the_user_asks_for_more() -> None:
    assert threads_with() == 1
    assert threads_with(OPENBLAS_NUM_THREADS="2") == min(2, len(os.sched_getaffinity(0)))
