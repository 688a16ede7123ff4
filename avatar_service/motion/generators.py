"""Who generates which part of life: the transformer or the simple generator, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from avatar_service.errors import AvatarError, Reason

PARTS: Final = ("head", "face", "gaze", "blink")
"""What either of the two can generate."""
GESTURES: Final = "gestures"
"""Named where gestures of speech lie over what is generated."""
MOTION_MODELS: Final[Mapping[str, frozenset[str]]] = {
    "mixed": frozenset({"head", "face", GESTURES}),
    "transformer": frozenset(PARTS),
    "rules": frozenset(),
}
"""Parts that the transformer generates, by the name of the motion model; the simple generator
takes the others. `mixed` gives each part to the one that measures better on it, by the tables of
docs/models/motion.md, and lays the gestures of motion/gestures.py over both."""
DEFAULT_MOTION_MODEL: Final = next(iter(MOTION_MODELS))


def parts_of(motion_model: str) -> frozenset[str]:
    """Tell which parts a motion model has the transformer generate, GESTURES among them.

    Raises:
        AvatarError: INVALID_FIELD for an unknown name.
    """
    parts = MOTION_MODELS.get(motion_model)
    if parts is None:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"unknown motion model {motion_model!r}; known: {', '.join(MOTION_MODELS)}",
            field="motion_model",
        )
    return parts
