from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.life import small_model
from fakes.voice import fake_voice

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.innovations import BLOCK, ORDER
from avatar_service.motion.life_channels import GROUP_SLICES, NUM_CHANNELS
from avatar_service.motion.life_net import LifeNet
from avatar_service.motion.life_parameters import LifeNetConfig
from avatar_service.motion.track import MotionTrack
from avatar_service.schema import EXPRESSION_INDEX, NUM_EMOTIONS, NUM_EXPRESSIONS
from avatar_service.training.calibration import _drawn, calibrate
from avatar_service.training.examples import LifeExamples, mirrored
from avatar_service.training.footage import life_of_track
from avatar_service.training.life_training import LifeTraining, train, validation_batch
from avatar_service.training.preparation import speech_in, teach, videos_in
from avatar_service.training.sequences import LifeSequence, read_sequences, write_sequences
from avatar_service.training.teacher import converse, draw_wishes, live

pytestmark = pytest.mark.unit
TICKS = 16
VOICES = [fake_voice(3.0, seed=seed) for seed in range(3)]


@pytest.fixture(scope="module")
def lives() -> list[LifeSequence]:
    random = np.random.default_rng(0)

    def speech() -> object:
        while True:
            yield VOICES[random.integers(len(VOICES))]

    ticks = converse(speech(), 12.0, random)  # type: ignore[arg-type]
    return [live(ticks, draw_wishes(len(ticks), random), seed) for seed in range(3)]


def examples(lives: list[LifeSequence], share: float = 0.5) -> LifeExamples:
    return LifeExamples(lives[1:], lives[:1], tracked_share=share, crop_ticks=TICKS, seed=1)


def test_lives_are_told_what_they_hear(lives: list[LifeSequence]) -> None:
    one, other = lives[:2]
    voice = GROUP_SLICES["voice"]
    assert np.array_equal(one.conditions[:, voice], other.conditions[:, voice])
    assert np.abs(one.channels - other.channels).max() > 0.01
    assert 0 < one.shift.sum() < len(one)
    # The offset changes exactly where the eyes jump.
    moved = np.abs(np.diff(one.offset, axis=0)).max(axis=1) > 0
    assert np.array_equal(moved, one.shift[1:] > 0)


def test_sequences_come_back(tmp_path: Path, lives: list[LifeSequence]) -> None:
    path = tmp_path / "lives.npz"
    write_sequences(path, lives)
    back = read_sequences(path)
    assert [len(one) for one in back] == [len(one) for one in lives]
    assert np.array_equal(back[1].channels, lives[1].channels)
    assert np.array_equal(back[2].blink, lives[2].blink)
    path.write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(AvatarError) as raised:
        read_sequences(path)
    assert raised.value.reason is Reason.INVALID_FILE


def test_a_batch_holds_what_is_to_be_drawn(lives: list[LifeSequence]) -> None:
    maker = examples(lives)
    batch = maker.assemble([lives[1].cut(10, 10 + TICKS + ORDER)], clean=True)
    linear = maker.innovations
    channels = lives[1].channels.astype(float)
    for block in range(0, TICKS, BLOCK):
        at = 10 + ORDER + block
        z = batch.innovation[0, block : block + BLOCK].astype(float)
        drawn, _, _ = linear.advance(channels[at - ORDER : at], z)
        inside = np.abs(batch.innovation[0, block : block + BLOCK]).max(axis=0) < 4.99
        assert np.allclose(drawn[:, inside], channels[at : at + BLOCK, inside], atol=1e-5)


def test_conditions_are_dropped_by_group(lives: list[LifeSequence]) -> None:
    batch = examples(lives).draw(200)
    for columns in GROUP_SLICES.values():
        flags = batch.conditions[:, 0, columns.stop - 1]
        assert 0.02 < (flags == 0).mean() < 0.2
        assert (batch.conditions[flags == 0][:, :, columns] == 0).all()


def test_mirroring_twice_is_nothing(lives: list[LifeSequence]) -> None:
    twice = mirrored(mirrored(lives[0]))
    assert np.array_equal(twice.channels, lives[0].channels)
    assert np.array_equal(mirrored(lives[0]).channels[:, 0], -lives[0].channels[:, 0])


def test_a_tracked_video_becomes_a_life() -> None:
    count = 250
    secs = np.arange(count) / 25
    expression = np.zeros((count, NUM_EXPRESSIONS), np.float32)
    expression[:, EXPRESSION_INDEX["browInnerUp"]] = 0.3 + 0.1 * np.sin(2 * secs)
    for start in (60, 150):
        for side in ("Left", "Right"):
            expression[start : start + 5, EXPRESSION_INDEX["eyeBlink" + side]] = 0.9
    rotation = np.zeros((count, 3), np.float32)
    rotation[:, 0] = 0.2 + 0.1 * np.sin(secs)
    track = MotionTrack(
        pts_nanos=(secs * 1e9).astype(np.int64),
        expression=expression,
        head_rotation=rotation,
        head_translation=np.zeros((count, 3), np.float32),
        gaze=np.zeros((count, 2, 2), np.float32),
        speech=np.zeros(count, np.float32),
        emotion=np.zeros((count, NUM_EMOTIONS), np.float32),
        frame_rate=Fraction(25),
    )
    life = life_of_track(track, fake_voice(10.0, seed=1))
    assert abs(float(np.median(life.channels[:, 0]))) < 1e-6  # rest is the median
    assert life.channels[:, 0].std() == pytest.approx(rotation[:, 0].std(), rel=0.05)
    assert life.blink.sum() == 2
    assert np.flatnonzero(life.blink)[0] == pytest.approx(59, abs=2)
    assert not life.has_gaze
    assert (life.conditions[:, GROUP_SLICES["source"]] == 1).all()
    assert life.channels.shape[1] == NUM_CHANNELS


def test_training_learns_resumes_and_goes_on(tmp_path: Path, lives: list[LifeSequence]) -> None:
    config = LifeNetConfig(width=32, layers=1, heads=2, expansion=2, context=8)
    told: list[int] = []

    def run(steps: int) -> tuple[float, float]:
        maker = examples(lives, 0.0)
        validation = {"one": validation_batch(maker, lives[1], TICKS)}
        settings = LifeTraining(steps, 8, tmp_path, save_every=20)
        progress = lambda done, total, what: told.append(done)  # noqa: E731
        _, _, figures = train(maker, settings, validation, progress, config)
        one = figures["validation"]["one"]
        return one["flow"], one["flow_of_none"]

    first, none = run(40)
    assert first < none
    told.clear()
    second, _ = run(120)
    assert told[0] == 41
    assert second < first


def test_the_teacher_reads_speech_once(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "shard.npz",
        audio=np.concatenate([np.asarray(v * 20000, np.int16) for v in VOICES]),
        audio_ends=np.cumsum([len(v) for v in VOICES]),
    )
    out = tmp_path / "out"
    out.mkdir()
    how = {"hours": 1 / 60, "draws": 2, "seed": 1}
    made = teach(tmp_path, out, progress=lambda *_: None, **how)  # type: ignore[arg-type]
    again = teach(tmp_path / "gone", out, progress=lambda *_: None, **how)  # type: ignore[arg-type]
    assert len(made) == len(again) == 2
    assert np.array_equal(made[0].channels, again[0].channels)


def test_folders_without_material_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="no speech"):
        next(speech_in(tmp_path, np.random.default_rng(0)))
    with pytest.raises(AvatarError, match="no video"):
        videos_in(tmp_path)
    (tmp_path / "shard.npz").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(AvatarError, match=r"shard\.npz"):
        next(speech_in(tmp_path, np.random.default_rng(0)))


def test_calibration_brings_each_channel_to_the_peoples_size(lives: list[LifeSequence]) -> None:
    model = small_model()
    drawn = _drawn(model, lives[0].conditions[:100].astype(float)).std(axis=1).mean(axis=0)
    wanted = np.tile(np.array([[1.0], [-1.0]], np.float32), (50, NUM_CHANNELS)) * drawn * 0.5
    people = replace(lives[0].cut(0, 100), channels=wanted.astype(np.float32))
    gains = np.array(calibrate(model, [people]).settings.gains)
    # What lies below 0 is not seen on a face: it takes 1 / .584 of the size to look as large.
    assert np.allclose(gains[:6], 0.5, rtol=0.15)
    assert np.allclose(gains[6:-1], 0.5 / 0.584, rtol=0.15)


def test_a_network_without_past_is_trained_and_run_the_same_way(
    lives: list[LifeSequence],
) -> None:
    source = LifeExamples(
        lives[1:], lives[:1], tracked_share=0.5, crop_ticks=TICKS, seed=1, past_dropped=1.0
    )
    batch = source.draw(4)
    assert not batch.has_past.any()
    net = LifeNet()
    asked = [torch.from_numpy(a) for a in (batch.tokens, batch.conditions)]
    trained, _ = net.embed_known(*asked, torch.from_numpy(batch.has_past))
    net.forget_past()
    run, _ = net.embed_known(*asked)
    assert torch.equal(trained, run)
