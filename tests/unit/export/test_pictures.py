"""Contact sheets: size, order, transparency shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from avatar_service.errors import AvatarError
from avatar_service.export.pictures import contact_sheet, over_checkerboard, write_png

pytestmark = pytest.mark.unit


def _flat(level: int, alpha: int = 255) -> np.ndarray:
    frame = np.full((64, 64, 4), level, np.uint8)
    frame[..., 3] = alpha
    return frame


def test_tiles_stand_in_reading_order() -> None:
    sheet = contact_sheet([_flat(v) for v in (10, 90, 170, 250)], list("abcd"), columns=3)
    assert sheet.shape == (512, 768, 3)
    middles = [sheet[128, 128 + 256 * k, 0] for k in range(3)] + [sheet[384, 128, 0]]
    assert middles == [10, 90, 170, 250]
    assert sheet[384, 400].max() == 0  # the unused places are black


def test_transparency_shows_the_checkerboard() -> None:
    shown = over_checkerboard(_flat(0, alpha=0))
    assert set(np.unique(shown)) == {120, 170}


def test_a_picture_is_written_whole_and_an_absent_folder_is_told(tmp_path: Path) -> None:
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[..., 0] = 255
    write_png(tmp_path / "a.png", rgb)
    assert cv2.imread(str(tmp_path / "a.png"))[0, 0].tolist() == [0, 0, 255]
    with pytest.raises(AvatarError, match="cannot write"):
        write_png(tmp_path / "no" / "a.png", rgb)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
