"""What one client may take of the service, so that the others have theirs.

New calls beyond a rate are refused with the time after which they fit. Within a stream nothing is
refused for coming too fast: the stream is read more slowly, and HTTP/2's flow control holds the
client back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from avatar_service.config import QuotaConfig
from avatar_service.errors import AvatarError, Reason

BURST_SECS: Final = 1.0
"""So much of a rate may be saved up and spent at once, beside the rate itself."""
BURST_BYTES_SECS: Final = 2.0
"""The same for bytes: a photo of 32 MiB comes in one piece."""
CALLS_RETRY_SECS: Final = 1.0


class TokenBucket:
    """A rate with a burst; may be overdrawn, as what has come cannot be sent back.

    Args:
        rate: units per second that flow in.
        burst: units that fit.
        now: clock, seconds.
    """

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._now = now
        self._level = burst
        self._at = now()

    def take(self, amount: float) -> None:
        """Take out, below zero too."""
        self._fill()
        self._level -= amount

    def wait_secs(self, amount: float = 0.0) -> float:
        """Return after how long `amount` is there; 0: now."""
        self._fill()
        return max(0.0, (amount - self._level) / self._rate)

    def _fill(self) -> None:
        now = self._now()
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now


class Share:
    """What one client has taken; used on the event loop alone."""

    def __init__(self, limits: QuotaConfig, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        rate, messages, size = (
            limits.requests_per_sec,
            limits.messages_per_sec,
            limits.bytes_per_sec,
        )
        self._requests = TokenBucket(rate, rate * BURST_SECS, now)
        self._messages = TokenBucket(messages, messages * BURST_SECS, now)
        self._bytes = TokenBucket(size, size * BURST_BYTES_SECS, now)
        self.num_calls = 0

    def begin_call(self) -> None:
        """Count a call that begins. Raises QUOTA_EXCEEDED; each one is ended by `end_call`."""
        if self.num_calls >= self._limits.calls:
            raise _exceeded(
                f"{self.num_calls} calls of this client run; {self._limits.calls} are allowed",
                CALLS_RETRY_SECS,
            )
        wait = self._requests.wait_secs(1.0)
        if wait:
            raise _exceeded(
                f"more than {self._limits.requests_per_sec:g} calls per second of this client", wait
            )
        wait = self._bytes.wait_secs()
        if wait:
            raise _exceeded(
                f"more than {self._limits.bytes_per_sec:g} bytes per second of this client", wait
            )
        self._requests.take(1.0)
        self.num_calls += 1

    def end_call(self) -> None:
        """Count a call that ends."""
        self.num_calls -= 1

    def take_message(self, num_bytes: int, cost: float = 1.0) -> None:
        """Count a message that was received, and costs as much as so many usual ones."""
        self._messages.take(cost)
        self._bytes.take(num_bytes)

    def stream_bucket(self) -> TokenBucket:
        """Return a bucket for the messages of one stream."""
        rate = self._limits.stream_messages_per_sec
        return TokenBucket(rate, rate * BURST_SECS, self._now)

    @property
    def pause_secs(self) -> float:
        """How long the client's streams should not be read on; 0 as a rule."""
        return max(self._messages.wait_secs(), self._bytes.wait_secs())


class Quotas:
    """The shares of all clients; a client is a name of the token file."""

    def __init__(self, limits: QuotaConfig, *, now: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._now = now
        self._shares: dict[str, Share] = {}

    def share_of(self, name: str) -> Share:
        """Return a client's share; names come from the token file, so they are few."""
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = Share(self.limits, self._now)
        return share


def _exceeded(message: str, retry_secs: float) -> AvatarError:
    return AvatarError(Reason.QUOTA_EXCEEDED, message, retry_secs=retry_secs)
