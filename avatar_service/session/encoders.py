"""Pictures as bytes for the gRPC stream: raw, JPEG or H.264.

JPEG and H.264 have no alpha: a transparent background stands on black.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final, Protocol

import av
import cv2
import numpy as np

from avatar_service.session.events import EncodedFrame, FrameEncoding
from avatar_service.signals import MotionFrame, UInt8Array

JPEG_QUALITY: Final = 90
H264_BITS_PER_PIXEL: Final = 0.12
"""About 1.3 Mbit/s at 512x512 and 40 fps."""
H264_KEYFRAME_SECS: Final = 2


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


class H264Encoder:
    """H.264 Annex B for live use: no B-frames, one access unit per picture, no delay."""

    def __init__(self, rate: Fraction) -> None:
        self._rate = rate
        self._codec: av.VideoCodecContext | None = None
        self._num_sent = 0

    def encode(
        self, motion: MotionFrame, pixels: UInt8Array, *, force_keyframe: bool
    ) -> Iterable[EncodedFrame]:
        """Compress the next picture."""
        height, width = pixels.shape[:2]
        if self._codec is None:
            self._codec = self._open(width, height)
        frame = av.VideoFrame.from_ndarray(on_black(pixels), format="rgb24")
        frame = frame.reformat(format="yuv420p")
        frame.pts = self._num_sent
        frame.pict_type = (
            av.video.frame.PictureType.I if force_keyframe else av.video.frame.PictureType.NONE
        )
        self._num_sent += 1
        return [
            EncodedFrame(
                motion, FrameEncoding.H264, bytes(packet), width, height, packet.is_keyframe
            )
            for packet in self._codec.encode(frame)
        ]

    def close(self) -> None:
        """Drop the encoder; zero latency means that nothing waits inside."""
        self._codec = None

    def _open(self, width: int, height: int) -> av.VideoCodecContext:
        codec = av.CodecContext.create("libx264", "w")
        if not isinstance(codec, av.VideoCodecContext):
            raise TypeError("libx264 is no video encoder")
        codec.width, codec.height = width, height
        codec.pix_fmt = "yuv420p"
        codec.framerate = self._rate
        codec.time_base = 1 / self._rate
        codec.bit_rate = round(H264_BITS_PER_PIXEL * width * height * float(self._rate))
        codec.gop_size = round(H264_KEYFRAME_SECS * self._rate)
        codec.max_b_frames = 0
        codec.thread_count = 1
        codec.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x264-params": "repeat-headers=1:annexb=1",
        }
        return codec


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
        return H264Encoder(rate)
    return RawEncoder()
