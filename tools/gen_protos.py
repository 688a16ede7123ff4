"""Generate the Python code of protos/avatar/v1 for the service and for the client.

    .venv/bin/python tools/gen_protos.py [--check]

The protoc of grpcio-tools and the plugins of mypy-protobuf write modules that import `avatar.v1`,
a top-level name that nobody here owns; the imports are rewritten to the package each copy lies in.
Both copies register the same descriptors under the same file names, so they can live in one
process.

The generated code states the oldest runtimes it runs with instead of the generator's own version:
the two differ in nothing but these lines (compared for grpcio-tools 1.74 and 1.85), and without it
each release of a generator would be a drift and would shut out everybody with an older protobuf.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PROTOS: Final = ROOT / "protos"
PACKAGES: Final[Mapping[str, Path]] = {
    "avatar_service.gen": ROOT / "avatar_service/gen",
    "avatar_client.gen": ROOT / "engine_clients/python/avatar_client/gen",
}
OLDEST_PROTOBUF: Final = (6, 31, 1)
OLDEST_GRPCIO: Final = "1.74.0"


def run_protoc(out: Path) -> None:
    """Run protoc with all four plugins on every file of the package.

    Raises:
        SystemExit: when protoc fails; its own message stands above.
    """
    files = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.glob("avatar/v1/*.proto"))
    scripts = Path(sys.executable).parent
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{PROTOS}",
        *(f"--plugin=protoc-gen-{name}={scripts}/protoc-gen-{name}" for name in _PLUGINS),
        *(f"--{kind}_out={out}" for kind in ("python", "grpc_python")),
        *(f"--{kind}_out=quiet:{out}" for kind in _PLUGINS),
        *files,
    ]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit("protoc failed")


_PLUGINS: Final = ("mypy", "mypy_grpc")


def rewrite(text: str, package: str) -> str:
    """Return generated code with imports inside `package` and the oldest runtimes it runs with."""
    text = re.sub(r"^(from|import) avatar\.v1\b", rf"\1 {package}.avatar.v1", text, flags=re.M)
    dotted = ".".join(map(str, OLDEST_PROTOBUF))
    text = re.sub(
        r"(?m)^# Protobuf Python Version: .*$", f"# Protobuf Python Version: {dotted}", text
    )
    numbers = "".join(f"    {number},\n" for number in OLDEST_PROTOBUF)
    text = re.sub(r"(Domain\.PUBLIC,\n)(?:    \d+,\n){3}", rf"\g<1>{numbers}", text)
    text = re.sub(
        r"(?m)^GRPC_GENERATED_VERSION = .*$", f"GRPC_GENERATED_VERSION = '{OLDEST_GRPCIO}'", text
    )
    # Two more lines that releases of grpcio-tools write differently, with the same meaning.
    text = text.replace("(object):", ":").replace("+ f' but the generated", "+ ' but the generated")
    return text.rstrip() + "\n"


def generate(package: str) -> dict[str, str]:
    """Return the text of every generated file of `package` by its path below the package."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run_protoc(out)
        texts = {"__init__.py": '"""Generated protobuf code; see tools/gen_protos.py."""\n'}
        for name in ("avatar/__init__.py", "avatar/v1/__init__.py"):
            texts[name] = texts["__init__.py"]
        for path in sorted(out.rglob("*.py*")):
            name = path.relative_to(out).as_posix()
            # Only one file declares a service; the others' gRPC modules are empty.
            if "_pb2_grpc" in name and not name.startswith("avatar/v1/avatar_service_"):
                continue
            texts[name] = rewrite(path.read_text(), package)
        stamp = f'"""Stubs by mypy-protobuf {version("mypy-protobuf")}."""\n'
        texts["stubs_version.py"] = stamp
        return texts


def drift(texts: Mapping[str, str], folder: Path) -> list[str]:
    """Return the files below `folder` that are not what the generator writes.

    Stubs are compared only where the installed mypy-protobuf is the one that wrote them: its
    releases lay the same types out differently.
    """
    found = {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*.py*")
        if path.suffix in (".py", ".pyi")
    }
    same_stubs = found.get("stubs_version.py") == texts["stubs_version.py"]
    names = {name for name in found.keys() | texts.keys() if same_stubs or name.endswith(".py")}
    if not same_stubs:
        names.discard("stubs_version.py")
    return sorted(name for name in names if found.get(name) != texts.get(name))


def main() -> int:
    """Write the generated code, or with --check tell where it differs; 1 where it does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check: bool = parser.parse_args().check
    stale = 0
    for package, folder in PACKAGES.items():
        texts = generate(package)
        changed = drift(texts, folder)
        stale += len(changed)
        for name in changed:
            print(f"{'stale' if check else 'write'} {(folder / name).relative_to(ROOT)}")
        if check:
            continue
        for name in changed:
            path = folder / name
            if name in texts:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(texts[name])
            else:
                path.unlink()
        for name, text in texts.items():
            (folder / name).write_text(text)
    if check and stale:
        print("generated code is stale: run tools/gen_protos.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
