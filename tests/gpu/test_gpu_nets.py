"""Networks of motion on a real device; skipped, and said so, where there is none."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from fakes.nets_compared import largest_differences

from avatar_service.motion.articulation_net import ArticulationNet
from avatar_service.motion.articulation_parameters import ArticulationNetConfig
from avatar_service.motion.device_nets import DeviceNets
from tools.corpus.batches import Batch
from tools.train_articulation import loss_of

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _device() -> None:
    if not torch.cuda.is_available():
        pytest.skip("NOT RUN, no network ran on a GPU: torch sees none")


def test_sessions_move_on_the_device_as_on_the_cpu() -> None:
    expression, head, gaze = largest_differences(DeviceNets("cuda:0"))
    assert expression < 1e-2  # TF32 and another order of sums; a chance may fall otherwise
    assert head < 1e-2
    assert gaze < 1e-2


def test_the_lips_learn_on_the_device_what_they_learn_on_the_cpu() -> None:
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
