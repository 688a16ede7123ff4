"""One optimiser step as our networks take it, and what stands between two runs of a training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import torch
from torch import Tensor, nn

_AVERAGE: Final = 0.998
"""Decay of the moving average of the weights, which is what is exported."""
_WEIGHT_DECAY: Final = 0.02
_LONGEST_GRADIENT: Final = 1.0

Net = TypeVar("Net", bound=nn.Module)


class Learner(Generic[Net]):
    """A network, the moving average of its weights, and its optimiser (AdamW).

    Args:
        net: is trained; `average` has the same weights to begin with.
        betas: AdamW's.
    """

    def __init__(self, net: Net, average: Net, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.net, self.average = net, average
        self._optimiser = torch.optim.AdamW(
            net.parameters(), betas=betas, weight_decay=_WEIGHT_DECAY
        )

    def learn(self, loss: Tensor, rate: float, step: int) -> None:
        """Take step number `step`, from 0, at a learning rate."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), _LONGEST_GRADIENT)
        self._optimiser.step()
        decay = min(_AVERAGE, (step + 1) / (step + 10))  # at first it follows closely
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.net.parameters(), strict=True)
            for mean, new in pairs:
                mean.lerp_(new, 1 - decay)

    def resume(self, kept: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.net.load_state_dict(kept["net"])
        self.average.load_state_dict(kept["average"])
        self._optimiser.load_state_dict(kept["optimiser"])

    def save(self, path: Path, **more: Any) -> None:
        """Write a checkpoint, whole or not at all; `more` is kept beside the weights."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            **more,
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)


def read_checkpoint(path: Path, device: str = "cpu") -> dict[str, Any] | None:
    """Return what `save` wrote; None where there is nothing."""
    if not path.exists():
        return None
    kept: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
    return kept


def rate_share(progress: float, warm_up: float) -> float:
    """Return the learning rate as a share of its peak: linear warm-up, cosine decay.

    Args:
        progress: share of the training that is behind, 0 to 1.
        warm_up: share of it in which the rate rises.
    """
    if progress < warm_up:
        return progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) + 1e-3
