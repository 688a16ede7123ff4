import numpy as np
import pytest
from fakes.portraits import astronaut
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_service.picture.mark_attacks import ATTACKS
from avatar_service.picture.mark_bench import read_frames
from avatar_service.provenance import mark_code
from avatar_service.provenance.mark_reader import read_mark
from avatar_service.provenance.watermark import EPOCH, Mark, MarkPayload, layout, make_pattern
from avatar_service.render.bench import moving_frame
from avatar_service.render.cpu import CpuRenderer

pytestmark = pytest.mark.unit
PAYLOAD = MarkPayload(installation=0xABCDEF, session=0x12345, hour=16_000)


@pytest.fixture(scope="module")
def clip() -> list[np.ndarray]:
    """Six marked frames."""
    renderer = CpuRenderer(astronaut())
    renderer.set_mark(make_pattern(PAYLOAD))
    out = np.zeros((512, 512, 4), np.uint8)
    frames = []
    for k in range(6):
        renderer.render(moving_frame(3 * k), out)
        frames.append(out[..., :3].copy())
    return frames


@given(st.integers(0, 2**64 - 1))
def test_a_payload_survives_being_taken_apart(bits: int) -> None:
    assert MarkPayload.from_int(bits).to_int() == bits


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32))
def test_the_code_corrects_noise(bits: int, seed: int) -> None:
    sent = mark_code.encode(bits)
    noise = np.random.default_rng(seed).standard_normal(len(sent))
    assert mark_code.decode(sent + 0.7 * noise) == bits


def test_the_crc_finds_a_payload_whose_path_is_not_the_best(monkeypatch) -> None:
    draw = np.random.default_rng(2)
    sent = [int.from_bytes(draw.bytes(8), "big") for _ in range(12)]
    noise = 1.3 * draw.standard_normal((len(sent), mark_code.NUM_CODE_BITS))
    heard = [mark_code.encode(bits) + waves for bits, waves in zip(sent, noise, strict=True)]

    def num_read() -> int:
        return sum(map(lambda bits, soft: mark_code.decode(soft) == bits, sent, heard))

    with_many = num_read()
    monkeypatch.setattr(mark_code, "NUM_PATHS", 1)
    assert with_many >= num_read() + 4


def test_noise_alone_is_no_payload() -> None:
    draw = np.random.default_rng(1)
    for _ in range(30):
        assert mark_code.decode(draw.standard_normal(mark_code.NUM_CODE_BITS)) is None


def test_the_layout_never_changes() -> None:
    """Marks made by older versions must stay readable: these are the format's own numbers."""
    parts = layout()
    assert (len(parts.sync), len(parts.data)) == (94, 282)
    assert parts.sync[:3].tolist() == [[7, -8], [0, 8], [11, 0]]
    assert parts.code_bits[:6].tolist() == [131, 155, 156, 48, 42, 217]
    pattern = make_pattern(PAYLOAD)
    assert (int(pattern.astype(int).sum()), pattern[0, :6].tolist()) == (
        -52,
        [-40, -25, -6, 15, 32, 45],
    )


def test_the_same_session_and_hour_give_the_same_pattern() -> None:
    now = EPOCH.timestamp() + 16_000 * 3600 + 5
    first, second = (Mark(7, 9, clock=lambda: now) for _ in range(2))
    assert np.array_equal(first.pattern(), second.pattern())
    assert first.payload == MarkPayload(7, 9, 16_000)


def test_the_pattern_changes_with_the_hour_only() -> None:
    now = [EPOCH.timestamp() + 3600.0]
    mark = Mark(7, 9, clock=lambda: now[0])
    first = mark.pattern()
    now[0] += 3599
    assert mark.pattern() is first
    now[0] += 1
    assert mark.payload.hour == 2
    assert not np.array_equal(mark.pattern(), first)
    now[0] -= 3600  # a clock set back
    assert np.array_equal(mark.pattern(), first)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_mark_is_read_after(attack: str, clip: list[np.ndarray]) -> None:
    reading = read_frames(ATTACKS[attack](clip))
    assert reading is not None
    assert reading.payload == PAYLOAD


def test_a_turned_and_mirrored_picture_is_read_and_told(clip: list[np.ndarray]) -> None:
    reading = read_frames([np.rot90(clip[0])])
    assert reading is not None
    assert (reading.payload, round(abs(reading.turn_degrees)), reading.is_mirrored) == (
        PAYLOAD,
        90,
        False,
    )
    mirrored = read_frames([clip[0][:, ::-1]])
    assert mirrored is not None
    assert mirrored.is_mirrored


def test_an_unmarked_picture_has_no_mark() -> None:
    renderer = CpuRenderer(astronaut())
    out = np.zeros((512, 512, 4), np.uint8)
    renderer.render(moving_frame(0), out)
    assert read_frames([out[..., :3]]) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("shape", "kind"),
    [((1, 1), "flat"), ((40, 700), "noise"), ((96, 96), "flat"), ((97, 1500), "stripes")],
)
def test_any_picture_can_be_looked_at(shape: tuple[int, int], kind: str) -> None:
    luma = np.full(shape, 128, np.float32)
    if kind == "noise":
        luma += np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    elif kind == "stripes":
        luma += 50 * np.sin(np.arange(shape[1]) / 2, dtype=np.float32)
    assert read_mark(luma) is None
