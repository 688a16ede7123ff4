"""ZeroMQ publisher of a session: one PUB socket each for frames and for latents.

Messages have three parts: topic, msgpack header, payload (endpoint.proto, ZmqEndpoint). The two
kinds have sockets of their own, so that pictures of 1 MiB never crowd out latents of 97 bytes.
A subscriber that does not keep up loses what comes beyond its queue (NUM_WAITING_*): sending
never waits for anybody.

Local: ipc in a folder that only this user can enter. Across hosts: tcp, always with CURVE; the
server key of a socket is made for the session and handed out over gRPC alone, and without it no
subscription is possible.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import msgpack
import numpy as np
import zmq

from avatar_service.errors import AvatarError, Reason
from avatar_service.orphans import OwnedFolder, reclaim
from avatar_service.signals import MotionFrame, UInt8Array
from avatar_service.transports.motion_codec import encode_blob

PREFIX: Final = "avatar-zmq-"
HEADER_VERSION: Final = 1
NUM_WAITING_FRAMES: Final = 4
"""Pictures that may wait for one subscriber, beside what its connection buffers: 100 ms."""
NUM_WAITING_LATENTS: Final = 256
LINGER_MILLIS: Final = 1000
"""After closing, what waits is still sent for this long, in ZeroMQ's own thread."""


class Kind(Enum):
    """What a socket publishes."""

    FRAME = "frame"
    MOTION = "motion"


@dataclass(frozen=True, slots=True)
class ZmqAddress:
    """Where one kind is to be had; see ZmqEndpoint in endpoint.proto.

    Attributes:
        curve_server_key: Z85, 40 characters; empty for ipc.
    """

    kind: Kind
    address: str
    topic: str
    curve_server_key: str = ""


class ZmqPublisher:
    """A Publisher over ZeroMQ. Not thread-safe.

    Args:
        session_id: begins the topics.
        kinds: what to publish.
        folder: where the private folder of the ipc sockets is made; None: the user's runtime or
            temporary folder.
        tcp_host: also listen on this address ("*", "0.0.0.0", "127.0.0.1") and a free port.

    Raises:
        AvatarError: TRANSPORT_NOT_SUPPORTED where this libzmq lacks what is asked for;
            INVALID_FIELD for an address that cannot be bound.
    """

    def __init__(
        self,
        session_id: str,
        kinds: tuple[Kind, ...] = (Kind.FRAME, Kind.MOTION),
        *,
        folder: Path | None = None,
        tcp_host: str | None = None,
        context: zmq.Context[Any] | None = None,
    ) -> None:
        self._topics = {kind: f"{session_id}/{kind.value}".encode() for kind in kinds}
        self._context = context or zmq.Context.instance()
        self._folder = _own_folder(folder)
        self._sockets: dict[Kind, list[_Socket]] = {kind: [] for kind in kinds}
        self.addresses: list[ZmqAddress] = []
        self._last = _header(0, 0, 0)
        try:
            for kind in kinds:
                self._open(kind, f"ipc://{self._folder.path}/{kind.value}", has_curve=False)
                if tcp_host is not None:
                    self._open(kind, f"tcp://{tcp_host}:*", has_curve=True)
        except BaseException:
            self.close()
            raise

    def acquire(self) -> UInt8Array | None:
        """Lend nothing: ZeroMQ takes a copy of its own."""
        return None

    def publish(self, motion: MotionFrame, pixels: UInt8Array | None) -> None:
        """Send to those who have subscribed; see Publisher."""
        self._last = _header(motion.seq, motion.epoch, motion.pts_nanos)
        blob: bytes | None = None
        for kind, sockets in self._sockets.items():
            if kind is Kind.FRAME and pixels is None:
                continue
            listening = [s for s in sockets if s.has_subscribers()]
            if not listening:
                continue
            blob = encode_blob(motion) if blob is None else blob
            header = self._last | {"kind": kind.value}
            parts: list[Any]
            if kind is Kind.FRAME and pixels is not None:
                height, width = pixels.shape[:2]
                own = {"w": width, "h": height, "motion": blob}
                parts = [msgpack.packb(header | own), np.ascontiguousarray(pixels)]
            else:
                parts = [msgpack.packb(header), blob]
            for socket in listening:
                socket.send([self._topics[kind], *parts])

    def close(self) -> None:
        """Say that nothing more comes, close the sockets, remove their folder; idempotent."""
        end = msgpack.packb(self._last | {"kind": "end"})
        for kind, sockets in self._sockets.items():
            for socket in sockets:
                if socket.has_subscribers():
                    socket.send([self._topics[kind], end, b""])
        for sockets in self._sockets.values():
            for socket in sockets:
                socket.close()
        self._sockets = {}
        self._folder.close()

    def _open(self, kind: Kind, address: str, *, has_curve: bool) -> None:
        num_waiting = NUM_WAITING_FRAMES if kind is Kind.FRAME else NUM_WAITING_LATENTS
        socket = _Socket(self._context, address, num_waiting, has_curve=has_curve)
        self._sockets[kind].append(socket)
        topic = self._topics[kind].decode()
        self.addresses.append(ZmqAddress(kind, socket.address, topic, socket.curve_key))


def _header(seq: int, epoch: int, pts_nanos: int) -> dict[str, object]:
    at = time.monotonic_ns()
    return {"v": HEADER_VERSION, "seq": seq, "epoch": epoch, "pts": pts_nanos, "t": at}


class _Socket:
    """A PUB socket that knows whether anybody listens (XPUB tells the subscriptions)."""

    def __init__(
        self, context: zmq.Context[Any], address: str, num_waiting: int, *, has_curve: bool
    ) -> None:
        self.curve_key = ""
        self._num_topics = 0
        self._socket = context.socket(zmq.XPUB)
        try:
            self._socket.set(zmq.SNDHWM, num_waiting)
            self._socket.set(zmq.LINGER, LINGER_MILLIS)
            if has_curve:
                self._set_curve()
            self._socket.bind(address)
            self.address = self._socket.get_string(zmq.LAST_ENDPOINT)
        except zmq.ZMQError as error:
            self._socket.close(0)
            if error.errno == zmq.EPROTONOSUPPORT:
                raise AvatarError(
                    Reason.TRANSPORT_NOT_SUPPORTED, f"ZeroMQ here has no {address.split(':')[0]}"
                ) from error
            raise AvatarError(
                Reason.INVALID_FIELD, f"ZeroMQ cannot listen on {address}: {error}", field="zmq"
            ) from error
        except AvatarError:
            self._socket.close(0)
            raise

    def _set_curve(self) -> None:
        if not zmq.has("curve"):
            raise AvatarError(
                Reason.TRANSPORT_NOT_SUPPORTED, "ZeroMQ here was built without CURVE: no tcp"
            )
        public, secret = zmq.curve_keypair()
        self._socket.set(zmq.CURVE_SERVER, 1)
        self._socket.set(zmq.CURVE_SECRETKEY, secret)
        self.curve_key = public.decode()

    def has_subscribers(self) -> bool:
        """Take note of subscriptions and tell whether there are any."""
        while self._socket.get(zmq.EVENTS) & zmq.POLLIN:
            change = self._socket.recv(zmq.NOBLOCK)
            # One byte 1 for the first subscriber of a topic, 0 after its last has gone.
            self._num_topics += 1 if change[:1] == b"\x01" else -1
        return self._num_topics > 0

    def send(self, parts: list[Any]) -> None:
        """Send without waiting; ZeroMQ drops it for those whose queue is full."""
        self._socket.send_multipart(parts, zmq.NOBLOCK, copy=True)

    def close(self) -> None:
        """Close; what waits goes out in the background."""
        self._socket.close()


def _own_folder(parent: Path | None) -> OwnedFolder:
    parent = parent or runtime_folder()
    try:
        return OwnedFolder(parent, PREFIX)
    except OSError as error:
        raise AvatarError(
            Reason.INVALID_FILE, f"ZeroMQ's folder in {parent}: {error.strerror}"
        ) from error


def runtime_folder() -> Path:
    """Return the folder for this user's sockets; short, as a socket's path has 107 bytes."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) if runtime and Path(runtime).is_dir() else Path(tempfile.gettempdir())


def reclaim_sockets(folder: Path | None = None) -> list[Path]:
    """Remove the socket folders of services that have died; return their paths."""
    return reclaim(folder or runtime_folder(), PREFIX)
