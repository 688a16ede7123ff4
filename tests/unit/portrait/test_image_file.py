import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from fakes.portraits import astronaut_pixels, encode
from PIL import Image

from avatar_service.errors import AvatarError, Reason
from avatar_service.portrait import image_file
from avatar_service.portrait.image_file import load_image

pytestmark = pytest.mark.unit


def reason_of(data: bytes | Path) -> str:
    with pytest.raises(AvatarError) as caught:
        load_image(data)
    assert caught.value.reason is Reason.INVALID_IMAGE
    assert "\n" not in caught.value.message
    return caught.value.message


def similar(a: np.ndarray, b: np.ndarray) -> bool:
    return float(np.abs(a.astype(float) - b.astype(float)).mean()) < 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_common_formats_are_read(kind):
    assert similar(load_image(encode(astronaut_pixels(), kind)).pixels, astronaut_pixels())


def test_exif_rotation_is_applied():
    turned = np.rot90(astronaut_pixels(), 1)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 90 degrees clockwise to show"
    loaded = load_image(encode(np.ascontiguousarray(turned), "JPEG", exif=exif.tobytes()))
    assert similar(loaded.pixels, astronaut_pixels())


def test_transparency_becomes_alpha():
    alpha = np.zeros((512, 512), np.uint8)
    alpha[100:300] = 255
    loaded = load_image(encode(np.dstack([astronaut_pixels(), alpha])))
    assert loaded.alpha is not None
    assert loaded.alpha[200].min() == 1
    assert loaded.alpha[50].max() == 0
    assert np.array_equal(loaded.pixels[150], astronaut_pixels()[150])


def test_opaque_alpha_channel_is_ignored():
    alpha = np.full((512, 512), 255, np.uint8)
    assert load_image(encode(np.dstack([astronaut_pixels(), alpha]))).alpha is None


def test_grey_photo_gets_three_channels():
    grey = astronaut_pixels().mean(-1).astype(np.uint8)
    assert similar(load_image(encode(grey)).pixels, np.repeat(grey[..., None], 3, 2))


def test_sixteen_bit_grey_is_scaled_not_clipped():
    grey = astronaut_pixels().mean(-1)
    deep = (grey * 257).astype(np.uint16)
    assert similar(load_image(encode(deep)).pixels[..., 0], grey)


def test_cmyk_photo_is_read():
    buffer = io.BytesIO()
    Image.fromarray(astronaut_pixels()).convert("CMYK").save(buffer, "JPEG", quality=95)
    assert similar(load_image(buffer.getvalue()).pixels, astronaut_pixels())


def test_palette_photo_is_read():
    buffer = io.BytesIO()
    Image.fromarray(astronaut_pixels()).quantize(256).save(buffer, "PNG")
    loaded = load_image(buffer.getvalue()).pixels
    assert float(np.abs(loaded.astype(float) - astronaut_pixels()).mean()) < 12


def test_large_photo_is_reduced_keeping_its_aspect():
    wide = np.zeros((500, 5000, 3), np.uint8)
    assert load_image(encode(wide)).pixels.shape == (205, 2048, 3)


def test_empty_file_is_refused():
    assert "empty" in reason_of(b"")


@pytest.mark.parametrize("data", [b"hello", b"%PDF-1.4 nothing", b"GIF89a" + bytes(50)])
def test_other_file_types_are_refused(data):
    assert "not a photo" in reason_of(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_file_is_refused(kind, share):
    whole = encode(astronaut_pixels(), kind)
    reason_of(whole[: int(len(whole) * share)])


def test_flipped_bytes_give_a_picture_or_one_clear_error():
    whole = bytearray(encode(astronaut_pixels(), "PNG"))
    rng = np.random.default_rng(1)
    for _ in range(40):
        damaged = bytearray(whole)
        for place in rng.integers(8, len(whole), 4):
            damaged[place] ^= int(rng.integers(1, 256))
        with contextlib.suppress(AvatarError):
            assert load_image(bytes(damaged)).pixels.shape[2] == 3


def test_announced_bomb_is_refused_before_decoding(monkeypatch):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
    monkeypatch.setattr(image_file, "_convert", lambda *_: pytest.fail("was decoded"))
    assert "pixels" in reason_of(bomb)


def test_too_many_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(image_file, "MAX_FILE_BYTES", 1000)
    assert "1,000" in reason_of(encode(astronaut_pixels()))


def test_tiny_photo_is_refused():
    assert "at least 64" in reason_of(encode(np.zeros((20, 300, 3), np.uint8)))


def test_missing_file_is_refused(tmp_path):
    assert "No such file" in reason_of(tmp_path / "none.png")
