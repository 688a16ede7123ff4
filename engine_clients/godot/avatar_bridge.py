"""Holds a session with the service for a Godot game on the same host.

    python avatar_bridge.py HOST:PORT [--photo PHOTO --subject WHO --basis WHY] [--size 512]

Prints the port to give to AvatarBridge.connect_to_bridge, then the session that the game's
connection opens; serves one game over loopback and ends with it.

Lines of JSON. In: {"speak": WAV}, {"interrupt": PTS}, {"heard": PTS},
{"controls": {NAME: VALUE}} (fields of avatar_client.controls.ControlValues). Out: "session",
"segment_started", "segment_ended", "interrupted", "failed". Times are nanoseconds, as text.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
import wave
from pathlib import Path
from typing import Any, Final

from avatar_client import AvatarClientError, Client, Consent, Session, connect
from avatar_client.gen.avatar.v1 import event_pb2

RING_SLOTS: Final = 24
"""At 40 frames a second 0.6 s: an engine's sound may be that far behind the newest picture."""


def say(session: Session, wav_path: str) -> None:
    """Send a 16 bit WAV file as one segment.

    Raises:
        ValueError: another kind of file.
    """
    try:
        with wave.open(wav_path, "rb") as wav:
            channels, sample_bytes, rate_hz = wav.getparams()[:3]
            samples = wav.readframes(wav.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{wav_path} is not a PCM WAV file") from error
    if sample_bytes != 2:
        raise ValueError(f"{wav_path} has {8 * sample_bytes} bits per sample, 16 are read")
    session.push_audio(samples, sample_rate_hz=rate_hz, channels=channels)
    session.end_segment()


def handle(session: Session, message: object) -> None:
    """Do what one line asks for.

    Raises:
        ValueError: it is not an object, a time is not a number, or there is no such control.
    """
    if not isinstance(message, dict):
        raise ValueError("a line has to be a JSON object")
    if "speak" in message:
        say(session, str(message["speak"]))
    if "interrupt" in message:
        session.interrupt(heard_pts_nanos=int(message["interrupt"]), timeout_secs=0)
    if "heard" in message:
        session.acknowledge(int(message["heard"]))
    if "controls" in message:
        session.set_controls(**message["controls"])


def event_line(event: object) -> dict[str, Any] | None:
    """Return what the game is told about an event; None: nothing."""
    if isinstance(event, event_pb2.SegmentStarted):
        return {"event": "segment_started", "pts_nanos": str(event.pts_nanos)}
    if isinstance(event, event_pb2.SegmentEnded):
        return {"event": "segment_ended", "interrupted": event.interrupted}
    if isinstance(event, event_pb2.Interrupted):
        return {"event": "interrupted", "epoch": event.epoch}
    return None


class Game:
    """The connection to the game."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.lines = connection.makefile("r", encoding="utf-8")

    def tell(self, message: dict[str, Any]) -> None:
        """Send one line."""
        with self._lock:
            self._connection.sendall((json.dumps(message) + "\n").encode())


def forward_events(session: Session, game: Game, is_over: threading.Event) -> None:
    """Tell the game what the service tells, until the game is over."""
    try:
        while not is_over.is_set():
            line = event_line(session.next_event(0.1))
            if line is not None:
                game.tell(line)
    except AvatarClientError as error:
        if not is_over.is_set():
            game.tell({"event": "failed", "line": str(error)})
    except OSError:
        is_over.set()  # the game has gone


def serve(client: Client, game: Game, avatar_id: str, size_px: int) -> None:
    """Run one game to its end."""
    with client.open_session(
        avatar_id, size_px=size_px, transport="shm", ring_slot_count=RING_SLOTS
    ) as session:
        ring = session.info.ring.path
        print(session.session_id, flush=True)
        game.tell({"event": "session", "ring": ring, "session_id": session.session_id})
        is_over = threading.Event()
        events = threading.Thread(target=forward_events, args=(session, game, is_over))
        events.start()
        try:
            for line in game.lines:
                try:
                    handle(session, json.loads(line))
                except (ValueError, TypeError, OSError) as error:
                    game.tell({"event": "failed", "line": str(error)})
        finally:
            is_over.set()
            events.join()


def main() -> int:
    """Wait for one game and serve it."""
    parser = argparse.ArgumentParser(description="Hold a session for a Godot game.")
    parser.add_argument("target", help="HOST:PORT of the service, on this host")
    parser.add_argument("--photo", type=Path, help="none: motion only")
    parser.add_argument("--subject", default="", help="consent: the person shown")
    parser.add_argument("--basis", default="", help="consent: by what right")
    parser.add_argument("--size", type=int, default=512, help="edge of the picture, pixels")
    options = parser.parse_args()
    try:
        with connect(options.target) as client, socket.create_server(("127.0.0.1", 0)) as door:
            avatar_id = ""
            if options.photo:
                consent = Consent(options.subject, options.basis)
                avatar_id = client.create_avatar(options.photo.read_bytes(), consent).avatar_id
            print(door.getsockname()[1], flush=True)
            connection, _ = door.accept()
            with connection:
                serve(client, Game(connection), avatar_id, options.size)
    except (AvatarClientError, OSError) as error:
        print(f"avatar_bridge: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
