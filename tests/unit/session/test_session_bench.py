from collections.abc import Callable

import pytest

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.bench import find_max_sessions

pytestmark = pytest.mark.unit


def machine(limit: int, admitted: int, tried: list[int]) -> Callable[..., dict[str, float]]:
    """A service that has late frames beyond `limit` sessions and refuses beyond `admitted`."""

    def measure(*, sessions: int, **_: object) -> dict[str, float]:
        tried.append(sessions)
        if sessions > admitted:
            raise AvatarError(Reason.CAPACITY_EXHAUSTED, "no")
        late = float(max(0, sessions - limit))
        return {"sessions": float(sessions), "late_frames": late, "frames_dropped": 0.0}

    return measure


@pytest.mark.parametrize("limit", range(12))
def test_the_largest_number_without_a_late_frame_is_found(limit: int) -> None:
    tried: list[int] = []
    found, curve = find_max_sessions(measure=machine(limit, 99, tried), most=10)
    assert found == min(limit, 10)
    assert [run["sessions"] for run in curve] == sorted(set(tried))


def test_a_refusal_is_a_limit_too() -> None:
    found, curve = find_max_sessions(measure=machine(99, 5, []))
    assert found == 5
    assert max(run["sessions"] for run in curve) == 5


def test_a_number_that_was_late_once_is_tried_again() -> None:
    num_runs: dict[int, int] = {}

    def measure(*, sessions: int, **_: object) -> dict[str, float]:
        num_runs[sessions] = num_runs.get(sessions, 0) + 1
        is_late = sessions > 4 or (sessions == 2 and num_runs[2] == 1)
        late = float(is_late)
        return {"sessions": float(sessions), "late_frames": late, "frames_dropped": 0.0}

    found, curve = find_max_sessions(measure=measure)
    assert found == 4
    assert curve[1]["late_frames"] == 0


def test_other_faults_are_not_taken_for_a_limit() -> None:
    def measure(**_: object) -> dict[str, float]:
        raise AvatarError(Reason.NO_FACE, "a cat")

    with pytest.raises(AvatarError, match="a cat"):
        find_max_sessions(measure=measure)
