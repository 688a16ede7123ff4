"""`avatar bench chaos`: the service and its clients are killed at random moments, again and again.

Clients stream all the time, over every transport. In each cycle one of them, or the service itself,
gets SIGKILL. A new service takes the port over and must find and remove what the dead one left; at
the end nothing may be left at all.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_service.endurance.visitor import run_visitor
from avatar_service.session.service_process import ServiceProcess
from avatar_service.signals import Float32Array

LONGEST_PAUSE_SECS: Final = 0.6
"""Between two kills, drawn evenly: connecting, opening, speaking and closing are all met."""
IDLE_TIMEOUT_SECS: Final = 1.0
SETTLE_SECS: Final = 20.0
"""Longest wait for the end of what killed clients left."""
SOUND_FAULTS: Final = frozenset({"UNREACHABLE", "SESSION_NOT_FOUND", "SESSION_CLOSED", "TIMEOUT"})
"""What a client may be told when its service dies or forgets it; anything else is a finding."""


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """What is to be done.

    Attributes:
        cycles: kills.
        clients: that stream at once.
        service_share: share of the kills that meet the service.
        seed: of everything drawn by chance.
    """

    cycles: int = 1000
    clients: int = 3
    service_share: float = 0.1
    seed: int = 1


@dataclass(slots=True)
class _Record:
    num_service_kills: int = 0
    num_client_kills: int = 0
    num_rings_reclaimed: int = 0
    num_sockets_reclaimed: int = 0
    num_left_after_restart: int = 0
    restart_secs: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


def run_chaos(
    plan: ChaosPlan,
    *,
    speech: Float32Array,
    progress: Callable[[int, str], None] = lambda _done, _text: None,
) -> dict[str, object]:
    """Run all cycles and return figures by name.

    Args:
        plan: what is to be done.
        speech: (num_samples,) float32 at 16 kHz that the clients say.
        progress: called with the cycles done and a line of text.
    """
    with tempfile.TemporaryDirectory(prefix="avatar-chaos-") as folder:
        chaos = _Chaos(plan, Path(folder), speech, progress)
        try:
            return chaos.run()
        finally:
            chaos.close()


class _Chaos:
    def __init__(
        self,
        plan: ChaosPlan,
        folder: Path,
        speech: Float32Array,
        progress: Callable[[int, str], None],
    ) -> None:
        self._plan = plan
        self._rings, self._sockets = folder / "rings", folder / "sockets"
        for made in (self._rings, self._sockets):
            made.mkdir(mode=0o700)
        self._options = {
            "listen": f"127.0.0.1:{_free_port()}",
            "home": str(folder / "home"),
            "shm.folder": str(self._rings),
            "zmq.endpoint": f"ipc://{self._sockets}",
            "limits.idle_timeout_secs": f"{IDLE_TIMEOUT_SECS:g}",
        }
        self._speech = speech
        self._progress = progress
        self._rng = np.random.default_rng(plan.seed)
        # Forked from a small server that has the client imported: a process costs little then.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["avatar_service.endurance.visitor", "avatar_client"])
        self._record = _Record()
        self._num_started = 0
        self._clients: list[tuple[Any, Any]] = []
        self._service: ServiceProcess | None = None

    def run(self) -> dict[str, object]:
        """Do all cycles."""
        self._service = ServiceProcess(self._options)
        self._clients = [self._new_client() for _ in range(self._plan.clients)]
        for cycle in range(self._plan.cycles):
            time.sleep(self._rng.uniform(0, LONGEST_PAUSE_SECS))
            if self._rng.random() < self._plan.service_share:
                self._kill_service()
            else:
                self._kill_client(int(self._rng.integers(len(self._clients))))
            self._hear()
            record = self._record
            self._progress(
                cycle + 1,
                f"killed: clients {record.num_client_kills}, service {record.num_service_kills}",
            )
        return self._end()

    def close(self) -> None:
        """End what still runs."""
        for process, _ in self._clients:
            if process.is_alive():
                process.kill()
        if self._service is not None:
            self._service.stop()

    def _new_client(self) -> tuple[Any, Any]:
        self._num_started += 1
        seed = self._plan.seed * 1_000_003 + self._num_started
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._options["listen"], "", self._speech, seed, 0.0)
        process = self._context.Process(target=run_visitor, args=arguments)
        process.start()
        theirs.close()
        return process, ours

    def _kill_client(self, index: int) -> None:
        process, pipe = self._clients[index]
        process.kill()
        process.join()
        pipe.close()
        self._record.num_client_kills += 1
        self._clients[index] = self._new_client()

    def _kill_service(self) -> None:
        if self._service is None:
            return
        self._service.kill()
        dead_rings, dead_sockets = _names(self._rings), _names(self._sockets)
        began = time.monotonic()
        self._service = ServiceProcess(self._options)
        record = self._record
        record.restart_secs.append(time.monotonic() - began)
        record.num_service_kills += 1
        left = dead_rings & _names(self._rings) | dead_sockets & _names(self._sockets)
        record.num_left_after_restart += len(left)
        record.num_rings_reclaimed += len(dead_rings - left)
        record.num_sockets_reclaimed += len(dead_sockets - left)

    def _hear(self) -> None:
        """Count what the clients have met."""
        for _, pipe in self._clients:
            with contextlib.suppress(EOFError, OSError):
                while pipe.poll():
                    self._record.outcomes[pipe.recv()] += 1

    def _end(self) -> dict[str, object]:
        """Send the clients home, wait until all sessions have ended, and count what is left."""
        from avatar_client import connect

        if self._service is None:
            raise RuntimeError("no service")
        for process, pipe in self._clients:
            with contextlib.suppress(OSError):
                pipe.send(None)
            process.join(15.0)
        self._hear()
        deadline = time.monotonic() + SETTLE_SECS
        with connect(self._options["listen"]) as client:
            while (num_sessions := len(client.list_sessions().sessions)) > 0:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.1)
        rings_of_living = len(_names(self._rings))
        code = self._service.stop()
        record = self._record
        faults = {
            name.removeprefix("fault "): count
            for name, count in sorted(record.outcomes.items())
            if name.startswith("fault ")
        }
        restarts = record.restart_secs or [0.0]
        return {
            "cycles": self._plan.cycles,
            "clients": self._plan.clients,
            "seed": self._plan.seed,
            "clients_killed": record.num_client_kills,
            "service_killed": record.num_service_kills,
            "visits_ended_well": record.outcomes["close"] + record.outcomes["leave"],
            "faults_met_by_clients": faults,
            "unsound_faults": sum(n for why, n in faults.items() if why not in SOUND_FAULTS),
            "rings_reclaimed": record.num_rings_reclaimed,
            "sockets_reclaimed": record.num_sockets_reclaimed,
            "left_after_restart": record.num_left_after_restart,
            "restart_secs_p50": float(np.median(restarts)),
            "restart_secs_max": float(np.max(restarts)),
            "left_at_the_end": {
                "sessions": num_sessions,
                "rings": rings_of_living,
                "files": len(_names(self._rings) | _names(self._sockets)),
            },
            "exit_code": code,
        }


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
