"""The service's own stages: what sessions of one avatar share, and when it goes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.portrait.portrait import Portrait
from avatar_service.provenance.watermark import Mark
from avatar_service.render.bench import moving_frame
from avatar_service.session.admission import Capacity
from avatar_service.session.session_request import OutputKind, SessionRequest
from avatar_service.session.stage_factory import PortraitRenderer, RealStages, TransportSettings
from avatar_service.signals import UInt8Array

pytestmark = pytest.mark.unit


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Portraits that were read from disk."""
    found: list[Path] = []
    real: Callable[[Path], Portrait] = Portrait.load

    def load(path: Path) -> Portrait:
        found.append(path)
        return real(path)

    monkeypatch.setattr(Portrait, "load", load)
    return found


@pytest.fixture
def stages(tmp_path: Path) -> RealStages:
    astronaut().save(tmp_path / "a.npz")
    astronaut().save(tmp_path / "b.npz")
    return RealStages(
        portrait_path=lambda avatar_id, _: tmp_path / f"{avatar_id}.npz",
        issue_mark=lambda _: Mark(7, 9),
        transports=TransportSettings(),
        capacity=Capacity(num_cores=2, max_sessions=9),
    )


def renderer_of(stages: RealStages, avatar_id: str = "a", size_px: int = 256) -> PortraitRenderer:
    outputs = frozenset({OutputKind.FRAMES})
    request = SessionRequest(
        avatar_id=avatar_id, rate=Fraction(40), size_px=size_px, outputs=outputs
    )
    made = stages.make_renderer(request)
    assert isinstance(made, PortraitRenderer)
    return made


def picture(renderer: PortraitRenderer, size_px: int = 256) -> UInt8Array:
    out = np.zeros((size_px, size_px, 4), np.uint8)
    renderer.render(renderer.limit_motion(moving_frame(3)), out)
    return out


def test_sessions_of_one_avatar_share_what_depends_on_it(
    stages: RealStages, loads: list[Path]
) -> None:
    one, other = renderer_of(stages), renderer_of(stages)
    assert len(loads) == 1
    assert one._scaled is other._scaled
    assert picture(one).any()
    assert picture(other).any()
    assert renderer_of(stages, "b")._scaled is not one._scaled
    assert renderer_of(stages, size_px=512)._scaled is not one._scaled


def test_it_goes_with_the_last_session(stages: RealStages, loads: list[Path]) -> None:
    one, other = renderer_of(stages), renderer_of(stages)
    one.close()
    del one
    gc.collect()
    assert len(stages._scaled) == 1
    picture(other)
    other.close()
    del other
    gc.collect()
    assert not stages._scaled
    renderer_of(stages)
    assert len(loads) == 2


def test_sessions_that_open_at_once_share_one(stages: RealStages) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: renderer_of(stages), range(4)))
    assert len({id(one._scaled) for one in made}) == 1
