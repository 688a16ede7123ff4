"""The kernels' source, put together from the package's own files."""

from __future__ import annotations

from importlib import resources
from typing import Final

from avatar_service.render.cuda.layout import header

KERNELS: Final = (
    "pose_vertices",
    "shade_vertices",
    "trace_features",
    "raster_triangles",
    "draw_pixels",
    "measure_detail",
    "mark_pixels",
)
"""Entry points, in the order of a frame."""
_HEADERS: Final = (
    "common", "mesh", "raster", "composite", "torso", "lids", "eyes", "lips", "mouth", "spectacles",
    "finish",
)  # fmt: skip
_ON_DEVICE: Final = """
#define DEVICE static __device__ __forceinline__
#define DEVICE_CALL static __device__ __noinline__
DEVICE unsigned int float_bits(float value) { return __float_as_uint(value); }
"""
OPTIONS: Final = ("--std=c++14",)
"""Of NVRTC."""


def source(prelude: str = _ON_DEVICE) -> str:
    """Return one translation unit for NVRTC.

    Args:
        prelude: defines DEVICE, DEVICE_CALL (not inlined: long, and called now and then) and
            float_bits; for a plain C++ compiler also what CUDA brings.
    """
    folder = resources.files(__package__) / "source"
    files = [*(f"{name}.h" for name in _HEADERS), "kernels.cu"]
    parts = [f'#line 1 "{name}"\n' + (folder / name).read_text("utf-8") for name in files]
    return "\n".join([prelude, header(), *parts])
