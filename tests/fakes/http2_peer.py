"""The other end of an HTTP/2 connection, by hand: what keeps it alive and what does not."""

import re

HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
SETTINGS_ANSWER = bytes((0, 0, 0, 4, 1, 0, 0, 0, 0))
PING = bytes((0, 0, 8, 6, 0, 0, 0, 0, 0))
PING_ANSWER = bytes((0, 0, 8, 6, 1, 0, 0, 0, 0))
_ASKED = re.compile(re.escape(PING) + rb"(.{8})", re.DOTALL)


class PingCounter:
    """Counts the probes in what a connection has brought, and answers them."""

    def __init__(self, connection, *, answers=True):
        self.heard = b""
        self.num_pings = 0
        self._connection = connection
        self._answers = answers

    def read(self):
        """Take in what comes next; False at the end."""
        part = self._connection.recv(4096)
        self.heard += part
        for data in _ASKED.findall(self.heard)[self.num_pings :]:
            self.num_pings += 1
            if self._answers:
                self._connection.sendall(PING_ANSWER + data)
        return bool(part)
