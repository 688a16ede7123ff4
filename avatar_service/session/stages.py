"""What a session needs of the rooms it joins: motion and rendering.

Structural types: the real stages and the fakes of the tests satisfy them by shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from avatar_service.motion.phones import TimedPhone
from avatar_service.session.session_request import SessionRequest, TransportKind
from avatar_service.signals import AudioChunk, Background, Controls, MotionFrame, UInt8Array
from avatar_service.transports.publisher import Publisher


class MotionSource(Protocol):
    """Audio and controls in, one latent per frame out (avatar_service.motion.stage)."""

    @property
    def needed_until_nanos(self) -> int:
        """End of the own line from which `pull` yields the next latent."""
        ...

    def push(self, chunk: AudioChunk) -> None:
        """Take in the next stretch of the own line, or a stretch of the partner's voice."""
        ...

    def push_phones(self, phones: Sequence[TimedPhone], alphabet: str, pts_nanos: int) -> None:
        """Make phones known; seconds from `pts_nanos`."""
        ...

    def pull(self) -> Iterator[MotionFrame]:
        """Yield the latents whose look-ahead is complete."""
        ...

    def set_controls(self, controls: Controls, effective_pts_nanos: int) -> int:
        """Change the controls; return the pts from which they act."""
        ...

    def reset(self, epoch: int) -> None:
        """Drop the speech that is not yet out; time goes on."""
        ...

    def close(self) -> None:
        """Give resources back."""
        ...


class PictureBatch(Protocol):
    """Draws pictures of several sessions at once: a device (avatar_service.render.cuda)."""

    def draw(self, shots: Sequence[Any]) -> Sequence[Exception | None]:
        """Draw what `FrameRenderer.shot` has made; return what kept each from being drawn."""
        ...


class FrameRenderer(Protocol):
    """Latents to pixels (avatar_service.render)."""

    def limit_motion(self, motion: MotionFrame) -> MotionFrame:
        """Return the latent as it will be shown."""
        ...

    def set_background(self, background: Background, color: tuple[int, int, int]) -> None:
        """Choose what stands behind the person from the next frame on."""
        ...

    def set_badge(self, is_shown: bool) -> None:
        """Show the visible badge from the next frame on, or not."""
        ...

    def render(self, motion: MotionFrame, out: UInt8Array) -> None:
        """Draw into `out` (height, width, 4)."""
        ...

    @property
    def batch(self) -> PictureBatch | None:
        """What draws several sessions' pictures at once; None: each is drawn by `render`."""
        ...

    def shot(self, motion: MotionFrame, out: UInt8Array) -> Any:
        """Make what `batch` draws; only where there is one."""
        ...

    def close(self) -> None:
        """Give resources back. Idempotent."""


LostTransports = Mapping[TransportKind, str]
"""Ways asked for that could not be opened, and why."""


class StageFactory(Protocol):
    """Makes what a session is built of; each call may take long."""

    def make_motion(self, request: SessionRequest, lookahead_nanos: int) -> MotionSource:
        """Make a motion stage."""
        ...

    def make_renderer(self, request: SessionRequest) -> FrameRenderer:
        """Make a renderer. Raises AVATAR_NOT_FOUND."""
        ...

    def make_publishers(
        self, session_id: str, request: SessionRequest
    ) -> tuple[list[Publisher], LostTransports]:
        """Open the ring and sockets asked for.

        Raises STORAGE_EXHAUSTED where no way is left; else what has no room is told as lost.
        """
        ...
