"""The trained parameters of the articulation network: their shape, and how they are kept.

articulation_net is the form that learns, articulation_step the one that runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from avatar_service.audio.mel import NUM_MELS
from avatar_service.motion.net_file import Arrays, Shapes, check_shapes, reading_net, write_net
from avatar_service.motion.visemes import ARTICULATORS, NUM_ARTICULATORS, NUM_VISEMES, VISEMES

STEP_SECS: Final = 0.02
STEP_NANOS: Final = 20_000_000
MELS_PER_STEP: Final = 2
STEM_KERNEL: Final = 6
KERNEL: Final = 3
MIX_WIDTH: Final = 192
WEIGHTS_SCHEMA: Final = "avatar.articulation.v1"
_MEASURED: Final = ("mel_mean", "mel_scale")
"""Of the corpus, not trained."""


@dataclass(frozen=True, slots=True)
class ArticulationNetConfig:
    """Shape of the network.

    Attributes:
        channels: width of the convolutions.
        hidden: width of the GRU.
        dilations: of the causal convolutions, in steps of 20 ms.
        look_ahead_steps: one head each, in steps of 20 ms.
    """

    channels: int = 256
    hidden: int = 320
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    look_ahead_steps: tuple[int, ...] = (2, 4)

    @property
    def head_width(self) -> int:
        """Outputs of one head: viseme logits, then articulators."""
        return NUM_VISEMES + NUM_ARTICULATORS


@dataclass(frozen=True, slots=True, eq=False)
class ArticulationParameters:
    """A trained network.

    Attributes:
        config: its shape.
        arrays: by the names in ArticulationNet's state.
    """

    config: ArticulationNetConfig
    arrays: Arrays

    @property
    def num_trained(self) -> int:
        """How many numbers were learnt."""
        return sum(array.size for name, array in self.arrays.items() if name not in _MEASURED)


def shapes_of(config: ArticulationNetConfig) -> Shapes:
    """Return the shape of each array of a network."""
    width, hidden, gates = config.channels, config.hidden, 3 * config.hidden
    num_out = len(config.look_ahead_steps) * config.head_width
    shapes: dict[str, tuple[int, ...]] = {
        "mel_mean": (NUM_MELS,),
        "mel_scale": (NUM_MELS,),
        "stem.weight": (width, NUM_MELS, STEM_KERNEL),
        "stem.bias": (width,),
        "memory.weight_ih_l0": (gates, width),
        "memory.weight_hh_l0": (gates, hidden),
        "memory.bias_ih_l0": (gates,),
        "memory.bias_hh_l0": (gates,),
        "mix.weight": (MIX_WIDTH, width + hidden),
        "mix.bias": (MIX_WIDTH,),
        "heads.weight": (num_out, MIX_WIDTH),
        "heads.bias": (num_out,),
    }
    for k in range(len(config.dilations)):
        shapes[f"convolutions.{k}.weight"] = (width, width, KERNEL)
        shapes[f"convolutions.{k}.bias"] = (width,)
        shapes[f"norms.{k}.weight"] = shapes[f"norms.{k}.bias"] = (width,)
    return shapes


def save_weights(parameters: ArticulationParameters, path: Path, metadata: dict[str, Any]) -> None:
    """Write float16 weights (npz, no pickle) and their description beside them (JSON)."""
    description = {
        "parameters": parameters.num_trained,
        "schema": WEIGHTS_SCHEMA,
        "config": asdict(parameters.config),
        "visemes": VISEMES,
        "articulators": ARTICULATORS,
        **metadata,
    }
    write_net(path, description, parameters.arrays)


def load_weights(path: Path | None = None) -> ArticulationParameters:
    """Read a trained network.

    Args:
        path: npz with its JSON beside it; None means the weights that come with the package.

    Raises:
        AvatarError: MODELS_NOT_AVAILABLE where the files are missing, of another schema, or do
            not fit the network.
    """
    with reading_net(path, "articulation", WEIGHTS_SCHEMA) as (description, arrays):
        if tuple(description["articulators"]) != ARTICULATORS:
            raise ValueError("another list of articulators")
        shape = description["config"]
        config = ArticulationNetConfig(
            channels=int(shape["channels"]),
            hidden=int(shape["hidden"]),
            dilations=tuple(int(steps) for steps in shape["dilations"]),
            look_ahead_steps=tuple(int(steps) for steps in shape["look_ahead_steps"]),
        )
        check_shapes(arrays, shapes_of(config))
    return ArticulationParameters(config, arrays)
