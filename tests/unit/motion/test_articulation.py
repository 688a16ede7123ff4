"""The articulation network and its stage: streaming, batching, look-ahead, known phones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.articulation import ArticulationStage, ArticulationStep, run_batched
from avatar_service.motion.articulation_kernels import tell
from avatar_service.motion.articulation_net import ArticulationNet
from avatar_service.motion.articulation_parameters import (
    STEP_NANOS,
    ArticulationNetConfig,
    load_weights,
    save_weights,
    shapes_of,
)
from avatar_service.motion.articulation_step import ArticulationStepper, NetMemory
from avatar_service.motion.life_kernels import gelu_by_tanh
from avatar_service.motion.net_kernels import exponentiate, gelu, pack, project
from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.visemes import CLOSURE, NUM_ARTICULATORS, NUM_VISEMES, VISEME_INDEX
from avatar_service.signals import Float32Array

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def learnt() -> ArticulationNet:
    torch.manual_seed(0)
    return ArticulationNet(
        ArticulationNetConfig(channels=24, hidden=16, dilations=(1, 2, 4))
    ).eval()


@pytest.fixture(scope="module")
def net(learnt: ArticulationNet) -> ArticulationStepper:
    return ArticulationStepper(learnt.parameters_now())


def speech(secs: float, seed: int = 0) -> Float32Array:
    rng = np.random.default_rng(seed)
    count = int(secs * 16000)
    points = rng.random(count // 1600 + 2)
    loudness = np.interp(np.arange(count) / 1600, np.arange(len(points)), points)
    return (rng.normal(0, 0.2, count) * loudness[:count]).astype(np.float32)


def run(
    net: ArticulationStepper, samples: Float32Array, chunks: list[int], look_ahead: int = 40
) -> list[ArticulationStep]:
    stage = ArticulationStage(net, look_ahead_millis=look_ahead)
    steps, start = [], 0
    for size in [*chunks, len(samples)]:
        stage.push(samples[start : start + size])
        steps += stage.pull()
        start += size
    return steps


def assert_same(a: list[ArticulationStep], b: list[ArticulationStep], atol: float = 0.0) -> None:
    assert [step.pts_nanos for step in a] == [step.pts_nanos for step in b]
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one.visemes, other.visemes, atol=atol, rtol=0)
        np.testing.assert_allclose(one.articulators, other.articulators, atol=atol, rtol=0)
        np.testing.assert_allclose(one.expression, other.expression, atol=atol, rtol=0)


@settings(deadline=None, max_examples=15)
@given(chunks=st.lists(st.integers(0, 1500), max_size=20), look_ahead=st.sampled_from([40, 80]))
def test_chunks_of_any_size_move_the_mouth_the_same(
    net: ArticulationStepper, chunks: list[int], look_ahead: int
) -> None:
    samples = speech(1.0)
    assert_same(
        run(net, samples, chunks, look_ahead),
        run(net, samples, [], look_ahead),
        atol=1e-4,
    )


@torch.inference_mode()
@pytest.mark.parametrize("is_stored", [True, False], ids=["float16", "float32"])
@pytest.mark.parametrize("chunk", [1, 7, 20])
def test_the_compiled_network_equals_the_one_that_learnt(
    learnt: ArticulationNet, is_stored: bool, chunk: int
) -> None:
    if is_stored:
        learnt = ArticulationNet.of(load_weights()).eval()
    features = 3 * torch.randn(3, 40, 80) - 6
    whole, after = learnt(features, learnt.initial_state(3))
    stepper = ArticulationStepper(learnt.parameters_now())
    memory = stepper.initial_memory(3)
    for i in range(0, 20, chunk):
        told, memory = stepper(features[:, 2 * i : 2 * (i + chunk)].numpy(), memory)
        visemes, curves = (
            whole.viseme_logits[:, i : i + chunk],
            whole.articulators[:, i : i + chunk],
        )
        np.testing.assert_allclose(told, torch.cat([visemes, curves], -1), atol=3e-5)
        tell(told.reshape(-1, told.shape[-1]))
        shown = torch.cat([visemes.softmax(-1), torch.sigmoid(curves)], -1)
        np.testing.assert_allclose(told, shown, atol=1e-5)
    np.testing.assert_allclose(memory.hidden, after.hidden, atol=3e-5)
    np.testing.assert_allclose(memory.mels, after.mels, atol=1e-5)
    for ours, theirs in zip(memory.convolutions, after.convolutions, strict=True):
        np.testing.assert_allclose(ours, theirs.transpose(1, 2), atol=3e-5, rtol=1e-5)


def test_a_step_leaves_the_memory_before_it_as_it_was(net: ArticulationStepper) -> None:
    features = np.random.default_rng(0).normal(-6, 3, (2, 4, 80)).astype(np.float32)
    _, memory = net(features[:, :2], net.initial_memory(2))
    parts = (memory.mels, memory.hidden, *memory.convolutions)
    kept = [part.copy() for part in parts]
    net(features[:, 2:], memory)
    for before, after in zip(kept, parts, strict=True):
        np.testing.assert_array_equal(before, after)


def test_weights_are_held_in_half_only_where_nothing_is_lost() -> None:
    halves = np.array([[0.0, -0.0, 1.5, -2.25, 65504.0, 6e-8, 6.2e-5]], np.float16)
    singles = np.array([[0.1, 0.2, 0.3]], np.float32)
    assert pack(halves.astype(np.float32)).dtype == np.uint16
    for weights in (halves.astype(np.float32), singles):
        out = np.empty_like(weights)
        project(np.ones((1, 1), np.float32), pack(weights), np.zeros_like(weights[0]), out)
        np.testing.assert_array_equal(out, weights)


def test_memories_split_and_join(net: ArticulationStepper) -> None:
    features = np.random.default_rng(0).normal(-6, 3, (3, 4, 80)).astype(np.float32)
    _, memory = net(features, net.initial_memory(3))
    joined = NetMemory.join(memory.split())
    np.testing.assert_array_equal(joined.hidden, memory.hidden)
    np.testing.assert_array_equal(joined.mels, memory.mels)
    for one, other in zip(joined.convolutions, memory.convolutions, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kernel", [exponentiate, gelu, gelu_by_tanh])
def test_functions_of_the_kernels_are_accurate(kernel: Callable[[Float32Array], None]) -> None:
    x = np.linspace(-12, 12, 4001, dtype=np.float32)
    wide = torch.from_numpy(x).double()
    exact = {
        exponentiate: wide.exp(),
        gelu: torch.nn.functional.gelu(wide),
        gelu_by_tanh: torch.nn.functional.gelu(wide, approximate="tanh"),
    }[kernel]
    got = x.copy()
    kernel(got if kernel is exponentiate else got[None])
    tolerance = (
        {"rtol": 2e-6, "atol": 0.0} if kernel is exponentiate else {"atol": 1e-6, "rtol": 1e-6}
    )
    np.testing.assert_allclose(got, exact.numpy(), **tolerance)


def test_many_streams_in_one_batch_move_as_each_alone(net: ArticulationStepper) -> None:
    clips = [speech(0.7, seed) for seed in range(4)]
    alone = [run(net, clip, [], 80 if i == 2 else 40) for i, clip in enumerate(clips)]
    stages = [
        ArticulationStage(net, look_ahead_millis=80 if i == 2 else 40) for i in range(len(clips))
    ]
    together: list[list[ArticulationStep]] = [[] for _ in clips]
    for start in range(0, len(clips[0]), 640):
        for stage, clip in zip(stages, clips, strict=True):
            stage.push(clip[start : start + 640])
        run_batched(stages)
        for out, stage in zip(together, stages, strict=True):
            out += stage.pull()
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)  # to the bit: a replay computes alone what ran in a batch


@pytest.mark.parametrize("look_ahead", [40, 80])
def test_a_step_comes_out_with_exactly_its_look_ahead_of_audio(
    net: ArticulationStepper, look_ahead: int
) -> None:
    stage = ArticulationStage(net, look_ahead_millis=look_ahead)
    stage.push(np.zeros(16 * look_ahead - 1, np.float32))
    assert not list(stage.pull())
    stage.push(np.zeros(1, np.float32))
    assert [step.pts_nanos for step in stage.pull()] == [0]
    stage.push(np.zeros(320 * 5, np.float32))
    assert [step.pts_nanos for step in stage.pull()] == [STEP_NANOS * k for k in range(1, 6)]


def test_no_step_depends_on_audio_beyond_its_look_ahead(net: ArticulationStepper) -> None:
    samples = speech(1.0)
    changed = samples.copy()
    changed[8000:] = speech(1.0, 9)[8000:]
    before, after = run(net, samples, []), run(net, changed, [])
    last_same = (8000 - 640) // 320
    for one, other in zip(before[: last_same + 1], after, strict=False):
        np.testing.assert_allclose(one.visemes, other.visemes, atol=1e-4)
    assert np.abs(before[last_same + 1].visemes - after[last_same + 1].visemes).max() > 0


def test_the_mouth_is_known_lookahead_nanos_behind_the_audio(net: ArticulationStepper) -> None:
    stage = ArticulationStage(net)
    samples = speech(1.0)
    for pushed in range(1, len(samples), 111):
        stage.push(samples[pushed - 1 : pushed - 1 + 111])
        audio_end = int((pushed - 1 + 111) / 16000 * 1e9)
        time = audio_end - stage.lookahead_nanos
        if time >= 0:
            assert np.isfinite(stage.mouth_at(time)).all()
        assert len(list(stage.pull())) <= 1


def test_between_steps_the_mouth_is_between_them(net: ArticulationStepper) -> None:
    stage = ArticulationStage(net)
    stage.push(speech(0.5))
    steps = list(stage.pull())
    np.testing.assert_allclose(stage.mouth_at(steps[7].pts_nanos), steps[7].expression, atol=1e-6)
    middle = stage.mouth_at(steps[7].pts_nanos + STEP_NANOS // 2)
    jaw = 17
    low, high = sorted(float(step.expression[jaw]) for step in steps[7:9])
    assert low - 1e-6 <= middle[jaw] <= high + 1e-6


def test_times_not_known_or_forgotten_are_refused(net: ArticulationStepper) -> None:
    stage = ArticulationStage(net)
    stage.push(np.zeros(16000 * 4, np.float32))
    with pytest.raises(AvatarError, match="not known yet"):
        stage.mouth_at(4_000_000_000)
    with pytest.raises(AvatarError, match="forgotten"):
        stage.mouth_at(STEP_NANOS)


def test_reset_starts_a_new_line_at_the_given_time(net: ArticulationStepper) -> None:
    stage = ArticulationStage(net)
    stage.push(speech(0.5, 3))
    list(stage.pull())
    stage.reset(5_000_000_000)
    stage.push(speech(0.5))
    again = list(stage.pull())
    assert again[0].pts_nanos == 5_000_000_000
    fresh = run(net, speech(0.5), [])
    np.testing.assert_allclose(again[5].visemes, fresh[5].visemes, atol=1e-5)


def test_known_phones_take_the_place_of_the_network_and_close_the_lips(
    net: ArticulationStepper,
) -> None:
    stage = ArticulationStage(net)
    phones = [TimedPhone(0, 0.2, "AA"), TimedPhone(0.2, 0.3, "M"), TimedPhone(0.3, 0.5, "AA")]
    stage.push_phones(phones, "arpabet", 100_000_000)
    stage.push(np.zeros(16000, np.float32))
    by_time = {step.pts_nanos // 1_000_000: step for step in stage.pull()}
    assert by_time[320].articulators[CLOSURE] == 1.0
    assert by_time[340].visemes[VISEME_INDEX["PP"]] == 1.0
    assert by_time[200].articulators[CLOSURE] == 0.0
    assert by_time[200].articulators[0] > 0.5


def test_a_look_ahead_without_a_head_is_refused(net: ArticulationStepper) -> None:
    with pytest.raises(AvatarError, match="allowed: 40, 80"):
        ArticulationStage(net, look_ahead_millis=60)


def test_weights_survive_the_file_and_other_files_are_refused(
    learnt: ArticulationNet, tmp_path: Path
) -> None:
    path = tmp_path / "weights.npz"
    save_weights(learnt.parameters_now(), path, {"note": "test"})
    again = ArticulationNet.of(load_weights(path))
    for name, tensor in learnt.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, atol=2e-3, rtol=2e-3)
    described = json.loads(path.with_suffix(".json").read_text())
    described["schema"] = "other.v9"
    path.with_suffix(".json").write_text(json.dumps(described))
    with pytest.raises(AvatarError, match="schema") as caught:
        load_weights(path)
    assert caught.value.reason is Reason.MODELS_NOT_AVAILABLE
    with pytest.raises(AvatarError):
        load_weights(tmp_path / "absent.npz")


def test_the_committed_network_is_small_and_offers_both_look_aheads() -> None:
    committed = load_weights()
    assert committed.num_trained <= 2_000_000
    assert committed.config.look_ahead_steps == (2, 4)
    assert committed.config.head_width == NUM_VISEMES + NUM_ARTICULATORS


def test_the_arrays_of_a_file_are_those_that_learn(learnt: ArticulationNet) -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in learnt.state_dict().items()}
    assert shapes == shapes_of(learnt.config)
    trained = sum(parameter.numel() for parameter in learnt.parameters())
    assert learnt.parameters_now().num_trained == trained
