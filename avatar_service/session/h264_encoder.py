"""Pictures as H.264 for the gRPC stream."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

import av

from avatar_service.session.encoders import on_black
from avatar_service.session.events import EncodedFrame, FrameEncoding
from avatar_service.signals import MotionFrame, UInt8Array

BITS_PER_PIXEL: Final = 0.12
"""About 1.3 Mbit/s at 512x512 and 40 fps."""
KEYFRAME_SECS: Final = 2


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
        codec.bit_rate = round(BITS_PER_PIXEL * width * height * float(self._rate))
        codec.gop_size = round(KEYFRAME_SECS * self._rate)
        codec.max_b_frames = 0
        codec.thread_count = 1
        codec.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x264-params": "repeat-headers=1:annexb=1",
        }
        return codec
