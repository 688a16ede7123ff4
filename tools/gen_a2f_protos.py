"""Generate the Python code of protos/nvidia_ace, the Audio2Face-3D wire interface.

    .venv/bin/python -m tools.gen_a2f_protos [--check]

It lies in avatar_service/server/a2f/gen, the only place that speaks this interface; how generated
code is made to run with older protobuf runtimes is told in gen_protos.py.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tools.gen_protos import PROTOS, ROOT, drift, rewrite

PACKAGE: Final = "avatar_service.server.a2f.gen"
FOLDER: Final = ROOT / "avatar_service/server/a2f/gen"
SERVICE_FILE: Final = "nvidia_ace/services/a2f_controller/v1/a2f_controller_pb2_grpc"


def run_protoc(out: Path) -> None:
    """Run protoc with all four plugins on every file of the interface.

    Raises:
        SystemExit: when protoc fails; its own message stands above.
    """
    files = sorted(p.relative_to(PROTOS).as_posix() for p in PROTOS.glob("nvidia_ace/**/*.proto"))
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


def generate() -> dict[str, str]:
    """Return the text of every generated file by its path below FOLDER."""
    init = '"""Generated protobuf code; see tools/gen_a2f_protos.py."""\n'
    texts = {"__init__.py": init}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run_protoc(out)
        for path in sorted(out.rglob("*.py*")):
            name = path.relative_to(out).as_posix()
            if "_pb2_grpc" in name and not name.startswith(SERVICE_FILE):
                continue  # only one file declares a service
            text = rewrite(path.read_text(), PACKAGE)
            pattern = r"^(\s*)(from|import) nvidia_ace\b"
            texts[name] = re.sub(pattern, rf"\1\2 {PACKAGE}.nvidia_ace", text, flags=re.M)
            # Stubs name modules in full; the dots before the package are theirs, not ours.
            if name.endswith(".pyi"):
                texts[name] = re.sub(
                    rf"(?<![\w.])(?<!{re.escape(PACKAGE)}\.)nvidia_ace(?=\.\w)",
                    f"{PACKAGE}.nvidia_ace",
                    texts[name],
                )
            for parent in Path(name).parents:
                if parent != Path():
                    texts.setdefault(f"{parent.as_posix()}/__init__.py", init)
    texts["stubs_version.py"] = f'"""Stubs by mypy-protobuf {version("mypy-protobuf")}."""\n'
    return texts


def main() -> int:
    """Write the generated code, or with --check tell where it differs; 1 where it does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check: bool = parser.parse_args().check
    texts = generate()
    changed = drift(texts, FOLDER)
    for name in changed:
        print(f"{'stale' if check else 'write'} {(FOLDER / name).relative_to(ROOT)}")
        path = FOLDER / name
        if check:
            continue
        if name in texts:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[name])
        else:
            path.unlink()
    if not check:
        for name, text in texts.items():
            (FOLDER / name).write_text(text)
    if check and changed:
        print("generated code is stale: run python -m tools.gen_a2f_protos", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
