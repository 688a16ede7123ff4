"""Playing in real time, on a clock that the test turns."""

from __future__ import annotations

import pytest
from export_facts import distinct_pose

from avatar_service.cli.live import open_senders, play, split_endpoint
from avatar_service.errors import AvatarError
from avatar_service.export.conventions import NameSet
from avatar_service.signals import MotionFrame

pytestmark = pytest.mark.unit


class Recorder:
    """Notes when each frame came."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.times: list[float] = []
        self.is_closed = False

    def publish(self, frame: MotionFrame) -> None:
        self.times.append(self.clock.now)

    def close(self) -> None:
        self.is_closed = True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def frames(count: int) -> list[MotionFrame]:
    return [distinct_pose(k * 50_000_000, k) for k in range(count)]


def test_each_frame_goes_out_at_its_time() -> None:
    clock = Clock()
    recorder = Recorder(clock)
    assert play(frames(5), [recorder], clock=clock.read, sleep=clock.sleep) == (5, 0)
    assert recorder.times == pytest.approx([100 + 0.05 * k for k in range(5)])
    assert recorder.is_closed


def test_a_slow_source_is_late_but_loses_nothing() -> None:
    clock = Clock()
    recorder = Recorder(clock)

    def slow() -> object:
        for frame in frames(6):
            if frame.seq == 3:
                clock.now += 0.4
            yield frame

    assert play(slow(), [recorder], clock=clock.read, sleep=clock.sleep) == (6, 3)  # type: ignore[arg-type]
    assert len(recorder.times) == 6


def test_senders_close_when_the_source_fails() -> None:
    clock = Clock()
    recorder = Recorder(clock)

    def failing() -> object:
        yield frames(1)[0]
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        play(failing(), [recorder], clock=clock.read, sleep=clock.sleep)  # type: ignore[arg-type]
    assert recorder.is_closed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", ("localhost", 7)),
        ("10.0.0.1:99", ("10.0.0.1", 99)),
        ("[::1]:99", ("::1", 99)),
        ("::1", ("::1", 7)),
    ],
)
def test_endpoints(text: str, expected: tuple[str, int]) -> None:
    assert split_endpoint("--x", text, 7) == expected


@pytest.mark.parametrize("text", ["", "host:", ":99", "host:ninety"])
def test_bad_endpoints_get_one_line(text: str) -> None:
    with pytest.raises(AvatarError, match="HOST or HOST:PORT"):
        split_endpoint("--x", text, 7)


def test_nothing_to_send_to_gets_one_line() -> None:
    with pytest.raises(AvatarError, match="name a receiver"):
        open_senders(
            live_link=None,
            vmc=None,
            subject="A",
            names=[NameSet.VRM0],
            fps=30,
            allowed=[],  # type: ignore[arg-type]
        )
