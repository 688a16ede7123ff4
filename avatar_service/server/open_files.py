"""How many files, sockets and connections the service may hold open.

Shells and service managers give 1024 by default, for programs that use select(2), and let a program
that does not raise it up to a hard limit. A session with shared memory and ZeroMQ takes 7, its
client's connection one more, and a connection is taken before its peer has shown a token: with all
descriptors gone nothing can be read any more, tokens and consents neither.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

ENOUGH: Final = 65_536
"""More than 2048 connections (connections.py) and 256 sessions with 32 observers each take."""
TOO_FEW: Final = 4096


def allow_many_open_files() -> int:
    """Raise this process's soft limit within the hard one; return the limit that holds.

    Processes started later inherit it.
    """
    if sys.platform == "win32":
        return ENOUGH
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            soft = limit
        except (OSError, ValueError):  # macOS has a lower one of its own
            pass
    if soft != resource.RLIM_INFINITY and soft < TOO_FEW:
        log.warning("only %d files and connections may be open at once; see ulimit -Hn", soft)
    return ENOUGH if soft == resource.RLIM_INFINITY else soft
