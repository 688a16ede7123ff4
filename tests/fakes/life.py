"""A small life transformer with weights drawn at random: it moves, and it has learnt nothing."""

from __future__ import annotations

import numpy as np
import torch

from avatar_service.motion.innovations import BLOCK, ORDER, Innovations
from avatar_service.motion.life_channels import NUM_CHANNELS
from avatar_service.motion.life_net import LifeNet
from avatar_service.motion.life_parameters import LifeNetConfig
from avatar_service.motion.life_stream import LifeModel, LifeSettings

CONTEXT = 8


def small_innovations() -> Innovations:
    """Values that decay towards 0, pushed by noise of a hundredth."""
    predictor = np.zeros((NUM_CHANNELS, BLOCK, ORDER))
    predictor[:, 0, -2:] = (-0.82, 1.8)
    predictor[:, 1, -2:] = (-1.476, 2.42)
    spread = np.tile(np.array([[1.0, 0.0], [1.8, 1.0]]) * 1e-3, (NUM_CHANNELS, 1, 1))
    return Innovations(predictor, spread, np.full(NUM_CHANNELS, 0.05))


def small_net(seed: int = 0) -> LifeNet:
    """Make a net whose every part has a say."""
    random = torch.Generator().manual_seed(seed)
    net = LifeNet(LifeNetConfig(width=32, layers=2, heads=2, expansion=2, context=CONTEXT))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.15 * torch.randn(parameter.shape, generator=random))
    return net.eval()


def small_model(**settings: object) -> LifeModel:
    """Make a model of it."""
    return LifeModel(small_net().parameters_now(), small_innovations(), LifeSettings(**settings))  # type: ignore[arg-type]
