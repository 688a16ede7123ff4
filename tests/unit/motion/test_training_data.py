"""Training data: shards, augmentation in time with the labels, batches, the loss."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_service.errors import AvatarError
from avatar_service.motion.articulation_net import ArticulationNet
from avatar_service.motion.articulation_parameters import ArticulationNetConfig
from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.visemes import CLOSURE, NUM_VISEMES, UNKNOWN, VISEME_INDEX
from avatar_service.signals import Float32Array
from tools.corpus import augment, texts
from tools.corpus.batches import BatchMaker
from tools.corpus.fit import loud_silences
from tools.corpus.prompts import read_transcripts
from tools.corpus.store import Utterance, read_shard, write_shard
from tools.train_articulation import loss_of

pytestmark = pytest.mark.unit


def utterance(seed: int = 0) -> Utterance:
    """Loud noise for open phones, a hum for the sealed one."""
    rng = np.random.default_rng(seed)
    phones, parts, start = [], [], 0.0
    for symbol, secs in [("SIL", 0.2), ("M", 0.1), ("AA", 0.3), ("P", 0.1), ("IY", 0.3)] * 2:
        phones.append(TimedPhone(start, start + secs, symbol))
        count = round(secs * 16000)
        loud = {"SIL": 0.0, "M": 300.0, "P": 30.0}.get(symbol, 6000.0)
        parts.append(rng.normal(0, 1, count) * loud)
        start += secs
    phones.append(TimedPhone(start, start + 0.1, UNKNOWN))
    parts.append(np.zeros(1600))
    return Utterance(np.concatenate(parts).astype(np.int16), phones, "test")


def clip(count: int = 24000) -> Float32Array:
    rng = np.random.default_rng(3)
    smooth = np.convolve(rng.normal(0, 1, count), np.ones(8) / 8, mode="same")
    envelope = np.interp(np.arange(count), np.arange(0, count, 800), rng.random(count // 800))
    return np.asarray(smooth * envelope * 0.5, np.float32)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in ("flite-1-00", "espeak-1-00"):
        write_shard(tmp_path / f"{name}.npz", [utterance(1), utterance(2)], name)
    return tmp_path


def test_a_shard_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "flite-1-00.npz"
    written = [utterance(1), utterance(2)]
    write_shard(path, written, "flite")
    for one, other in zip(written, read_shard(path), strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        assert [p.symbol for p in one.phones] == [p.symbol for p in other.phones]
        times = [p.start_secs for p in one.phones], [p.start_secs for p in other.phones]
        np.testing.assert_allclose(*times, atol=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_codecs_keep_the_clip_in_time(seed: int) -> None:
    original = clip()
    coded = augment.codec_round_trip(original, np.random.default_rng(seed))
    assert coded.shape == original.shape
    lags = range(-20, 21)
    scores = [float(np.dot(np.roll(coded, -lag)[50:-50], original[50:-50])) for lag in lags]
    assert abs(lags[int(np.argmax(scores))]) <= 2


def test_channel_noise_breath_and_gate_stay_finite_and_in_shape() -> None:
    rng = np.random.default_rng(0)
    original = clip()
    noises = augment.make_noises(rng)
    for _ in range(6):
        passed = augment.channel(original, augment.HARSH, rng)
        heard = augment.add_noise(passed, noises[0], 10.0, rng)
        assert heard.shape == original.shape
        assert np.isfinite(heard).all()
        assert augment.breath(5000, rng).shape == (5000,)
        assert augment.gated(original, rng).shape == original.shape


@pytest.mark.parametrize("seed", range(6))
def test_knocks_are_short_and_leave_the_rest_as_it_was(seed: int) -> None:
    original = np.full(64000, 0.125, np.float32)
    knocked = augment.knocks(original, np.random.default_rng(seed))
    added = np.abs(knocked - original).reshape(-1, 160).max(axis=1)
    assert 0.005 < added.max() <= 8 * 0.6
    assert (added < 1e-3).mean() > 0.3
    assert (original == 0.125).all()


def test_noise_is_added_at_the_asked_ratio() -> None:
    rng = np.random.default_rng(0)
    original = clip()
    noise = rng.normal(0, 1, 100_000).astype(np.float32)
    added = augment.add_noise(original, noise, 12.0, rng) - original
    ratio = 10 * np.log10(np.mean(original**2) / np.mean(added**2))
    assert ratio == pytest.approx(12.0, abs=0.3)


def test_batches_have_targets_in_range(corpus: Path) -> None:
    maker = BatchMaker(corpus, steps=100, seed=1)
    for _ in range(3):
        batch = maker.draw(4)
        assert batch.features.shape == (4, 200, 80)
        assert batch.visemes.shape == (4, 101)
        assert batch.curves.shape == (4, 101, 7)
        assert np.isfinite(batch.features).all()
        assert batch.curves.min() >= 0
        assert batch.curves.max() <= 1
        assert set(np.unique(batch.visemes)) <= set(range(-1, NUM_VISEMES))
        sealed = batch.curves[..., CLOSURE] >= 1
        assert (batch.visemes[sealed] == VISEME_INDEX["PP"]).mean() > 0.8


def test_the_loss_falls_when_the_network_learns(corpus: Path) -> None:
    torch.manual_seed(0)
    maker = BatchMaker(corpus, steps=60, seed=1)
    net = ArticulationNet(ArticulationNetConfig(channels=32, hidden=24, dilations=(1, 2)))
    probe = maker.draw(8).features.reshape(-1, 80)
    net.set_normalisation(probe.mean(0), probe.std(0))
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    losses = []
    for _ in range(25):
        batch = maker.draw(4)
        output, _ = net(torch.from_numpy(batch.features), net.initial_state(4))
        loss = loss_of(output, batch, net.config.look_ahead_steps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_the_same_seed_draws_the_same_lines_and_lips_are_well_represented() -> None:
    import random

    lines = [texts.english_line(random.Random(f"a{i}")) for i in range(200)]
    assert lines == [texts.english_line(random.Random(f"a{i}")) for i in range(200)]
    assert len(set(lines)) > 120
    letters = "".join(lines).lower()
    assert sum(letters.count(c) for c in "pbmfv") / len(letters) > 0.06


def test_every_cycle_of_the_recipe_warms_up_and_comes_to_rest():
    from avatar_service.training.learner import rate_share
    from tools.train_articulation import _WARM_UP, CYCLES, _at

    step = 0
    for cycle in CYCLES:
        rates = []
        for k in range(cycle.steps):
            own, within = _at(CYCLES, step + k)
            rates.append(own.peak_rate * rate_share(within / own.steps, _WARM_UP))
        assert rates[0] == 0
        assert max(rates) == pytest.approx(cycle.peak_rate, rel=2e-3)
        assert rates[-1] < 0.01 * cycle.peak_rate
        step += cycle.steps
    with pytest.raises(ValueError, match="beyond"):
        _at(CYCLES, step)


def test_prompts_are_taken_that_are_read_as_they_are_written(tmp_path: Path) -> None:
    lines = [
        "; a remark: prompts that are long enough to be taken, were they not remarked upon",
        "menu/help: Press 1 to hear the message again, or 2 to remove it from the mailbox.",
        "short: Press the pound key.",
        "web: For more information please visit our pages at www.example.org at any time.",
        "tone: Please leave your message after the tone. (a simple tone is played here)",
    ]
    path = tmp_path / "prompts.txt.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    [(name, text)] = read_transcripts(path)
    assert name == "menu/help"
    assert text.split()[:6] == ["Press", "one", "to", "hear", "the", "message"]
    assert "two" in text
    assert not any(letter.isdigit() for letter in text)


def test_a_prompt_that_says_more_than_its_words_is_told_from_one_that_does_not() -> None:
    said = np.random.default_rng(5).normal(0, 3000, 32_000)
    said[12_000:20_000] *= 0.003
    phones = [
        TimedPhone(0.0, 0.75, "AA"),
        TimedPhone(0.75, 1.25, "SIL"),
        TimedPhone(1.25, 2.0, "AA"),
    ]
    assert not any(loud_silences(said.astype(np.int16), phones))
    late = [phones[0], TimedPhone(0.75, 1.6, "SIL"), TimedPhone(1.6, 2.0, "AA")]
    assert any(loud_silences(said.astype(np.int16), late))


@pytest.mark.parametrize("content", [None, b"no gzip", gzip.compress(b"name: words" * 99)[:-9]])
def test_transcripts_that_cannot_be_read_are_told_in_one_line(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "prompts.txt.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AvatarError, match="cannot be read"):
        list(read_transcripts(path))


def test_a_step_runs_where_the_network_is(corpus: Path) -> None:
    """torch's device "meta" computes nothing, but refuses what lies on another one."""
    batch = BatchMaker(corpus, steps=60, seed=1).draw(4)
    config = ArticulationNetConfig(channels=32, hidden=24, dilations=(1, 2))
    net = ArticulationNet(config).to("meta")
    output, _ = net(torch.from_numpy(batch.features).to("meta"), net.initial_state(4))
    assert loss_of(output, batch, config.look_ahead_steps).device.type == "meta"
