"""Contact sheets: many frames at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import UInt8Array

_CHECKER_PX = 8


def over_checkerboard(pixels: UInt8Array) -> UInt8Array:
    """Show straight alpha over a grey checkerboard.

    Args:
        pixels: (height, width, 4) uint8 RGBA.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width] // _CHECKER_PX
    board = np.where((x + y) % 2, 170, 120)[..., None]
    alpha = pixels[..., 3:].astype(np.float32) / 255
    mixed = pixels[..., :3] * alpha + board * (1 - alpha)
    return mixed.round().astype(np.uint8)


def contact_sheet(
    frames: Sequence[UInt8Array], labels: Sequence[str], *, columns: int = 6, tile_px: int = 256
) -> UInt8Array:
    """Lay frames out in rows, each with its label.

    Args:
        frames: (height, width, 4) uint8 RGBA each.
        labels: one line of ASCII per frame.
        columns: tiles per row.
        tile_px: side of a tile in pixels.

    Returns:
        (rows * tile, columns * tile, 3) uint8 RGB.
    """
    tiles = []
    for pixels, label in zip(frames, labels, strict=True):
        rgb = over_checkerboard(pixels)
        scale = tile_px / max(rgb.shape[:2])
        size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
        small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        tile = np.zeros((tile_px, tile_px, 3), np.uint8)
        tile[: small.shape[0], : small.shape[1]] = small
        for color, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            where = (6, tile_px - 8)
            cv2.putText(
                tile, label, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, width, cv2.LINE_AA
            )
        tiles.append(tile)
    while len(tiles) % columns:
        tiles.append(np.zeros((tile_px, tile_px, 3), np.uint8))
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    sheet: UInt8Array = np.vstack(rows)
    return sheet


def write_png(path: Path, rgb: UInt8Array) -> None:
    """Write an RGB picture as PNG, whole or not at all.

    Raises:
        AvatarError: INVALID_FILE.
    """
    ok, data = cv2.imencode(".png", rgb[..., ::-1])
    if not ok:
        raise AvatarError(Reason.INVALID_FILE, f"cannot encode {path}")
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(data.tobytes())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        message = f"cannot write {path}: {error.strerror}"
        raise AvatarError(Reason.INVALID_FILE, message) from error
