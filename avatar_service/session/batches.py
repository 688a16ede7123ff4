"""What the scheduler has sessions do as one batch: motion networks, and pictures of one device."""

from __future__ import annotations

from collections.abc import Sequence

from avatar_service.motion.stage import MotionStage, compute_together
from avatar_service.session.delivery import deliver_together
from avatar_service.session.scheduler import Tickable
from avatar_service.session.session import Session


def compute_motion(due: Sequence[Tickable]) -> None:
    """Run the motion networks of the due sessions as one batch."""
    stages = [one.motion for one in due if isinstance(one, Session)]
    compute_together([stage for stage in stages if isinstance(stage, MotionStage)])


def deliver_pictures(due: Sequence[Tickable]) -> list[Exception | None]:
    """Draw and publish the pictures of the due sessions of one device; see Session.deliver.

    Returns:
        What kept each from being delivered.
    """
    sessions = [one for one in due if isinstance(one, Session)]
    outcomes = deliver_together([session.delivery for session in sessions])
    for session, outcome in zip(sessions, outcomes, strict=True):
        if outcome is None:
            session.end_tick()
    return outcomes
