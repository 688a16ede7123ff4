"""How much of the photo's finest detail reaches the frame: what a frame of half the size lacks."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from avatar_service.picture.likeness import FloatArray, brightness, psnr
from avatar_service.picture.stage import Stage, pose_frame
from avatar_service.portrait.pixels import AREA, CUBIC, resize, scale_to
from avatar_service.signals import UInt8Array

_OPAQUE: Final = 250
_INSIDE_PX: Final = 9
"""The person's outline is left out: it is mixed with the room."""


def fine_detail(stage: Stage) -> dict[str, float]:
    """Compare the finest octave of the rest frame with the photo's, on the person.

    The octave is what is lost when a picture is halved and enlarged again. How much of it is kept
    is the slope of the frame's on the photo's, so that noise of the renderer's own counts nothing.

    Args:
        stage: with neutralize=0, so that the photo's own expression is kept.

    Returns:
        photo_detail_levels: root mean square of the photo's finest octave, grey levels; a photo
            that is smaller than the frame has next to none.
        detail_kept: share of it in the frame; detail_kept_enlarged the same of the same portrait
            rendered at half the size and enlarged.
        person_psnr_db, person_psnr_enlarged_db: both against the photo, on the person.
    """
    size = stage.size_px
    photo = np.ascontiguousarray(scale_to(stage.portrait.photo, size))
    rest = pose_frame()
    solid = (stage.coverage(rest) >= _OPAQUE).astype(np.uint8)
    inside = cv2.erode(solid, np.ones((_INSIDE_PX, _INSIDE_PX), np.uint8)) > 0
    frame = stage.picture(rest)
    small = Stage(stage.portrait, size // 2, neutralize=0.0).picture(rest)
    enlarged = resize(small, (size, size), CUBIC)
    wanted = _finest(photo)[inside]
    energy = float((wanted**2).mean()) if inside.any() else 0.0

    def kept(picture: UInt8Array) -> float:
        if energy == 0:
            return 0.0
        return float((_finest(picture)[inside] * wanted).mean()) / energy

    return {
        "photo_detail_levels": float(np.sqrt(energy)),
        "detail_kept": kept(frame),
        "detail_kept_enlarged": kept(enlarged),
        "person_psnr_db": psnr(frame, photo, inside),
        "person_psnr_enlarged_db": psnr(enlarged, photo, inside),
    }


def _finest(picture: UInt8Array) -> FloatArray:
    grey = np.asarray(brightness(picture), np.float32)
    side = grey.shape[0]
    halved = resize(grey, (side // 2, side // 2), AREA)
    return np.asarray(grey - resize(halved, (side, side), CUBIC), np.float32)
