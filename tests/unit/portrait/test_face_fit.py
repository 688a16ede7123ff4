import dataclasses

import numpy as np
import pytest
from fakes.portraits import astronaut_fit, astronaut_pixels, encode, need_models, shared_photo
from PIL import Image

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import landmark_nets, topology
from avatar_service.portrait.camera import camera_from_frame, frame_from_camera
from avatar_service.portrait.face_fit import fit_face
from avatar_service.portrait.image_file import LoadedImage, load_image

pytestmark = pytest.mark.unit


def fit_error(data: bytes) -> AvatarError:
    need_models()
    with pytest.raises(AvatarError) as caught:
        fit_face(load_image(data))
    assert "\n" not in caught.value.message
    return caught.value


def test_landmarks_lie_on_the_features():
    fit = astronaut_fit()
    right_eye, left_eye = fit.iris[0, 0], fit.iris[1, 0]
    # The astronaut looks straight at the camera: eyes level, the right one on the image's left.
    assert right_eye[0] < left_eye[0]
    assert abs(right_eye[1] - left_eye[1]) < 0.1 * fit.head.unit_px
    # Pupils are dark, the skin between the brows is bright.
    x, y = left_eye[:2].astype(int)
    pupil = np.median(fit.image[y - 3 : y + 4, x - 3 : x + 4])
    brow_gap = fit.image[int(fit.landmarks[9, 1]), int(fit.landmarks[9, 0])].mean()
    assert pupil < 0.5 * brow_gap
    # z points away from the camera: the nose is nearer than the ears.
    assert fit.landmarks[topology.NOSE_TIP, 2] < fit.landmarks[list(topology.EAR_POINTS), 2].min()


def test_smile_and_open_mouth_are_seen():
    fit = astronaut_fit()
    assert fit.is_mouth_open
    assert fit.smile > 0.7
    assert 0.05 < fit.lip_gap < 0.3


def test_head_axes_are_a_right_handed_frame_facing_the_camera():
    head = astronaut_fit().head
    assert np.allclose(head.rotation.T @ head.rotation, np.eye(3), atol=1e-9)
    assert np.linalg.det(head.rotation) == pytest.approx(1)
    assert abs(np.degrees(head.yaw)) < 8
    assert abs(np.degrees(head.pitch)) < 12
    round_trip = head.to_frame(head.to_head(astronaut_fit().landmarks))
    assert np.allclose(round_trip, astronaut_fit().landmarks)


def test_yaw_and_pitch_of_the_photo_have_the_schemas_signs():
    head = astronaut_fit().head
    turn = np.radians(20)
    cos, sin = np.cos(turn), np.sin(turn)
    # To the subject's left is to the image's right: the nose (-z) gains x.
    to_left = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    down = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    assert (to_left @ [0, 0, -1])[0] > 0
    assert (down @ [0, 0, -1])[1] > 0
    left = dataclasses.replace(head, rotation=to_left @ head.rotation)
    lower = dataclasses.replace(head, rotation=down @ head.rotation)
    assert left.yaw - head.yaw == pytest.approx(turn, abs=0.03)
    assert lower.pitch - head.pitch == pytest.approx(turn, abs=0.03)


def test_matte_holds_the_face_and_not_the_corner():
    fit = astronaut_fit()
    x, y = fit.landmarks[topology.NOSE_TIP, :2].astype(int)
    assert fit.alpha[y, x] == 1
    assert fit.alpha[5, 5] == 0
    assert 0.2 < fit.alpha.mean() < 0.8


def test_frame_and_canvas_agree():
    fit = astronaut_fit()
    margin = fit.margin_px
    inside = fit.canvas2x[2 * margin : -2 * margin, 2 * margin : -2 * margin]
    assert np.array_equal(inside, fit.image2x)
    assert np.array_equal(fit.canvas_alpha[margin:-margin, margin:-margin], fit.alpha)


def test_unprojection_is_undone_by_projection():
    fit = astronaut_fit()
    there = camera_from_frame(fit.landmarks, fit.head, fit.size_px)
    assert np.allclose(frame_from_camera(there, fit.head, fit.size_px), fit.landmarks)
    assert not np.allclose(there[:, :2] + (fit.size_px - 1) / 2, fit.landmarks[:, :2], atol=1)


def test_mirror_map_is_an_involution_over_the_midline():
    mirror = topology.MIRROR
    assert np.array_equal(mirror[mirror], np.arange(468))
    assert mirror[33] == 263
    assert mirror[topology.CHIN] == topology.CHIN
    x = astronaut_fit().head.to_head(astronaut_fit().landmarks)[:, 0]
    assert np.abs(x + x[mirror]).max() < 0.15


def test_given_alpha_is_used_as_matte():
    need_models()
    alpha = np.zeros((512, 512), np.float32)
    alpha[:, 100:400] = 1
    fit = fit_face(LoadedImage(astronaut_pixels(), alpha))
    assert set(np.unique(np.round(fit.alpha[200], 3))) >= {1.0}
    assert fit.alpha[0].max() == 1  # the matte of the photo alone has sky there


def test_keep_crop_keeps_the_whole_square():
    need_models()
    kept = fit_face(load_image(encode(astronaut_pixels())), crop="keep")
    cropped = astronaut_fit()
    assert kept.head.unit_px < 0.8 * cropped.head.unit_px


@pytest.mark.parametrize("shape", [(512, 1400), (1400, 512)])
def test_any_aspect_gives_a_square_with_the_whole_face(shape):
    need_models()
    canvas = np.full((*shape, 3), 128, np.uint8)
    top, left = (shape[0] - 512) // 2, (shape[1] - 512) // 2
    canvas[top : top + 512, left : left + 512] = astronaut_pixels()
    fit = fit_face(load_image(encode(canvas)))
    assert fit.image.shape == (512, 512, 3)
    low, high = fit.landmarks[:, :2].min(0), fit.landmarks[:, :2].max(0)
    assert (low > 20).all()
    assert (high < 490).all()


def test_photo_without_a_face_is_refused():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (300, 300, 3)).astype(np.uint8)
    assert fit_error(encode(noise)).reason is Reason.NO_FACE


def test_cat_is_refused():
    assert fit_error(shared_photo("negative_cat.jpg")).reason is Reason.NO_FACE


def test_profile_is_refused():
    error = fit_error(shared_photo("pd_art_vermeer_pearl_profile.jpg"))
    assert error.reason is Reason.FACE_TURNED_AWAY


def test_small_face_is_refused():
    small = Image.fromarray(astronaut_pixels()).resize((190, 190), Image.Resampling.LANCZOS)
    error = fit_error(encode(np.asarray(small)))
    assert error.reason is Reason.FACE_TOO_SMALL
    assert "64" in error.message


def test_two_faces_give_one_fit_and_a_notice():
    need_models()
    both = np.concatenate([astronaut_pixels(), astronaut_pixels()[:, ::-1]], 1)
    fit = fit_face(load_image(encode(both)))
    assert len(fit.notices) == 1
    assert "2 faces" in fit.notices[0]
    assert astronaut_fit().notices == ()


def test_both_shared_people_are_counted():
    need_models()
    assert fit_face(load_image(shared_photo("pd_wh_two_people_multiface.jpg"))).notices


def test_missing_models_say_what_to_run(monkeypatch, tmp_path):
    monkeypatch.setenv("AVATAR_HOME", str(tmp_path))
    landmark_nets._net.cache_clear()
    try:
        with pytest.raises(AvatarError, match="avatar models fetch") as caught:
            fit_face(LoadedImage(astronaut_pixels(), None))
        assert caught.value.reason is Reason.MODELS_NOT_AVAILABLE
    finally:
        landmark_nets._net.cache_clear()
