"""The face mesh's fixed topology: triangles, left/right map, and the named rows of landmarks.

Landmark numbers are those of the 468-point Face Mesh (arXiv 1907.06724). "Right" and "left" are
the SUBJECT's: right is on the image's left. Rows are given for the right side and run from the
outer to the inner end; `mirrored` gives the left side's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

Int32Array = NDArray[np.int32]


def _load() -> tuple[Int32Array, Int32Array]:
    source = resources.files("avatar_service.portrait") / "face_topology.npz"
    with resources.as_file(source) as path, np.load(path, allow_pickle=False) as data:
        return data["triangles"].astype(np.int32), data["mirror"].astype(np.int32)


TRIANGLES, MIRROR = _load()
"""(852, 3) landmark numbers, clockwise in the image, eyes and mouth are holes;
(468,) the landmark on the other side."""

FACE_OVAL: Final = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Outline of the face, a closed loop."""

# Lips: eleven landmarks each from the right corner to the left one.
LIP_OUTER_UPPER: Final = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LIP_OUTER_LOWER: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
LIP_INNER_UPPER: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LIP_INNER_LOWER: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
MOUTH_CORNERS: Final = (61, 78, 291, 308)
"""Right outer, right inner, left outer, left inner."""

# Right eye: lid margins (corner to corner), then the rows above and below them.
LID_UPPER: Final = (33, 246, 161, 160, 159, 158, 157, 173, 133)
LID_LOWER: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LID_UPPER_ROW2: Final = (247, 30, 29, 27, 28, 56, 190)
LID_UPPER_ROW3: Final = (113, 225, 224, 223, 222, 221, 189)
LID_LOWER_ROW2: Final = (25, 110, 24, 23, 22, 26, 112)
LID_LOWER_ROW3: Final = (31, 228, 229, 230, 231, 232, 233)
CHEEKBONE_ROW: Final = (111, 117, 118, 119, 120, 121)

BROW_UPPER: Final = (70, 63, 105, 66, 107)
BROW_LOWER: Final = (46, 53, 52, 65, 55)

OUTER_EYE_CORNERS: Final = (33, 263)
"""Right, left: their distance is the unit of length."""
CROWN: Final = 10
CHIN: Final = 152
NOSE_TIP: Final = 4
BARE_SKIN: Final = (50, 280, 101, 330, 4, 151)
"""Spots of cheeks, nose and forehead that neither hair nor make-up covers."""
EAR_POINTS: Final = (234, 454)
"""The oval's points beside the right and left ear."""

EYE_CONTOUR_LANDMARKS: Final = (
    *(33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25, 110),
    *(24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190, 226, 31, 228, 229, 230, 231, 232),
    *(233, 244, 113, 225, 224, 223, 222, 221, 189, 35, 124, 46, 53, 52, 65, 143, 111, 117, 118),
    *(119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193),
)
"""The landmark at each of the iris model's 71 contour points, for the right eye."""


def mirrored(row: Sequence[int]) -> tuple[int, ...]:
    """Return the same row on the other side of the face."""
    return tuple(int(MIRROR[i]) for i in row)


def eye_loop(*, is_left: bool) -> tuple[int, ...]:
    """Return the closed lid margin: lower lid outer to inner, then back along the upper lid."""
    loop = (*LID_LOWER, *LID_UPPER[-2:0:-1])
    return mirrored(loop) if is_left else loop


def mouth_loop() -> tuple[int, ...]:
    """Return the closed inner lip line: upper lip right to left, then back along the lower."""
    return (*LIP_INNER_UPPER, *LIP_INNER_LOWER[-2:0:-1])
