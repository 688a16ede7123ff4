"""Every kernel compiles to machine code for every generation that is supported; no GPU needed."""

from __future__ import annotations

import re

import pytest
from fakes.nvrtc import compile_for

from avatar_service.render.cuda.program import KERNELS, OPTIONS, source

pytestmark = pytest.mark.unit

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90")
MAX_REGISTERS = 64
"""More than these of the kernel that each pixel runs leave half of a processor's threads idle."""


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_kernels_compile(arch: str) -> None:
    code, log = compile_for(source(), arch, *OPTIONS, "--ptxas-options=-v")
    assert code[:4] == b"\x7fELF"
    assert all(f".text.{name}".encode() in code for name in KERNELS)
    # ptxas tells of each kernel: name, spills, registers.
    told = re.findall(
        r"entry function '(\w+)'.*?(\d+) bytes spill stores, (\d+) bytes spill loads"
        r".*?Used (\d+) registers",
        log,
        re.DOTALL,
    )
    assert {name for name, *_ in told} == set(KERNELS), log
    for name, *figures in told:
        stores, loads, registers = (int(one) for one in figures)
        assert (stores, loads) == (0, 0), f"{name} spills on {arch}"
        if name == "draw_pixels":
            assert registers <= MAX_REGISTERS, f"{name} takes {registers} registers on {arch}"


def test_what_is_wrong_is_told_with_its_file_and_line() -> None:
    broken = source().replace("return least(most(v, low), high);", "return nothing;")
    with pytest.raises(AssertionError, match=r"common\.h\(\d+\): error"):
        compile_for(broken, "sm_90", *OPTIONS)
