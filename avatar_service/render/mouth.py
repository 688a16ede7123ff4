"""The mouth: lips, its inside and the tongue, drawn over the skin.

Upper teeth are rigid with the skull, lower teeth and tongue with the jaw; lips come from the mesh.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from avatar_service.render.frame_pose import FramePose
from avatar_service.render.lips import CURVE_STEPS, NUM_LOCAL, SIZE, draw_seam, trace_lips
from avatar_service.render.mouth_inside import draw_inside
from avatar_service.render.prefilter import kernel_arrays, prefilter
from avatar_service.render.sdf import fill_rest_map
from avatar_service.render.teeth import STRIP_STEPS, trace_strip
from avatar_service.render.tongue import draw_tongue
from avatar_service.signals import Float32Array, UInt8Array


def scale_mouth(assets: Mapping[str, NDArray[Any]], scale: float) -> dict[str, NDArray[Any]]:
    """Make of MouthAssets.to_arrays() what MouthDrawer reads, at `scale` output px per frame px."""
    arrays = kernel_arrays(assets)
    unit_out = float(arrays["unit"][0]) * scale
    for name in ("teeth_upper", "teeth_lower"):
        arrays[name] = _fit_texture(arrays[name], round(1.35 * unit_out * 1.3))
    for name in ("own_teeth", "own_room"):
        arrays[name] = prefilter(arrays[name], scale)
    return arrays


class MouthDrawer:
    """Draws the mouth of one portrait; one per renderer, as it owns scratch memory.

    Args:
        arrays: from scale_mouth.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        a = self._arrays = arrays
        self._unit_px = float(a["unit"][0])
        self._anchor = np.ascontiguousarray(a["lip_rest"].mean((0, 1)))
        self._local = np.zeros(NUM_LOCAL, np.float32)
        self._curves = np.zeros((3, CURVE_STEPS), np.float32)
        self._strips = np.zeros((2, 3, STRIP_STEPS), np.float32)
        self._knots = np.zeros((4, max(16, a["arch_upper"].shape[1])), np.float32)
        self._rest_map = np.zeros((2, 3), np.float32)
        self._points = np.zeros((6, 3), np.float32)
        self._sample = np.zeros(4, np.float32)
        self._rgb = np.zeros(3, np.float32)

    def draw(self, pose: FramePose, frame: UInt8Array) -> None:
        """Draw the mouth over the skin.

        Args:
            pose: of the frame.
            frame: (H, W, 4) uint8 RGBA; colours are blended in place, alpha stays.
        """
        a, local, curves = self._arrays, self._local, self._curves
        per_px = fill_rest_map(
            self._anchor, pose.skull, pose.projection, self._points, self._rest_map
        )
        local[SIZE] = self._unit_px * per_px
        trace_lips(
            pose.vertices, pose.shading, pose.coefficients, a["lip_ids"], a["outer_ids"],
            a["lip_rest"], pose.skull, pose.jaw, pose.projection, a["tongue_tip"],
            a["own_show"][0], a["is_open"][0], self._knots, curves, local,
        )  # fmt: skip
        upper, lower = self._strips
        trace_strip(a["arch_upper"], pose.skull, pose.projection, local, self._knots, upper)
        trace_strip(a["arch_lower"], pose.jaw, pose.projection, local, self._knots, lower)
        draw_inside(
            frame, local, curves, upper, lower, a["teeth_upper"], a["teeth_lower"],
            a["own_teeth"], a["own_origin"], a["own_room"], a["room_origin"], self._rest_map,
            a["cavity"], a["wet"], a["tongue"], a["tongue_half_width"][0],
            a["flesh_tint"][0], self._sample, self._rgb,
        )  # fmt: skip
        draw_seam(frame, local, curves, a["seam"])
        draw_tongue(frame, local, curves, a["tongue"], a["tongue_half_width"][0])


def _fit_texture(texture: Float32Array, width: int) -> Float32Array:
    """Reduce a strip to about one texel per output px, so that it does not flicker."""
    if width >= texture.shape[1]:
        return texture
    height = max(4, round(texture.shape[0] * width / texture.shape[1]))
    reduced = cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.float32)
