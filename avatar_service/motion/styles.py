"""Speaking styles by name: how large the mouth, the head and the face move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from avatar_service.errors import AvatarError, Reason


@dataclass(frozen=True, slots=True)
class SpeakingStyle:
    """Gains on the neutral speaker.

    Attributes:
        jaw: opening of the jaw.
        lips: all other mouth shapes.
        head: head motion while speaking.
        brows: brow raises on stressed syllables.
        smile: resting smile while speaking, 0..1.
    """

    jaw: float = 1.0
    lips: float = 1.0
    head: float = 1.0
    brows: float = 1.0
    smile: float = 0.0


STYLES: Final[Mapping[str, SpeakingStyle]] = {
    "neutral": SpeakingStyle(),
    "calm": SpeakingStyle(jaw=0.85, lips=0.9, head=0.6, brows=0.6),
    "lively": SpeakingStyle(jaw=1.12, lips=1.1, head=1.25, brows=1.5, smile=0.06),
    "formal": SpeakingStyle(jaw=0.95, lips=1.05, head=0.75, brows=0.8),
    "warm": SpeakingStyle(jaw=0.95, lips=1.0, head=0.9, brows=1.1, smile=0.14),
    "mumbled": SpeakingStyle(jaw=0.6, lips=0.7, head=0.7, brows=0.5),
}


def style_of(name: str) -> SpeakingStyle:
    """Look a style up by name.

    Raises:
        AvatarError: INVALID_FIELD for an unknown name.
    """
    style = STYLES.get(name)
    if style is None:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"unknown speaking style {name!r}; known: {', '.join(STYLES)}",
            field="speaking_style",
        )
    return style
