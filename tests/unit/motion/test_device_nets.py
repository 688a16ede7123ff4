"""Networks on a device say what the compiled ones say, for sessions of their own in one batch.

Here torch's "cpu" stands for the device; tests/gpu asks a real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from fakes.nets_compared import largest_differences, spoken

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.device_nets import DeviceNets
from avatar_service.motion.life_channels import NUM_CONDITIONS
from avatar_service.motion.life_stream import LifeModel, LifeStream
from avatar_service.motion.nets import CompiledNets, motion_nets
from avatar_service.motion.stage import MotionStage, compute_together
from avatar_service.motion.torch_device import torch_device
from avatar_service.signals import Controls

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def nets() -> DeviceNets:
    return DeviceNets("cpu")


def test_lives_and_lips_are_those_of_the_compiled_networks(nets: DeviceNets) -> None:
    expression, head, gaze = largest_differences(nets)
    assert expression < 1e-4
    assert head < 1e-4
    assert gaze < 1e-3


@pytest.mark.parametrize("steps", [1, 4, 8])
def test_blocks_are_the_same_with_more_passes(steps: int) -> None:
    model = LifeModel.load()
    model = replace(model, settings=replace(model.settings, steps=steps))
    streams = [_Pair(model, seed) for seed in range(3)]
    for tick in range(130):  # more than the context holds
        for pair in streams:
            pair.step(tick)
    assert max(pair.difference for pair in streams) < 1e-4


class _Pair:
    """A stream that is drawn by both, told the same."""

    def __init__(self, model: LifeModel, seed: int) -> None:
        self._both = [LifeStream(one, seed) for one in (model, replace(model, device="cpu"))]
        self._random = np.random.default_rng(seed)
        self.difference = 0.0

    def step(self, tick: int) -> None:
        row = self._random.normal(0, 0.3, NUM_CONDITIONS)
        ticks = []
        for stream in self._both:
            stream.sense(row)
            ticks.append(stream.act(blink_rate=1.0, is_gaze_asked=False))
        self.difference = max(self.difference, float(np.abs(ticks[0].value - ticks[1].value).max()))


def test_sessions_that_come_and_go_keep_their_own_memory(nets: DeviceNets) -> None:
    def stages() -> Iterator[MotionStage]:
        for seed in range(3):
            yield nets.stage(Fraction(40), Controls(seed=seed), 40_000_000)

    together, alone = list(stages()), list(stages())
    heard = [0, 0, 0]
    for number, chunk in enumerate(spoken(3)):
        # The second one starts late, the third pauses: what is due differs from batch to batch.
        active = [k for k, rests in enumerate((False, number < 7, number % 3 > 0)) if not rests]
        for k in active:
            for stage in (together[k], alone[k]):
                stage.push(replace(chunk, pts_nanos=heard[k]))
            heard[k] += 50_000_000
        compute_together([together[k] for k in active])
        for k in active:
            for a, b in zip(together[k].pull(), alone[k].pull(), strict=True):
                np.testing.assert_allclose(a.expression, b.expression, atol=1e-4)
                np.testing.assert_allclose(a.head_rotation, b.head_rotation, atol=1e-4)


def test_without_a_gpu_auto_takes_the_compiled_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert isinstance(motion_nets("auto", "--device"), CompiledNets)


def test_what_is_no_device_or_not_there_is_told() -> None:
    assert torch_device("cpu") == "cpu"
    for name, reason in (("tpu", Reason.INVALID_FIELD), ("cuda:9", Reason.DEVICE_NOT_AVAILABLE)):
        with pytest.raises(AvatarError) as caught:
            torch_device(name)
        assert caught.value.reason == reason
