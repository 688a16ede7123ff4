"""Training on a real device; skipped, and said so, where there is none."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from avatar_service.motion.articulation_net import ArticulationNet
from avatar_service.motion.articulation_parameters import ArticulationNetConfig
from tools.corpus.batches import Batch
from tools.train_articulation import loss_of

pytestmark = pytest.mark.gpu


def test_the_lips_learn_on_the_device_what_they_learn_on_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("NOT RUN, nothing was trained on a GPU: torch sees none")
    rng = np.random.default_rng(0)
    batch = Batch(
        rng.normal(0, 1, (4, 200, 80)).astype(np.float32),
        rng.integers(-1, 15, (4, 101)),
        rng.random((4, 101, 7), np.float32),
    )
    torch.manual_seed(0)
    net = ArticulationNet(ArticulationNetConfig(channels=32, hidden=24, dilations=(1, 2))).eval()
    losses = {}
    for device in ("cpu", "cuda:0"):
        here = copy.deepcopy(net).to(device)
        output, _ = here(torch.from_numpy(batch.features).to(device), here.initial_state(4))
        loss = loss_of(output, batch, here.config.look_ahead_steps)
        loss.backward()
        losses[device] = (loss.item(), here.heads.weight.grad.norm().item())
    assert losses["cuda:0"] == pytest.approx(losses["cpu"], rel=1e-3)
