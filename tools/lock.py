"""The lock of the runtime dependencies: `python -m tools.lock` writes requirements.lock.

Every distribution that the service and its client need stands there with its version and the
hashes of its files, for all platforms and Python 3.11 to 3.13; `--check` (part of `make lint`) says
where it no longer fits pyproject.toml, without a network. What the hashes protect from is a file
that was exchanged on an index after the lock was made:

    pip install --no-deps TORCH                                  the build of your choice
    pip install --no-deps --require-hashes -r requirements.lock
    pip install --no-deps ./engine_clients/python .

torch is left to the one who installs: its builds for CPU and CUDA are different files on different
indexes. `python -m tools.lock --audit` asks the advisory database of PyPI (pip-audit) about what is
locked; it needs the network.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements.lock"
PROJECTS: Final = (ROOT / "pyproject.toml", ROOT / "engine_clients/python/pyproject.toml")
LEFT_OUT: Final = ("torch", "triton", r"(nvidia|cuda)-.*", "avatar-client")
"""torch's build is chosen at the installation; the client is of this repository."""
_ENTRY: Final = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
_HEAD: Final = "# Made by `python -m tools.lock`, which says how to install from it: do not edit.\n"


def wanted() -> list[Requirement]:
    """Return the runtime requirements of service and client."""
    found: dict[str, Requirement] = {}
    for project in PROJECTS:
        for line in tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]:
            requirement = Requirement(line)
            found[str(requirement)] = requirement
    return list(found.values())


def is_left_out(name: str) -> bool:
    """Whether a distribution does not stand in the lock."""
    return any(re.fullmatch(pattern, canonicalize_name(name)) for pattern in LEFT_OUT)


def locked(text: str) -> dict[str, list[tuple[str, bool]]]:
    """Return (version, has hashes) of each entry by name; markers can give a name two entries."""
    entries: dict[str, list[tuple[str, bool]]] = {}
    places = [(match.start(), match[1], match[2]) for match in _ENTRY.finditer(text)]
    for number, (start, name, version) in enumerate(places):
        end = places[number + 1][0] if number + 1 < len(places) else len(text)
        has_hashes = "--hash=sha256:" in text[start:end]
        entries.setdefault(canonicalize_name(name), []).append((version, has_hashes))
    return entries


def problems(text: str, requirements: list[Requirement]) -> list[str]:
    """Return where a lock does not fit the requirements, one line each."""
    entries = locked(text)
    found = [
        f"{name} {version} has no hash"
        for name, versions in entries.items()
        for version, has_hashes in versions
        if not has_hashes
    ]
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if is_left_out(name):
            continue
        if name not in entries:
            found.append(f"{name} is not locked")
        for version, _ in entries.get(name, []):
            if not requirement.specifier.contains(version, prereleases=True):
                found.append(f"{name} is locked at {version}, {requirement} is wanted")
    return found


def make() -> str:
    """Resolve the requirements with uv and return the lock."""
    with NamedTemporaryFile("w", suffix=".in", encoding="utf-8") as file:
        lines = [str(one) for one in wanted() if canonicalize_name(one.name) != "avatar-client"]
        file.write("\n".join(lines))
        file.flush()
        command = [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            file.name,
            "--universal",
            "--quiet",
        ]
        command += ["--python-version", "3.11", "--generate-hashes", "--no-header"]
        command += ["--no-annotate"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    kept, is_kept = [], True
    for line in done.stdout.splitlines():
        if match := _ENTRY.match(line):
            is_kept = not is_left_out(match[1])
        if is_kept:
            kept.append(line)
    return _HEAD + "\n".join(kept) + "\n"


def main() -> int:
    """Write, check or audit the lock."""
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description=__doc__)
    parser.add_argument("--check", action="store_true", help="say where it does not fit")
    parser.add_argument("--audit", action="store_true", help="ask for known vulnerabilities")
    options = parser.parse_args()
    if options.audit:
        # --strict: what could not be looked up is no success.
        options_of_it = ("--strict", "--require-hashes", "--disable-pip", "-r", str(LOCK))
        command = [sys.executable, "-m", "pip_audit", *options_of_it]
        return subprocess.run(command, check=False).returncode
    if not options.check:
        LOCK.write_text(make(), "utf-8")
    if not LOCK.is_file():
        print("requirements.lock is missing: python -m tools.lock")
        return 1
    found = problems(LOCK.read_text("utf-8"), wanted())
    for line in found:
        print(f"requirements.lock: {line}; run python -m tools.lock")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
