"""How networks lie on disk: float16 arrays (npz, no pickle) and a description beside them.

The description is the JSON of the same name; readers check its schema before the arrays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from avatar_service.signals import Float32Array


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
