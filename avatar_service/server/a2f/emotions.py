"""Audio2Face's ten emotions with time codes, mapped onto our eight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.conventions import A2F_EMOTIONS
from avatar_service.schema import EMOTION_NAMES
from avatar_service.server.a2f.gen.nvidia_ace.a2f.v1 import a2f_pb2
from avatar_service.signals import Float32Array

_DEFAULT_STRENGTH: Final = 0.6
_DEFAULT_PREFERRED_STRENGTH: Final = 0.5
_DEFAULT_MAX_EMOTIONS: Final = 3
_MOST_EMOTIONS: Final = 6
MAX_NAMES: Final = 64
"""In one set of emotions; Audio2Face has ten."""
MAX_NAME_CHARS: Final = 64
MAX_NOTES: Final = 64
"""Lines for a person about what has no effect."""


class EmotionMapper:
    """Turns their weights into ours, as the post-processing parameters say.

    Of the weights the `max_emotions` largest count. They are scaled by `emotion_strength`, and,
    where `enable_preferred_emotion` is set, by `preferred_emotion_strength`: the client's emotions
    are the preferred ones, which are added to what the voice suggests.
    """

    def __init__(self, params: a2f_pb2.EmotionPostProcessingParameters, notes: list[str]) -> None:
        """Check the parameters; `notes` gets a line for each without effect here.

        Raises:
            AvatarError: INVALID_FIELD for a value out of range.
        """
        strength = params.emotion_strength if params.HasField("emotion_strength") else None
        self._strength = _share("emotion_strength", strength, _DEFAULT_STRENGTH)
        if params.enable_preferred_emotion:
            given = params.HasField("preferred_emotion_strength")
            preferred = params.preferred_emotion_strength if given else None
            self._strength *= _share(
                "preferred_emotion_strength", preferred, _DEFAULT_PREFERRED_STRENGTH
            )
        self._most = params.max_emotions if params.HasField("max_emotions") else None
        if self._most is None:
            self._most = _DEFAULT_MAX_EMOTIONS
        if not 1 <= self._most <= _MOST_EMOTIONS:
            raise AvatarError(
                Reason.INVALID_FIELD, f"max_emotions {self._most}: 1 to {_MOST_EMOTIONS}"
            )
        unmapped = [n for n in ("emotion_contrast", "live_blend_coef") if params.HasField(n)]
        if unmapped:
            notes.append("emotion parameters without effect here: " + ", ".join(unmapped))

    def map(self, emotions: Mapping[str, float], notes: list[str]) -> dict[str, float]:
        """Return weights 0..1 by our names.

        Raises:
            AvatarError: INVALID_FIELD for a weight outside 0..1, too many names or too long ones.
        """
        if len(emotions) > MAX_NAMES or any(len(name) > MAX_NAME_CHARS for name in emotions):
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"emotions at once: {MAX_NAMES} of {MAX_NAME_CHARS} characters are allowed",
            )
        known: dict[str, float] = {}
        for name, weight in emotions.items():
            if not (math.isfinite(weight) and 0 <= weight <= 1):
                raise AvatarError(Reason.INVALID_FIELD, f"emotion {name} {weight:g}: 0 to 1")
            if name in A2F_EMOTIONS:
                known[name] = weight
            elif name != "neutral":
                note = f"emotion of unknown name: {name}"
                if len(notes) < MAX_NOTES and note not in notes:
                    notes.append(note)
        strongest = sorted(known, key=lambda name: -known[name])[: self._most]
        ours: dict[str, float] = {}
        for name in strongest:
            for target, share in A2F_EMOTIONS[name].items():
                total = ours.get(target, 0.0) + known[name] * share * self._strength
                ours[target] = min(total, 1.0)
        return ours


def _share(name: str, value: float | None, default: float) -> float:
    value = default if value is None else value
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise AvatarError(Reason.INVALID_FIELD, f"{name} {value:g}: 0 to 1")
    return value


def shown_emotions(emotion: Float32Array) -> dict[str, float]:
    """Express our weights in their names, for a2f_smoothed_output: each by its main counterpart."""
    shown = dict.fromkeys(A2F_EMOTIONS, 0.0)
    for name, shares in A2F_EMOTIONS.items():
        if len(shares) == 1 and name != "grief":
            (target,) = shares
            shown[name] = float(emotion[EMOTION_NAMES.index(target)])
    return shown
