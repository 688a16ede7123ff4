"""How networks lie on disk: float16 arrays (npz, no pickle) and a description beside them.

The description is the JSON of the same name; readers check its schema before the arrays.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import Float32Array

_BROKEN: Final = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged or foreign file, or building a network from it, raises."""


def num_parameters(net: nn.Module) -> int:
    """Count the trained parameters."""
    return sum(parameter.numel() for parameter in net.parameters())


def write_net(
    net: nn.Module,
    path: Path,
    description: Mapping[str, Any],
    arrays: Mapping[str, Float32Array] | None = None,
) -> None:
    """Write a network's weights and their description.

    Args:
        net: whose state is kept, as float16.
        path: npz; the JSON goes beside it.
        description: schema, shape and origin; the number of parameters is added.
        arrays: kept beside the weights as they are.
    """
    kept: dict[str, Any] = {
        name: tensor.detach().cpu().numpy().astype(np.float16)
        for name, tensor in net.state_dict().items()
    }
    np.savez_compressed(path, **kept | dict(arrays or {}))
    told = {"parameters": num_parameters(net), **description}
    path.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")


@contextmanager
def reading_net(
    path: Path | None, name: str, schema: str
) -> Iterator[tuple[dict[str, Any], dict[str, NDArray[Any]]]]:
    """Read a network's description and arrays; the body builds the network.

    Args:
        path: npz with its JSON beside it; None means the weights that come with the package.
        name: of the package's weights, and in errors.
        schema: that the description must have.

    Raises:
        AvatarError: MODELS_NOT_AVAILABLE where the files are missing, damaged or of another schema,
            or where the body finds that they do not fit its network.
    """
    if path is None:
        path = Path(str(resources.files("avatar_service.motion") / "weights" / f"{name}.npz"))
    try:
        description = json.loads(path.with_suffix(".json").read_text("utf-8"))
        if description["schema"] != schema:
            raise ValueError(f"schema {description['schema']!r}, not {schema!r}")
        with np.load(path) as stored:
            arrays = {key: stored[key] for key in stored.files}
        yield description, arrays
    except _BROKEN as fault:
        raise AvatarError(
            Reason.MODELS_NOT_AVAILABLE, f"{name} weights {path.name}: {fault}"
        ) from fault


def as_state(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Turn stored float16 arrays into a float32 state to load."""
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
