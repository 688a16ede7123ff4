"""Stand-ins with the behaviour of the real stages, quick and easy to judge."""

from fakes.manual_clock import ManualClock
from fakes.motion_stage import FakeMotionStage
from fakes.renderer import FakeRenderer, read_number

__all__ = ["FakeMotionStage", "FakeRenderer", "ManualClock", "read_number"]
