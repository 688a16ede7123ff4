import pytest
from fakes.portraits import astronaut

from avatar_service.render.bench import bench_render, moving_frame
from avatar_service.render.cpu import STAGES

pytestmark = pytest.mark.unit


def test_bench_reports_every_stage_and_percentile():
    report = bench_render(astronaut(), frames=3, size_px=256)
    assert report["frame_ms_p99"] >= report["frame_ms_p50"] > 0
    assert set(report["stage_ms"]) == set(STAGES)
    assert sum(report["stage_ms"].values()) <= 2 * report["frame_ms_p99"]


def test_bench_motion_moves():
    assert (moving_frame(0).head_rotation != moving_frame(20).head_rotation).any()
