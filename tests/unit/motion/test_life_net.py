import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.life import CONTEXT, small_innovations, small_net

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.innovations import BLOCK, ORDER, Innovations
from avatar_service.motion.life_channels import (
    CHANNELS,
    GROUP_SLICES,
    MIRRORED,
    NUM_CHANNELS,
    NUM_CONDITIONS,
    channels_of,
    face_of,
)
from avatar_service.motion.life_net import LifeNet
from avatar_service.motion.life_parameters import (
    NUM_EVENTS,
    load_weights,
    save_weights,
    shapes_of,
)
from avatar_service.schema import EXPRESSION_NAMES

pytestmark = pytest.mark.unit
TICKS = 24


def inputs(seed: int = 0) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(seed)

    def draw(width: int) -> torch.Tensor:
        return torch.randn(1, TICKS, width, generator=random)

    heard = draw(NUM_CONDITIONS)
    time = torch.full((1, TICKS), 0.3)
    return [
        draw(2 * NUM_CHANNELS + NUM_EVENTS), heard, draw(NUM_CHANNELS),
        heard[:, ::BLOCK].repeat_interleave(BLOCK, 1), time, torch.zeros_like(time),
        torch.zeros(1, TICKS, 2),
    ]  # fmt: skip


@torch.no_grad()
def said(net: LifeNet, parts: list[torch.Tensor]) -> np.ndarray:
    drawn = net(*parts)
    return torch.cat([drawn.velocity, drawn.events], -1)[0].numpy()


@pytest.mark.parametrize("changed", [11, 12])
def test_a_block_knows_nothing_of_itself_and_what_follows(changed: int) -> None:
    net, parts = small_net(), inputs()
    before = said(net, parts)
    parts[0][:, changed] += 1.0  # the tick as it will have been
    parts[1][:, changed] += 1.0  # and its voice, to those that come after it
    after = said(net, parts)
    first = changed // BLOCK * BLOCK + BLOCK
    assert np.array_equal(before[:first], after[:first])
    assert not np.allclose(before[first : first + BLOCK], after[first : first + BLOCK])


def test_blocks_of_a_sequence_do_not_see_each_other_being_drawn() -> None:
    net, parts = small_net(), inputs()
    before = said(net, parts)
    parts[2][:, 10] += 1.0
    after = said(net, parts)
    same = [i for i in range(TICKS) if i // BLOCK != 5]
    assert np.array_equal(before[same], after[same])
    assert not np.allclose(before[11], after[11])


def test_the_past_beyond_the_layers_context_is_forgotten() -> None:
    net, parts = small_net(), inputs()
    before = said(net, parts)
    parts[0][:, 0] += 1.0
    after = said(net, parts)
    reach = 2 * (CONTEXT + BLOCK)  # two layers
    assert np.array_equal(before[reach:], after[reach:])


def test_whitening_and_drawing_undo_each_other() -> None:
    random = np.random.default_rng(0)
    linear = small_innovations()
    past = random.normal(0, 0.05, (ORDER, NUM_CHANNELS))
    z = random.normal(0, 1, (BLOCK, NUM_CHANNELS))
    values, past_after, expected = linear.advance(past, z)
    assert np.allclose(linear.whiten(past, values), z)
    assert np.array_equal(past_after, np.concatenate([past, values])[BLOCK:])
    assert np.allclose(expected, linear.predict(past_after)[0])


def test_fitted_innovations_are_white() -> None:
    random = np.random.default_rng(1)
    track = np.zeros((6000, NUM_CHANNELS))
    for i in range(2, len(track)):
        noise = random.normal(0, 1, NUM_CHANNELS)
        track[i] = 1.6 * track[i - 1] - 0.65 * track[i - 2] + noise
    linear = Innovations.fit([track], [1.0])
    windows = np.lib.stride_tricks.sliding_window_view(track, ORDER + BLOCK, axis=0)
    windows = windows[::BLOCK].transpose(0, 2, 1)
    z = linear.whiten(windows[:, :ORDER], windows[:, ORDER:]).reshape(-1, NUM_CHANNELS)
    assert np.allclose(z.std(axis=0), 1, atol=0.06)
    assert abs(np.corrcoef(z[:-1, 0], z[1:, 0])[0, 1]) < 0.06


def test_channels_come_back_from_the_face() -> None:
    random = np.random.default_rng(2)
    channels = random.normal(0, 0.1, (5, NUM_CHANNELS))
    face = face_of(channels)
    assert np.allclose(channels_of(channels[:, :6], face)[:, :-1], channels[:, :-1])
    # The mouth goes to one side at a time: what is below 0 is not shown.
    shown = np.maximum(face, 0)
    assert np.allclose(channels_of(channels[:, :6], shown)[:, -1], channels[:, -1])


def test_the_mirrored_person_moves_the_other_side() -> None:
    random = np.random.default_rng(3)
    channels = random.normal(0, 0.1, NUM_CHANNELS)
    face, other = face_of(channels), face_of(channels * MIRRORED)
    for name in ("browDownLeft", "mouthSmileLeft", "noseSneerRight", "mouthLeft"):
        twin = name.replace("Left", "R").replace("Right", "Left").replace("R", "Right", 1)
        twin = {"mouthLeft": "mouthRight"}.get(name, twin)
        assert face[EXPRESSION_NAMES.index(name)] == pytest.approx(
            other[EXPRESSION_NAMES.index(twin)]
        )


def test_no_channel_opens_the_lips() -> None:
    moved = np.abs(face_of(np.ones(NUM_CHANNELS))) > 0
    opening = ("jaw", "mouthLowerDown", "mouthUpperUp", "mouthFunnel", "mouthClose", "mouthRoll")
    assert not any(moved[k] for k, n in enumerate(EXPRESSION_NAMES) if n.startswith(opening))


def test_groups_cover_the_conditions() -> None:
    columns = np.zeros(NUM_CONDITIONS, int)
    for part in GROUP_SLICES.values():
        columns[part] += 1
    assert (columns == 1).all()


def written(folder: Path) -> Path:
    path = folder / "life.npz"
    save_weights(
        small_net().parameters_now(), small_innovations(), path, {"settings": {"steps": 4}}
    )
    return path


def test_weights_come_back(tmp_path: Path) -> None:
    parameters, linear, description = load_weights(written(tmp_path))
    net = LifeNet.of(parameters).eval()
    # Kept in half precision.
    assert np.allclose(said(net, inputs()), said(small_net(), inputs()), atol=0.02)
    assert np.allclose(linear.spread, small_innovations().spread)
    assert description["settings"] == {"steps": 4}


def test_the_arrays_of_a_file_are_those_that_learn() -> None:
    net = small_net()
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert shapes == shapes_of(net.config)
    trained = sum(parameter.numel() for parameter in net.parameters())
    assert net.parameters_now().num_trained == trained


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"schema": "avatar.life.v9"}, "v9"),
        ({"channels": CHANNELS[1:]}, "channels"),
        ({"conditions": {"voice": 3}}, "conditions"),
        ({"config": {"width": 64}}, "shape|missing"),
        ({"config": {"depth": 64}}, "depth"),
        ({"config": {"width": "wide"}}, "wide"),
    ],
)
def test_wrong_weights_are_refused(tmp_path: Path, change: dict[str, object], what: str) -> None:
    path = written(tmp_path)
    description = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(description | change))
    with pytest.raises(AvatarError, match=what) as raised:
        load_weights(path)
    assert raised.value.reason is Reason.MODELS_NOT_AVAILABLE


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "nan", "foreign"])
def test_damaged_weights_are_refused(tmp_path: Path, damage: str) -> None:
    path = written(tmp_path)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    elif damage in ("nan", "foreign"):
        arrays = dict(np.load(path))
        name = "kind" if damage == "nan" else "another"
        arrays[name] = np.full(arrays["kind"].shape, np.nan if damage == "nan" else 0, np.float16)
        np.savez(path, **arrays)
    else:
        path.with_suffix(".json").write_text("no JSON")
    with pytest.raises(AvatarError) as raised:
        load_weights(path)
    assert raised.value.reason is Reason.MODELS_NOT_AVAILABLE
