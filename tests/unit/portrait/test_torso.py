"""Clothes told from the head, and the torso as a layer of its own behind it."""

import dataclasses

import numpy as np
import pytest
from fakes.portraits import astronaut, astronaut_fit, need_models, shared_photo
from fakes.synthetic_face import make_fit

from avatar_service.portrait.background import repair_background
from avatar_service.portrait.clothes import find_clothes
from avatar_service.portrait.hidden_torso import upper_end
from avatar_service.portrait.neck import shows_more, split_neck
from avatar_service.portrait.pixels import shrink
from avatar_service.portrait.portrait import Portrait
from avatar_service.portrait.texture import own_colors
from avatar_service.portrait.torso import split_torso
from avatar_service.render.cpu import CpuRenderer
from avatar_service.signals import Background, MotionFrame

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def found():
    fit = astronaut_fit()
    colors = own_colors(fit, repair_background(fit.image, fit.alpha))
    clothes = find_clothes(fit, colors)
    assert clothes is not None
    return fit, colors, clothes


def picture(portrait, **pose):
    renderer = CpuRenderer(portrait, 512, neutralize=0.0)
    renderer.set_background(pose.pop("background", Background.KEEP))
    out = np.zeros((512, 512, 4), np.uint8)
    turn = np.radians(pose.pop("turn", (0, 0, 0))).astype(np.float32)
    renderer.render(MotionFrame(pts_nanos=0, head_rotation=turn, **pose), out)
    return out


def test_a_suit_is_clothes_and_head_and_neck_are_not(found) -> None:
    fit, _, clothes = found
    assert (clothes.mask ^ clothes.head).all()
    person = fit.canvas_alpha > 0.9

    def share_at(x_units: float, y_units: float) -> float:
        x, y = (fit.landmarks[152, :2] + np.array([x_units, y_units]) * fit.head.unit_px).astype(
            int
        ) + fit.margin_px
        box = (slice(y - 4, y + 5), slice(x - 4, x + 5))
        assert person[box].all()
        return float(clothes.mask[box].mean())

    assert share_at(0.0, 0.45) == 1.0  # the black collar below the chin
    assert share_at(-0.75, 0.3) == 1.0  # the ring beside the neck
    assert share_at(0.0, 0.06) == 0.0  # the throat
    assert share_at(0.0, -1.0) == 0.0
    assert share_at(-0.75, -1.2) == 0.0  # hair
    skin = clothes.bare & person
    assert skin.sum() > 200
    assert not (skin & clothes.mask).any()


def test_what_cannot_be_told_apart_stays_one_mesh() -> None:
    fit = make_fit()
    plain = dataclasses.replace(fit, canvas2x=np.full_like(fit.canvas2x, 120))
    assert find_clothes(plain, plain.canvas2x.astype(np.float32)) is None
    need_models()
    painting = Portrait.from_image(shared_photo("pd_art_mona_lisa.jpg"))
    assert not painting.torso.is_shown
    # The mesh covers the shoulders then.
    shown = picture(painting, background=Background.TRANSPARENT)[..., 3]
    assert shown[500, 300] == 255


def test_both_layers_mix_to_what_the_photo_shows(found) -> None:
    fit, colors, clothes = found
    split = split_torso(fit, colors, clothes)
    head = np.kron(split.alpha, np.ones((2, 2)))[..., None]
    torso = split.texture.astype(float)
    seen = head * split.colors + (1 - head) * torso[..., :3]
    inside = np.kron(fit.canvas_alpha > 0.999, np.ones((2, 2))) > 0
    error = np.abs(seen - colors)[inside]
    assert np.percentile(error, 99.5) < 8
    # Where both are seen at the border, away from the room, the torso goes on under the head.
    border = (split.head.canvas_alpha > 0.3) & clothes.mask & shrink(fit.canvas_alpha > 0.99, 9)
    assert border.sum() > 20
    assert np.kron(border, np.ones((2, 2)))[torso[..., 3] < 250].sum() < 0.05 * 4 * border.sum()


def test_the_torso_goes_on_behind_the_head_and_not_above_it(found) -> None:
    fit, colors, clothes = found
    upper = upper_end(fit, clothes)
    chin_x, chin_y = (fit.landmarks[152, :2] + fit.margin_px).astype(int)
    below = int(0.1 * fit.head.unit_px)
    assert upper[chin_y + below, chin_x] > 0.9
    assert upper[chin_y - int(0.8 * fit.head.unit_px), chin_x] < 0.1
    neck = split_neck(fit, clothes, colors[::2, ::2])
    assert not neck.coverage[: chin_y - int(1.0 * fit.head.unit_px)].any()
    tone = neck.color[(neck.seen > 0.9) & (neck.painted > 0.9)].mean(0)
    assert np.abs(tone - clothes.skin).max() < 40


def test_the_neck_ends_softly_over_the_same_neck(found) -> None:
    fit, colors, clothes = found
    own = colors[::2, ::2]
    neck = split_neck(fit, clothes, own)
    x, y = (fit.landmarks[152, :2] + fit.margin_px).astype(int)
    collar = y + int(clothes.mask[y:, x].argmax())
    way = neck.front[y:collar, x]
    assert way[0] > 0.95
    assert way[-3] < 0.05
    assert (np.diff(way) < 0.02).all()
    # What shows through is what the photo shows there.
    through = (neck.front < 0.25) & (fit.canvas_alpha > 0.99)
    assert through.sum() > 500
    assert np.abs(neck.color - own)[through].max() < 1
    assert (neck.front[shrink(clothes.mask, 63)] == 1).all()


def test_only_a_short_neck_shows_more_when_the_chin_rises(found) -> None:
    fit, _, clothes = found
    assert shows_more(fit, clothes) == 1
    geometry = astronaut().geometry
    assert (geometry.rise_weight >= geometry.skin_weight).all()
    assert (geometry.rise_weight - geometry.skin_weight).max() > 0.5
    low = dataclasses.replace(clothes, mask=np.roll(clothes.mask, int(0.5 * fit.head.unit_px), 0))
    assert shows_more(fit, low) == 0


def test_a_rising_chin_leaves_the_neck_at_the_collar() -> None:
    portrait = astronaut()
    rest, risen = (picture(portrait, turn=(0, pitch, 0)).astype(int) for pitch in (0, -15))
    x, y = (portrait.geometry.rest[152, :2] + (portrait.size_px - 1) / 2).astype(int)
    is_skin = rest[y : y + 60, x - 9 : x + 10, :3].mean(-1).min(1) > 150
    collar = y + int(np.flatnonzero(is_skin)[-1])
    at_collar = (slice(collar - 4, collar), slice(x - 9, x + 10))
    assert np.abs(risen[at_collar] - rest[at_collar]).mean() < 4
    # It has risen indeed.
    assert np.abs(risen[y - 20 : y, x - 20 : x + 20] - rest[y - 20 : y, x - 20 : x + 20]).mean() > 8


def test_a_ring_keeps_its_shape_while_the_head_rolls_over_it() -> None:
    portrait = astronaut()
    assert portrait.torso.is_shown
    rest = picture(portrait).astype(int)
    whole = picture(portrait, background=Background.TRANSPARENT)[..., 3] == 255
    for turn in ((0, 0, 15), (0, 0, -15), (18, 0, 0), (-20, 15, -18)):
        turned = picture(portrait, turn=turn).astype(int)
        # The suit below the collar's edge does not move at all.
        assert np.abs(turned[420:] - rest[420:]).max() <= 1, turn
        assert np.abs(turned[:300] - rest[:300]).max() > 60
        # Nothing tears: no hole opens in what was whole.
        shown = picture(portrait, turn=turn, background=Background.TRANSPARENT)[..., 3]
        assert shown[360:][whole[360:]].min() >= 253, turn


def test_the_rest_frame_is_the_photo_below_the_chin() -> None:
    portrait = astronaut()
    error = picture(portrait)[300:, :, :3].astype(float) - portrait.photo[300:]
    assert 10 * np.log10(255**2 / (error**2).mean()) > 39


def test_the_layer_survives_its_file(tmp_path) -> None:
    portrait = astronaut()
    portrait.save(tmp_path / "a.npz")
    again = Portrait.load(tmp_path / "a.npz")
    assert np.array_equal(again.torso.texture, portrait.torso.texture)
    assert (again.torso.top, again.torso.depth) == (portrait.torso.top, portrait.torso.depth)
