"""Timed phones -> articulator curves: what the lips do when the phones are known.

One model serves three ends: the targets on which the network is trained, the mouth of clients that
send known phones, and the reference of the metrics.

Each phone pulls the jaw and the lips towards its target with a Gaussian dominance in time (Cohen &
Massaro 1993): curve(t) = sum_p D_p(t) T_p / sum_p D_p(t). Seals of the lips (p b m) and of lip and
teeth (f v) are not averaged: they are trapezoids that reach 1, with 40 ms ramps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy

from avatar_service.motion.phones import TimedPhone
from avatar_service.motion.visemes import (
    CLOSURE,
    FUNNEL,
    JAW,
    LABIODENTAL,
    NUM_ARTICULATORS,
    ROUNDING,
    SHAPES,
    SPREAD,
    TONGUE,
    UNKNOWN,
    VISEME_INDEX,
)
from avatar_service.signals import Float32Array

GRID_SECS: Final = 0.005
"""Step of the internal time grid."""

_JAW_SIGMA_SECS: Final = 0.035
_LIP_SIGMA_SECS: Final = 0.045
"""Widths of the dominance; rounding and protrusion anticipate more than the jaw (JALI: lip-heavy
phones start early and linger)."""
_TONGUE_SIGMA_SECS: Final = 0.02
SEAL_RAMP_SECS: Final = 0.04
"""Time in which the lips come together or part."""
PARTING: Final = 0.5
"""Contact at which the lips begin to part."""
PARTING_PER_SEC: Final = 10.0
"""How fast the contact falls from there on. Lower lip and jaw reach 0.2 to 0.3 m/s in speech (Kuehn
& Moll 1976; Loefqvist & Gracco 1997) and a viseme takes some 120 ms to unfold (JALI)."""
JAW_PER_SEC: Final = 10.0
"""The most by which the jaw opens, for the same reason."""
_MIN_SEAL_SECS: Final = 0.04
_MOTOR_FLOOR: Final = 1e-3
_PHONE_JAW_UNDER_SEAL: Final = 0.85
"""Share of the jaw that a full seal takes away: the jaw rises with the lips."""


def paint(phones: Sequence[TimedPhone], values: dict[str, float], num_cells: int) -> Float32Array:
    """Give each cell of the time grid the value of the phone that covers it.

    Args:
        phones: canonical phones; gaps count as SIL, UNKNOWN as SIL.
        values: value by canonical phone.
        num_cells: length of the grid; cell i covers [i, i + 1) * GRID_SECS.

    Returns:
        (num_cells,) float32.
    """
    cells = np.full(num_cells, values["SIL"], np.float32)
    for phone in phones:
        first, last = _cells(phone, num_cells)
        cells[first:last] = values.get(phone.symbol, values["SIL"])
    return cells


def _cells(phone: TimedPhone, num_cells: int) -> tuple[int, int]:
    first = max(0, round(phone.start_secs / GRID_SECS))
    return first, min(num_cells, max(first, round(phone.end_secs / GRID_SECS)))


def _dominated(targets: Float32Array, dominance: Float32Array, sigma_secs: float) -> Float32Array:
    sigma = sigma_secs / GRID_SECS
    pull = scipy.ndimage.gaussian_filter1d(targets * dominance, sigma, mode="nearest")
    weight = scipy.ndimage.gaussian_filter1d(dominance, sigma, mode="nearest")
    return np.asarray(pull / np.maximum(weight, _MOTOR_FLOOR), np.float32)


def _trapezoids(holds: Sequence[tuple[float, float]], num_cells: int) -> Float32Array:
    """Plateaus of 1 over each [start, end] second, with linear ramps of SEAL_RAMP_SECS."""
    centres = (np.arange(num_cells, dtype=np.float32) + 0.5) * GRID_SECS
    curve = np.zeros(num_cells, np.float32)
    for start, end in holds:
        first = max(0, int((start - SEAL_RAMP_SECS) / GRID_SECS))
        last = min(num_cells, int((end + SEAL_RAMP_SECS) / GRID_SECS) + 2)
        near = centres[first:last]
        outside = np.maximum(np.maximum(start - near, near - end), 0.0)
        ramp = np.clip(1.0 - outside / SEAL_RAMP_SECS, 0.0, 1.0)
        np.maximum(curve[first:last], ramp, out=curve[first:last])
    return curve


def _holds(phones: Sequence[TimedPhone], share: dict[str, float]) -> list[tuple[float, float]]:
    holds = []
    for phone in phones:
        part = share.get(phone.symbol, 0.0)
        if part > 0:
            length = max(_MIN_SEAL_SECS, part * (phone.end_secs - phone.start_secs))
            holds.append((phone.start_secs, phone.start_secs + length))
    return holds


_ROUNDING_OF: Final = {name: shape.rounding for name, shape in SHAPES.items()}
_FUNNEL_OF: Final = {name: shape.funnel for name, shape in SHAPES.items()}
_SPREAD_OF: Final = {name: shape.spread for name, shape in SHAPES.items()}
_TONGUE_OF: Final = {name: shape.tongue for name, shape in SHAPES.items()}
_JAW_OF: Final = {name: shape.jaw for name, shape in SHAPES.items()}
_LIP_DOMINANCE: Final = {name: shape.lip_dominance for name, shape in SHAPES.items()}
_JAW_DOMINANCE: Final = {name: shape.jaw_dominance for name, shape in SHAPES.items()}
_SEAL_HOLD: Final = {name: shape.seal_hold for name, shape in SHAPES.items()}
_DENTAL_HOLD: Final = {name: shape.labiodental_hold for name, shape in SHAPES.items()}


def articulator_grid(phones: Sequence[TimedPhone], duration_secs: float) -> Float32Array:
    """Compute the articulator curves of an utterance on the 5 ms grid.

    Args:
        phones: canonical phones (phones.canonical_phones), seconds from the utterance's start.
        duration_secs: length of the grid; what no phone covers is silence.

    Returns:
        (ceil(duration / 5 ms), 7) float32 in 0..1, order of visemes.ARTICULATORS; row i is the
        mouth at (i + 0.5) * 5 ms.
    """
    num_cells = max(1, int(np.ceil(duration_secs / GRID_SECS - 1e-9)))
    curves = np.zeros((num_cells, NUM_ARTICULATORS), np.float32)
    lips = paint(phones, _LIP_DOMINANCE, num_cells)
    for column, values in ((ROUNDING, _ROUNDING_OF), (FUNNEL, _FUNNEL_OF), (SPREAD, _SPREAD_OF)):
        targets = paint(phones, values, num_cells)
        curves[:, column] = _dominated(targets, lips, _LIP_SIGMA_SECS)
    jaw = _dominated(
        paint(phones, _JAW_OF, num_cells),
        paint(phones, _JAW_DOMINANCE, num_cells),
        _JAW_SIGMA_SECS,
    )
    tongue = paint(phones, _TONGUE_OF, num_cells)
    curves[:, TONGUE] = scipy.ndimage.gaussian_filter1d(
        tongue, _TONGUE_SIGMA_SECS / GRID_SECS, mode="nearest"
    )
    curves[:, CLOSURE] = _trapezoids(_holds(phones, _SEAL_HOLD), num_cells)
    curves[:, LABIODENTAL] = _trapezoids(_holds(phones, _DENTAL_HOLD), num_cells)
    # Lip on teeth leaves no room for a wide jaw, a seal next to none.
    seal = np.maximum(curves[:, CLOSURE], 0.7 * curves[:, LABIODENTAL])
    rest = 0.1
    curves[:, JAW] = jaw - _PHONE_JAW_UNDER_SEAL * seal * np.maximum(jaw - rest, 0.0)
    return np.clip(curves, 0.0, 1.0)


def mouth_grid(phones: Sequence[TimedPhone], duration_secs: float) -> Float32Array:
    """Compute the mouth that is shown: articulator_grid, opening no faster than people do.

    Args:
        phones: as articulator_grid.
        duration_secs: as articulator_grid.

    Returns:
        As articulator_grid.
    """
    curves = articulator_grid(phones, duration_secs)
    for column in (CLOSURE, LABIODENTAL):
        curves[:, column] = _parting(curves[:, column].tolist())
    jaw, most = curves[:, JAW].tolist(), JAW_PER_SEC * GRID_SECS
    for i in range(1, len(jaw)):
        jaw[i] = min(jaw[i], jaw[i - 1] + most)
    curves[:, JAW] = jaw
    return curves


def _parting(contact: list[float]) -> list[float]:
    """Let a contact at or below PARTING fall no faster than lips part."""
    slowest = PARTING_PER_SEC * GRID_SECS
    for i in range(1, len(contact)):
        if contact[i - 1] > PARTING:
            contact[i] = max(contact[i], min(contact[i - 1], PARTING - slowest))
        else:
            contact[i] = max(contact[i], contact[i - 1] - slowest)
    return contact


def viseme_grid(phones: Sequence[TimedPhone], duration_secs: float) -> np.ndarray:
    """Label each cell of the 5 ms grid with its viseme.

    /h/ has no shape of its own and takes the viseme of the phone that follows.

    Returns:
        (ceil(duration / 5 ms),) int8 indices into VISEMES; -1 where the phone is UNKNOWN.
    """
    num_cells = max(1, int(np.ceil(duration_secs / GRID_SECS - 1e-9)))
    labels = np.full(num_cells, VISEME_INDEX["sil"], np.int8)
    for position, phone in enumerate(phones):
        first, last = _cells(phone, num_cells)
        symbol = phone.symbol
        if symbol == "HH" and position + 1 < len(phones):
            follower = phones[position + 1].symbol
            symbol = follower if follower not in ("SIL", UNKNOWN) else symbol
        labels[first:last] = -1 if symbol == UNKNOWN else VISEME_INDEX[SHAPES[symbol].viseme]
    return labels


def sample_grid(grid: Float32Array, times_secs: Float32Array) -> Float32Array:
    """Interpolate grid rows at any times; beyond the ends the end rows hold.

    Args:
        grid: (cells, columns) of `articulator_grid`.
        times_secs: (n,) seconds.

    Returns:
        (n, columns) float32.
    """
    position = np.clip(np.asarray(times_secs) / GRID_SECS - 0.5, 0, len(grid) - 1)
    low = np.minimum(position.astype(np.int64), max(0, len(grid) - 2))
    share = (position - low).astype(np.float32)[:, None]
    high = np.minimum(low + 1, len(grid) - 1)
    return np.asarray(grid[low] * (1 - share) + grid[high] * share, np.float32)
