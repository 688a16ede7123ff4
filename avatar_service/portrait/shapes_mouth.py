"""Targets of the jaw, mouth, cheek and nose blendshapes.

Convention:
    Head coordinates in units of the outer-eye distance: x to the subject's left, y down, z away.
    Lip rows run from the right corner (k = -1) to the left one (k = +1).

The amplitudes were set by eye on portraits of several people, against Apple's reference pictures
of each coefficient at 1 (ARFaceAnchor.BlendShapeLocation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from avatar_service.portrait import topology
from avatar_service.portrait.deformation import DeformationSpace
from avatar_service.portrait.landmark_nets import Float64Array
from avatar_service.portrait.lip_rounding import LipPoint, Rounding, lip_points

JAW_OPEN_RADIANS: Final = np.radians(18.0)
"""Rotation of the jaw at jawOpen = 1."""
JAW_GLIDE: Final = (0.0, 0.03, -0.08)
"""The jaw's joint glides down and forward as it opens (about 8 mm), units at jawOpen = 1."""
JAW_SIDE: Final = 0.10
JAW_FORWARD: Final = 0.10
"""Travel of the chin at jawLeft or jawRight = 1 and at jawForward = 1, units."""
SIDES: Final = ((1.0, "Left"), (-1.0, "Right"))
"""Sign of x and suffix: the subject's left is +x."""

# How much each point of the jaw line follows the jaw: 1 at the chin, 0 at the ear.
_JAW_LINE: Final = (152, 148, 176, 149, 150, 136, 172, 58, 132)
_JAW_LINE_WEIGHT: Final = (1.0, 1.0, 0.97, 0.9, 0.78, 0.6, 0.4, 0.18, 0.0)
_CHIN_WEIGHT: Final = {199: 1.0, 175: 1.0, 200: 0.97, 18: 0.93}
_CHEEK: Final = (205, 207, 187)
"""Right: below the cheekbone, beside the mouth's corner, and the jowl."""
_PUFF: Final = (205, 207, 187, 216, 214, 192)
_BELOW_CORNERS: Final = ((43, 61), (273, 291))
"""The skin below each corner of the mouth, and that corner."""
_NOSTRIL: Final = {"wing": 64, "base": 98, "side": 129}
_STILL: Final = (2, 98, 327, 1, 4, 5, 195, 168, 64, 294, 129, 358, 6, 10, 151, 9)
_STILL_SIDES: Final = (234, 454, 93, 323, 127, 356)

_LOWER_LIP_AT_CORNER, _LOWER_LIP_AT_MIDDLE = 0.33, 0.95
"""Share of the jaw's motion that the lower lip takes."""

UPPER_LIP_CLOSES: Final = 0.30
"""Share of an open mouth's gap that the upper lip closes; the lower one, with the jaw, the rest."""

_CORNER_CLOSES: Final = 0.02
_CORNERS_ABOVE: Final = 0.004
"""How far the corners go down as parted lips close, and how far they stay above the line of closed
lips at least, units: photos of calm, closed mouths show -0.02 to 0.03."""

LipTarget = Callable[[LipPoint], tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class MouthRig:
    """What the renderer needs beside the shapes.

    Attributes:
        jaw_gap: opening of the inner lips at jawOpen = 1, units.
        hinge: (3,) the jaw's axis, head coordinates.
        shapes: name -> (V, 3) displacements, head coordinates.
    """

    jaw_gap: float
    hinge: Float64Array
    shapes: dict[str, Float64Array]


class MouthShapes:
    """Builds the lower face's shapes on one mesh."""

    def __init__(
        self, space: DeformationSpace, position: Float64Array, hinge: Float64Array
    ) -> None:
        self._position = position
        self._hinge = hinge
        self._lips = list(lip_points(position))
        self._jaw_weight = _jaw_weights()
        handles = {lip.landmark for lip in self._lips} | set(self._jaw_weight)
        handles |= {*_STILL, *_STILL_SIDES}
        for row in (
            topology.LID_LOWER,
            topology.LID_UPPER,
            topology.BROW_UPPER,
            topology.LID_LOWER_ROW3,
        ):
            handles |= {*row, *topology.mirrored(row)}
        self._plain = space.solver(handles)
        self._cheeks = {*_CHEEK, *topology.mirrored(_CHEEK)}
        self._with_cheeks = space.solver(handles | self._cheeks)
        below = {below for below, _ in _BELOW_CORNERS}
        self._with_corners = space.solver(handles | self._cheeks | below)
        puff = {*_PUFF, *topology.mirrored(_PUFF)}
        self._with_puff = space.solver(handles | puff)
        self._puff = puff

    def build(self, *, source_gap: float, source_smile: float, corners_height: float) -> MouthRig:
        """Return all lower-face shapes.

        Args:
            source_gap: the photo's own lip gap where its mouth is open, else 0; units.
            source_smile: the photo's smile, 0..1.
            corners_height: of the corners above the line of the photo's lips once closed, units.
        """
        jaw_open, open_targets = self._jaw_open()
        lower_middle = open_targets[topology.LIP_INNER_LOWER[5]]
        room = max(corners_height, 0.0)
        corner_closes = min(_CORNER_CLOSES, room) if source_gap > 0.06 else 0.0
        unsmile = self._source_unsmile(source_smile, source_gap, room - corner_closes)
        close = self._source_close(source_gap, corner_closes)
        rounding = Rounding.of(self._position + 1.25 * unsmile + 0.5 * close)
        forms = self._lip_forms(lower_middle, rounding, unsmile)
        shapes = {"jawOpen": jaw_open, **self._jaw(), **forms}
        shapes |= self._tongue_out(open_targets)
        for side, suffix in SIDES:
            for name, field in self._one_sided(side).items():
                shapes[name + suffix] = field
        shapes["sourceClose"] = close
        shapes["sourceUnsmile"] = unsmile
        return MouthRig(jaw_gap=float(lower_middle[1]), hinge=self._hinge, shapes=shapes)

    def _lip_form(
        self,
        target: LipTarget,
        extra: dict[int, tuple[float, float, float]] | None = None,
        *,
        cheeks: bool = False,
    ) -> Float64Array:
        targets: dict[int, tuple[float, float, float]] = {
            lip.landmark: target(lip) for lip in self._lips
        }
        targets |= extra or {}
        return (self._with_cheeks if cheeks else self._plain).solve(targets)

    def _gathered(
        self, target: LipTarget, cheeks: dict[int, tuple[float, float, float]]
    ) -> Float64Array:
        """Move lips and cheeks, and let the skin below the corners go before them.

        By itself it would lag behind and fold where corners come down or inwards.
        """
        targets = {lip.landmark: np.array(target(lip)) for lip in self._lips}
        targets |= {below: targets[corner] for below, corner in _BELOW_CORNERS}
        return self._with_corners.solve({**targets, **cheeks})

    def _jaw_open(self) -> tuple[Float64Array, dict[int, Float64Array]]:
        turn = jaw_rotation(1.0)
        position = self._position

        def swing(landmark: int) -> Float64Array:
            arm = position[landmark] - self._hinge
            swung: Float64Array = arm @ turn.T - arm + np.array(JAW_GLIDE)
            return swung

        targets = {i: weight * swing(i) for i, weight in self._jaw_weight.items()}
        for lip in self._lips:
            i, x = lip.landmark, lip.offset[0]
            if lip.is_corner:
                inward = np.array([-np.sign(x) * 0.025, 0, 0])
                targets[i] = _LOWER_LIP_AT_CORNER * swing(i) + inward
            elif not lip.is_upper:
                reach = _LOWER_LIP_AT_MIDDLE - _LOWER_LIP_AT_CORNER - 0.02 * (not lip.is_inner)
                share = _LOWER_LIP_AT_CORNER + reach * (1 - abs(lip.k) ** 2.2)
                targets[i] = share * swing(i) + np.array([-0.06 * x, 0, 0])
            else:
                drop = 0.26 * swing(i)[1] * abs(lip.k) ** 2.5 - 0.012 * lip.arch
                targets[i] = np.array([-0.05 * x, drop, 0])
        return self._plain.solve(targets), targets

    def _jaw(self) -> dict[str, Float64Array]:
        shapes = {}
        for side, suffix in SIDES:
            moved = {i: (side * JAW_SIDE * w, 0.0, 0.0) for i, w in self._jaw_weight.items()}
            shapes["jaw" + suffix] = self._lip_form(_shift_lower(side), moved)
        forward = {i: (0.0, 0.015 * w, -JAW_FORWARD * w) for i, w in self._jaw_weight.items()}
        shapes["jawForward"] = self._lip_form(
            lambda p: (0, 0.004, -0.01) if p.is_upper else (0, -0.012 * p.arch, -0.085), forward
        )
        return shapes

    def _lip_forms(
        self, opened: Float64Array, rounding: Rounding, unsmile: Float64Array
    ) -> dict[str, Float64Array]:
        def narrowed(p: LipPoint, share: float) -> float:
            # The smile has been taken from the mouth when its lips become round.
            return -share * float(p.offset[0] + unsmile[p.landmark, 0])

        def close(p: LipPoint) -> tuple[float, float, float]:
            if p.is_corner:
                return (0, 0, 0)
            if p.is_upper:
                return (0, 0.24 * opened[1] * p.arch, 0)
            return (0, -0.72 * opened[1] * p.arch**0.8, -0.5 * opened[2] * p.arch)

        def funnel(p: LipPoint) -> tuple[float, float, float]:
            # A round opening parts quickly beside the corners.
            if p.is_corner:
                lift = rounding.corner_drop
            else:
                lift = rounding.upper_lift(p) if p.is_upper else 0.05 * p.arch**0.7
            return (narrowed(p, rounding.funnel), lift, -0.08 * p.arch - 0.05)

        def pucker(p: LipPoint) -> tuple[float, float, float]:
            if p.is_corner:
                lift = 0.0
            elif p.is_inner:
                lift = (0.004 if p.is_upper else -0.004) * p.arch
            else:
                lift = (-0.012 - rounding.thicker if p.is_upper else 0.014) * p.arch
            return (narrowed(p, rounding.pucker), lift, -0.09 * p.arch - 0.04)

        def roll(p: LipPoint, upper: bool) -> tuple[float, float, float]:
            if p.is_corner or p.is_upper != upper:
                return (0, 0, 0)
            outer, inner = (0.04, 0.010) if upper else (-0.05, -0.012)
            return (0, (inner if p.is_inner else outer) * p.arch, 0.03 * p.arch)

        chin_up = {i: (0.0, -0.045 * w, -0.01) for i, w in _CHIN_WEIGHT.items()}
        chin_up[topology.CHIN] = (0.0, -0.02, 0.0)
        shapes = {
            "mouthClose": self._lip_form(close),
            "mouthFunnel": self._gathered(funnel, self._cheeks_inward(0.030)),
            "mouthPucker": self._gathered(pucker, self._cheeks_inward(0.036)),
            "mouthRollLower": self._lip_form(lambda p: roll(p, False)),
            "mouthRollUpper": self._lip_form(lambda p: roll(p, True)),
            "mouthShrugLower": self._lip_form(
                lambda p: (0, (-0.012 if p.is_upper else -0.045) * p.arch, -0.025 * p.arch), chin_up
            ),
            "mouthShrugUpper": self._lip_form(
                lambda p: (0, (-0.04 if p.is_upper else -0.026) * p.arch, -0.015 * p.arch)
            ),
        }
        for side, suffix in SIDES:
            shapes["mouth" + suffix] = self._lip_form(_shift_both(side))
        shapes["cheekPuff"] = self._cheek_puff()
        return shapes

    def _cheeks_inward(self, amount: float) -> dict[int, tuple[float, float, float]]:
        """Let the cheeks follow rounded lips only a little: they stretch, they do not slide."""
        return {i: (-amount * float(np.sign(self._position[i, 0])), 0.0, 0.0) for i in self._cheeks}

    def _cheek_puff(self) -> Float64Array:
        targets: dict[int, tuple[float, float, float]] = {
            p.landmark: (-0.04 * p.offset[0], 0.0, -0.03) for p in self._lips
        }
        for i in self._puff:
            out = float(np.sign(self._position[i, 0]))
            targets[i] = (out * 0.075, 0.0, -0.11)
        return self._with_puff.solve(targets)

    def _tongue_out(self, opened: dict[int, Float64Array]) -> dict[str, Float64Array]:
        """Lips part a little and the lower one gives way; the tongue itself is drawn."""
        targets = {i: 0.22 * motion for i, motion in opened.items()}
        for p in self._lips:
            if not p.is_corner:
                push = np.array([0, 0.012 * p.arch * (1 if not p.is_upper else -0.6), -0.015])
                targets[p.landmark] = targets[p.landmark] + push
        return {"tongueOut": self._plain.solve(targets)}

    def _one_sided(self, side: float) -> dict[str, Float64Array]:
        mirror = (lambda i: topology.mirrored((i,))[0]) if side > 0 else (lambda i: i)
        below_bone, beside_mouth, jowl = (mirror(i) for i in _CHEEK)
        raised = dict.fromkeys(self._cheeks, (0.0, 0.0, 0.0))
        raised |= {
            below_bone: (side * 0.03, -0.055, -0.035),
            beside_mouth: (side * 0.045, -0.05, -0.02),
            jowl: (side * 0.04, -0.05, -0.015),
        }
        wing, base, flank = (mirror(_NOSTRIL[part]) for part in ("wing", "base", "side"))
        sneer = {
            wing: (0.0, -0.04, 0.0),
            base: (0.0, -0.025, 0.0),
            flank: (side * 0.008, -0.04, 0.0),
        }

        def press(p: LipPoint) -> tuple[float, float, float]:
            bell = p.around(side * 0.4, 0.45) * (not p.is_corner)
            lift = 0.006 if p.is_inner else 0.024
            return (
                side * 0.02 * p.toward(side),
                (lift if p.is_upper else -lift) * bell,
                0.01 * bell,
            )

        def lift_upper(p: LipPoint, amount: float, width: float) -> tuple[float, float, float]:
            free = p.is_upper and not p.is_corner
            return (0, -amount * p.around(side * 0.35, width) * free, 0)

        def drop_lower(p: LipPoint) -> tuple[float, float, float]:
            free = not p.is_upper and not p.is_corner
            return (0, 0.075 * p.around(side * 0.35, 0.38) * free, 0)

        def smile(p: LipPoint) -> tuple[float, float, float]:
            t = p.toward(side)
            return (side * 0.105 * t, -0.085 * t + 0.012 * p.arch * p.is_upper, 0.035 * t)

        return {
            "mouthSmile": self._lip_form(smile, raised, cheeks=True),
            "mouthFrown": self._lip_form(
                lambda p: (side * 0.01 * p.toward(side), 0.075 * p.toward(side), 0)
            ),
            "mouthDimple": self._lip_form(
                lambda p: (
                    side * 0.06 * p.toward(side),
                    -0.012 * p.toward(side),
                    0.03 * p.toward(side),
                )
            ),
            "mouthStretch": self._lip_form(
                lambda p: (
                    side * 0.10 * p.toward(side),
                    0.03 * p.toward(side),
                    0.03 * p.toward(side),
                )
            ),
            "mouthUpperUp": self._lip_form(lambda p: lift_upper(p, 0.075, 0.38)),
            "mouthLowerDown": self._lip_form(drop_lower),
            "mouthPress": self._lip_form(press),
            "noseSneer": self._lip_form(lambda p: lift_upper(p, 0.03, 0.35), sneer),
        }

    def _source_close(self, source_gap: float, corner_closes: float) -> Float64Array:
        """Bring the photo's parted lips together, mostly from below."""
        position = self._position
        if source_gap <= 0:
            return np.zeros_like(position)
        upper, lower = topology.LIP_INNER_UPPER, topology.LIP_INNER_LOWER
        gaps = position[list(lower)] - position[list(upper)]  # (11, 3)

        def close(p: LipPoint) -> tuple[float, float, float]:
            if p.is_corner:
                return (0.0, corner_closes, 0.0)
            gap = gaps[round((p.k + 1) * 5)]
            if p.is_upper:
                move = gap * UPPER_LIP_CLOSES * (1.0 if p.is_inner else 0.85)
            else:
                # The corners come down: what is below them must not be lifted against them.
                outer = 0.8 * (1 - abs(p.k) ** 2.5)
                move = gap * (UPPER_LIP_CLOSES - 1) * (1.0 if p.is_inner else outer)
            return (float(move[0]), float(move[1]), float(move[2]))

        middle = (UPPER_LIP_CLOSES - 1) * gaps[5]
        chin = {i: tuple(float(v) for v in 0.35 * w * middle) for i, w in self._jaw_weight.items()}
        return self._lip_form(close, chin)  # type: ignore[arg-type]

    def _source_unsmile(self, source_smile: float, source_gap: float, room: float) -> Float64Array:
        """Lower and narrow the corners of a smiling photo by part of what its smile raised."""
        strength = source_smile * (0.6 if source_gap > 0 else 0.3)
        if strength <= 0:
            return np.zeros_like(self._position)

        # Hanging corners would make a sad mouth of a calm one.
        drop = min(0.085 * strength, max(room - _CORNERS_ABOVE, 0.0))

        def relax(p: LipPoint) -> tuple[float, float, float]:
            t = p.toward(float(np.sign(p.k) or 1.0)) * abs(p.k) ** 0.5
            out = float(np.sign(p.k))
            flatten = 0.012 * p.arch * p.is_upper
            return (
                -0.105 * out * t * strength,
                drop * t - flatten * strength,
                -0.035 * t * strength,
            )

        lowered = {}
        for i in self._cheeks:
            out = float(np.sign(self._position[i, 0]))
            lowered[i] = (-0.04 * out * strength, 0.05 * strength, 0.02 * strength)
        return self._gathered(relax, lowered)


def jaw_rotation(opening: float) -> Float64Array:
    """Return the (3, 3) rotation of the jaw in head coordinates at a jawOpen of `opening`."""
    angle = -JAW_OPEN_RADIANS * opening  # the chin (-z, +y of the hinge) swings down and back
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])


def _shift_lower(side: float) -> LipTarget:
    return lambda p: (side * (0.03 if p.is_upper or p.is_corner else 0.08), 0, 0)


def _shift_both(side: float) -> LipTarget:
    return lambda p: (side * 0.10, 0, 0.03 * side * p.k)


def _jaw_weights() -> dict[int, float]:
    weights = dict(zip(_JAW_LINE, _JAW_LINE_WEIGHT, strict=True))
    weights |= dict(zip(topology.mirrored(_JAW_LINE), _JAW_LINE_WEIGHT, strict=True))
    return weights | _CHIN_WEIGHT
