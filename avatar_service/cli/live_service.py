"""Speech of a file through a running service that drives the receivers itself."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final

from avatar_client import (
    AvatarClientError,
    LiveLinkOutput,
    Session,
    Tls,
    VmcOutput,
    connect,
)

from avatar_service.audio.ingest import SAMPLE_RATE_HZ
from avatar_service.cli.decoding import stream_audio
from avatar_service.cli.live import split_endpoint
from avatar_service.cli.motion_source import is_motion_file
from avatar_service.errors import AvatarError, Reason
from avatar_service.export import live_link_udp, vmc
from avatar_service.export.conventions import NameSet
from avatar_service.signals import Controls, Float32Array

AHEAD_SECS: Final = 1.0
"""Speech that is sent ahead of its time, so that a busy moment here is not heard."""
_SEGMENT: Final = "file"


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where the motion goes, as options name it; None: not there."""

    live_link: str | None
    vmc: str | None
    subject: str
    names: tuple[NameSet, ...]

    def outputs(self) -> list[LiveLinkOutput | VmcOutput]:
        """Turn the options into outputs of a session. Raises INVALID_FIELD."""
        found: list[LiveLinkOutput | VmcOutput] = []
        if self.live_link is not None:
            host, port = split_endpoint("--live-link", self.live_link, live_link_udp.DEFAULT_PORT)
            found.append(LiveLinkOutput(host, port, self.subject))
        if self.vmc is not None:
            host, port = split_endpoint("--vmc", self.vmc, vmc.DEFAULT_PORT)
            found += [VmcOutput(host, port, name.value) for name in self.names]
        if not found:
            raise AvatarError(
                Reason.INVALID_FIELD, "name a receiver: --live-link HOST or --vmc HOST"
            )
        return found


def stream_through_service(
    source: Path,
    target: str,
    receivers: Receivers,
    *,
    rate: Fraction,
    controls: Controls,
    has_own_list: bool = False,
    token: str | None = None,
    tls_root: Path | None = None,
) -> float:
    """Open a latent-only session, speak the file in real time, wait until it is out.

    Args:
        source: speech, any file that FFmpeg reads.
        target: "host:port" of the service.
        receivers: where its motion goes, as the service sees it.
        rate: frames per second of the session.
        controls: emotion and seed are passed on.
        has_own_list: whether --allow was given, which the service would not heed.
        token: bearer token.
        tls_root: certificate of the signer; None: without TLS (loopback).

    Returns:
        Seconds of speech.

    Raises:
        AvatarError: for bad options and files, and with what the service refused.
    """
    if is_motion_file(source):
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"{source.name}: a service takes speech; leave --service out to play motion",
            field="source",
        )
    if has_own_list:
        raise AvatarError(
            Reason.INVALID_FIELD,
            "--allow: with --service its own live.allowed_destinations decides",
            field="allow",
        )
    outputs = receivers.outputs()
    tls = _tls(tls_root)
    pieces = stream_audio(source)
    first = next(pieces)  # a file that cannot be read is told before anything is opened
    try:
        with (
            connect(target, tls=tls, token=token) as client,
            client.open_session(
                frame_rate=rate,
                outputs=["motion"],
                transport="grpc",
                controls={"emotion": dict(controls.emotion), "seed": controls.seed},
                live_outputs=outputs,
            ) as session,
        ):
            return _speak(session, chain([first], pieces))
    except AvatarClientError as error:
        # The service has said it in one line; a reason of the client's own is a fault on the way.
        known = error.reason in Reason.__members__
        reason = Reason(error.reason) if known else Reason.WARMING_UP
        raise AvatarError(reason, error.message) from error


def _tls(root: Path | None) -> Tls | None:
    if root is None:
        return None
    try:
        return Tls(root_certificates=root.read_bytes())
    except OSError as error:
        raise AvatarError(Reason.INVALID_FILE, f"{root}: {error.strerror}") from error


def _speak(session: Session, pieces: Iterable[Float32Array]) -> float:
    began = time.monotonic()
    num_samples = 0
    for samples in pieces:
        wait = began + num_samples / SAMPLE_RATE_HZ - AHEAD_SECS - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        session.push_audio(samples, sample_rate_hz=SAMPLE_RATE_HZ, segment_id=_SEGMENT)
        num_samples += len(samples)
    session.end_segment()
    for _ in session.frames(through_segment=_SEGMENT):
        pass  # until the last frame of the speech is out
    return num_samples / SAMPLE_RATE_HZ
