"""The GLB container: reading it with suspicion, building it piece by piece.

Source: Khronos glTF 2.0 specification, chapters 3.6 (binary data), 3.9 (buffers) and 4 (GLB).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason

MAGIC: Final = 0x46546C67
_JSON_CHUNK: Final = 0x4E4F534A
_BIN_CHUNK: Final = 0x004E4942
MAX_FILE_BYTES: Final = 1 << 30
_MAX_ACCESSOR_ELEMENTS: Final = 64_000_000
_MAX_NUMBER: Final = 1e30
"""Of a list of numbers: beyond it float32 would overflow."""

FLOAT: Final = 5126
UNSIGNED_INT: Final = 5125
UNSIGNED_BYTE: Final = 5121
_COMPONENTS: Final[dict[int, tuple[str, float]]] = {
    5120: ("<i1", 127.0),
    5121: ("<u1", 255.0),
    5122: ("<i2", 32767.0),
    5123: ("<u2", 65535.0),
    5125: ("<u4", 1.0),
    5126: ("<f4", 1.0),
}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_TYPES: Final = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_CHUNK_ROWS: Final = 4096

Json = dict[str, Any]


@dataclass(slots=True)
class Glb:
    """A glTF document and its binary chunk, growing.

    Attributes:
        json: the document; buffers are filled in when it is written.
        parts: the binary chunk in pieces, each a multiple of 4 bytes long when written.
    """

    json: Json
    parts: list[NDArray[Any] | bytes] = field(default_factory=list)
    num_bytes: int = 0

    def add_bytes(self, data: bytes, **view: Any) -> int:
        """Append data as a buffer view; returns its index."""
        return self._add_view(data, len(data), view)

    def add_array(
        self,
        array: NDArray[Any],
        *,
        bounds: bool = False,
        target: int | None = None,
        flat: bool = False,
    ) -> int:
        """Append an array as a buffer view with its accessor; returns the accessor's index.

        Args:
            array: (N,) or (N, width), float32, uint32 or uint8; may be a memory map: it is read
                once, in pieces, when the file is written.
            bounds: give min and max.
            target: 34962 vertex attributes, 34963 indices, None others.
            flat: (N, width) as N * width scalars, the layout of morph weights.
        """
        component = {"f": FLOAT, "u": UNSIGNED_INT}[array.dtype.kind]
        component = UNSIGNED_BYTE if array.dtype == np.uint8 else component
        width = 1 if flat or array.ndim == 1 else array.shape[1]
        size = array.size * array.dtype.itemsize
        view = self._add_view(array, size, {} if target is None else {"target": target})
        accessor: Json = {
            "bufferView": view,
            "componentType": component,
            "count": array.size // width,
            "type": _TYPES[width],
        }
        if bounds:
            rows = array.reshape(-1, width)
            accessor["min"] = rows.min(axis=0).tolist()
            accessor["max"] = rows.max(axis=0).tolist()
        return self.append("accessors", accessor)

    def _add_view(self, data: NDArray[Any] | bytes, size: int, view: Json) -> int:
        start = self.num_bytes
        self.parts.append(data)
        self.num_bytes += size + -size % 4
        return self.append(
            "bufferViews", {"buffer": 0, "byteOffset": start, "byteLength": size, **view}
        )

    def append(self, section: str, item: Json) -> int:
        """Append to one of the document's arrays; returns the index."""
        items = self.json.setdefault(section, [])
        items.append(item)
        return len(items) - 1

    def write(self, file: IO[bytes]) -> None:
        """Write the container.

        Raises:
            AvatarError: INVALID_FIELD beyond the container's 4 GiB.
        """
        self.json["buffers"] = [{"byteLength": self.num_bytes}]
        text = json.dumps(self.json, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + self.num_bytes
        if total >= 1 << 32:
            raise AvatarError(Reason.INVALID_FIELD, "the motion is too long for one GLB file")
        file.write(struct.pack("<III", MAGIC, 2, total))
        file.write(struct.pack("<II", len(text), _JSON_CHUNK) + text)
        file.write(struct.pack("<II", self.num_bytes, _BIN_CHUNK))
        for part in self.parts:
            size = 0
            for piece in _pieces(part):
                file.write(piece)
                size += len(piece)
            file.write(b"\0" * (-size % 4))


def _pieces(part: NDArray[Any] | bytes) -> Iterator[bytes]:
    if isinstance(part, bytes):
        yield part
        return
    for start in range(0, len(part), _CHUNK_ROWS):
        piece = part[start : start + _CHUNK_ROWS]
        yield np.ascontiguousarray(piece, piece.dtype.newbyteorder("<")).tobytes()


def _bad(name: str, what: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FILE, f"{name}: {what}", field="model")


def read_glb(path: Path) -> Glb:
    """Read a .glb, or a .gltf with its buffers beside it or embedded, into one binary chunk.

    Raises:
        AvatarError: INVALID_FILE in one line.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise _bad(path.name, f"is larger than {MAX_FILE_BYTES >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise _bad(path.name, f"cannot be read ({error.strerror})") from None
    if data[:4] == b"glTF":
        text, binary = _chunks(path.name, data)
    else:
        text, binary = data, b""
    try:
        document = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        raise _bad(path.name, "is neither GLB nor glTF") from None
    if not isinstance(document, dict) or not isinstance(document.get("asset"), dict):
        raise _bad(path.name, "is neither GLB nor glTF")
    if str(document["asset"].get("version", "")).split(".")[0] != "2":
        raise _bad(path.name, "is not glTF 2.0")
    _check_sections(path.name, document)
    return _one_buffer(path, document, binary)


def _finite(text: str) -> float:
    """Parse a number of JSON, which knows neither NaN nor infinity. Raises ValueError."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _is_index(value: Any, end: int | None = None) -> bool:
    """Tell whether a JSON value is an integer from 0 on, below `end`."""
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return is_int and value >= 0 and (end is None or value < end)


def _check_sections(name: str, document: Json) -> None:
    sections = ("buffers", "bufferViews", "accessors", "meshes", "nodes", "animations", "scenes")
    for section in sections:
        items = document.get(section, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise _bad(name, f"its {section} are not a list of objects")


def _chunks(name: str, data: bytes) -> tuple[bytes, bytes]:
    if len(data) < 20 or struct.unpack_from("<I", data, 4)[0] != 2:
        raise _bad(name, "is a truncated GLB or not version 2")
    text, binary, offset = b"", b"", 12
    while offset + 8 <= len(data):
        length, kind = struct.unpack_from("<II", data, offset)
        chunk = data[offset + 8 : offset + 8 + length]
        if len(chunk) != length:
            raise _bad(name, "is a truncated GLB")
        if kind == _JSON_CHUNK:
            text = chunk
        elif kind == _BIN_CHUNK and not binary:
            binary = chunk
        offset += 8 + length
    return text, binary


def _one_buffer(path: Path, document: Json, binary: bytes) -> Glb:
    """Join all buffers into one, shifting the views."""
    starts: list[int] = []
    parts: list[NDArray[Any] | bytes] = []
    total = 0
    for number, buffer in enumerate(document.get("buffers", [])):
        uri, length = buffer.get("uri"), buffer.get("byteLength")
        data = binary if uri is None and number == 0 else _external(path, uri)
        if not _is_index(length, len(data) + 1):
            raise _bad(path.name, f"buffer {number} is shorter than its byteLength")
        data = data[:length] + b"\0" * (-length % 4)
        starts.append(total)
        parts.append(data)
        total += len(data)
    for number, view in enumerate(document.get("bufferViews", [])):
        index, offset, length = (
            view.get("buffer"),
            view.get("byteOffset", 0),
            view.get("byteLength"),
        )
        if not _is_index(index, len(starts)):
            raise _bad(path.name, f"buffer view {number} names no buffer")
        if not (_is_index(offset) and _is_index(length) and length > 0):
            raise _bad(path.name, f"buffer view {number} has no valid extent")
        if offset + length > document["buffers"][index]["byteLength"]:
            raise _bad(path.name, f"buffer view {number} reaches beyond its buffer")
        view["byteOffset"] = starts[index] + offset
        view["buffer"] = 0
    return Glb(document, parts, total)


def _external(path: Path, uri: Any) -> bytes:
    """Read a data URI or a file beside the model, never one outside its folder."""
    if not isinstance(uri, str):
        raise _bad(path.name, "a buffer has no data")
    if uri.startswith("data:"):
        _, _, encoded = uri.partition(";base64,")
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise _bad(path.name, "an embedded buffer is not base64") from None
    try:
        target = (path.parent / unquote(uri)).resolve()
        if "://" in uri or not target.is_relative_to(path.parent.resolve()):
            raise _bad(path.name, f"buffer {uri[:60]!r} is not a file beside the model")
        if target.stat().st_size > MAX_FILE_BYTES:
            raise _bad(path.name, f"buffer {uri[:60]!r} is larger than {MAX_FILE_BYTES >> 20} MiB")
        return target.read_bytes()
    except OSError as error:
        raise _bad(path.name, f"buffer {uri[:60]!r} cannot be read ({error.strerror})") from None
    except ValueError:  # a name that no file can have
        raise _bad(path.name, f"buffer {uri[:60]!r} is not a file beside the model") from None


def read_accessor(name: str, glb: Glb, index: Any) -> NDArray[np.float64]:
    """Read an accessor of any component type as numbers, normalised integers as 0..1.

    Returns:
        (count, width) float64.

    Raises:
        AvatarError: INVALID_FILE if it is malformed, sparse, or reaches outside its view.
    """
    accessors, views = glb.json.get("accessors", []), glb.json.get("bufferViews", [])
    if not _is_index(index, len(accessors)):
        raise _bad(name, f"accessor {index!r:.40} does not exist")
    accessor = accessors[index]
    if "sparse" in accessor or "bufferView" not in accessor:
        raise _bad(name, f"accessor {index} is sparse or empty, which is not supported here")
    kind, shape = accessor.get("componentType"), accessor.get("type")
    component = _COMPONENTS.get(kind) if isinstance(kind, int) else None
    width = _WIDTHS.get(shape) if isinstance(shape, str) else None
    count, offset = accessor.get("count"), accessor.get("byteOffset", 0)
    if component is None or width is None or not _is_index(count) or count < 1:
        raise _bad(name, f"accessor {index} is malformed")
    if not _is_index(accessor["bufferView"], len(views)) or not _is_index(offset):
        raise _bad(name, f"accessor {index} is malformed")
    if count * width > _MAX_ACCESSOR_ELEMENTS:
        raise _bad(name, f"accessor {index} is larger than {_MAX_ACCESSOR_ELEMENTS} numbers")
    view = views[accessor["bufferView"]]
    dtype = np.dtype(component[0])
    item = dtype.itemsize * width
    stride = view.get("byteStride", item)
    if not _is_index(stride) or stride < item:
        raise _bad(name, f"accessor {index} has a stride smaller than its elements")
    if offset + stride * (count - 1) + item > view["byteLength"]:
        raise _bad(name, f"accessor {index} reaches beyond its buffer view")
    if len(glb.parts) != 1:  # read files have one buffer as a rule; join once where they do not
        glb.parts = [b"".join(bytes(part) for part in glb.parts)]
    data = bytes(glb.parts[0])
    start = view["byteOffset"] + offset
    raw = np.ndarray((count, width), dtype, data, start, (stride, dtype.itemsize))
    scale = component[1] if accessor.get("normalized") else 1.0
    values: NDArray[np.float64] = raw.astype(np.float64) / scale
    if not np.isfinite(values).all():
        raise _bad(name, f"accessor {index} holds NaN or infinity")
    return values


def read_numbers(name: str, owner: Json, key: str, default: list[float]) -> NDArray[np.float64]:
    """Read a list of numbers of a node or mesh, as many as the default has.

    Raises:
        AvatarError: INVALID_FILE where it is anything else.
    """
    value = owner.get(key, default)
    is_numbers = isinstance(value, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < _MAX_NUMBER
        for v in value
    )
    if not is_numbers or len(value) != len(default):
        raise _bad(name, f"its {key} {str(value)[:40]!r} is not {len(default)} numbers")
    return np.array(value, np.float64)


def read_rest_rotation(name: str, node: Json) -> NDArray[np.float64]:
    """Read a node's rotation as a unit quaternion x, y, z, w.

    Raises:
        AvatarError: INVALID_FILE.
    """
    rotation = read_numbers(name, node, "rotation", [0.0, 0.0, 0.0, 1.0])
    length = float(np.linalg.norm(rotation))
    if length < 1e-6:
        raise _bad(name, "a rotation is the zero quaternion")
    return rotation / length
