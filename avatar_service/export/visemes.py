"""Viseme tracks read off the mouth: Oculus's 15 and Rhubarb's A to H and X, as JSON and TSV.

Each frame gets the viseme whose mouth is nearest; a track of them is smoothed by the cheapest path
(Viterbi) with a price on changes. What happens behind the teeth does not show: DD, kk, nn, SS and
TH are told apart only as far as jaw, lips and tongue differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.export.conventions import OCULUS_VISEMES
from avatar_service.export.frames import output_file
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import MotionFrame

# A mouth in six numbers 0..1, and how much each counts: jaw, rounding, closure, spread, lip to
# teeth, speech activity. A coefficient counts as 1 at _FULL, near the 98th percentile of speech.
_FULL: Final = np.array([0.38, 0.30, 0.30, 0.20, 0.50, 1.0])
_WEIGHTS: Final = np.array([1.0, 1.0, 1.2, 0.6, 1.2, 0.8])
_PROTOTYPES: Final[dict[str, tuple[float, ...]]] = {
    "sil": (0.05, 0.10, 0.10, 0.10, 0.0, 0.0),
    "PP": (0.05, 0.15, 1.00, 0.20, 0.0, 1.0),
    "FF": (0.20, 0.10, 0.20, 0.20, 1.0, 1.0),
    "TH": (0.30, 0.10, 0.00, 0.20, 0.0, 1.0),
    "DD": (0.25, 0.10, 0.00, 0.40, 0.0, 1.0),
    "kk": (0.45, 0.15, 0.00, 0.30, 0.0, 1.0),
    "CH": (0.20, 0.60, 0.00, 0.20, 0.0, 1.0),
    "SS": (0.10, 0.10, 0.00, 0.60, 0.0, 1.0),
    "nn": (0.20, 0.10, 0.00, 0.25, 0.0, 1.0),
    "RR": (0.35, 0.45, 0.00, 0.20, 0.0, 1.0),
    "aa": (1.00, 0.15, 0.00, 0.40, 0.0, 1.0),
    "E": (0.70, 0.10, 0.00, 0.60, 0.0, 1.0),
    "ih": (0.45, 0.10, 0.00, 0.75, 0.0, 1.0),
    "oh": (0.80, 0.60, 0.00, 0.15, 0.0, 1.0),
    "ou": (0.35, 1.00, 0.00, 0.10, 0.0, 1.0),
}
RHUBARB_FROM_OCULUS: Final[dict[str, str]] = {
    "sil": "X",
    "PP": "A",
    "FF": "G",
    "TH": "H",
    "DD": "B",
    "kk": "B",
    "CH": "F",
    "SS": "B",
    "nn": "B",
    "RR": "E",
    "aa": "D",
    "E": "C",
    "ih": "B",
    "oh": "E",
    "ou": "F",
}
"""Rhubarb's drawings by the sounds that its manual lists for each."""

_CHANGE_COST_PER_SEC: Final = 0.0045
"""Price of a change: a viseme must fit better than its neighbours for some 60 ms to appear."""
_BLOCK_SECS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Cue:
    """One viseme and when it holds, seconds from the first audio sample."""

    start: float
    end: float
    value: str


def mouth_features(frame: MotionFrame) -> NDArray[np.float64]:
    """Describe a mouth by the six numbers of the prototypes."""
    value = frame.expression

    def mean(*names: str) -> float:
        return float(np.mean([value[EXPRESSION_INDEX[name]] for name in names]))

    closure = max(
        mean("mouthPressLeft", "mouthPressRight"),
        mean("mouthClose"),
        min(mean("mouthRollUpper"), mean("mouthRollLower")),
    )
    spread = mean("mouthSmileLeft", "mouthSmileRight") + mean(
        "mouthStretchLeft", "mouthStretchRight"
    )
    biting = mean("mouthRollLower") - mean("mouthRollUpper")
    return np.array(
        [
            max(mean("jawOpen") - mean("mouthClose"), 0.0),
            max(mean("mouthPucker"), mean("mouthFunnel")),
            closure,
            spread,
            max(biting, 0.0),
            float(frame.speech > 0.3),
        ]
    )


def _costs(frame: MotionFrame) -> NDArray[np.float64]:
    prototypes = np.array([_PROTOTYPES[name] for name in OCULUS_VISEMES])
    features = np.minimum(mouth_features(frame) / _FULL, 1.0)
    distance: NDArray[np.float64] = (((features - prototypes) * _WEIGHTS) ** 2).sum(axis=1)
    return distance


def oculus_cues(frames: Iterable[MotionFrame], fps: Fraction) -> Iterator[Cue]:
    """Yield the viseme track, in blocks of some seconds (constant memory)."""
    limit = max(int(_BLOCK_SECS * fps), 1)
    change_cost = _CHANGE_COST_PER_SEC * float(fps)
    start = k = 0
    current: int | None = None
    pending = iter(frames)
    while block := [_costs(frame) for frame in islice(pending, limit)]:
        for viseme in _cheapest(np.array(block), change_cost, current):
            if current is not None and viseme != current:
                yield Cue(float(start / fps), float(k / fps), OCULUS_VISEMES[current])
                start = k
            current, k = viseme, k + 1
    if current is not None:
        yield Cue(float(start / fps), float(k / fps), OCULUS_VISEMES[current])


def _cheapest(costs: NDArray[np.float64], change: float, first: int | None) -> list[int]:
    """Viterbi path over (frames, visemes) costs with one price for any change."""
    total = costs[0].copy()
    if first is not None:
        total += change * (np.arange(len(total)) != first)
    back = np.zeros(costs.shape, np.int64)
    for k in range(1, len(costs)):
        best = int(total.argmin())
        moves = total[best] + change < total
        back[k] = np.where(moves, best, np.arange(len(total)))
        total = np.where(moves, total[best] + change, total) + costs[k]
    state = int(total.argmin())
    states = [state]
    for k in range(len(costs) - 1, 0, -1):
        state = int(back[k, state])
        states.append(state)
    return states[::-1]


def rhubarb_cues(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Map and join: neighbours of the same drawing become one cue."""
    pending: Cue | None = None
    for cue in cues:
        value = RHUBARB_FROM_OCULUS[cue.value]
        if pending is not None and pending.value == value:
            pending = Cue(pending.start, cue.end, value)
            continue
        if pending is not None:
            yield pending
        pending = Cue(cue.start, cue.end, value)
    if pending is not None:
        yield pending


def write(
    path: Path, frames: Iterable[MotionFrame], fps: Fraction, *, rhubarb: bool, sound: str = ""
) -> int:
    """Write cues as JSON or, for a name ending in .tsv, as TSV; returns their number.

    Rhubarb's own forms: {"metadata": {soundFile, duration}, "mouthCues": [{start, end, value}]},
    and `start<TAB>value` lines that end with a closing X. Oculus's set has the same forms.

    Args:
        path: where to.
        frames: motion at a constant rate from time 0.
        fps: that rate.
        rhubarb: Rhubarb's set instead of Oculus's.
        sound: name of the sound file, for the metadata.
    """
    cues: Iterable[Cue] = oculus_cues(frames, fps)
    cues = rhubarb_cues(cues) if rhubarb else cues
    with output_file(path, "w") as file:
        if path.suffix.lower() == ".tsv":
            return _write_tsv(file, cues, closing="X" if rhubarb else "sil")
        return _write_json(file, cues, sound)


def _write_tsv(file: IO[str], cues: Iterable[Cue], *, closing: str) -> int:
    count, end = 0, 0.0
    for cue in cues:
        file.write(f"{cue.start:.3f}\t{cue.value}\n")
        count, end = count + 1, cue.end
    file.write(f"{end:.3f}\t{closing}\n")
    return count


def _write_json(file: IO[str], cues: Iterable[Cue], sound: str) -> int:
    file.write('{\n  "mouthCues": [')
    count, end = 0, 0.0
    for cue in cues:
        row = {"start": round(cue.start, 3), "end": round(cue.end, 3), "value": cue.value}
        file.write(("," if count else "") + "\n    " + json.dumps(row))
        count, end = count + 1, cue.end
    metadata = json.dumps({"soundFile": sound, "duration": round(end, 3)})
    file.write(f'\n  ],\n  "metadata": {metadata}\n}}\n')
    return count
