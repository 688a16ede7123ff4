"""The picture's figures tell a good picture from a bad one."""

import cv2
import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.picture.bench import summarize
from avatar_service.picture.detail import fine_detail
from avatar_service.picture.likeness import psnr, ssim
from avatar_service.picture.stage import Stage
from avatar_service.picture.still import (
    _roughness,
    _second_difference,
    rest_likeness,
    room_stability,
)
from avatar_service.picture.stretch import _largest_stretch, _visible_pixels, texture_stretch

pytestmark = pytest.mark.unit

RANDOM = np.random.default_rng(3)


def noise(shape: tuple[int, ...] = (64, 64, 3)) -> np.ndarray:
    return RANDOM.integers(40, 216, shape, np.uint8)


def test_psnr_of_a_known_difference():
    a = noise()
    assert psnr(a, a) == 99
    assert psnr(a, a + 10) == pytest.approx(20 * np.log10(25.5))
    mask = np.zeros((64, 64), bool)
    mask[:8] = True
    b = a.copy()
    b[32:] += 20
    assert psnr(a, b, mask) == 99


def test_ssim_falls_with_blur_but_not_with_light():
    a = noise()
    assert ssim(a, a) == pytest.approx(1)
    brighter = ssim(a, a + 6)
    blurred = ssim(a, np.asarray(cv2.GaussianBlur(a, (0, 0), 1.5), np.uint8))
    assert brighter > 0.98
    assert blurred < 0.6


def line_picture(*, smooth: bool) -> np.ndarray:
    side, factor = 96, 8 if smooth else 1
    big = np.zeros((side * factor, side * factor), np.float32)
    rows, columns = np.mgrid[: side * factor, : side * factor]
    big[rows > (30 + 0.21 * columns / factor) * factor] = 200
    return np.asarray(cv2.resize(big, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def test_a_staircase_is_rougher_than_a_smooth_edge():
    at = np.linspace(10, 86, 9)
    corners = np.stack([at, 30 + 0.21 * at], 1)
    rough = [np.sqrt(np.mean(_roughness(line_picture(smooth=s), corners))) for s in (True, False)]
    assert rough[0] < 0.08
    assert rough[1] > 0.15


def test_jitter_shows_in_the_second_difference():
    still = RANDOM.uniform(0, 255, (32, 32)).astype(np.float32)
    mask = np.ones((32, 32), bool)
    even = [still + i for i in range(6)]
    jumping = [still + 3 * (i % 2) for i in range(6)]
    assert _second_difference(even, mask)[0] == pytest.approx(0, abs=1e-3)
    assert _second_difference(jumping, mask)[0] == pytest.approx(6)


def test_stretch_is_the_larger_singular_value():
    source = np.array([[0, 0], [10, 0], [0, 10]], float)
    triangles = np.array([[0, 1, 2]], np.int32)
    assert _largest_stretch(source, source, triangles)[0] == pytest.approx(1)
    assert _largest_stretch(source, source * [3, 0.5], triangles)[0] == pytest.approx(3)
    assert _largest_stretch(source * [1, 0], source, triangles)[0] == 1  # flat: not judged


def test_hidden_and_turned_away_triangles_show_nothing():
    vertices = np.array(
        [[2, 2, 5], [28, 2, 5], [2, 28, 5], [2, 2, 9], [28, 2, 9], [2, 28, 9]], np.float32
    )
    triangles = np.array([[0, 1, 2], [3, 4, 5], [3, 5, 4]], np.int32)
    seen = _visible_pixels(vertices, triangles, 32)
    assert seen[0] > 300
    assert seen[1] == seen[2] == 0


def test_a_portraits_rest_frame_is_its_photo_and_the_room_stands_still():
    likeness = rest_likeness(Stage(astronaut(), neutralize=0))
    assert likeness["rest_psnr_db"] > 34
    assert likeness["rest_face_ssim"] > 0.95
    stage = Stage(astronaut(), 256)
    assert room_stability(stage)["room_max_change"] <= 1
    stretch = texture_stretch(stage)
    assert 1 < stretch["stretch_p999"] <= stretch["stretch_max"]
    assert stretch["stretch_over_2_share"] < 0.1


def test_a_summary_keeps_the_nesting():
    summary = summarize({"a": {"x": 1.0, "n": {"y": 2}}, "b": {"x": 3.0, "n": {"y": 4}}})
    assert summary["x"] == {"mean": 2, "min": 1, "max": 3}
    assert summary["n"]["y"]["max"] == 4


def test_fine_detail_of_the_photo_reaches_the_frame_and_not_an_enlarged_one():
    figures = fine_detail(Stage(astronaut(), neutralize=0.0))
    assert figures["photo_detail_levels"] > 1
    assert figures["detail_kept"] > 0.7
    assert figures["detail_kept_enlarged"] < 0.4
    assert figures["person_psnr_db"] > figures["person_psnr_enlarged_db"] + 2
