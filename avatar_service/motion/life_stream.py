"""The life transformer at run time: one stream per session, blocks of two ticks, batched.

    stream.sense(row)          # what the tick is told; at every second tick a block falls due
    draw_together(streams)     # all blocks that are due, as one batch
    tick = stream.act(...)     # sway, face, blink and gaze of the tick

Noise is a function of (seed, block) alone, so equal rows give equal lives whatever the chunks were.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.easing import TICK_SECS, FloatArray, Springs
from avatar_service.motion.gaze import GazeShift
from avatar_service.motion.innovations import BLOCK, ORDER, Innovations
from avatar_service.motion.life_channels import FACE, NUM_CHANNELS, NUM_CONDITIONS
from avatar_service.motion.life_parameters import (
    GAZE_SCALE,
    NUM_EVENTS,
    LifeParameters,
    events_of,
    known_tokens,
    load_weights,
)
from avatar_service.motion.life_pass import BlockInput, LifePass
from avatar_service.signals import Float32Array

STEPS_OFFERED: Final = (1, 2, 4, 8)
_FREE_GAZE: Final = math.radians(18.0)
_ASKED_GAZE: Final = math.radians(0.4)
"""How far the eyes may wander beside what they look at: freely, and where the look is asked for."""
_REFRACTORY_TICKS: Final = 5
"""No blink begins within 0.2 s of another."""
_FACE_HZ: Final = 2.0
_FACE_DAMPING: Final = 0.8
"""Of the spring that the face follows: what brows do faster was the landmark tracker's jitter in
the real video, which the network has learnt with the motion."""
_CHANNEL: Final = zlib.crc32(b"life")
_PHILOX_AT_REST: Final = np.random.Philox(0).state
"""A generator's state with nothing left over from a draw."""


@dataclass(frozen=True, slots=True)
class LifeSettings:
    """How the network is used.

    Attributes:
        steps: passes for each block, 1, 2, 4 or 8.
        voice_guidance: how much more than learnt the voice acts, 0..1.5.
        control_guidance: the same of manner, gaze, emotion and source.
        realness: 0 moves as the simple generator taught, 1 as the tracked people did.
        gains: (channels,) factors on what comes out, fixed after training.
        blink_gain: factor on the chance of a blink.
        head_drift_db, head_slow_db: how much the head's drift and slow movement are raised, see
            head_shaping; 0 leaves the spectrum as learnt.
    """

    steps: int = 1
    voice_guidance: float = 0.5
    control_guidance: float = 0.5
    realness: float = 1.0
    gains: tuple[float, ...] = (1.0,) * NUM_CHANNELS
    blink_gain: float = 1.0
    head_drift_db: float = 0.0
    head_slow_db: float = 0.0


class Drawing(Protocol):
    """What draws blocks: LifePass, or device_nets.DeviceLife."""

    def new_past(self) -> Any:
        """Keys and values of a stream that begins."""
        ...

    def draw(self, blocks: Sequence[BlockInput]) -> tuple[Float32Array, Float32Array]:
        """Draw one block of each stream; see LifePass."""
        ...


@dataclass(frozen=True, slots=True)
class LifeModel:
    """A trained network with its use; shared by all streams of the process.

    Attributes:
        device: one of torch, that draws for all sessions at once; None: compiled, for the CPU.
    """

    trained: LifeParameters
    innovations: Innovations
    settings: LifeSettings
    device: str | None = None
    drawing: Drawing = field(init=False, repr=False, compare=False)
    gains: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        settings = self.settings
        draws: Callable[..., Drawing] = LifePass
        if self.device is not None:
            from avatar_service.motion.device_nets import DeviceLife  # torch takes seconds to load

            draws = functools.partial(DeviceLife, device=self.device)
        drawing = draws(
            self.trained,
            steps=settings.steps,
            asked=1 / settings.steps if settings.steps < STEPS_OFFERED[-1] else 0.0,
            guidance=(settings.voice_guidance, settings.control_guidance),
        )
        object.__setattr__(self, "drawing", drawing)
        object.__setattr__(self, "gains", np.array(settings.gains))

    @staticmethod
    def load(
        path: Path | None = None, settings: LifeSettings | None = None, device: str | None = None
    ) -> LifeModel:
        """Read weights; None means those of the package, used as their description says.

        Raises:
            AvatarError: MODELS_NOT_AVAILABLE, see life_parameters.load_weights.
        """
        trained, innovations, description = load_weights(path)
        return LifeModel(trained, innovations, settings or _settings_of(description), device)


def _settings_of(description: Mapping[str, Any]) -> LifeSettings:
    stored = dict(description.get("settings", {}))
    try:
        if "gains" in stored:
            stored["gains"] = tuple(float(gain) for gain in stored["gains"])
        settings = LifeSettings(**stored)
        if len(settings.gains) != NUM_CHANNELS or settings.steps not in STEPS_OFFERED:
            raise ValueError(f"{len(settings.gains)} gains, {settings.steps} steps")
    except (TypeError, ValueError) as fault:
        raise AvatarError(
            Reason.MODELS_NOT_AVAILABLE, f"settings of the life weights: {fault}"
        ) from fault
    return settings


@functools.cache
def shared_model() -> LifeModel:
    """Return the package's model, read once in a process."""
    return LifeModel.load()


Events = tuple[list[float], list[float], FloatArray, FloatArray, FloatArray]
"""Of a block's ticks: logits of a blink and of a shift, and the net's mixture of gaze offsets."""


@dataclass(frozen=True, slots=True)
class LifeTick:
    """What the transformer says of one tick.

    Attributes:
        value, rate: (channels,) at the tick's end, rates per second.
        is_blink: a blink begins.
        shift: where the eyes rest.
    """

    value: FloatArray
    rate: FloatArray
    is_blink: bool
    shift: GazeShift


class LifeStream:
    """The life of one session."""

    def __init__(self, model: LifeModel, seed: int) -> None:
        self.model = model
        self._seed = seed
        self._kept = model.drawing.new_past()
        self._filled = 0  # ticks known, those still to be encoded included; up to context + BLOCK
        self._past = np.zeros((ORDER, NUM_CHANNELS))
        self._rows: list[FloatArray] = []  # conditions of the block before and of this one
        self._tokens = np.zeros((BLOCK, NUM_CHANNELS + NUM_CHANNELS + NUM_EVENTS))
        self._known_rows = [np.zeros(NUM_CONDITIONS)] * BLOCK
        self._num_ticks = 0
        self._values = np.zeros((BLOCK, NUM_CHANNELS))
        self._rates = np.zeros((BLOCK, NUM_CHANNELS))
        self._z = np.zeros((BLOCK, NUM_CHANNELS))
        self._events: Events = ([], [], *(np.zeros(0),) * 3)
        self._random = np.random.Generator(np.random.Philox(0))
        self._chances = np.zeros((BLOCK, 5))
        self._told = np.zeros((BLOCK, NUM_EVENTS))
        self._offset = (0.0, 0.0)
        self._since_blink = _REFRACTORY_TICKS
        count = NUM_CHANNELS - FACE.start
        self._face = Springs(np.full(count, _FACE_HZ), np.full(count, _FACE_DAMPING))
        self.is_due = False

    def reseed(self, seed: int) -> None:
        """Draw everything that is still to come from another seed."""
        self._seed = seed

    def sense(self, row: FloatArray) -> None:
        """Begin a tick, told (NUM_CONDITIONS,) row."""
        self._rows.append(row)
        self.is_due = self._num_ticks % BLOCK == 0

    def act(self, *, blink_rate: float, is_gaze_asked: bool, alive: float = 1.0) -> LifeTick:
        """End the tick that was begun.

        Args:
            blink_rate: factor on the chance of a blink.
            alive: 0..1, factor on all else that is shown.
            is_gaze_asked: the eyes stay within 0.4 degrees of what they look at.
        """
        if self.is_due:
            draw_together([self])
        i = self._num_ticks % BLOCK
        self._num_ticks += 1
        blinks, shifts, weights, means, spreads = self._events
        chance = self._chances[i].tolist()
        self._since_blink += 1
        settings = self.model.settings
        hazard = settings.blink_gain / (1 + math.exp(-blinks[i]))
        # The past remembers the natural blinks: asking for more or fewer changes nothing else.
        is_natural = chance[0] < hazard
        is_free = self._since_blink > _REFRACTORY_TICKS
        is_blink = chance[0] < hazard * blink_rate and is_free
        if is_blink:
            self._since_blink = 0
        has_shifted = chance[1] < alive / (1 + math.exp(-shifts[i]))
        if has_shifted:
            upto = np.cumsum(np.exp(weights[i] - weights[i].max()))
            k = int(np.searchsorted(upto / upto[-1], chance[2]))
            offset = GAZE_SCALE * (means[i, k] + np.exp(spreads[i, k]) * chance[3:])
            self._offset = (float(offset[0]), float(offset[1]))
        limit = _ASKED_GAZE if is_gaze_asked else _FREE_GAZE
        far = math.hypot(*self._offset)
        if far > limit * (1 + 1e-6):  # rounding is no shift
            share = limit / far
            self._offset = (self._offset[0] * share, self._offset[1] * share)
            has_shifted = True
        self._told[i] = (
            is_natural,
            has_shifted,
            self._offset[0] / GAZE_SCALE,
            self._offset[1] / GAZE_SCALE,
        )
        value, rate = self._values[i], self._rates[i]
        if i == BLOCK - 1:
            self._remember()
        self._face.step(value[FACE])
        gains = alive * self.model.gains
        shown, shown_rate = gains * value, gains * rate
        shown[FACE] = gains[FACE] * self._face.value
        shown_rate[FACE] = gains[FACE] * self._face.velocity
        return LifeTick(shown, shown_rate, is_blink, GazeShift(self._offset, has_shifted))

    def _remember(self) -> None:
        scale = self.model.innovations.scale
        self._tokens = known_tokens(self._values, self._z, self._told, scale)
        self._known_rows, self._rows = self._rows, []
        self._filled = min(self._filled + BLOCK, self.model.trained.config.context + BLOCK)

    def _noise(self) -> FloatArray:
        """(BLOCK, channels) of this block, and the chances of its events."""
        block = self._num_ticks // BLOCK
        philox = self._random.bit_generator
        philox.state = {
            **_PHILOX_AT_REST,
            "state": {
                "key": np.array([self._seed & (2**64 - 1), _CHANNEL], np.uint64),
                "counter": np.array([block, 0, 0, 0], np.uint64),
            },
        }
        normal = self._random.standard_normal((BLOCK, NUM_CHANNELS + 2))
        self._chances[:, :3] = self._random.random((BLOCK, 3))
        self._chances[:, 3:] = normal[:, NUM_CHANNELS:]
        return normal[:, :NUM_CHANNELS]

    def _input(self) -> BlockInput:
        """Give what the next block is drawn from."""
        return BlockInput(
            tokens=self._tokens.astype(np.float32),
            told=np.array([*self._known_rows, self._rows[-1]], np.float32),
            noise=self._noise().astype(np.float32),
            past=self._kept,
            index=self._num_ticks // BLOCK,
            filled=self._filled,
        )

    def _accept(self, z: FloatArray, events: Events) -> None:
        before = self._past[-1]
        self._z, self._events = z, events
        self._values, self._past, after = self.model.innovations.advance(self._past, z)
        # Central differences; beyond the block stands what the linear prediction expects.
        line = np.concatenate([before[None], self._values, after[None]])
        self._rates = (line[2:] - line[:-2]) / (2 * TICK_SECS)
        self.is_due = False


def draw_together(streams: Sequence[LifeStream]) -> None:
    """Draw the due blocks of many streams; each gets what it gets alone, within rounding."""
    groups: dict[int, list[LifeStream]] = {}
    for stream in streams:
        if stream.is_due:
            groups.setdefault(id(stream.model), []).append(stream)
    for members in groups.values():
        z, logits = members[0].model.drawing.draw([stream._input() for stream in members])
        for i, stream in enumerate(members):
            blink, shift, *gaze = events_of(logits[i].astype(np.float64))
            stream._accept(z[i].astype(np.float64), (blink.tolist(), shift.tolist(), *gaze))
