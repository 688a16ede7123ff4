"""Inside of the mouth: teeth, tongue, cavity, and the line of closed lips.

A photo of a closed mouth shows none of it: teeth are then modelled on average anatomy and coloured
by the photo's light, of which the white of the eyes tells most. A smiling photo shows the person's
own upper teeth: those are kept.

Convention:
    Head coordinates: x to the image's right, y down, z away from the camera, units of the
    outer-eye distance (90 mm); rest positions are stored in camera space (portrait/camera.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from avatar_service.portrait import teeth
from avatar_service.portrait.camera import camera_from_frame
from avatar_service.portrait.eyes import EyeAssets
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.lip_fill import UPPER_LIP_CLOSES
from avatar_service.portrait.mouth_colours import lip_tones, skin_tone
from avatar_service.portrait.own_teeth import cut_own_room, cut_own_teeth
from avatar_service.portrait.patch_tools import (
    FloatArray,
    blur,
    photo_blur,
    sample,
)
from avatar_service.portrait.topology import (
    LIP_INNER_LOWER,
    LIP_INNER_UPPER,
    LIP_OUTER_LOWER,
    LIP_OUTER_UPPER,
)
from avatar_service.schema import OUTER_EYE_DISTANCE_MM

AnyArray = NDArray[Any]
Int32Array = NDArray[np.int32]
Float64Array = NDArray[np.float64]

# Dental arch: an ellipse through incisors and molars (half width and depth, mm); the lower one
# is a little smaller and bites inside the upper one by the overjet and overbite.
_ARCH_MM: Final = {"upper": (28.0, 45.0), "lower": (26.5, 42.0)}
_LIP_THICKNESS_MM: Final = 5.0
_OVERJET_MM: Final = 2.5
_OVERBITE_MM: Final = 2.0
_INCISAL_SHOW_MM: Final = 2.2
"""Upper incisors end this far below the line of closed lips."""
_ARCH_COLUMNS: Final = 41
_MEAN_MOUTH_WIDTH: Final = 0.56
"""Of the outer lip corners, units; arches scale with it between 0.86 and 1.12."""

_COLOURFUL: Final = 0.12
"""Saturation of skin from which on shade inside the mouth is as red as flesh makes it."""
_OWN_TONE: Final = 0.8
"""Largest share of the photo's own teeth in the tone of the modelled ones."""
_BRIGHTEST_TOOTH: Final = 240.0
_IDEAL_TOOTH: Final = np.array([1.0, 0.97, 0.925])
_MORE_ON_TEETH: Final = 10.0
"""Colour of a lit incisor, and how much more light is on it than on flesh, grey levels. Chosen
below what six photos of smiles show (red over blue 1.0 to 1.35): theirs are the brightest teeth."""
_CAST_SHARE: Final = 0.5
"""How much of a tint that lies on everything is given to what is modelled: painters and viewers
allow teeth to be whiter than the varnish."""
_TOOTH_OVER_SKIN: Final = 1.15
"""Light on an ideal tooth over the mean of lit skin, at least; fair skin comes near."""

_TOOTH_PINK: Final = 0.8
"""How far green lies below red, as a share of how far blue does: of teeth against skin, at most."""
_BLUER_THAN_LIPS: Final = 1.2
"""Blue over green of flesh, at most, against that of the lips."""

_WET_SHADE: Final = 0.5
"""Light on the lips' inner side, as a share of that on the lips."""


@dataclass(frozen=True, slots=True)
class MouthAssets:
    """Plain arrays; rows along the lips run from the image-left to the image-right corner.

    Attributes:
        lip_ids: (2, 11) landmarks of the inner upper and the inner lower lip.
        outer_ids: (2, 11) landmarks of the outer lips.
        lip_rest: (2, 11, 3) rest positions of the inner lips, camera space.
        axes: (3, 3) columns are the head's axes in frame coordinates.
        unit: (1,) outer-eye distance, frame px.
        is_open: (1,) 1 where the photo shows an open mouth.
        cavity: (3,) colour of the mouth's inside, 0..255.
        tongue: (3,) lit colour of the tongue.
        seam: (3,) colour of the line of closed lips.
        wet: (3,) colour of the lips' wet inner side.
        arch_upper: (2, columns, 3) gum end and edge of the upper teeth, camera space.
        arch_lower: (2, columns, 3) edge and gum end of the lower teeth, camera space.
        teeth_upper: (h, w, 4) premultiplied strip over the arch, gum on top.
        teeth_lower: (h, w, 4) the same, edges on top.
        tongue_tip: (3,) tip of the resting tongue, camera space, moves with the jaw.
        tongue_half_width: (1,) units.
        own_teeth: (h, w, 4) premultiplied upper teeth of the photo; (1, 1, 4) where there are none.
        own_origin: (2,) first texel of own_teeth, 2x px.
        own_room: (h, w, 3) the photo's opening, texels as own_teeth's; (1, 1, 3) for closed lips.
        room_origin: (2,) first texel of own_room, 2x px.
        own_show: (1,) how far own teeth end below the upper lip in the photo, units; 0 = none.
        softness: (1,) sigma of the photo's blur, 2x px.
        flesh_tint: (1,) how red shade inside the mouth is, 0 in a photo without colours .. 1.
    """

    lip_ids: Int32Array
    outer_ids: Int32Array
    lip_rest: FloatArray
    axes: FloatArray
    unit: FloatArray
    is_open: FloatArray
    cavity: FloatArray
    tongue: FloatArray
    seam: FloatArray
    wet: FloatArray
    arch_upper: FloatArray
    arch_lower: FloatArray
    teeth_upper: FloatArray
    teeth_lower: FloatArray
    tongue_tip: FloatArray
    tongue_half_width: FloatArray
    own_teeth: FloatArray
    own_origin: FloatArray
    own_room: FloatArray
    room_origin: FloatArray
    own_show: FloatArray
    softness: FloatArray
    flesh_tint: FloatArray

    def to_arrays(self) -> dict[str, AnyArray]:
        """Return the fields by name, for storage and for render.mouth.MouthDrawer."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> MouthAssets:
        """Rebuild from what to_arrays returned."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def _white_of_eyes(eyes: EyeAssets) -> FloatArray:
    """Return the colour of the brighter eye's white, 0..255."""
    whites = []
    for eye in (0, 1):
        h, w = eyes.sclera.shape[1:3]
        middle = eyes.sclera[eye, h // 3 : 2 * h // 3, w // 5 : 4 * w // 5].reshape(-1, 3)
        luma = middle.mean(-1)
        whites.append(middle[luma >= np.percentile(luma, 65)].mean(0))
    return np.asarray(max(whites, key=lambda white: float(white.mean())), np.float32)


def _brightest(fit: FaceFit) -> FloatArray:
    """Return the mean colour of the brightest hundredth of the picture."""
    pixels = fit.image[::2, ::2].reshape(-1, 3).astype(np.float32)
    luma = pixels.mean(-1)
    return np.asarray(pixels[luma >= np.percentile(luma, 99)].mean(0), np.float32)


def _shared_cast(white: FloatArray, bright: FloatArray) -> FloatArray:
    """Return (3,) the tint that lies on everything, as varnish and lamps do; 1 is none.

    Whites in shade are brown by themselves, and what is brightest in a picture may have a colour
    of its own: a tint of the light is what both have in common.
    """
    log_white = np.log(np.maximum(white, 1) / np.maximum(white.mean(), 1))
    log_bright = np.log(np.maximum(bright, 1) / np.maximum(bright.mean(), 1))
    less = np.minimum(np.abs(log_white), np.abs(log_bright))
    shared = np.where(log_white * log_bright > 0, np.sign(log_white) * less, 0.0)
    return np.asarray(np.exp(shared), np.float32)


def _flesh_colours(
    skin: FloatArray, white: FloatArray, bright: FloatArray
) -> tuple[FloatArray, ...]:
    """Return the colours of teeth, gum and tongue in the light of the photo.

    Args:
        skin: (3,) colour of the face, 0..255.
        white: (3,) of the white of the eyes.
        bright: (3,) of the brightest of the picture.
    """
    luma = float(skin.mean())
    chroma = float(skin.max() - skin.min()) / max(float(skin.max()), 1.0)
    # Monochrome and muted pictures (paintings, sepia) tint everything alike.
    colourful = float(np.clip(chroma / 0.3, 0, 1))
    light = float(np.clip(0.4 * white.mean() + 0.6 * (0.55 * luma + 95.0), 70, 225))
    on_teeth = max(light + _MORE_ON_TEETH, _TOOTH_OVER_SKIN * luma) / light
    shared = _shared_cast(white, bright) ** _CAST_SHARE
    # Whites in deep shade are brown; teeth are not.
    cast = np.clip(white / white.mean() / shared - 1, -0.14, 0.14)
    tint = shared * (1 + 0.5 * cast + 0.1 * (skin / luma - 1))
    ideals: tuple[NDArray[Any], ...] = (
        _IDEAL_TOOTH * tint * on_teeth,
        np.array([0.74, 0.44, 0.42]) * shared,
        np.array([0.95, 0.55, 0.51]) * shared,
    )
    muted = skin / luma * (1 - colourful)
    return tuple(
        np.asarray(np.clip(light * (ideal.mean() * muted + ideal * colourful), 8, 238), np.float32)
        for ideal in ideals
    )


def _no_pinker_than(skin: FloatArray, tooth: FloatArray) -> FloatArray:
    """Return a tooth's colour (3,) with so much green that beside this skin (3,) it is not pink."""
    spread = max(float(skin[0] - skin[2]), 1.0)
    pink = _TOOTH_PINK * max(float(skin[0] - skin[1]), 0.0) / spread
    green = tooth[0] - pink * max(float(tooth[0] - tooth[2]), 0.0)
    return np.asarray([tooth[0], max(float(tooth[1]), float(green)), tooth[2]], np.float32)


def _as_yellow_as(lip: FloatArray, flesh: FloatArray) -> FloatArray:
    """Return flesh (3,) with little more blue in it than lips of this colour (3,) have.

    Blue over green of lips is .8 to 1.1 in photos; varnish and a painter's palette take it to .5,
    and beside lips of that orange natural flesh looks purple.
    """
    bluest = _BLUER_THAN_LIPS * float(lip[2]) / max(float(lip[1]), 1.0) * flesh[1]
    return np.asarray([flesh[0], flesh[1], min(flesh[2], bluest)], np.float32)


def _reddened(tint: float, green: float, blue: float) -> FloatArray:
    """Return (3,) factors that redden flesh by `tint`, and darken it as much without colour."""
    red = np.array([1.0, green, blue], np.float32)
    return np.asarray(red.mean() + tint * (red - red.mean()), np.float32)


def _arch(
    jaw: Literal["upper", "lower"], scale: float, middle: Float64Array, rows: tuple[float, float]
) -> Float64Array:
    """Return (2, columns, 3) head-coordinate points of a dental arch at heights `rows`.

    Args:
        jaw: which arch.
        scale: its size against the average.
        middle: (3,) front of the arch at the midline.
        rows: y of the two rows, relative to middle.
    """
    half_width, depth = (scale * mm / OUTER_EYE_DISTANCE_MM for mm in _ARCH_MM[jaw])
    angle = np.linspace(0, 1.5, 400)
    x, z = half_width * np.sin(angle), depth * (1 - np.cos(angle))
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))])
    reach = scale * teeth.half_row_mm(jaw) / OUTER_EYE_DISTANCE_MM
    along = np.linspace(-1, 1, _ARCH_COLUMNS) * min(reach, length[-1])
    at = np.interp(np.abs(along), length, angle)
    xs, zs = np.sign(along) * half_width * np.sin(at), depth * (1 - np.cos(at))
    # The biting edges rise towards the back (curve of Spee).
    spee = -0.10 * zs
    return np.stack([np.stack([xs, row + spee, zs], -1) + middle for row in rows])


def build_mouth(
    fit: FaceFit, image2x: NDArray[np.floating] | NDArray[np.uint8], eyes: EyeAssets
) -> MouthAssets:
    """Model the mouth's inside.

    Args:
        fit: the fitted face.
        image2x: (2S, 2S, 3) the photo.
        eyes: the same portrait's, for the light on the white of the eyes.
    """
    image = np.asarray(image2x, np.float32)
    head = fit.head
    points = head.to_head(fit.landmarks)
    skin = skin_tone(image, fit.landmarks)
    flesh_tint = float(np.clip(np.ptp(skin) / skin.max() / _COLOURFUL, 0, 1))
    lip = lip_tones(image, fit.landmarks).mean(0)
    tooth, gum, flesh = _flesh_colours(skin, _white_of_eyes(eyes), _brightest(fit))
    tooth = _no_pinker_than(skin, tooth)
    gum, flesh = _as_yellow_as(lip, gum), _as_yellow_as(lip, flesh)
    own, own_origin, own_show, own_colour = cut_own_teeth(image, fit, skin)
    room, room_origin = cut_own_room(image, fit)
    if own_colour is not None and own_colour.max() - own_colour.min() < 80:
        # Neighbours of the teeth in the photo: their own colour, lifted from the lips' shadow as
        # far as it stays one. Dark ones tell little of it, nor do those that a lamp bleached.
        lift = max(1.06, float(tooth.mean() / own_colour.mean()))
        share = float(np.clip(1.06 / lift, 0.4, _OWN_TONE))
        lifted = own_colour * min(lift, _BRIGHTEST_TOOTH / float(own_colour.max()))
        tooth = np.asarray(lifted * share + tooth * (1 - share), np.float32)

    corners = points[[61, 291]]
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    wide = wide / (1 + 0.22 * fit.smile)  # a smile widens the mouth, not the jaw
    scale = float(np.clip(wide / _MEAN_MOUTH_WIDTH, 0.86, 1.12))
    mm = 1.0 / OUTER_EYE_DISTANCE_MM
    upper, lower = points[LIP_INNER_UPPER[5]], points[LIP_INNER_LOWER[5]]
    middle = (points[LIP_INNER_UPPER[5]] + points[LIP_INNER_LOWER[5]]) / 2
    middle = np.array([corners[:, 0].mean() * 0.5 + middle[0] * 0.5, 0.0, upper[2]])
    middle[1] = upper[1] + UPPER_LIP_CLOSES * max(float(lower[1] - upper[1]), 0.0)
    middle[2] += _LIP_THICKNESS_MM * mm
    strip = scale * teeth.STRIP_HEIGHT_MM * mm
    edge = _INCISAL_SHOW_MM * mm
    upper_rows = (edge - teeth.EDGE_ROW * strip, edge + (1 - teeth.EDGE_ROW) * strip)
    low = edge - _OVERBITE_MM * mm
    lower_strip = 0.92 * strip
    lower_rows = (low - (1 - teeth.EDGE_ROW) * lower_strip, low + teeth.EDGE_ROW * lower_strip)
    back = np.array([0.0, 0.0, _OVERJET_MM * mm])
    tip = middle + np.array([0.0, low + 1.5 * mm, 8.0 * mm])

    def stored(head_points: Float64Array) -> FloatArray:
        frame = head.to_frame(head_points)
        return camera_from_frame(frame, head, fit.size_px).astype(np.float32)

    softness = photo_blur(fit)
    texel = 2 * head.unit_px * mm * scale * 2 * teeth.half_row_mm("upper") / teeth.WIDTH_PX
    strips = []
    for jaw, tone in (("upper", 1.0), ("lower", 0.90)):
        painted = teeth.paint_teeth(jaw, tooth * tone, gum * tone, tint=flesh_tint)  # type: ignore[arg-type]
        strips.append(blur(painted, max(0.3, 0.8 * softness / texel)))
    seam_line = fit.landmarks[list(LIP_INNER_UPPER + LIP_INNER_LOWER), :2] * 2 + 0.5
    if fit.is_mouth_open:
        seam = 0.50 * lip * _reddened(flesh_tint, 0.86, 0.86)
    else:
        seam = np.percentile(sample(image, seam_line), 20, axis=0)
    return MouthAssets(
        lip_ids=np.array([LIP_INNER_UPPER, LIP_INNER_LOWER], np.int32),
        outer_ids=np.array([LIP_OUTER_UPPER, LIP_OUTER_LOWER], np.int32),
        lip_rest=stored(points[np.array([LIP_INNER_UPPER, LIP_INNER_LOWER])]),
        axes=head.rotation.astype(np.float32),
        unit=np.array([head.unit_px], np.float32),
        is_open=np.array([fit.is_mouth_open], np.float32),
        cavity=(0.37 * flesh * _reddened(flesh_tint, 0.62, 0.60)).astype(np.float32),
        tongue=flesh,
        seam=np.asarray(seam, np.float32),
        wet=(_WET_SHADE * lip * _reddened(flesh_tint, 0.84, 0.84)).astype(np.float32),
        arch_upper=stored(_arch("upper", scale, middle, upper_rows)),
        arch_lower=stored(_arch("lower", scale, middle + back, lower_rows)),
        teeth_upper=strips[0],
        teeth_lower=strips[1],
        tongue_tip=stored(tip),
        tongue_half_width=np.array([0.20 * scale], np.float32),
        own_teeth=own,
        own_origin=own_origin,
        own_room=room,
        room_origin=room_origin,
        own_show=np.array([own_show], np.float32),
        softness=np.array([softness], np.float32),
        flesh_tint=np.array([flesh_tint], np.float32),
    )
