"""The 52 shapes of the neutral head: smooth displacement fields with the meaning of ARKit's.

Directions: +x the subject's left, +y up, +z out of the face; lengths in outer-eye distances.
Amplitudes are ours, of natural size (a jaw that opens 15 degrees, a lid that closes its whole gap).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from avatar_service.export.neutral_head import (
    EYE_HALF_WIDTH,
    EYE_X,
    LOWER_LID_GAP,
    MOUTH_HALF_WIDTH,
    MOUTH_Y,
    UPPER_LID_GAP,
    Array,
    HeadGrid,
    gaussian,
    lid_gap,
    over_eyeball,
    smoothstep,
)
from avatar_service.schema import EXPRESSION_NAMES

_JAW_OPEN_RADIANS: Final = 0.26
_HINGE: Final = (-0.30, 0.05)  # y, z of the axis from ear to ear


class _Shapes:
    """Masks over the head, and one method per family of shapes."""

    def __init__(self, grid: HeadGrid) -> None:
        self.grid = grid
        self.x, self.y = grid.flat.T
        self.skin = grid.kind == 0
        self.front = grid.front * self.skin
        self.jaw = self._jaw_weight()
        reach = np.clip(1 - (self.x / (MOUTH_HALF_WIDTH * 1.25)) ** 2, 0, 1)
        distance = np.abs(self.y - MOUTH_Y)
        lip = np.exp(-((distance / 0.11) ** 2)) * np.sqrt(reach) * self.front
        self.upper_lip = lip * grid.above_mouth
        self.lower_lip = lip * ~grid.above_mouth
        self.left = smoothstep((self.x + 0.10) / 0.20)  # 1 on the subject's left
        self.around_mouth = gaussian(self.x, self.y, 0, MOUTH_Y, 0.42, 0.22) * self.front

    def _jaw_weight(self) -> Array:
        grid, x, y = self.grid, self.x, self.y
        chin = smoothstep((-0.60 - y) / 0.45) * smoothstep((y + 1.75) / 0.45)
        skin = chin * smoothstep((grid.vertices[:, 2] + 0.15) / 0.5)
        near = np.clip(np.abs(x) / MOUTH_HALF_WIDTH, 0, 1)
        hang = np.exp(-((np.clip(MOUTH_Y - y, 0, None) / 0.5) ** 2))
        lower = np.maximum(skin, (0.95 - 0.62 * near**2) * hang * (np.abs(x) < MOUTH_HALF_WIDTH))
        upper = skin * near**2
        weight = np.where(grid.above_mouth, upper, lower)
        weight = np.where(grid.kind == 1, 0.0, weight)
        weight = np.where(grid.kind == 2, 0.95 - 0.62 * near**2, weight)
        return np.where(grid.kind == 3, 0.85, weight)

    def side(self, name: str) -> Array:
        """The half of the face that a name means, 0..1."""
        return self.left if name.endswith("Left") else 1.0 - self.left

    def vector(self, weight: Array, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Array:
        """One direction, weighted per vertex: (V, 3)."""
        moved: Array = weight[:, None] * np.array([x, y, z])
        return moved

    def spot(self, cx: float, cy: float, sx: float, sy: float) -> Array:
        """A soft spot on the front of the skin, (V,)."""
        weight: Array = gaussian(self.x, self.y, cx, cy, sx, sy) * self.front
        return weight

    def corner(self, name: str, size: float = 0.14) -> Array:
        """The corner of the mouth on the side that a name means, (V,)."""
        sign = 1 if name.endswith("Left") else -1
        return self.spot(sign * MOUTH_HALF_WIDTH, MOUTH_Y, size * 1.2, size)

    def jaw_open(self, _: str) -> Array:
        """Turn the jaw about the axis from ear to ear."""
        angle = self.jaw * _JAW_OPEN_RADIANS
        y, z = self.grid.vertices[:, 1] - _HINGE[0], self.grid.vertices[:, 2] - _HINGE[1]
        turned_y = y * np.cos(angle) - z * np.sin(angle)
        turned_z = y * np.sin(angle) + z * np.cos(angle)
        return np.stack([np.zeros_like(y), turned_y - y, turned_z - z], axis=-1)

    def jaw_shift(self, name: str) -> Array:
        """Move the jaw forward or to a side."""
        direction = {"jawForward": (0, 0, 0.10), "jawLeft": (0.11, 0, 0), "jawRight": (-0.11, 0, 0)}
        return self.vector(self.jaw, *direction[name])

    def mouth_close(self, _: str) -> Array:
        """Bring the lips together over an open jaw: ARKit's mouthClose equals jawOpen then."""
        lips = self.lower_lip * (1 - 0.35 * (self.x / MOUTH_HALF_WIDTH) ** 2)
        rise = -self.jaw_open("")[:, 1] * lips
        return self.vector(rise, y=0.80) - self.vector(self.upper_lip, y=0.06)

    def mouth_round(self, name: str) -> Array:
        """Pucker (small, forward) or funnel (round, open)."""
        lips = np.clip(self.upper_lip + self.lower_lip, 0, 1)
        wide = self.around_mouth
        pucker = name == "mouthPucker"
        pull = -self.x * np.clip(lips + 0.5 * wide, 0, 1) * (0.36 if pucker else 0.22)
        out = self.vector(lips, z=0.11 if pucker else 0.09)
        out[:, 0] += pull
        if not pucker:
            out += self.vector(self.upper_lip, y=0.055) - self.vector(self.lower_lip, y=0.065)
        return out

    def mouth_side(self, name: str) -> Array:
        """Move the whole mouth to a side."""
        return self.vector(self.around_mouth, x=0.12 if name.endswith("Left") else -0.12)

    def mouth_corner(self, name: str) -> Array:
        """Smile, frown, dimple, stretch: what moves a corner."""
        sign = 1 if name.endswith("Left") else -1
        stem = name.removesuffix("Left").removesuffix("Right")
        corner = self.corner(name)
        if stem == "mouthSmile":
            cheek = self.spot(sign * 0.42, -0.50, 0.20, 0.16)
            return self.vector(corner, sign * 0.085, 0.105, -0.03) + self.vector(
                cheek, sign * 0.02, 0.04, 0.045
            )
        moves = {
            "mouthFrown": (sign * 0.01, -0.095, -0.005),
            "mouthDimple": (sign * 0.055, 0.012, -0.060),
            "mouthStretch": (sign * 0.095, -0.035, -0.025),
        }
        return self.vector(corner, *moves[stem])

    def mouth_roll(self, name: str) -> Array:
        """Roll a lip inward over the teeth."""
        upper = name == "mouthRollUpper"
        lip = self.upper_lip if upper else self.lower_lip
        return self.vector(lip, y=-0.035 if upper else 0.045, z=-0.065)

    def mouth_shrug(self, name: str) -> Array:
        """Push a lip up and out; the lower one by the chin."""
        if name == "mouthShrugUpper":
            return self.vector(self.upper_lip, y=0.050, z=0.035)
        chin = self.spot(0, -1.02, 0.24, 0.14) * ~self.grid.above_mouth
        return self.vector(self.lower_lip, y=0.060, z=0.040) + self.vector(chin, y=0.05, z=0.015)

    def mouth_press(self, name: str) -> Array:
        """Press the lips together on one side."""
        half = self.side(name)
        meet = self.vector(self.upper_lip * half, y=-0.022) + self.vector(
            self.lower_lip * half, y=0.026
        )
        return meet + self.vector((self.upper_lip + self.lower_lip) * half, z=-0.028)

    def lip_apart(self, name: str) -> Array:
        """Raise the upper or lower the lower lip on one side."""
        half = self.side(name)
        if name.startswith("mouthUpperUp"):
            return self.vector(self.upper_lip * half, y=0.085, z=0.012)
        return self.vector(self.lower_lip * half, y=-0.095, z=0.008)

    def blink(self, name: str) -> Array:
        """Close the eye: the upper lid travels most of the gap, the lower a fifth."""
        return self._lids(name, upper=-(UPPER_LID_GAP + 0.80 * LOWER_LID_GAP), lower=0.20)

    def squint(self, name: str) -> Array:
        """Narrow the eye from below, with the cheek."""
        sign = 1 if name.endswith("Left") else -1
        cheek = self.spot(sign * EYE_X, -0.22, 0.20, 0.10)
        lids = self._lids(name, upper=-0.25 * UPPER_LID_GAP, lower=0.75)
        return lids + self.vector(cheek, y=0.030, z=0.015)

    def wide(self, name: str) -> Array:
        """Open the eye beyond rest."""
        return self._lids(name, upper=0.45 * UPPER_LID_GAP, lower=-0.20)

    def look(self, name: str) -> Array:
        """Lids follow gaze; the eyeballs themselves are turned by their nodes."""
        sign = 1 if name.endswith("Left") else -1
        if "Up" in name:
            return self._lids(name, upper=0.28 * UPPER_LID_GAP, lower=0.15)
        if "Down" in name:
            return self._lids(name, upper=-0.42 * UPPER_LID_GAP, lower=-0.30)
        towards = sign if "Out" in name else -sign
        bulge = self.spot(sign * EYE_X + towards * 0.08, 0.02, 0.07, 0.06)
        return self.vector(bulge, x=towards * 0.004, z=0.008)

    def _lids(self, name: str, *, upper: float, lower: float) -> Array:
        """Move the upper lid by `upper`, the lower by `lower` of its gap, along the eyeball."""
        grid = self.grid
        side = (self.x > 0) if name.endswith("Left") else (self.x < 0)
        almond = lid_gap(self.x, 1.0) * side * (grid.vertices[:, 2] > 0) * self.skin
        spread = np.clip(1 - ((np.abs(self.x) - EYE_X) / (EYE_HALF_WIDTH * 1.3)) ** 2, 0, 1)
        almond = np.maximum(almond, 0.15 * spread * side * (np.abs(self.y) < 0.2) * self.front)
        fall = np.exp(-((self.y / 0.085) ** 2))
        moved = grid.vertices.copy()
        moved[:, 1] += almond * fall * np.where(grid.above_lids, upper, lower * LOWER_LID_GAP)
        z = over_eyeball(moved, grid.sphere)
        moved[:, 2] = np.where(almond * fall > 1e-3, z, moved[:, 2])
        return moved - grid.vertices

    def brow(self, name: str) -> Array:
        """Raise or lower a part of the brows."""
        if name == "browInnerUp":
            inner = self.spot(0.20, 0.27, 0.15, 0.13) + self.spot(-0.20, 0.27, 0.15, 0.13)
            return self.vector(inner, y=0.085, z=0.012)
        sign = 1 if name.endswith("Left") else -1
        if name.startswith("browOuterUp"):
            return self.vector(self.spot(sign * 0.46, 0.26, 0.18, 0.13), y=0.090, z=0.010)
        return self.vector(self.spot(sign * 0.28, 0.25, 0.20, 0.12), -sign * 0.025, -0.080, 0.015)

    def cheek(self, name: str) -> Array:
        """Puff both cheeks, or raise one under its eye."""
        if name == "cheekPuff":
            puff = self.spot(0.47, -0.66, 0.20, 0.22) + self.spot(-0.47, -0.66, 0.20, 0.22)
            out = self.vector(puff, z=0.11)
            out[:, 0] += np.sign(self.x) * puff * 0.10
            return out
        sign = 1 if name.endswith("Left") else -1
        return self.vector(self.spot(sign * 0.40, -0.26, 0.20, 0.13), y=0.055, z=0.030)

    def nose_sneer(self, name: str) -> Array:
        """Wrinkle one side of the nose, with the lip below it."""
        sign = 1 if name.endswith("Left") else -1
        wing = self.spot(sign * 0.12, -0.40, 0.09, 0.10)
        lip = self.upper_lip * self.side(name) * gaussian(self.x, self.y, 0, MOUTH_Y, 0.2, 0.2)
        return self.vector(wing, y=0.065, z=0.012) + self.vector(lip, y=0.030)

    def tongue_out(self, _: str) -> Array:
        """Push the tongue out over the lower lip."""
        tongue = (self.grid.kind == 3).astype(np.float64)
        return self.vector(tongue, y=0.005, z=0.36) - self.vector(self.lower_lip, y=0.075)


def _builders(shapes: _Shapes) -> dict[str, Callable[[str], Array]]:
    """Which method makes which shape, by the longest matching start of its name."""
    return {
        "eyeBlink": shapes.blink,
        "eyeLook": shapes.look,
        "eyeSquint": shapes.squint,
        "eyeWide": shapes.wide,
        "jawOpen": shapes.jaw_open,
        "jaw": shapes.jaw_shift,
        "mouthClose": shapes.mouth_close,
        "mouthFunnel": shapes.mouth_round,
        "mouthPucker": shapes.mouth_round,
        "mouthLeft": shapes.mouth_side,
        "mouthRight": shapes.mouth_side,
        "mouthSmile": shapes.mouth_corner,
        "mouthFrown": shapes.mouth_corner,
        "mouthDimple": shapes.mouth_corner,
        "mouthStretch": shapes.mouth_corner,
        "mouthRoll": shapes.mouth_roll,
        "mouthShrug": shapes.mouth_shrug,
        "mouthPress": shapes.mouth_press,
        "mouthLowerDown": shapes.lip_apart,
        "mouthUpperUp": shapes.lip_apart,
        "brow": shapes.brow,
        "cheek": shapes.cheek,
        "noseSneer": shapes.nose_sneer,
        "tongueOut": shapes.tongue_out,
    }


def neutral_deltas(grid: HeadGrid) -> Array:
    """Build all shapes; returns (52, V, 3) in the schema's order."""
    builders = _builders(_Shapes(grid))
    deltas = []
    for name in EXPRESSION_NAMES:
        stem = max((s for s in builders if name.startswith(s)), key=len)
        delta = builders[stem](name)
        if not name.startswith("jaw"):  # the mouth's own jaw weights already move it
            within = (grid.kind == 1) | (grid.kind == 2)
            delta[within] = delta[grid.source[within]] * grid.follow[within, None]
        deltas.append(delta)
    return np.stack(deltas)
