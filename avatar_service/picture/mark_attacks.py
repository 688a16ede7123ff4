"""What happens to a published clip: the attacks that the watermark is measured against.

Each takes and gives (height, width, 3) uint8 RGB frames.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, Final

import av
import cv2
import numpy as np

from avatar_service.signals import UInt8Array

Frames = Sequence[UInt8Array]
Attack = Callable[[Frames], list[UInt8Array]]
_RATE: Final = 40


def jpeg(frames: Frames, quality: int) -> list[UInt8Array]:
    """Compress every frame for itself (libjpeg's quality scale, 4:2:0)."""
    packed = []
    for frame in frames:
        _, data = cv2.imencode(
            ".jpg", np.ascontiguousarray(frame[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )
        decoded: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
        packed.append(np.ascontiguousarray(decoded[..., ::-1]))
    return packed


def h264(frames: Frames, crf: int) -> list[UInt8Array]:
    """Encode and decode the clip with x264, preset medium, 4:2:0."""
    buffer = io.BytesIO()
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])
    options = {"crf": str(crf), "preset": "medium", "threads": "1"}
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            pixels = np.ascontiguousarray(frame[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as written:
        decoded = written.decode(video=0)
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in decoded]


def resize(frames: Frames, factor: float) -> list[UInt8Array]:
    """Scale by area averaging."""
    return [
        cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        for frame in frames
    ]


def crop(frames: Frames, share: float) -> list[UInt8Array]:
    """Cut a share of width and height away, unevenly."""
    height, width = frames[0].shape[:2]
    top, left = round(0.37 * share * height), round(0.61 * share * width)
    tall, wide = round((1 - share) * height), round((1 - share) * width)
    return [np.ascontiguousarray(f[top : top + tall, left : left + wide]) for f in frames]


def rotate(frames: Frames, degrees: float) -> list[UInt8Array]:
    """Turn about the middle; what comes in from outside is black."""
    height, width = frames[0].shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return [cv2.warpAffine(f, turn, (width, height), flags=cv2.INTER_LINEAR) for f in frames]


ATTACKS: Final[dict[str, Attack]] = {
    "none": list,
    "jpeg_q50": lambda frames: jpeg(frames, 50),
    "h264_crf28": lambda frames: h264(frames, 28),
    "resize_50": lambda frames: resize(frames, 0.5),
    "crop_10": lambda frames: crop(frames, 0.1),
    "rotate_5": lambda frames: rotate(frames, 5.0),
}
"""Those that must be survived."""

HARDER: Final[dict[str, Attack]] = {
    "one_frame": lambda frames: list(frames[20:21]),
    "one_frame_jpeg_q50": lambda frames: jpeg(frames[20:21], 50),
    "mirror": lambda frames: [np.ascontiguousarray(frame[:, ::-1]) for frame in frames],
    "exported_then_h264_crf28": lambda frames: h264(h264(frames, 17), 28),
    "rotate_10_crop_20": lambda frames: crop(rotate(frames, 10.0), 0.2),
    "h264_crf34": lambda frames: h264(frames, 34),
    "resize_50_h264_crf28": lambda frames: h264(resize(frames, 0.5), 28),
}
"""Beyond what is promised, to know where it ends."""
