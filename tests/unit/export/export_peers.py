"""Programs of others that the tests call; where one is missing the test skips and says so."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from fakes.peers import missing

ROOT = Path(__file__).resolve().parents[3]
_VALIDATE = """
const validator = require(process.argv[1] + '/gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])))
  .then((report) => console.log(JSON.stringify(report)));
"""


def node_modules(package: str, what: str) -> Path:
    """Where npm put a package of others (`make peers`, or NODE_PEERS); skips where it did not."""
    modules = Path(os.environ.get("NODE_PEERS", ROOT / ".venv/node/node_modules"))
    if shutil.which("node") is None or not (modules / package).is_dir():
        missing(what, "make peers")
    return modules


def run_node(*arguments: object) -> Any:
    """Run Node.js and read the JSON that it prints; a warning of the peer fails the test."""
    done = subprocess.run(
        ["node", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not done.stderr, done.stderr[-2000:]
    return json.loads(done.stdout)


def khronos_report(path: Path) -> dict[str, Any]:
    """Run the Khronos glTF validator."""
    modules = node_modules("gltf-validator", "the Khronos glTF validator (with Node.js)")
    report: dict[str, Any] = run_node("-e", _VALIDATE, modules, path)
    return report


class PlainGlb:
    """A GLB read with nothing but struct and json: the specification, typed in again."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, total = struct.unpack_from("<4sII", data)
        assert (magic, version, total) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.json = json.loads(data[20 : 20 + size])
        length, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0"
        self.binary = data[28 + size : 28 + size + length]

    def floats(self, accessor: int) -> np.ndarray:
        """All numbers of a float accessor, flat."""
        row = self.json["accessors"][accessor]
        assert row["componentType"] == 5126
        view = self.json["bufferViews"][row["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[row["type"]]
        count = row["count"] * width
        return np.frombuffer(self.binary, "<f4", count, view.get("byteOffset", 0))

    def curve(self, node: str, path: str) -> tuple[np.ndarray, np.ndarray]:
        """Times and values of the channel that moves a node, by the node's name."""
        (animation,) = self.json["animations"]
        for channel in animation["channels"]:
            target = channel["target"]
            if self.json["nodes"][target["node"]]["name"] == node and target["path"] == path:
                sampler = animation["samplers"][channel["sampler"]]
                return self.floats(sampler["input"]), self.floats(sampler["output"])
        raise AssertionError(f"no curve {path} of {node}")
