"""`python -m avatar_service.server [OPTION=VALUE ...]`: the service without the command line.

Options are dotted paths of the configuration (`listen=127.0.0.1:0`); AVATAR_* variables count too.
"""

import sys

from avatar_service.config import load_config
from avatar_service.errors import AvatarError


def main(arguments: list[str]) -> int:
    """Run until SIGTERM; 2 with one line where the service cannot start."""
    try:
        config = load_config(dict(_option(argument) for argument in arguments))
        from avatar_service.server.main import run  # heavy: a wrong option is told before

        run(config)
    except AvatarError as error:
        print(error.message, file=sys.stderr)
        return 2
    return 0


def _option(argument: str) -> tuple[str, str]:
    name, _, value = argument.partition("=")
    return name, value


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
