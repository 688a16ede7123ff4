"""Pictures as bytes for the gRPC stream: raw, JPEG or H.264 (h264_encoder).

JPEG and H.264 have no alpha: a transparent background stands on black.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final, Protocol

import cv2
import numpy as np

from avatar_service.session.events import EncodedFrame, FrameEncoding
from avatar_service.signals import MotionFrame, UInt8Array

JPEG_QUALITY: Final = 90


class FrameEncoder(Protocol):
    """One session's encoder; `encode` is called in the order of the frames."""

    def encode(
        self, motion: MotionFrame, pixels: UInt8Array, *, force_keyframe: bool
    ) -> Iterable[EncodedFrame]:
        """Encode a picture (height, width, 4) RGBA."""
        ...

    def close(self) -> None:
        """Give resources back."""
        ...


class RawEncoder:
    """RGBA bytes as they are."""

    def encode(
        self, motion: MotionFrame, pixels: UInt8Array, *, force_keyframe: bool
    ) -> Iterable[EncodedFrame]:
        """Copy the pixels out."""
        height, width = pixels.shape[:2]
        return (EncodedFrame(motion, FrameEncoding.RAW, pixels.tobytes(), width, height),)

    def close(self) -> None:
        """Nothing to give back."""


class JpegEncoder:
    """JPEG, every picture by itself."""

    def encode(
        self, motion: MotionFrame, pixels: UInt8Array, *, force_keyframe: bool
    ) -> Iterable[EncodedFrame]:
        """Compress one picture."""
        height, width = pixels.shape[:2]
        bgr = on_black(pixels)[:, :, ::-1]
        done, data = cv2.imencode(
            ".jpg", np.ascontiguousarray(bgr), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        )
        if not done:
            raise RuntimeError("the JPEG encoder refused a picture")
        return (EncodedFrame(motion, FrameEncoding.JPEG, data.tobytes(), width, height),)

    def close(self) -> None:
        """Nothing to give back."""


def on_black(pixels: UInt8Array) -> UInt8Array:
    """Composite RGBA (height, width, 4) on black: (height, width, 3)."""
    rgb: UInt8Array = pixels[:, :, :3]
    alpha = pixels[:, :, 3:]
    if alpha.min() == 255:
        return np.ascontiguousarray(rgb)
    return ((rgb.astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)


def make_encoder(encoding: FrameEncoding, rate: Fraction) -> FrameEncoder:
    """Make the encoder of a session."""
    if encoding is FrameEncoding.JPEG:
        return JpegEncoder()
    if encoding is FrameEncoding.H264:
        # Late: FFmpeg takes 17 MB, and few ask for it.
        from avatar_service.session.h264_encoder import H264Encoder

        return H264Encoder(rate)
    return RawEncoder()
