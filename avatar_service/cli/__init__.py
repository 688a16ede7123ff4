"""The command `avatar`.

Faults end here and only here: an AvatarError becomes one line on stderr and exit code 2.
"""

from __future__ import annotations

import signal
import sys

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT


def main() -> None:
    """Run the command; the entry point named in pyproject.toml."""
    from avatar_service.cli.app import app
    from avatar_service.cli.console import complain
    from avatar_service.errors import AvatarError

    # Asked to end, a command cleans up as it does on Ctrl-C; the service has handlers of its own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(prog_name="avatar")
    except AvatarError as error:
        complain(error.message)
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        complain("interrupted, nothing half-written was left")
        sys.exit(EXIT_INTERRUPTED)
