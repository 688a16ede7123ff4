"""Random calls at a running service, made from its descriptors: valid, broken, and out of order.

Whatever a client sends, a call ends in time and with a status that is the client's fault or none:
never INTERNAL, UNKNOWN or a hang. `python -m tools.fuzz.live --minutes 60` starts a service,
fuzzes it, and checks that sessions, file descriptors, threads and shared-memory files are then as
they were.
"""

from __future__ import annotations

import argparse
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from avatar_service.gen.avatar.v1 import (
    audio_pb2,
    avatar_service_pb2,
    avatar_service_pb2_grpc,
    event_pb2,
)
from tools.fuzz.protos import random_message

CALL_SECS: Final = 30.0
"""A call that takes longer hangs."""
MAX_SESSIONS: Final = 6
MAX_STREAM_MESSAGES: Final = 24
MAX_READ: Final = 40
POOLS: Final = 8
"""Threads (and descriptors) that pools add when many calls come at once, and keep; what leaks with
every call or session is soon beyond it."""
FAULTS: Final = (
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.DATA_LOSS,
)
_SERVICE: Final = avatar_service_pb2.DESCRIPTOR.services_by_name["AvatarService"]


@dataclass(slots=True)
class LiveFuzzer:
    """Fuzzes one service.

    Attributes:
        channel: to the service.
        rng: draws everything.
        findings: what should not have happened.
        counts: statuses by method.
    """

    channel: grpc.Channel
    rng: random.Random
    findings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _sessions: list[str] = field(default_factory=list)
    _avatars: list[str] = field(default_factory=list)

    def step(self) -> None:
        """Make one random call, or one stream."""
        method = self.rng.choice(_SERVICE.methods)
        if method.client_streaming and method.server_streaming:
            self._animate()
        elif self.rng.random() < 0.1:
            self._send_garbage(method.name, is_stream=method.client_streaming)
        elif method.client_streaming:
            self._upload()
        else:
            self._ask(method.name, self._request(method.input_type))
        if len(self._sessions) > MAX_SESSIONS:
            self._close(self._sessions.pop(0))

    def finish(self) -> None:
        """Close and delete what is left."""
        for session_id in self._sessions:
            self._close(session_id)
        stub = avatar_service_pb2_grpc.AvatarServiceStub(self.channel)
        for avatar in stub.ListAvatars(avatar_service_pb2.ListAvatarsRequest()).avatars:
            stub.DeleteAvatar(
                avatar_service_pb2.DeleteAvatarRequest(
                    avatar_id=avatar.avatar_id, end_sessions=True
                )
            )

    def _request(self, descriptor: Any) -> Message:
        message: Any = random_message(descriptor, self.rng)
        if self._sessions and hasattr(message, "session_id") and self.rng.random() < 0.8:
            message.session_id = self.rng.choice(self._sessions)
        if hasattr(message, "avatar_id"):
            ids = [*self._avatars, "", ""]
            message.avatar_id = self.rng.choice(ids) if self.rng.random() < 0.8 else "../avatars"
        # Most random sessions are refused for a single field: half of them get usual ones.
        if isinstance(message, avatar_service_pb2.CreateSessionRequest) and self.rng.random() < 0.5:
            wish = avatar_service_pb2.CreateSessionRequest(avatar_id=message.avatar_id)
            for name in self.rng.sample(("frame_rate", "outputs", "transports", "pacing"), 2):
                copy = getattr(message, name)
                if name == "frame_rate":
                    wish.frame_rate.num, wish.frame_rate.den = self.rng.choice((40, 120)), 1
                elif name == "pacing":
                    wish.pacing = copy
                else:
                    getattr(wish, name).extend(copy)
            return wish
        return message  # type: ignore[no-any-return]

    def _ask(self, name: str, request: Message) -> None:
        stub = avatar_service_pb2_grpc.AvatarServiceStub(self.channel)
        answer = self._guarded(name, lambda: getattr(stub, name)(request, timeout=CALL_SECS))
        if isinstance(answer, avatar_service_pb2.CreateSessionResponse):
            self._sessions.append(answer.session.session_id)
        if isinstance(answer, avatar_service_pb2.CloseSessionResponse):
            gone = getattr(request, "session_id", "")
            self._sessions = [one for one in self._sessions if one != gone]

    def _close(self, session_id: str) -> None:
        self._ask("CloseSession", avatar_service_pb2.CloseSessionRequest(session_id=session_id))

    def _send_garbage(self, name: str, *, is_stream: bool) -> None:
        path = f"/{_SERVICE.full_name}/{name}"
        data = self.rng.randbytes(self.rng.choice((0, 1, 30, 3000)))
        if is_stream:
            call: Any = self.channel.stream_unary(path)
            self._guarded(name, lambda: call(iter([data]), timeout=CALL_SECS))
        else:
            call = self.channel.unary_unary(path)
            self._guarded(name, lambda: call(data, timeout=CALL_SECS))

    def _upload(self) -> None:
        descriptor = avatar_service_pb2.CreateAvatarRequest.DESCRIPTOR
        parts: list[Any] = [
            random_message(descriptor, self.rng) for _ in range(self.rng.randrange(5))
        ]
        if self.rng.random() < 0.5:
            header = avatar_service_pb2.CreateAvatarRequest()
            header.header.consent.subject = header.header.consent.basis = "fuzz"
            photo = avatar_service_pb2.CreateAvatarRequest(photo_chunk=self.rng.randbytes(30))
            parts = [header, photo, *parts[: self.rng.randrange(2)]]
        stub = avatar_service_pb2_grpc.AvatarServiceStub(self.channel)
        made = self._guarded(
            "CreateAvatar", lambda: stub.CreateAvatar(iter(parts), timeout=CALL_SECS)
        )
        if isinstance(made, avatar_service_pb2.CreateAvatarResponse):
            self._avatars.append(made.avatar.avatar_id)

    def _animate(self) -> None:
        """One stream: opened well or badly, talked over, and left in one of two ways."""
        rng = self.rng
        sending = threading.Event()
        leaves = rng.choice(("half-close", "cancel"))
        messages = list(self._conversation())

        def requests() -> Iterator[Any]:
            yield from messages
            if leaves != "half-close":
                sending.wait(CALL_SECS)

        stub = avatar_service_pb2_grpc.AvatarServiceStub(self.channel)
        call = stub.Animate(requests(), timeout=CALL_SECS)

        def read() -> None:
            for number, _ in enumerate(call):
                if number >= MAX_READ:
                    break

        ends = time.monotonic() + rng.uniform(0.0, 0.3)
        reading = threading.Thread(target=self._guarded, args=("Animate", read))
        reading.start()
        if leaves == "half-close":
            reading.join(0.5)  # REALTIME speech takes its time: what is not out by then is left
        else:
            reading.join(max(0.0, ends - time.monotonic()))
        call.cancel()
        sending.set()
        reading.join(CALL_SECS)
        if reading.is_alive():
            self.findings.append("Animate: cancelled, and it did not end")

    def _conversation(self) -> Iterator[Any]:
        rng = self.rng
        descriptor = avatar_service_pb2.AnimateRequest.DESCRIPTOR
        if rng.random() < 0.85 and self._sessions:
            roles = (event_pb2.STREAM_ROLE_CONTROLLER, event_pb2.STREAM_ROLE_OBSERVER)
            opening = event_pb2.OpenStream(
                session_id=rng.choice(self._sessions), role=rng.choice(roles)
            )
            yield avatar_service_pb2.AnimateRequest(open=opening)
        for _ in range(rng.randrange(MAX_STREAM_MESSAGES)):
            if rng.random() < 0.5:
                chunk = audio_pb2.AudioChunk(
                    format=audio_pb2.AUDIO_FORMAT_PCM_S16LE,
                    sample_rate_hz=16_000,
                    channels=1,
                    data=rng.randbytes(640),
                )
                yield avatar_service_pb2.AnimateRequest(audio=chunk)
            else:
                yield random_message(descriptor, rng)

    def _guarded(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call and judge its status."""
        try:
            answer = call()
        except grpc.RpcError as error:
            code = error.code()
            self.counts[f"{name} {code.name}"] += 1
            if code in FAULTS:
                self.findings.append(f"{name}: {code.name}: {error.details()}")
            return None
        self.counts[f"{name} OK"] += 1
        return answer


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process holds."""

    num_fds: int
    num_threads: int
    rings: frozenset[str]

    @classmethod
    def of(cls, pid: int, folder: Path) -> Holdings:
        """Count a process's file descriptors and threads, and the ring files in a folder."""
        import psutil

        process = psutil.Process(pid)
        rings = frozenset(path.name for path in folder.glob("avatar-ring-*"))
        return cls(process.num_fds(), process.num_threads(), rings)

    def grown_since(self, before: Holdings) -> str:
        """Say what is more than before, but for pools that fill with use; "" where nothing is."""
        grown = []
        if self.num_fds > before.num_fds + POOLS:
            grown.append(f"file descriptors {before.num_fds} -> {self.num_fds}")
        if self.num_threads > before.num_threads + POOLS:
            grown.append(f"threads {before.num_threads} -> {self.num_threads}")
        if self.rings - before.rings:
            grown.append(f"{len(self.rings - before.rings)} rings left")
        return ", ".join(grown)


def leaks(before: Holdings, look: Callable[[], Holdings], patience_secs: float) -> str:
    """Wait until a process holds no more than before; return what stays, "" if nothing does."""
    deadline = time.monotonic() + patience_secs
    while (grown := look().grown_since(before)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return grown


def main() -> int:
    """Fuzz a service of our own."""
    from avatar_service.session.service_process import ServiceProcess

    parser = argparse.ArgumentParser(prog="python -m tools.fuzz.live", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4))
    print(f"seed {seed}")
    with TemporaryDirectory() as home:
        rings = Path(home) / "rings"
        rings.mkdir()
        settings = {
            "home": home,
            "shm.folder": str(rings),
            "quotas.requests_per_sec": "1e6",
            "limits.idle_timeout_secs": "5",
        }
        with ServiceProcess(settings) as service:
            for number in range(2):  # the first seconds load libraries and start pools
                is_warm_up = number == 0
                before = Holdings.of(service.pid, rings)
                with grpc.insecure_channel(service.address) as channel:
                    fuzzer = LiveFuzzer(channel, random.Random(seed + number))
                    ends = time.monotonic() + (15.0 if is_warm_up else options.minutes * 60)
                    while time.monotonic() < ends and not fuzzer.findings:
                        fuzzer.step()
                    fuzzer.finish()
                left = leaks(before, lambda: Holdings.of(service.pid, rings), 30.0)
                if left and not is_warm_up:
                    fuzzer.findings.append(f"leak: {left}")
            if service.process.poll() is not None:
                fuzzer.findings.append("the service ended: " + " / ".join(service.lines))
    for line, count in sorted(fuzzer.counts.items()):
        print(f"{count:8d} {line}")
    print("\n".join(fuzzer.findings) or "nothing found")
    return int(bool(fuzzer.findings))


if __name__ == "__main__":
    raise SystemExit(main())
