"""What every generator of motion looks like from outside, and what it needs of the lips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from avatar_service.motion.phones import TimedPhone
from avatar_service.signals import AudioChunk, Controls, Float32Array, MotionFrame


class MotionModel(Protocol):
    """Audio and controls in, one MotionFrame per grid time out.

    Frame k has pts floor(k * 1e9 * den / num) of the session. A model knows no clock: it yields a
    frame as soon as the audio line is known far enough beyond it (its look-ahead). Equal audio,
    applied controls and seed give equal frames, whatever the chunks were.
    """

    @property
    def needed_until_nanos(self) -> int:
        """End of the line from which `pull` yields the next frame; before it, asking is idle."""
        ...

    def push(self, chunk: AudioChunk) -> None:
        """Take the next stretch of the line (SPEAK, no gaps) or of what is heard (LISTEN).

        Raises:
            AvatarError: INVALID_AUDIO where a SPEAK chunk does not continue the line, or samples
                are not finite.
        """
        ...

    def push_phones(self, phones: Sequence[TimedPhone], alphabet: str, pts_nanos: int) -> None:
        """Make phones known before their audio: seconds from pts_nanos; they win over the audio.

        Raises:
            AvatarError: INVALID_FIELD for unknown symbols, alphabets or times.
        """
        ...

    def pull(self) -> Iterator[MotionFrame]:
        """Yield the frames that can be told now, in order, each once."""
        ...

    def set_controls(self, controls: Controls, effective_pts_nanos: int) -> int:
        """Put controls in force; 0 means as early as possible.

        Returns:
            pts_nanos of the first frame that shows them: it is not made yet, and not earlier than
            asked. Giving it as effective_pts_nanos in another run with the same audio gives the
            same frames.

        Raises:
            AvatarError: INVALID_FIELD, naming the field.
        """
        ...

    def reset(self, epoch: int) -> None:
        """Barge-in: unsaid speech is dropped, the mouth closes smoothly, life goes on."""
        ...

    def close(self) -> None:
        """Give resources back; nothing may be pushed afterwards."""
        ...


class LipStep(Protocol):
    """The mouth at one time of the 20 ms grid."""

    @property
    def pts_nanos(self) -> int:
        """Its time on the clock given by reset."""
        ...

    @property
    def expression(self) -> Float32Array:
        """(52,) coefficients of the lips and jaw, 0 elsewhere."""
        ...


class LipSource(Protocol):
    """Streaming speech to lips (motion.articulation.ArticulationStage).

    Steps come every 20 ms from the start on, each as soon as the audio is known up to its time
    plus the look-ahead.
    """

    def push(self, samples: Float32Array) -> None:
        """Take (num_samples,) float32, mono, 16 kHz."""
        ...

    def push_phones(self, phones: Sequence[TimedPhone], alphabet: str, pts_nanos: int) -> None:
        """Let known phones drive the mouth from pts_nanos on."""
        ...

    def pull(self) -> Iterator[LipStep]:
        """Yield the steps that can be told now, each once."""
        ...

    def reset(self, start_nanos: int = 0) -> None:
        """Forget the audio; the next sample has the time start_nanos."""
        ...
