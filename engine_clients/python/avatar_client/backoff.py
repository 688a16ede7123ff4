"""Waiting longer and longer between tries."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackOff:
    """How to try again.

    Attributes:
        initial_secs: before the second try.
        factor: each wait is longer by it.
        max_secs: longest wait.
        give_up_secs: after this time without success the fault is final. The service keeps a
            session for its controller for 60 s by default.
        jitter: each wait is shortened by up to this share, so that clients do not come in step.
    """

    initial_secs: float = 0.1
    factor: float = 2.0
    max_secs: float = 5.0
    give_up_secs: float = 30.0
    jitter: float = 0.3

    def wait_secs(self, num_tries: int) -> float:
        """Return the wait after `num_tries` failed tries (1 or more)."""
        # The exponent is bounded: a float power overflows beyond.
        longest = self.initial_secs * self.factor ** min(num_tries - 1, 64)
        return min(longest, self.max_secs) * (1.0 - self.jitter * random.random())
