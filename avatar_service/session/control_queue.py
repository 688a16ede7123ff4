"""Control changes on their way: first to the motion stage, then to what they make of pictures."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.session.events import ControlsApplied
from avatar_service.session.stages import FrameRenderer, MotionSource
from avatar_service.signals import Controls

MAX_WAITING: Final = 256


@dataclass(frozen=True, slots=True)
class _Change:
    controls: Controls
    effective_pts: int
    change_id: int


class ControlQueue:
    """The controls of a session and the changes that wait. Guarded by the session's lock.

    Args:
        controls: to begin with.
        has_pictures: whether background and badge matter.
    """

    def __init__(self, controls: Controls, *, has_pictures: bool) -> None:
        self._now = controls
        self._has_pictures = has_pictures
        self._waiting: deque[_Change] = deque()
        self._looks: deque[tuple[int, Controls]] = deque()

    @property
    def newest(self) -> Controls:
        """The controls in effect or, where changes wait, what they lead to."""
        return self._waiting[-1].controls if self._waiting else self._now

    @property
    def has_waiting(self) -> bool:
        """Whether changes wait for the motion stage."""
        return bool(self._waiting)

    def add(self, controls: Controls, effective_pts: int, change_id: int) -> None:
        """Let a change wait for the next tick. Raises QUOTA_EXCEEDED."""
        if len(self._waiting) >= MAX_WAITING:
            raise AvatarError(
                Reason.QUOTA_EXCEEDED, f"{MAX_WAITING} control changes wait; send fewer at once"
            )
        self._waiting.append(_Change(controls, effective_pts, change_id))

    def apply_to(self, motion: MotionSource) -> list[ControlsApplied]:
        """Hand all that waits to the motion stage; return when each takes effect."""
        applied = []
        while self._waiting:
            change = self._waiting.popleft()
            pts = motion.set_controls(change.controls, change.effective_pts)
            self._now = change.controls
            if self._has_pictures:
                # As the motion stage does: what was planned for later is overruled.
                while self._looks and self._looks[-1][0] >= pts:
                    self._looks.pop()
                self._looks.append((pts, change.controls))
            applied.append(ControlsApplied(change.change_id, pts, change.controls))
        return applied

    def set_look(self, renderer: FrameRenderer, pts_nanos: int) -> None:
        """Choose background and badge that hold for the frame of this pts."""
        while self._looks and self._looks[0][0] <= pts_nanos:
            _, controls = self._looks.popleft()
            set_look(renderer, controls)


def set_look(renderer: FrameRenderer, controls: Controls) -> None:
    """Bring what controls say of the picture itself to the renderer."""
    renderer.set_background(controls.background, controls.background_color)
    renderer.set_badge(controls.badge)
