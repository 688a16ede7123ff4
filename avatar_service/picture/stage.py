"""One portrait before the camera: renders latents for the measurements of this room."""

from __future__ import annotations

import numpy as np

from avatar_service.portrait.portrait import Portrait
from avatar_service.render.cpu import CpuRenderer
from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS
from avatar_service.signals import Background, Float32Array, MotionFrame, UInt8Array


def pose_frame(
    *,
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
    gaze: tuple[float, float] = (0.0, 0.0),
    **expression: float,
) -> MotionFrame:
    """Return a latent.

    Args:
        turn: yaw, pitch, roll, degrees.
        shift: head translation, units.
        gaze: yaw and pitch of both eyes, degrees.
        expression: coefficients by name; "eyeBlink=1" sets both sides.
    """
    values = np.zeros(NUM_EXPRESSIONS, np.float32)
    for name, value in expression.items():
        for full in (name,) if name in EXPRESSION_INDEX else (f"{name}Left", f"{name}Right"):
            values[EXPRESSION_INDEX[full]] = value
    return MotionFrame(
        pts_nanos=0,
        expression=values,
        head_rotation=np.radians(turn).astype(np.float32),
        head_translation=np.array(shift, np.float32),
        gaze=np.tile(np.radians(gaze), (2, 1)).astype(np.float32),
    )


class Stage:
    """Renders one portrait.

    Args:
        portrait: the person.
        size_px: side of the pictures.
        neutralize: 1 = an expression of zeros is a neutral face, 0 = as photographed.
    """

    def __init__(self, portrait: Portrait, size_px: int = 512, *, neutralize: float = 1.0) -> None:
        self.portrait = portrait
        self.size_px = size_px
        self._renderer = CpuRenderer(portrait, size_px, neutralize=neutralize)
        self._out = np.zeros((size_px, size_px, 4), np.uint8)

    def rgba(self, motion: MotionFrame, background: Background = Background.KEEP) -> UInt8Array:
        """Return the picture of a latent, (size, size, 4)."""
        self._renderer.set_background(background)
        self._renderer.render(motion, self._out)
        return self._out.copy()

    def picture(self, motion: MotionFrame) -> UInt8Array:
        """Return the picture of a latent before the photo's room, (size, size, 3)."""
        return np.ascontiguousarray(self.rgba(motion)[..., :3])

    def coverage(self, motion: MotionFrame) -> UInt8Array:
        """Return where the person stands, (size, size) 0..255."""
        return np.ascontiguousarray(self.rgba(motion, Background.TRANSPARENT)[..., 3])

    @property
    def vertices(self) -> Float32Array:
        """The mesh of the last picture, (V, 3) output px and depth."""
        return self._renderer.pose.vertices.copy()
