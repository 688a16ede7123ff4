"""The watermark measured: how visible, how dear, how well it survives, how often it is imagined."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from avatar_service.picture.mark_attacks import ATTACKS, HARDER, Attack
from avatar_service.portrait.portrait import Portrait
from avatar_service.provenance.mark_reader import CLIP_FRAMES, ClipMean, MarkReading
from avatar_service.provenance.watermark import MarkPayload, make_pattern
from avatar_service.render import watermark
from avatar_service.render.bench import moving_frame
from avatar_service.render.cpu import CpuRenderer
from avatar_service.render.renderer import limit_motion
from avatar_service.signals import Background, UInt8Array

_DEVIATIONS: Final = 1.96
"""Of the normal distribution: 95 % lie within."""
_BACKGROUNDS: Final = (
    (Background.KEEP, (0, 0, 0)),
    (Background.KEEP, (0, 0, 0)),
    (Background.COLOR, (0, 177, 64)),
)
"""Of a portrait's clips in turn: a plain screen has the least to hide a mark in."""


@dataclass(slots=True)
class MarkFigures:
    """Counts over clips.

    Attributes:
        psnr_db: of every marked frame against the same without mark.
        kernel_ms: CPU time of every run of the kernel.
        found: by place and attack, clips whose payload was read exactly.
        num_clips: by place, "room" (the photo's own) or "plain" (one colour).
        imagined: readings on unmarked clips, and wrong payloads on marked ones.
    """

    psnr_db: list[float] = field(default_factory=list)
    kernel_ms: list[float] = field(default_factory=list)
    found: dict[tuple[str, str], int] = field(default_factory=dict)
    num_clips: dict[str, int] = field(default_factory=dict)
    num_unmarked: int = 0
    imagined: int = 0

    def summary(self) -> dict[str, Any]:
        """Return what `avatar bench watermark` prints."""
        survival: dict[str, dict[str, str]] = {}
        for (place, attack), count in self.found.items():
            survival.setdefault(place, {})[attack] = _share(count, self.num_clips[place])
        in_all: dict[str, int] = {}
        for (_, attack), count in self.found.items():
            in_all[attack] = in_all.get(attack, 0) + count
        num_clips = sum(self.num_clips.values())
        return {
            "psnr_db_min": round(min(self.psnr_db), 2),
            "psnr_db_mean": round(float(np.mean(self.psnr_db)), 2),
            "kernel_cpu_ms_p50": round(float(np.percentile(self.kernel_ms, 50)), 3),
            "kernel_cpu_ms_p99": round(float(np.percentile(self.kernel_ms, 99)), 3),
            "clips": num_clips,
            "read": {attack: _share(count, num_clips) for attack, count in in_all.items()},
            **{f"read_{place}": counts for place, counts in survival.items()},
            "unmarked_clips": self.num_unmarked,
            "false_alarms": self.imagined,
            "false_alarm_rate_at_most": round(
                wilson(self.imagined, self.num_unmarked + num_clips * len(in_all))[1], 5
            ),
        }


def wilson(count: int, num: int) -> tuple[float, float]:
    """Return the interval, 95 %, of a rate seen `count` times in `num`.

    Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if not num:
        return 0.0, 1.0
    share, spread = count / num, _DEVIATIONS**2 / num
    middle = share + spread / 2
    half = _DEVIATIONS * np.sqrt(share * (1 - share) / num + spread / num / 4)
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return max(0.0, float(low)), min(1.0, float(high))


def _share(count: int, num: int) -> str:
    low, high = wilson(count, num)
    return f"{count} of {num} ({100 * low:.1f} to {100 * high:.1f} %)"


def read_frames(frames: Iterable[UInt8Array]) -> MarkReading | None:
    """Read a clip as `avatar verify` does."""
    mean = ClipMean()
    for frame in frames:
        mean.add(np.ascontiguousarray(frame))
    return mean.read()


class PortraitMarks:
    """Clips of one portrait, marked, attacked and read; what comes out is added to the figures.

    Args:
        seed: of the payloads.
        harder: also try HARDER.
    """

    def __init__(
        self, portrait: Portrait, figures: MarkFigures, *, size_px: int, seed: int, harder: bool
    ) -> None:
        self._portrait = portrait
        self._figures = figures
        self._renderer = CpuRenderer(portrait, size_px)
        self._draw = np.random.default_rng(seed)
        self._attacks: Mapping[str, Attack] = {**ATTACKS, **HARDER} if harder else ATTACKS

    def try_clip(self, number: int) -> None:
        """Render the clip of this number, counted from 0, with a payload of its own."""
        figures = self._figures
        background = _BACKGROUNDS[number % len(_BACKGROUNDS)]
        self._renderer.set_background(*background)
        place = "room" if background[0] is Background.KEEP else "plain"
        payload = MarkPayload.from_int(int.from_bytes(self._draw.bytes(8), "big"))
        plain, marked = _clip(
            self._renderer, self._portrait, payload, first=61 * number, figures=figures
        )
        figures.num_clips[place] = figures.num_clips.get(place, 0) + 1
        for name, attack in self._attacks.items():
            reading = read_frames(attack(marked))
            is_right = reading is not None and reading.payload == payload
            figures.found[place, name] = figures.found.get((place, name), 0) + is_right
            figures.imagined += reading is not None and not is_right
        figures.num_unmarked += 1
        figures.imagined += read_frames(plain) is not None


def _clip(
    renderer: CpuRenderer,
    portrait: Portrait,
    payload: MarkPayload,
    *,
    first: int,
    figures: MarkFigures,
) -> tuple[list[UInt8Array], list[UInt8Array]]:
    """Return one second of frames without and with the mark."""
    size = renderer.size_px
    pattern, dither = make_pattern(payload), watermark.dither_table()
    strength = np.zeros(size, np.int32)
    out = np.zeros((size, size, 4), np.uint8)
    words = out.reshape(-1).view(np.uint32)
    plain, marked = [], []
    for k in range(first, first + CLIP_FRAMES):
        renderer.render(limit_motion(portrait, moving_frame(k)), out)
        plain.append(out[..., :3].copy())
        began = time.thread_time_ns()
        watermark.apply(words, pattern, dither, strength, size)
        if k > first:  # the very first call compiles
            figures.kernel_ms.append((time.thread_time_ns() - began) / 1e6)
        marked.append(out[..., :3].copy())
        error = np.mean((marked[-1].astype(np.float32) - plain[-1]) ** 2)
        figures.psnr_db.append(float(10 * np.log10(255**2 / error)))
    return plain, marked
