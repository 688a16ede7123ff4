"""A network between client and service that stands still or breaks on demand: a TCP relay on the
loopback."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

PIECE_BYTES = 65_536
BUFFER_BYTES = 262_144
"""What the kernel may hold at each of the relay's ends: a pause is felt soon."""


class TcpPauser:
    """Relays the connections to a port; while paused nothing passes in either direction.

    Args:
        port: where to pass it on, on 127.0.0.1.
        rewrite: changes what flows back to the client, piece by piece.
    """

    def __init__(self, port: int, rewrite: Callable[[bytes], bytes] | None = None) -> None:
        self._target = port
        self._rewrite = rewrite
        self._flows = threading.Event()
        self._flows.set()
        self._broken: list[threading.Event] = []
        self._sockets: list[socket.socket] = []
        self.num_connections = 0
        self.bytes_to_client = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def pause(self, secs: float) -> None:
        """Stand still for a time."""
        self._flows.clear()
        time.sleep(secs)
        self._flows.set()

    def break_silently(self) -> None:
        """Pass nothing more on in the connections that are there; nobody is told."""
        self._flows.clear()
        self._broken.append(self._flows)
        self._flows = threading.Event()
        self._flows.set()

    def close(self) -> None:
        for flows in (self._flows, *self._broken):
            flows.set()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):  # its other end was faster
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return  # closed, or nobody is there
            self.num_connections += 1
            for each in (client, server):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, server]
            for way in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._relay, args=(*way, self._flows), daemon=True).start()

    def _relay(
        self,
        source: socket.socket,
        sink: socket.socket,
        is_to_client: bool,
        flows: threading.Event,
    ) -> None:
        with contextlib.suppress(OSError):  # one end has gone: so goes the other
            while data := source.recv(PIECE_BYTES):
                flows.wait()
                if is_to_client:
                    self.bytes_to_client += len(data)
                    if self._rewrite is not None:
                        data = self._rewrite(data)
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class FarNetwork:
    """Stands between a client and all ports of a service, so that it looks like another host.

    gRPC passes through one relay. In what the service answers there, ZeroMQ's tcp port is replaced
    by that of a second relay, and ipc sockets by ones that are not there; so the client takes tcp,
    with CURVE, as it would across a network.
    """

    _TCP = re.compile(rb"tcp://127\.0\.0\.1:(\d+)")

    def __init__(self, address: str) -> None:
        self._zmq: dict[bytes, TcpPauser] = {}
        self.grpc = TcpPauser(int(address.rpartition(":")[2]), self._rewrite)
        self.address = f"127.0.0.1:{self.grpc.port}"

    @property
    def num_zmq_connections(self) -> int:
        return sum(pauser.num_connections for pauser in self._zmq.values())

    def pause(self, secs: float) -> None:
        """Let nothing pass for a time."""
        parts = [threading.Thread(target=p.pause, args=(secs,)) for p in self._pausers()]
        for part in parts:
            part.start()
        for part in parts:
            part.join()

    def _pausers(self) -> list[TcpPauser]:
        return [self.grpc, *self._zmq.values()]

    def _rewrite(self, data: bytes) -> bytes:
        return self._TCP.sub(self._other_port, data.replace(b"ipc:///", b"ipc://!"))

    def _other_port(self, found: re.Match[bytes]) -> bytes:
        port = found[1]
        while port not in self._zmq:  # of as many digits: the message keeps its length
            pauser = TcpPauser(int(port))
            if len(str(pauser.port)) == len(port):
                self._zmq[port] = pauser
            else:
                pauser.close()
        return b"tcp://127.0.0.1:%d" % self._zmq[port].port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pauser in self._pausers():
            pauser.close()
