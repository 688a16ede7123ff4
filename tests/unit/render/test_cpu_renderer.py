"""What the CPU renderer shows: signs, limits, backgrounds, sizes, robustness."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import topology
from avatar_service.render.bench import moving_frame
from avatar_service.render.cpu import STAGES, CpuRenderer
from avatar_service.render.renderer import MAX_FARTHER, MAX_YAW, MIN_YAW, limit_motion
from avatar_service.schema import EXPRESSION_INDEX, EXPRESSION_NAMES
from avatar_service.signals import Background, MotionFrame

pytestmark = pytest.mark.unit

NOSE, CROWN, CHIN = topology.NOSE_TIP, topology.CROWN, topology.CHIN


@pytest.fixture(scope="module")
def renderer() -> CpuRenderer:
    return CpuRenderer(astronaut())


def frame(size: int = 512) -> np.ndarray:
    return np.zeros((size, size, 4), np.uint8)


def motion(*, turn=(0, 0, 0), shift=(0, 0, 0), gaze=None, **expression) -> MotionFrame:
    values = np.zeros(52, np.float32)
    for name, value in expression.items():
        values[EXPRESSION_INDEX[name]] = value
    both = np.zeros((2, 2), np.float32) if gaze is None else np.tile(gaze, (2, 1))
    return MotionFrame(
        pts_nanos=0,
        expression=values,
        head_rotation=np.radians(turn).astype(np.float32),
        head_translation=np.array(shift, np.float32),
        gaze=both.astype(np.float32),
    )


def landmarks(renderer: CpuRenderer, moved: MotionFrame) -> np.ndarray:
    """Return the landmarks on the picture, (468, 3)."""
    renderer.render(moved, frame(renderer.size_px))
    return renderer.pose.vertices[:468].copy()


def picture(renderer: CpuRenderer, moved: MotionFrame) -> np.ndarray:
    out = frame(renderer.size_px)
    renderer.render(moved, out)
    return out


def test_rest_projects_exactly_onto_the_photo():
    still = CpuRenderer(astronaut(), neutralize=0)
    geometry = astronaut().geometry
    projected = landmarks(still, motion())[:, :2]
    in_photo = (geometry.uv[:468] - 0.5) / 2 - astronaut().margin_px
    assert np.abs(projected - in_photo).max() < 0.01


def test_rest_shows_the_photo():
    out = picture(CpuRenderer(astronaut(), neutralize=0), motion())
    error = out[..., :3].astype(float) - astronaut().photo
    assert 10 * np.log10(255**2 / (error**2).mean()) > 28
    hair = (slice(20, 90), slice(180, 330))
    assert 10 * np.log10(255**2 / (error[hair] ** 2).mean()) > 30


def test_yaw_turns_to_the_subjects_left_which_is_image_right(renderer):
    rest, turned = landmarks(renderer, motion()), landmarks(renderer, motion(turn=(10, 0, 0)))
    assert turned[NOSE, 0] > rest[NOSE, 0] + 5
    # The far ear comes nearer to the nose, the near one goes away from it.
    assert turned[454, 0] - turned[NOSE, 0] < rest[454, 0] - rest[NOSE, 0]


def test_pitch_looks_down(renderer):
    rest, turned = landmarks(renderer, motion()), landmarks(renderer, motion(turn=(0, 10, 0)))
    assert turned[NOSE, 1] - turned[CROWN, 1] > rest[NOSE, 1] - rest[CROWN, 1]
    assert turned[CHIN, 1] - turned[NOSE, 1] < rest[CHIN, 1] - rest[NOSE, 1]


def test_roll_tips_the_crown_to_the_subjects_right_which_is_image_left(renderer):
    rest, turned = landmarks(renderer, motion()), landmarks(renderer, motion(turn=(0, 0, 10)))
    assert turned[CROWN, 0] < rest[CROWN, 0] - 5
    upright = complex(*(rest[CROWN] - rest[CHIN])[:2])
    tilted = complex(*(turned[CROWN] - turned[CHIN])[:2])
    assert np.degrees(np.angle(tilted / upright)) == pytest.approx(-10, abs=1)


def test_translation_goes_left_up_and_nearer(renderer):
    rest = landmarks(renderer, motion())
    assert landmarks(renderer, motion(shift=(0.1, 0, 0)))[NOSE, 0] > rest[NOSE, 0] + 5
    assert landmarks(renderer, motion(shift=(0, 0.1, 0)))[NOSE, 1] < rest[NOSE, 1] - 5
    nearer = landmarks(renderer, motion(shift=(0, 0, 5)))
    width = np.ptp(rest[[33, 263], 0])
    # Half as far from the camera (10 units), twice as large.
    assert np.ptp(nearer[[33, 263], 0]) == pytest.approx(2 * width, rel=0.03)


@pytest.mark.parametrize("degrees", [-15, -8, 8, 15])
def test_requested_yaw_is_the_yaw_shown(renderer, degrees):
    asked = motion(turn=(degrees, 0, 0))
    shown = limit_motion(astronaut(), asked)
    assert np.degrees(shown.head_rotation[0]) == pytest.approx(degrees, abs=0.6)
    # Measured on the mesh: the angle between rest and turned of a line across the skull.
    renderer.render(shown, frame())
    skull = renderer.pose.skull[:, :3] @ astronaut().geometry.rotation
    axis = astronaut().geometry.rotation.T @ skull[:, 0]
    assert np.degrees(np.arctan2(axis[2], axis[0])) == pytest.approx(degrees, abs=0.7)


def test_limits_are_smooth_monotone_and_kept():
    yaws = np.linspace(-1.2, 1.2, 97)
    shown = np.array(
        [
            limit_motion(astronaut(), motion(turn=(np.degrees(y), 0, 0))).head_rotation[0]
            for y in yaws
        ]
    )
    assert (np.diff(shown) >= 0).all()
    assert np.diff(shown).max() < 0.03
    assert np.abs(shown).max() <= MAX_YAW + 1e-6
    assert np.abs(shown[[0, -1]]).min() > MIN_YAW


def test_limited_motion_is_what_is_rendered(renderer):
    extreme = motion(turn=(60, 40, 50), shift=(3, -3, -9), gaze=(2, 2), jawOpen=3)
    shown = limit_motion(astronaut(), extreme)
    assert shown.head_translation[2] >= -MAX_FARTHER
    assert shown.expression.max() <= 1.25
    assert np.isfinite(landmarks(renderer, shown)).all()
    gentle = motion(turn=(3, 2, 1), shift=(0.02, 0.03, 0.1), gaze=(0.1, 0.05), jawOpen=0.4)
    same = limit_motion(astronaut(), gentle)
    assert np.allclose(same.head_rotation, gentle.head_rotation)
    assert np.allclose(same.gaze, gentle.gaze)


@pytest.mark.parametrize("name", EXPRESSION_NAMES)
def test_every_coefficient_is_visible(renderer, name):
    rest, shown = picture(renderer, motion()), picture(renderer, motion(**{name: 1.0}))
    change = np.abs(rest.astype(int) - shown).max(-1)
    assert (change > 12).sum() > 40, (change > 12).sum()
    face = landmarks(renderer, motion())[:, :2]
    low, high = face.min(0).astype(int), face.max(0).astype(int)
    assert (change[: low[1] - 60] > 12).sum() == 0
    assert (change[high[1] + 60 :] > 12).sum() == 0


def test_gaze_moves_the_iris_its_way(renderer):
    def iris(gaze):
        out = picture(renderer, motion(gaze=gaze))
        points = landmarks(renderer, motion())
        x0, x1 = sorted((int(points[362, 0]), int(points[263, 0])))
        y = int((points[386, 1] + points[374, 1]) / 2)
        strip = 255.0 - out[y - 2 : y + 3, x0 + 3 : x1 - 3, :3].mean((0, 2))
        strip = np.clip(strip - np.median(strip), 0, None)
        return (strip * np.arange(len(strip))).sum() / strip.sum()

    ahead, to_left, to_right = iris((0.01, 0)), iris((0.35, 0)), iris((-0.35, 0))
    assert to_left > ahead + 1
    assert to_right < ahead - 1


def test_eye_look_coefficients_stand_in_for_zero_gaze(renderer):
    renderer.render(motion(eyeLookOutLeft=1, eyeLookInRight=1), frame())
    assert (renderer.pose.gaze[:, 0] > 0.5).all()
    renderer.render(motion(eyeLookOutLeft=1, eyeLookInRight=1, gaze=(-0.2, 0)), frame())
    assert np.allclose(renderer.pose.gaze, [[-0.2, 0], [-0.2, 0]])
    assert renderer.pose.coefficients[EXPRESSION_INDEX["eyeLookOutLeft"]] == 0


def test_jaw_opens_in_proportion_and_zero_is_closed(renderer):
    def gap(amount: float) -> float:
        points = landmarks(renderer, motion(jawOpen=amount))
        return float(points[14, 1] - points[13, 1])

    gaps = [gap(a) for a in np.linspace(0, 1, 11)]
    assert gaps[0] < 1.5
    assert gaps[-1] > 15
    assert (np.diff(gaps) > 0).all()


def test_lips_never_pass_through_each_other(renderer):
    rng = np.random.default_rng(0)
    mouth = [n for n in EXPRESSION_NAMES if n.startswith(("mouth", "jaw", "eye"))]
    for _ in range(30):
        chosen = rng.choice(mouth, 6, replace=False)
        points = landmarks(renderer, motion(**{n: float(rng.random()) for n in chosen}))
        inner = (
            points[list(topology.LIP_INNER_LOWER), 1] - points[list(topology.LIP_INNER_UPPER), 1]
        )
        assert inner.min() > -1.0


def test_mouth_close_keeps_lips_together_over_an_open_jaw(renderer):
    def points(**expression):
        return landmarks(renderer, motion(**expression))

    opened, closed = points(jawOpen=0.6), points(jawOpen=0.6, mouthClose=0.6)
    assert closed[14, 1] - closed[13, 1] < 0.35 * (opened[14, 1] - opened[13, 1])
    assert closed[CHIN, 1] > points()[CHIN, 1] + 1


def test_keep_background_is_opaque_and_still(renderer):
    renderer.set_background(Background.KEEP)
    a, b = picture(renderer, motion()), picture(renderer, motion(turn=(12, 5, 5)))
    assert (a[..., 3] == 255).all()
    assert np.array_equal(a[:100, :40], b[:100, :40])


def test_transparent_background_has_real_straight_alpha(renderer):
    renderer.set_background(Background.KEEP)
    kept = picture(renderer, motion())
    renderer.set_background(Background.TRANSPARENT)
    out = picture(renderer, motion())
    renderer.set_background(Background.KEEP)
    assert out[10, 10, 3] == 0
    assert out[300, 256, 3] == 255
    soft = (out[..., 3] > 40) & (out[..., 3] < 215)
    assert soft.sum() > 100
    # Laid over the repaired background it is the kept frame.
    alpha = out[..., 3:] / 255.0
    laid = out[..., :3] * alpha + astronaut().background * (1 - alpha)
    assert np.abs(laid - kept[..., :3]).max() < 4


def test_color_background_fills_what_the_person_leaves(renderer):
    renderer.set_background(Background.COLOR, (10, 200, 30))
    out = picture(renderer, motion())
    renderer.set_background(Background.KEEP)
    assert out[5, 5].tolist() == [10, 200, 30, 255]
    assert (out[..., 3] == 255).all()


def test_bad_color_is_refused(renderer):
    with pytest.raises(AvatarError) as caught:
        renderer.set_background(Background.COLOR, (0, 300, 0))
    assert caught.value.reason is Reason.INVALID_FIELD


@pytest.mark.parametrize("size", [256, 1024])
def test_other_sizes_show_the_same_picture(renderer, size):
    moved = motion(turn=(8, 3, 4), jawOpen=0.3, gaze=(0.2, 0.1))
    reference = picture(renderer, moved)[..., :3].astype(float)
    other = picture(CpuRenderer(astronaut(), size), moved)[..., :3].astype(float)
    small = 128

    def reduce(pixels):
        step = pixels.shape[0] // small
        return pixels.reshape(small, step, small, step, 3).mean((1, 3))

    assert np.abs(reduce(reference) - reduce(other)).mean() < 1.5


def test_unknown_size_is_refused():
    with pytest.raises(AvatarError, match="256, 512, 1024"):
        CpuRenderer(astronaut(), 300)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["expression", "head_rotation", "head_translation", "gaze"])
def test_values_that_are_not_finite_are_refused(renderer, bad, field):
    broken = motion()
    getattr(broken, field).flat[1] = bad
    for call in (lambda: picture(renderer, broken), lambda: limit_motion(astronaut(), broken)):
        with pytest.raises(AvatarError, match=field) as caught:
            call()
        assert caught.value.reason is Reason.INVALID_FIELD


def test_wild_values_never_leave_the_buffers(renderer):
    rng = np.random.default_rng(3)
    for scale in (1e3, 1e12, 1e30):
        wild = MotionFrame(
            pts_nanos=0,
            expression=(rng.normal(0, scale, 52)).astype(np.float32),
            head_rotation=rng.normal(0, scale, 3).astype(np.float32),
            head_translation=rng.normal(0, scale, 3).astype(np.float32),
            gaze=rng.normal(0, scale, (2, 2)).astype(np.float32),
        )
        assert picture(renderer, wild).any()


def test_wrong_buffer_is_refused(renderer):
    for out in (frame(256), np.zeros((512, 512, 3), np.uint8), frame()[:, ::-1]):
        with pytest.raises(AvatarError, match="contiguous"):
            renderer.render(motion(), out)


def test_same_motion_gives_the_same_frame_whatever_came_before(renderer):
    first = picture(renderer, motion(jawOpen=0.4, turn=(5, 0, 0)))
    picture(renderer, motion(turn=(-15, 10, 10), eyeBlinkLeft=1))
    assert np.array_equal(picture(renderer, motion(jawOpen=0.4, turn=(5, 0, 0))), first)
    other = CpuRenderer(astronaut())
    assert np.array_equal(picture(other, motion(jawOpen=0.4, turn=(5, 0, 0))), first)


def test_slow_motion_is_smooth_to_a_fraction_of_a_pixel(renderer):
    steps = np.linspace(0, 2, 41)
    frames = [
        picture(renderer, motion(turn=(s, 0.5 * s, 0)))[..., :3].astype(np.float32) for s in steps
    ]
    changes = np.array([np.abs(b - a).mean() for a, b in zip(frames, frames[1:], strict=False)])
    assert changes.max() < 3 * np.median(changes)


def test_frames_allocate_next_to_nothing(renderer):
    out, moved = frame(), motion(turn=(5, 3, 2), jawOpen=0.3, gaze=(0.1, 0.1))
    renderer.render(moved, out)
    tracemalloc.start()
    renderer.render(moved, out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64_000


def test_no_picture_sized_memory_is_taken_or_kept_over_many_frames(renderer):
    out = frame()
    frames = [moving_frame(i) for i in range(24)]  # turns, speech, blinks, gaze, breath
    for moved in frames[:2]:
        renderer.render(moved, out)
    tracemalloc.start()
    renderer.render(frames[2], out)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for moved in frames[3:]:
        renderer.render(moved, out)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 2_000
    assert peak - before < 16_000  # a frame has a million bytes


def test_stages_are_timed(renderer):
    picture(renderer, motion())
    assert set(renderer.stage_nanos) == set(STAGES)
    assert all(nanos > 0 for nanos in renderer.stage_nanos.values())


def test_head_turn_uncovers_no_hole(renderer):
    """Inside the face's outline every pixel shows the person."""
    renderer.set_background(Background.TRANSPARENT)
    for turn in ((20, 0, 0), (-20, 0, 0), (0, 14, 0), (0, -14, 0), (10, 8, 15)):
        out = picture(renderer, limit_motion(astronaut(), motion(turn=turn, jawOpen=0.5)))
        points = renderer.pose.vertices[:468, :2]
        inner = points[[4, 5, 9, 50, 280, 101, 330, 151, 199, 200]].astype(int)
        for x, y in inner:
            assert out[y - 4 : y + 5, x - 4 : x + 5, 3].min() > 250, (turn, x, y)
    renderer.set_background(Background.KEEP)


def test_a_smile_presses_folds_and_rest_none(renderer):
    portrait = astronaut()
    smooth = np.zeros_like(portrait.folds)
    smooth[..., 1] = 128
    without = CpuRenderer(dataclasses.replace(portrait, folds=smooth))
    assert np.array_equal(picture(renderer, motion()), picture(without, motion()))
    smile = motion(mouthSmileLeft=1, cheekSquintLeft=1)
    folded, plain = picture(renderer, smile), picture(without, smile)
    change = folded[..., :3].astype(int).sum(-1) - plain[..., :3].astype(int).sum(-1)
    assert change.min() < -30
    nose = landmarks(renderer, smile)[NOSE, 0]
    assert np.nonzero(change)[1].min() > nose  # the subject's left only


def test_folds_grow_with_the_pull(renderer):
    portrait = astronaut()
    smooth = np.zeros_like(portrait.folds)
    smooth[..., 1] = 128
    without = CpuRenderer(dataclasses.replace(portrait, folds=smooth))
    darker = []
    for amount in (0.25, 0.5, 1.0):
        smile = motion(mouthSmileLeft=amount, mouthSmileRight=amount)
        change = picture(renderer, smile)[..., :3].astype(int) - picture(without, smile)[..., :3]
        darker.append(-change[change < 0].sum())
    assert 0 < darker[0] < darker[1] < darker[2]
