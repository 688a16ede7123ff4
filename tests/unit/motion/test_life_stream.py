import numpy as np
import pytest
import torch
from fakes.life import small_model

from avatar_service.motion.innovations import BLOCK
from avatar_service.motion.life_channels import NUM_CHANNELS, NUM_CONDITIONS
from avatar_service.motion.life_net import LifeNet
from avatar_service.motion.life_stream import LifeStream, LifeTick, draw_together

pytestmark = pytest.mark.unit
ROWS = np.random.default_rng(5).normal(0, 1, (60, NUM_CONDITIONS))


def run(stream: LifeStream, rows: np.ndarray = ROWS, **how: object) -> list[LifeTick]:
    ticks = []
    for row in rows:
        stream.sense(row)
        ticks.append(stream.act(**({"blink_rate": 1.0, "is_gaze_asked": False} | how)))  # type: ignore[arg-type]
    return ticks


def values(ticks: list[LifeTick]) -> np.ndarray:
    return np.array([tick.value for tick in ticks])


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_stream_says_what_the_whole_pass_says(steps: int) -> None:
    """The kept keys and values, the mask and the ages are those of training."""
    model = small_model(steps=steps, voice_guidance=0.3)
    net = LifeNet.of(model.trained).eval()
    stream = LifeStream(model, seed=3)
    tokens, z, noise = [], [], []
    for i, row in enumerate(ROWS):
        stream.sense(row)
        if i % BLOCK == 0:
            noise.append(stream._noise())
        stream.act(blink_rate=1.0, is_gaze_asked=False)
        if i % BLOCK == BLOCK - 1:
            tokens.append(stream._tokens)
            z.append(stream._z)

    def tensor(parts: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))[None]

    heard = tensor([ROWS])
    first = heard[:, ::BLOCK].repeat_interleave(BLOCK, 1)
    drawn = tensor(noise)
    guidance = torch.tensor([0.3, model.settings.control_guidance]).expand(1, len(ROWS), 2)
    size = torch.full((1, len(ROWS)), 1 / steps)
    with torch.inference_mode():
        for i in range(steps):
            out = net(tensor(tokens), heard, drawn, first, i * size, size, guidance)
            drawn = drawn + out.velocity / steps
    assert np.allclose(drawn[0].numpy(), np.concatenate(z), atol=2e-5)


def test_streams_drawn_together_say_what_they_say_alone() -> None:
    model = small_model()
    alone = [values(run(LifeStream(model, seed))) for seed in range(3)]
    streams = [LifeStream(model, seed) for seed in range(3)]
    run(streams[2], ROWS[:4])  # of another age
    late = values(run(LifeStream(model, 2), np.concatenate([ROWS[:4], ROWS])))[4:]
    got: list[list[np.ndarray]] = [[], [], []]
    for row in ROWS:
        for stream in streams:
            stream.sense(row)
        draw_together(streams)
        for i, stream in enumerate(streams):
            assert not stream.is_due
            got[i].append(stream.act(blink_rate=1.0, is_gaze_asked=False).value)
    for i, expected in enumerate((alone[0], alone[1], late)):
        assert np.array_equal(got[i], expected)  # to the bit: replay draws each alone


def test_equal_seeds_agree_and_others_differ() -> None:
    model = small_model()
    one, same, other = (values(run(LifeStream(model, seed))) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


def test_a_new_seed_acts_from_the_next_block_on() -> None:
    model = small_model()
    stream = LifeStream(model, 1)
    before = values(run(stream, ROWS[:20]))
    stream.reseed(2)
    after = values(run(stream, ROWS[20:]))
    plain = values(run(LifeStream(model, 1)))
    assert np.array_equal(before, plain[:20])
    assert not np.allclose(after, plain[20:], atol=1e-4)
    step = np.abs(np.diff(np.concatenate([before, after]), axis=0))
    assert step[19].max() < 3 * step.max(axis=1).mean()  # no jump


def test_rates_are_the_slopes_of_the_values() -> None:
    ticks = run(LifeStream(small_model(), 4))
    for before, here, after in zip(ticks, ticks[1:], ticks[2:], strict=False):
        slope = (after.value - before.value) / 0.08
        assert np.allclose(here.rate, slope, atol=0.06)
    assert ticks[0].value.shape == (NUM_CHANNELS,)


def test_blinks_follow_the_rate() -> None:
    rows = np.tile(ROWS, (6, 1))
    none, few, many = (
        sum(t.is_blink for t in run(LifeStream(small_model(), 1), rows, blink_rate=rate))
        for rate in (0.0, 0.2, 4.0)
    )
    assert none == 0
    assert few < many


def test_asked_gaze_holds_the_eyes() -> None:
    ticks = run(LifeStream(small_model(), 1), is_gaze_asked=True)
    far = [float(np.degrees(np.hypot(*tick.shift.offset))) for tick in ticks]
    assert max(far) <= 0.401
    free = run(LifeStream(small_model(), 1))
    assert max(np.degrees(np.hypot(*tick.shift.offset)) for tick in free) > 0.7


def test_gains_scale_what_comes_out_only() -> None:
    plain = values(run(LifeStream(small_model(), 1)))
    gains = (2.0,) * 6 + (0.5,) * (NUM_CHANNELS - 6)
    large = values(run(LifeStream(small_model(gains=gains), 1)))
    assert np.allclose(large[:, :6], 2 * plain[:, :6])
    assert np.allclose(large[:, 6:], 0.5 * plain[:, 6:])
