import dataclasses

import numpy as np
import pytest
from fakes.portraits import astronaut, astronaut_pixels, encode, need_models

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import archive
from avatar_service.portrait import portrait as portrait_module
from avatar_service.portrait.portrait import Portrait

pytestmark = pytest.mark.unit


def flat(portrait: Portrait) -> dict[str, np.ndarray]:
    return archive._flatten(portrait, "")


def assert_equal(a: Portrait, b: Portrait) -> None:
    left, right = flat(a), flat(b)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert np.array_equal(value, right[name]), name


def test_stored_portrait_is_read_back_exactly(tmp_path):
    astronaut().save(tmp_path / "a.npz")
    loaded = Portrait.load(tmp_path / "a.npz")
    assert_equal(loaded, astronaut())
    assert type(loaded.geometry.num_face) is int
    assert loaded.notices == astronaut().notices
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_same_photo_gives_the_same_portrait_by_fit_or_cache(monkeypatch, tmp_path):
    need_models()
    monkeypatch.setattr(archive, "cache_dir", lambda: tmp_path)
    photo = encode(astronaut_pixels())
    first = Portrait.from_image(photo)
    assert_equal(first, astronaut())
    entry = archive.cache_path(first.content_hash)
    assert entry.is_file()
    with monkeypatch.context() as patched:
        patched.setattr(portrait_module, "fit_face", lambda *_, **__: pytest.fail("was fitted"))
        assert_equal(Portrait.from_image(photo), first)
    entry.write_bytes(b"damaged")
    with monkeypatch.context() as patched:
        patched.setattr(portrait_module, "_build", lambda *_: first)  # as fitted anew
        assert_equal(Portrait.from_image(photo), first)
    assert_equal(Portrait.load(entry), first)


def test_options_and_photo_name_the_cache_entry():
    hashes = {
        portrait_module._hash_of(photo, crop, size)
        for photo in (b"a", b"b")
        for crop in ("face", "keep")
        for size in (256, 512)
    }
    assert len(hashes) == 8


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"x" * 1000])
def test_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(AvatarError) as caught:
        Portrait.load(path)
    assert caught.value.reason is Reason.INVALID_FILE


def test_pickled_content_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, kind=np.array([{"a": 1}], object), version=np.array(1))
    with pytest.raises(AvatarError) as caught:
        Portrait.load(path)
    assert caught.value.reason is Reason.INVALID_FILE


def test_other_version_is_refused(tmp_path):
    archive.save(astronaut(), tmp_path / "a.npz", portrait_module.FORMAT_VERSION + 1)
    with pytest.raises(AvatarError, match="again from the photo"):
        Portrait.load(tmp_path / "a.npz")


def test_incomplete_file_is_refused(tmp_path):
    arrays = flat(astronaut())
    del arrays["geometry.rest"]
    np.savez(
        tmp_path / "a.npz",
        kind=np.array("avatar.portrait"),
        version=np.array(portrait_module.FORMAT_VERSION),
        **arrays,
    )
    with pytest.raises(AvatarError, match=r"geometry\.rest is missing"):
        Portrait.load(tmp_path / "a.npz")


def test_unknown_options_are_refused():
    need_models()
    photo = encode(astronaut_pixels())
    with pytest.raises(AvatarError, match="face or keep"):
        Portrait.from_image(photo, crop="nose", use_cache=False)
    with pytest.raises(AvatarError, match="256, 512, 1024"):
        Portrait.from_image(photo, size_px=300, use_cache=False)


def test_background_is_the_photo_away_from_the_person():
    portrait = astronaut()
    corner = (slice(0, 60), slice(0, 60))
    difference = portrait.background[corner].astype(int) - portrait.photo[corner]
    assert np.abs(difference).max() <= 1
    x, y = 255, 255  # the person hides this
    assert np.abs(portrait.background[y, x].astype(int) - portrait.photo[y, x]).max() > 10


def test_texture_is_premultiplied_and_spans_the_canvas():
    portrait = astronaut()
    side = 2 * (portrait.size_px + 2 * portrait.margin_px)
    assert portrait.texture.shape == (side, side, 4)
    assert (portrait.texture[..., :3].max(-1) <= portrait.texture[..., 3]).all()
    uv = portrait.geometry.uv
    on_person = uv[: portrait.geometry.num_face]
    assert (on_person > 0).all()
    assert (on_person < side).all()


def test_mesh_covers_the_face_without_gaps():
    geometry = astronaut().geometry
    used = np.unique(geometry.triangles)
    assert np.array_equal(used, np.arange(len(geometry.rest)))
    assert geometry.skin_weight[: geometry.num_face].min() == 1
    assert geometry.skin_weight.min() == 0
    assert dataclasses.is_dataclass(geometry)
