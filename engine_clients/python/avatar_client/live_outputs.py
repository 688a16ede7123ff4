"""Receivers of other software that a session drives: Unreal's Live Link, VMC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from avatar_client.gen.avatar.v1 import live_output_pb2

VmcNames = Literal["vrm0", "vrm1", "perfect-sync"]

_NAME_SETS: Final[dict[str, live_output_pb2.VmcNameSet.ValueType]] = {
    "vrm0": live_output_pb2.VMC_NAME_SET_VRM0,
    "vrm1": live_output_pb2.VMC_NAME_SET_VRM1,
    "perfect-sync": live_output_pb2.VMC_NAME_SET_PERFECT_SYNC,
}


@dataclass(frozen=True, slots=True)
class LiveLinkOutput:
    """Unreal Engine's Apple ARKit Live Link source.

    Attributes:
        host: as the server sees it; empty: the server's own host.
        port: 0: 11111.
        subject: name under which the face appears.
        max_rate_hz: most frames per second; 0: the session's frame rate.
    """

    host: str = ""
    port: int = 0
    subject: str = "Avatar"
    max_rate_hz: int = 0

    def message(self) -> live_output_pb2.LiveOutput:
        """Build the message."""
        return live_output_pb2.LiveOutput(
            kind=live_output_pb2.LIVE_OUTPUT_KIND_LIVE_LINK,
            host=self.host,
            port=self.port,
            subject_name=self.subject,
            max_rate_hz=self.max_rate_hz,
        )


@dataclass(frozen=True, slots=True)
class VmcOutput:
    """A VMC receiver: VTuber software, Unity.

    Attributes:
        host: as the server sees it; empty: the server's own host.
        port: 0: 39539.
        names: set of expression names that the model is made for.
        max_rate_hz: most frames per second; 0: the session's frame rate.
    """

    host: str = ""
    port: int = 0
    names: VmcNames = "vrm0"
    max_rate_hz: int = 0

    def message(self) -> live_output_pb2.LiveOutput:
        """Build the message. Raises ValueError for unknown names."""
        if self.names not in _NAME_SETS:
            raise ValueError(f"names {self.names!r}: one of {', '.join(_NAME_SETS)}")
        return live_output_pb2.LiveOutput(
            kind=live_output_pb2.LIVE_OUTPUT_KIND_VMC,
            host=self.host,
            port=self.port,
            vmc_name_set=_NAME_SETS[self.names],
            max_rate_hz=self.max_rate_hz,
        )


LiveOutput = LiveLinkOutput | VmcOutput
