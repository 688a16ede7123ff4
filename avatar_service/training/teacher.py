"""Lives drawn from the simple generator on synthetic conversations: what is distilled.

A conversation is a line of utterances with pauses, in which a partner speaks now and then; on each,
the simple generator (head, gaze, blink, brows) is run several times with other seeds and controls.
Feelings tune it: who is sad moves and blinks less, who is glad or angry more (Busso et al. 2007).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.audio.prosody import HOP_SAMPLES, Prosody, ProsodyHop
from avatar_service.motion.blink import Blinks
from avatar_service.motion.brows import Brows
from avatar_service.motion.controls import ControlSchedule, EasedControls
from avatar_service.motion.easing import TICK_SECS
from avatar_service.motion.emotion import vigour_of
from avatar_service.motion.gaze import Gaze
from avatar_service.motion.head import Head
from avatar_service.motion.life_channels import channels_of, condition_row
from avatar_service.motion.rhythm import Rhythm
from avatar_service.motion.styles import STYLES
from avatar_service.schema import EMOTION_NAMES
from avatar_service.signals import Controls, Float32Array
from avatar_service.training.sequences import LifeSequence

_RATE_HZ: Final = 16000
_HOPS_PER_TICK: Final = 2
_TICK_NANOS: Final = 40_000_000
_BLINKING: Final = {"sad": -0.2, "angry": -0.25, "afraid": 0.4, "surprised": -0.3, "happy": 0.1}

Ticks = list[tuple[list[ProsodyHop], list[ProsodyHop]]]


def converse(utterances: Iterator[Float32Array], secs: float, random: np.random.Generator) -> Ticks:
    """Lay utterances and pauses out; the hops of the own and of the partner's voice, by tick."""
    own: list[Float32Array] = []
    partner: list[Float32Array] = []

    def say(samples: Float32Array, is_own: bool) -> None:
        quiet = np.zeros(len(samples), np.float32)
        own.append(samples if is_own else quiet)
        partner.append(quiet if is_own else samples)

    total, needed = 0, round(secs * _RATE_HZ)
    is_own = True
    while total < needed:
        pause = float(np.clip(random.lognormal(-0.6, 0.7), 0.15, 4.0))
        if random.random() < 0.06:
            pause = float(random.uniform(4, 10))
        say(np.zeros(round(pause * _RATE_HZ), np.float32), True)
        if random.random() < (0.18 if is_own else 0.6):
            is_own = not is_own
        samples = next(utterances)
        say(samples * float(10 ** random.uniform(-0.6, 0.1)), is_own)
        total = sum(map(len, own))
    return list(zip(hops_by_tick(own, needed), hops_by_tick(partner, needed), strict=True))


def hops_by_tick(parts: list[Float32Array], num_samples: int) -> list[list[ProsodyHop]]:
    """Analyse samples, given in parts, and sort the hops into ticks of 40 ms."""
    line = np.concatenate(parts)[:num_samples]
    hops = Prosody().push_hops(line)
    # The first hops are known once the analyser's window is full.
    hops = [hops[0]] * (len(line) // HOP_SAMPLES - len(hops)) + hops
    count = len(hops) // _HOPS_PER_TICK
    return [hops[_HOPS_PER_TICK * i : _HOPS_PER_TICK * (i + 1)] for i in range(count)]


@dataclass(frozen=True, slots=True)
class _Wish:
    """Controls from a time on."""

    tick: int
    controls: Controls


def draw_wishes(num_ticks: int, random: np.random.Generator) -> list[_Wish]:
    """Draw controls that change every 10 s or so."""
    wishes, tick = [], 0
    while tick < num_ticks:
        wishes.append(_Wish(tick, _draw_controls(random)))
        tick += int(random.uniform(5, 20) / TICK_SECS)
    return wishes


def _draw_controls(random: np.random.Generator) -> Controls:
    feelings = {}
    for _ in range(int(random.choice([0, 1, 2], p=[0.5, 0.4, 0.1]))):
        feelings[EMOTION_NAMES[random.integers(1, len(EMOTION_NAMES))]] = float(random.random())
    gaze = None
    if random.random() < 0.3:
        gaze = (float(random.normal(0, 0.25)), float(random.normal(0, 0.15)))
    is_plain = random.random() < 0.55
    return Controls(
        gaze=gaze,
        emotion=feelings,
        speaking_style="neutral" if is_plain else str(random.choice(list(STYLES))),
        idle=1.0 if random.random() < 0.7 else float(random.uniform(0, 2)),
    )


def felt(controls: EasedControls) -> EasedControls:
    """Let the feelings of the controls act on the generator's strengths."""
    vigour = vigour_of(controls.emotion)
    blinking = sum(
        weight * _BLINKING.get(name, 0.0)
        for name, weight in zip(EMOTION_NAMES, controls.emotion, strict=True)
    )
    return replace(
        controls,
        head=controls.head * vigour,
        brows=controls.brows * vigour,
        blink_rate=controls.blink_rate * (1 + float(np.clip(blinking, -0.5, 0.5))),
    )


def live(ticks: Ticks, wishes: Sequence[_Wish], seed: int) -> LifeSequence:
    """Run the simple generator over a conversation and write down what it does."""
    head, gaze, blinks, brows = Head(seed), Gaze(seed), Blinks(seed), Brows(seed)
    rhythm, heard = Rhythm(), Rhythm()
    schedule = ControlSchedule(wishes[0].controls)
    for wish in wishes[1:]:
        schedule.schedule(wish.controls, wish.tick * _TICK_NANOS)
    position = (0.0, 0.0, 0.0)
    rows: list[NDArray[np.float64]] = []
    sways, faces, offsets = [], [], []
    shift = np.zeros(len(ticks), np.float32)
    blink = np.zeros(len(ticks), np.float32)
    for i, (voice, partner_voice) in enumerate(ticks):
        asked = schedule.step(i * _TICK_NANOS)
        controls = felt(asked)
        beat, partner = rhythm.step(voice), heard.step(partner_voice)
        now = i * TICK_SECS
        before = gaze.offset
        gaze.step(now, beat, partner, controls, position)
        shift[i] = gaze.has_shifted and gaze.offset != before
        blinks.step(now, beat, partner, controls.blink_rate, gaze.shift_deg)
        for start in blinks.starts_secs:
            if 0 <= (at := int(start / TICK_SECS)) < len(ticks):
                blink[at] = 1.0
        brows.step_free(beat, partner, controls)
        pose = head.step(beat, partner, controls, gaze.follow)
        position = (float(pose.value[3]), float(pose.value[4]), float(pose.value[5]))
        rows.append(condition_row(beat, voice, partner, asked, 0.0))
        sways.append(head.sway.value)
        faces.append(brows.free_value)
        offsets.append(gaze.offset)
    return LifeSequence(
        conditions=np.array(rows, np.float32),
        channels=channels_of(np.array(sways), np.array(faces)).astype(np.float32),
        blink=blink,
        shift=shift,
        offset=np.array(offsets, np.float32),
        has_gaze=True,
    )
