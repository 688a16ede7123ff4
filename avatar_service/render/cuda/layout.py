"""What the kernels are given: structures and constants, written once, here.

The structures are NumPy record types; `header()` writes them and the CPU renderer's own constants
as C, so that neither can drift from the Python side. Arrays of an avatar are device addresses.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

import numpy as np

from avatar_service.portrait.blendshapes import NUM_SHAPES
from avatar_service.portrait.expression_folds import GROUPS
from avatar_service.portrait.strands import NUM_KINDS
from avatar_service.portrait.torso import NO_TORSO_ROWS
from avatar_service.render import cpu, eyes, lids, lips, raster, rig, spectacles, teeth, watermark
from avatar_service.schema import EXPRESSION_INDEX, NUM_EXPRESSIONS, OUTER_EYE_DISTANCE_MM
from avatar_service.signals import MARK_TILE_PX, Background

RASTER_LANES: Final = 4
"""Threads that walk one triangle, each every fourth row: a face seen from near has large ones."""
MAX_ARCH: Final = 64
"""Most columns of an arch of teeth that the kernels have room for."""
ROLE_UPPER, ROLE_LID = 1, 2
"""Bits of Avatar.margin_role."""

AVATAR_ARRAYS: Final[dict[str, str]] = {
    # The mesh at rest and its shapes, (NUM_SHAPES, V, 3).
    "rest": "f4", "shapes": "f4", "skin_weight": "f4", "rise_weight": "f4",
    "sway": "f4", "strand_amount": "f4", "strand_kind": "f4", "uv": "f4",
    # The point of the other margin that a vertex faces, -1: none; and what it is there.
    "facing": "i4", "margin_role": "i4",
    # Face triangles around each face vertex: ring[ring_start[i] .. ring_start[i + 1]].
    "face_triangles": "i4", "ring_start": "i4", "ring": "i4",
    "shade_source": "i4", "shade_weight": "f4", "rest_light": "f4",
    # Opaque triangles, then those that are tested for alpha.
    "triangles": "i4",
    "texels": "u4", "folds": "u2", "picture": "u4", "torso": "u4",
    # As in EyeAssets, MouthAssets and SpectaclesAssets, filtered for the output's size.
    "margin_ids": "i4", "row_ids": "i4", "margin_rest": "f4", "row_rest": "f4",
    "sclera": "f4", "iris": "f4", "glint": "f4", "lid_skin": "f4", "lash_ratio": "f4",
    "grain": "f4",
    "lip_ids": "i4", "outer_ids": "i4", "lip_rest": "f4", "arch_upper": "f4", "arch_lower": "f4",
    "teeth_upper": "f4", "teeth_lower": "f4", "own_teeth": "f4", "own_room": "f4",
    "spectacles": "f4",
}  # fmt: skip
"""Arrays of an avatar and the type of their elements."""

_INTS: Final = (
    "size_px", "num_vertices", "num_triangles", "num_opaque", "texture_px", "folds_px",
    "sclera_rows", "sclera_columns", "iris_side", "lid_rows", "lid_columns", "lash_depths",
    "grain_rows", "grain_columns", "arch_columns", "upper_rows", "upper_columns", "lower_rows",
    "lower_columns", "own_rows", "own_columns", "room_rows", "room_columns", "spectacles_rows",
    "spectacles_columns", "torso_rows", "torso_columns",
)  # fmt: skip
_FLOATS: Final[dict[str, tuple[int, ...]]] = {
    "projection": (4,), "light": (4,), "down": (3,), "lid_down": (3,),
    "torso_layer": (4,),
    "eye_anchor": (2, 3), "eye_axes": (3, 3), "eye_unit_px": (), "eye_shadow": (4,),
    "patch_origin": (2, 2), "iris_center": (2, 2), "iris_radius": (2,), "iris_edge": (2, 2),
    "lash_range": (2,), "lash_color": (2, 3), "lash_strength": (2,),
    "mouth_anchor": (3,), "mouth_unit_px": (), "mouth_is_open": (), "cavity": (3,),
    "tongue": (3,), "seam": (3,), "wet": (3,), "tongue_tip": (3,), "tongue_half_width": (),
    "own_origin": (2,), "room_origin": (2,), "own_show": (), "flesh_tint": (),
    "spectacles_origin": (2,), "spectacles_anchor": (3,), "spectacles_axes": (3, 3),
    "spectacles_unit_px": (), "spectacles_step": (), "spectacles_hinge": (),
}  # fmt: skip
# Passed on as one row of numbers in C: matrices are read by index.
_FLAT: Final = "eye_anchor eye_axes patch_origin iris_center iris_edge lash_color spectacles_axes"

AVATAR: Final = np.dtype(
    [(name, "u8") for name in AVATAR_ARRAYS]
    + [(name, "i4") for name in _INTS]
    + [
        (name, "f4", (int(np.prod(shape)),) if name in _FLAT.split() else shape)
        for name, shape in _FLOATS.items()
    ],
    align=True,
)
"""One portrait at one size."""

FRAME: Final = np.dtype(
    [
        ("avatar", "i4"),
        ("background", "i4"),
        ("color", "u4"),
        ("pull", "i4", (1 + len(GROUPS),)),
        ("shapes", "f4", (NUM_SHAPES,)),
        ("coefficients", "f4", (NUM_EXPRESSIONS,)),
        ("gaze", "f4", (4,)),
        ("skull", "f4", (12,)),
        ("jaw", "f4", (12,)),
        ("lagging", "f4", (12,)),
        ("strands", "f4", (12 * NUM_KINDS,)),
        ("torso_shift", "f4", (4,)),
        ("image_down", "f4", (3,)),
        ("mark", "u8"),
        ("badge", "u8"),
        ("badge_rows", "i4"),
        ("badge_columns", "i4"),
        ("badge_margin", "i4"),
    ],
    align=True,
)
"""What moves: one frame of one session; mark and badge are addresses, 0 for none."""
_FRAME_ARRAYS: Final = {"mark": "const signed char", "badge": "const unsigned char"}

_EYE: Final = np.dtype(
    [
        ("local", "f4", (lids.NUM_LOCAL,)),
        ("curves", "f4", (lids.NUM_CURVES, lids.CURVE_STEPS)),
        ("rest_map", "f4", (6,)),
        ("turn", "f4", (6,)),
        ("ball_region", "i4", (4,)),
        ("lid_region", "i4", (4,)),
    ],
    align=True,
)
_MOUTH: Final = np.dtype(
    [
        ("local", "f4", (lips.NUM_LOCAL,)),
        ("curves", "f4", (3, lips.CURVE_STEPS)),
        ("upper", "f4", (3, teeth.STRIP_STEPS)),
        ("lower", "f4", (3, teeth.STRIP_STEPS)),
        ("rest_map", "f4", (6,)),
        ("inside_region", "i4", (4,)),
        ("seam_region", "i4", (4,)),
        ("tongue_region", "i4", (4,)),
    ],
    align=True,
)
_SPECTACLES: Final = np.dtype(
    [("placed", "f4", (8, 2)), ("to_head", "f4", (4,)), ("region", "i4", (4,))], align=True
)
TRACE: Final = np.dtype(
    [("eyes", _EYE, (2,)), ("mouth", _MOUTH), ("spectacles", _SPECTACLES)], align=True
)
"""What the features' kernel works out for the pixels' kernel."""

BATCH_ARRAYS: Final[dict[str, str]] = {
    "avatars": "const Avatar",
    "frames": "const Frame",
    "vertices": "float",
    "camera": "float",
    "shading": "float",
    "visibility": "unsigned long long",
    "traces": "Trace",
    "out": "unsigned int",
    "faults": "int",
    "strength": "int",
    "dither": "const short",
}
BATCH: Final = np.dtype(
    [(name, "u8") for name in BATCH_ARRAYS]
    + [("num_frames", "i4"), ("size_px", "i4"), ("max_vertices", "i4"), ("unused", "i4")],
    align=True,
)
"""One launch: frames of one size; addresses of the memory they use."""

_C_TYPES: Final = {
    "f4": "float", "i4": "int", "u4": "unsigned int", "u2": "unsigned short",
    "u8": "unsigned long long",
}  # fmt: skip


def header() -> str:
    """Return structures and constants as C."""
    arrays = {name: f"const {_C_TYPES[kind]}" for name, kind in AVATAR_ARRAYS.items()}
    return "\n".join(
        [
            *(f"#define {name} {_literal(value)}" for name, value in _constants().items()),
            _structure("Avatar", AVATAR, arrays),
            _structure("Frame", FRAME, _FRAME_ARRAYS),
            _structure("EyeTrace", _EYE),
            _structure("MouthTrace", _MOUTH),
            _structure("SpectaclesTrace", _SPECTACLES),
            _structure("Trace", TRACE),
            _structure("Batch", BATCH, BATCH_ARRAYS),
            "",
        ]
    )


def _constants() -> dict[str, int | float | str]:
    """Return the numbers that the CPU renderer's kernels use, under the names of the C files."""
    found: dict[str, int | float | str] = {
        "RASTER_LANES": RASTER_LANES,
        "MAX_ARCH": MAX_ARCH,
        "ROLE_UPPER": ROLE_UPPER,
        "ROLE_LID": ROLE_LID,
        "EMPTY_KEY": "0xFFFFFFFFFFFFFFFFull",
        "BACKGROUND_KEEP": list(Background).index(Background.KEEP),
        "BACKGROUND_COLOR": list(Background).index(Background.COLOR),
        "NUM_SHAPES": NUM_SHAPES,
        "ACTIVE": float(rig.ACTIVE),
        "BOUND_FRAMES": cpu.BOUND_FRAMES,
        "SHADE_STRENGTH": rig.SHADE_STRENGTH,
        "SHADE_MIN": rig.SHADE_MIN,
        "SHADE_MAX": rig.SHADE_MAX,
        "MIN_LIGHT": rig.MIN_LIGHT,
        "EDGE": float(raster.EDGE),
        "SHADE_ONE": raster.SHADE_ONE,
        "ALPHA_CUT": raster.ALPHA_CUT,
        "TORSO_NONE": NO_TORSO_ROWS,
        "IRIS_ARM_MM": eyes.IRIS_ARM_MM,
        "CORNEA_CENTRE_MM": eyes.CORNEA_CENTRE_MM,
        "CORNEA_ENDS": eyes.CORNEA_ENDS,
        "CORNEA_ENDED": eyes.CORNEA_ENDED,
        "OUTER_EYE_DISTANCE_MM": float(OUTER_EYE_DISTANCE_MM),
        "MOUTH_FUNNEL": EXPRESSION_INDEX["mouthFunnel"],
        "MOUTH_PUCKER": EXPRESSION_INDEX["mouthPucker"],
        "TONGUE_OUT": EXPRESSION_INDEX["tongueOut"],
        "STRIP_STEPS": teeth.STRIP_STEPS,
        "STRIP_FIRST": teeth.STRIP_FIRST,
        "STRIP_STEP": teeth.STRIP_STEP,
        "STRIP_COLUMN": teeth.COLUMN,
        "STRIP_TOP": teeth.TOP,
        "STRIP_BOTTOM": teeth.BOTTOM,
        "MARK_TILE_PX": MARK_TILE_PX,
        "MARK_BLOCK_PX": watermark.BLOCK_PX,
        "MARK_FLAT_0": watermark.FLAT[0],
        "MARK_FLAT_1": watermark.FLAT[1],
        "MARK_TEXTURED_0": watermark.TEXTURED[0],
        "MARK_TEXTURED_1": watermark.TEXTURED[1],
        "MARK_STRONGEST": watermark.STRONGEST,
        "MARK_SHIFT": watermark.SHIFT,
        "SPECTACLES_WRAP": spectacles.WRAP,
        "SPECTACLES_TEMPLE_SLOPE": spectacles.TEMPLE_SLOPE,
    }
    return found | _numbers_of(lids, "LID_") | _numbers_of(lips, "LIP_")


def _numbers_of(module: ModuleType, prefix: str) -> dict[str, int | float | str]:
    """Return a module's numeric constants under a prefix."""
    return {
        name if name.startswith(prefix) else prefix + name: value
        for name, value in vars(module).items()
        if name.isupper() and name[0] != "_" and isinstance(value, (int, float))
    }


def _literal(value: int | float | str) -> str:
    if isinstance(value, (float, np.floating)):
        return f"({float(value)!r}f)"
    return str(value)


def _structure(name: str, record: np.dtype[Any], types: dict[str, str] | None = None) -> str:
    """Write a record type as C; `types` tells what the addresses point to."""
    lines = [f"struct {name} {{"]
    fields = record.fields
    assert fields is not None
    for field in record.names or ():
        kind, shape = fields[field][0].base, fields[field][0].shape
        if types is not None and field in types:
            lines.append(f"  {types[field]}* {field};")
            continue
        brackets = "".join(f"[{extent}]" for extent in shape)
        lines.append(f"  {_type_name(kind)} {field}{brackets};")
    lines.append("};")
    lines.append(f'static_assert(sizeof({name}) == {record.itemsize}, "{name}");')
    return "\n".join(lines)


def _type_name(kind: np.dtype[Any]) -> str:
    for record, name in ((_EYE, "EyeTrace"), (_MOUTH, "MouthTrace")):
        if kind == record:
            return name
    if kind == _SPECTACLES:
        return "SpectaclesTrace"
    return _C_TYPES[kind.str[1:]]
