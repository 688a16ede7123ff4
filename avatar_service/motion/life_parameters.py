"""The life transformer's trained parameters, how they are kept, and what its numbers mean.

life_net is the form that learns, life_pass the one that runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from avatar_service.motion.easing import FloatArray
from avatar_service.motion.innovations import BLOCK, ORDER, Innovations
from avatar_service.motion.life_channels import CHANNELS, GROUPS, NUM_CHANNELS, NUM_CONDITIONS
from avatar_service.motion.net_file import Arrays, Shapes, check_shapes, reading_net, write_net

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS_SCHEMA: Final = "avatar.life.v1"
NUM_EVENTS: Final = 4
"""Columns beside the channels in a known token: blink, gaze shift, gaze offset yaw and pitch."""
GAZE_SCALE: Final = 0.1
"""Radians of gaze offset that count as 1."""
KNOWN_WIDTH: Final = 2 * NUM_CHANNELS + NUM_EVENTS
_MIXTURES: Final = 8
EVENT_WIDTH: Final = 2 + _MIXTURES * 5
STEP_RATES: Final = 8
STEP_WIDTH: Final = 2 * STEP_RATES + 2 + 2
"""Numbers that tell time, step size and guidance; see life_net.step_input."""


Logits = TypeVar("Logits", "Tensor", FloatArray)


@dataclass(frozen=True, slots=True)
class LifeNetConfig:
    """Shape of the network.

    Attributes:
        width: of tokens.
        layers, heads: of attention.
        expansion: hidden units of the feed-forward part, times the width.
        context: past ticks that are attended to.
    """

    width: int = 160
    layers: int = 4
    heads: int = 4
    expansion: int = 3
    context: int = 50


@dataclass(frozen=True, slots=True, eq=False)
class LifeParameters:
    """A trained network.

    Attributes:
        config: its shape.
        arrays: by the names in LifeNet's state.
    """

    config: LifeNetConfig
    arrays: Arrays

    @property
    def num_trained(self) -> int:
        """How many numbers were learnt."""
        return sum(array.size for array in self.arrays.values())


def shapes_of(config: LifeNetConfig) -> Shapes:
    """Return the shape of each array of a network."""
    width, hidden = config.width, config.expansion * config.width
    layers: dict[str, tuple[int, int]] = {  # outputs and inputs of each
        "known": (width, KNOWN_WIDTH),
        "drawn": (width, NUM_CHANNELS),
        "heard.0": (width, NUM_CONDITIONS),
        "heard.2": (width, width),
        "step.0": (width, STEP_WIDTH),
        "step.2": (width, width),
        "modulate": (6 * width, width),
        "velocity": (NUM_CHANNELS, width),
        "events": (EVENT_WIDTH, width),
    }
    shapes: dict[str, tuple[int, ...]] = {"kind": (1 + BLOCK, width)}
    for k in range(config.layers):
        layers[f"layers.{k}.qkv"] = (3 * width, width)
        layers[f"layers.{k}.out"] = (width, width)
        layers[f"layers.{k}.up"] = (hidden, width)
        layers[f"layers.{k}.down"] = (width, hidden)
        shapes[f"layers.{k}.modulation"] = (6, width)
        shapes[f"layers.{k}.bias"] = (config.heads, config.context + 2 * BLOCK)
    for name, (outputs, inputs) in layers.items():
        shapes[f"{name}.weight"] = (outputs, inputs)
        shapes[f"{name}.bias"] = (outputs,)
    return shapes


def known_tokens(channels: FloatArray, z: FloatArray, events: FloatArray, scale: FloatArray
                 ) -> FloatArray:  # fmt: skip
    """(..., _KNOWN_WIDTH) description of past ticks: values, innovations, events."""
    return np.concatenate([channels / scale, z, events], axis=-1)


def events_of(logits: Logits) -> tuple[Logits, Logits, Logits, Logits, Logits]:
    """Split (..., events) into blink and shift logits (...), and the mixture of gaze offsets.

    Args:
        logits: tensor or array.

    Returns:
        Blink and shift logits (...), weights' logits (..., K), means (..., K, 2) and log standard
        deviations (..., K, 2), offsets in GAZE_SCALE.
    """
    mixture = logits[..., 2:].reshape(*logits.shape[:-1], _MIXTURES, 5)
    spread = mixture[..., 3:].clip(-4.0, 2.0)
    return logits[..., 0], logits[..., 1], mixture[..., 0], mixture[..., 1:3], spread


def save_weights(
    parameters: LifeParameters, innovations: Innovations, path: Path, metadata: dict[str, Any]
) -> None:
    """Write float16 weights (npz, no pickle; the prediction float32) and their JSON description."""
    linear = {f"innovations.{k}": v.astype(np.float32) for k, v in asdict(innovations).items()}
    description = {
        "parameters": parameters.num_trained,
        "schema": WEIGHTS_SCHEMA,
        "config": asdict(parameters.config),
        "channels": CHANNELS,
        "conditions": dict(GROUPS),
        **metadata,
    }
    write_net(path, description, parameters.arrays, linear)


def load_weights(path: Path | None = None) -> tuple[LifeParameters, Innovations, dict[str, Any]]:
    """Read a trained network, its linear prediction and its description.

    Args:
        path: npz with its JSON beside it; None means the weights that come with the package.

    Raises:
        AvatarError: MODELS_NOT_AVAILABLE where the files are missing, of another schema, or do
            not fit the network.
    """
    with reading_net(path, "life", WEIGHTS_SCHEMA) as (description, arrays):
        if tuple(description["channels"]) != CHANNELS:
            raise ValueError("another list of channels")
        if description["conditions"] != dict(GROUPS):
            raise ValueError("other conditions")
        shape = {name: int(value) for name, value in description["config"].items()}
        config = LifeNetConfig(**shape)
        linear = Innovations(
            **{
                name: arrays.pop(f"innovations.{name}").astype(np.float64)
                for name in ("predictor", "spread", "scale")
            }
        )
        check_shapes(arrays, shapes_of(config))
        shapes = (linear.predictor.shape, linear.spread.shape, linear.scale.shape)
        if shapes != ((NUM_CHANNELS, BLOCK, ORDER), (NUM_CHANNELS, BLOCK, BLOCK), (NUM_CHANNELS,)):
            raise ValueError("the linear prediction has another shape")
    return LifeParameters(config, arrays), linear, description
