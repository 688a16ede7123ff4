"""A clock that stands still until it is told."""


class ManualClock:
    def __init__(self, start_nanos: int = 5_000_000_000) -> None:
        self._now = start_nanos

    def now_nanos(self) -> int:
        return self._now

    def advance(self, *, millis: float = 0, nanos: int = 0) -> None:
        step = round(millis * 1e6) + nanos
        if step < 0:
            raise ValueError("time does not go back")
        self._now += step

    def advance_to(self, nanos: int) -> None:
        self.advance(nanos=max(nanos - self._now, 0))
