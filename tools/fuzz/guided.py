"""The process in which atheris searches: `python -m tools.fuzz.guided TARGET FOUND CORPUS ...`."""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]


def main() -> None:
    """Instrument what the target imports, and search; does not return."""
    with atheris.instrument_imports(include=["avatar_service", "avatar_client", "tools.fuzz"]):
        from tools.fuzz.targets import TARGETS

        target = TARGETS[sys.argv[1]]
        target.run(b"")  # imports what it needs, instrumented

    def one_input(data: bytes) -> None:
        target.run(data)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
