"""What makes the motion stages of a process: compiled networks, or those on a GPU."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from avatar_service.motion.stage import MotionStage
from avatar_service.signals import Controls


class MotionNets(Protocol):
    """Makes motion stages whose networks run in one place: CompiledNets or DeviceNets."""

    def stage(self, rate: Fraction, controls: Controls, lookahead_nanos: int) -> MotionStage:
        """Make a stage; see MotionStage."""
        ...


class CompiledNets:
    """On the calling thread."""

    def stage(self, rate: Fraction, controls: Controls, lookahead_nanos: int) -> MotionStage:
        """Make a stage; see MotionStage."""
        return MotionStage(rate, controls, lookahead_nanos=lookahead_nanos)


def motion_nets(device: str, option: str) -> MotionNets:
    """Choose where networks of motion run.

    Args:
        device: cpu; cuda:N for all sessions at once; auto for that where there is a GPU.
        option: that named it, to blame.

    Raises:
        AvatarError: see torch_device; MODELS_NOT_AVAILABLE where weights cannot be read.
    """
    if device != "cpu":
        from avatar_service.motion.torch_device import torch_device  # torch takes seconds to load

        device = torch_device(device, option)
    if device == "cpu":
        return CompiledNets()
    from avatar_service.motion.device_nets import DeviceNets

    return DeviceNets(device)
