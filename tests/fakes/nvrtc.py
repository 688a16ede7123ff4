"""NVIDIA's run-time compiler, through its C interface: it needs no GPU and no driver."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from pathlib import Path

import pytest


@functools.cache
def library() -> ctypes.CDLL:
    """Load it from its wheel, or skip; fail where the tests must run."""
    spec = importlib.util.find_spec("nvidia.cuda_nvrtc") if _has_nvidia() else None
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    found = [one for place in places for one in Path(place).glob("lib/libnvrtc.so.*")]
    if not found:
        text = "needs NVRTC: pip install nvidia-cuda-nvrtc-cu12"
        if os.environ.get("AVATAR_TESTS_MUST_RUN"):
            pytest.fail(text)
        pytest.skip(text)
    return ctypes.CDLL(str(found[0]))


def compile_for(source: str, arch: str, *options: str) -> tuple[bytes, str]:
    """Compile for real hardware such as sm_90; return the machine code (ELF) and the log."""
    nvrtc, program = library(), ctypes.c_void_p()
    _check(nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None
    ))  # fmt: skip
    chosen = [f"--gpu-architecture={arch}".encode(), *(one.encode() for one in options)]
    array = (ctypes.c_char_p * len(chosen))(*chosen)
    status = nvrtc.nvrtcCompileProgram(program, len(chosen), array)
    size = ctypes.c_size_t()
    _check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
    log = ctypes.create_string_buffer(size.value)
    _check(nvrtc.nvrtcGetProgramLog(program, log))
    text = log.value.decode()
    assert status == 0, text[:4000]
    _check(nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)))
    code = ctypes.create_string_buffer(size.value)
    _check(nvrtc.nvrtcGetCUBIN(program, code))
    _check(nvrtc.nvrtcDestroyProgram(ctypes.byref(program)))
    return code.raw, text


def _has_nvidia() -> bool:
    return importlib.util.find_spec("nvidia") is not None


def _check(status: int) -> None:
    assert status == 0, f"NVRTC answers {status}"
