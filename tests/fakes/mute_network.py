"""A network between client and service that can swallow everything from one moment on, as a cable
that is pulled: nobody is told, and new connections go through again."""

import contextlib
import socket
import threading

PART_BYTES = 64 << 10


class MuteNetwork:
    """Forwards connections to `target`; those that are there at `mute` are never heard of again."""

    def __init__(self, target):
        host, _, port = target.rpartition(":")
        self._service = (host, int(port))
        self._door = socket.create_server(("127.0.0.1", 0))
        self._ways = []
        self._is_mute = {}
        self.target = f"127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def num_connections(self):
        """How many there have been."""
        return len(self._is_mute)

    def mute(self):
        """Swallow what the present connections carry."""
        for is_mute in self._is_mute.values():
            is_mute.set()

    def close(self):
        """Close everything."""
        for way in (self._door, *self._ways):
            with contextlib.suppress(OSError):
                way.shutdown(socket.SHUT_RDWR)
            way.close()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(self._service)
                self._ways += [near, far]
                is_mute = self._is_mute[near] = threading.Event()
                for one, other in ((near, far), (far, near)):
                    threading.Thread(
                        target=_forward, args=(one, other, is_mute), daemon=True
                    ).start()


def _forward(one, other, is_mute):
    with contextlib.suppress(OSError):
        while part := one.recv(PART_BYTES):
            if not is_mute.is_set():
                other.sendall(part)
        if not is_mute.is_set():
            other.shutdown(socket.SHUT_WR)
