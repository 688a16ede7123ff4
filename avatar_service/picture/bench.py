"""All of a portrait's figures, and their summary over a folder of portraits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from avatar_service.picture.controls import measure_controls
from avatar_service.picture.detail import fine_detail
from avatar_service.picture.stage import Stage
from avatar_service.picture.still import flicker, jaggedness, rest_likeness, room_stability
from avatar_service.picture.stretch import texture_stretch
from avatar_service.portrait.portrait import SIZES_PX, Portrait

Figures = dict[str, Any]


def bench_portrait(
    portrait: Portrait, size_px: int = 512, *, with_controls: bool = True
) -> Figures:
    """Measure one portrait; its rows are named as in still, stretch, detail and controls."""
    stage = Stage(portrait, size_px)
    as_photographed = Stage(portrait, size_px, neutralize=0.0)
    figures: Figures = {
        **rest_likeness(as_photographed),
        **room_stability(stage),
        **flicker(stage),
        **jaggedness(stage),
        **texture_stretch(stage),
    }
    if size_px > min(SIZES_PX):
        figures |= fine_detail(as_photographed)
    if with_controls:
        figures["controls"] = measure_controls(portrait)
    return figures


def summarize(portraits: Mapping[str, Figures]) -> Figures:
    """Return mean and range of every figure over the portraits, nested as they are."""
    if not portraits:
        return {}
    every = list(portraits.values())
    summary: Figures = {}
    for name in dict.fromkeys(name for figures in every for name in figures):
        values = [figures[name] for figures in every if name in figures]
        if isinstance(values[0], Mapping):
            summary[name] = summarize({str(i): value for i, value in enumerate(values)})
        else:
            numbers = np.array(values, np.float64)
            summary[name] = {
                "mean": float(numbers.mean()),
                "min": float(numbers.min()),
                "max": float(numbers.max()),
            }
    return summary
