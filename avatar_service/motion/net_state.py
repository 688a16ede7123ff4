"""Networks in training (torch) and their parameters at rest (NumPy)."""

from __future__ import annotations

import torch
from torch import nn

from avatar_service.motion.net_file import Arrays, floats


def take_parameters(net: nn.Module, arrays: Arrays) -> None:
    """Go on from these parameters, by the names in the network's state."""
    net.load_state_dict({name: torch.tensor(floats(arrays[name])) for name in arrays})


def copy_parameters(net: nn.Module) -> Arrays:
    """Return a copy of what was learnt so far, by the names in the network's state."""
    return {name: tensor.cpu().numpy().copy() for name, tensor in net.state_dict().items()}
