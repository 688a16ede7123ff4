"""How networks lie on disk: float16 arrays (npz, no pickle) and a description beside them.

The description is the JSON of the same name; readers check its schema before the arrays. Nothing
here or at run time needs the library that the networks are trained with.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from avatar_service.errors import AvatarError, Reason
from avatar_service.signals import Float32Array

Arrays = Mapping[str, NDArray[Any]]
"""Parameters by the names that they have in training; float16 as stored, or float32."""
Shapes = Mapping[str, tuple[int, ...]]

_BROKEN: Final = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged or foreign file, or taking a network's parameters from it, raises."""


def floats(array: NDArray[Any]) -> Float32Array:
    """Return a parameter as the kernels compute with it."""
    return np.ascontiguousarray(array, np.float32)


def check_shapes(arrays: Arrays, expected: Shapes) -> None:
    """Raise ValueError unless these are a network's parameters, all of them, all finite."""
    for name, shape in expected.items():
        if name not in arrays:
            raise ValueError(f"{name} is missing")
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has the shape {arrays[name].shape}, not {shape}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} is not finite")
    if unknown := sorted(set(arrays) - set(expected)):
        raise ValueError(f"{unknown[0]} is not part of the network")


def write_net(
    path: Path,
    description: Mapping[str, Any],
    parameters: Arrays,
    others: Mapping[str, Float32Array] | None = None,
) -> None:
    """Write a network's parameters and their description.

    Args:
        path: npz; the JSON goes beside it.
        description: schema, shape and origin.
        parameters: are kept as float16.
        others: kept beside them as they are.
    """
    kept = {name: array.astype(np.float16) for name, array in parameters.items()}
    np.savez_compressed(path, **kept | dict(others or {}))  # type: ignore[arg-type]
    path.with_suffix(".json").write_text(json.dumps(description, indent=1) + "\n", "utf-8")


@contextmanager
def reading_net(
    path: Path | None, name: str, schema: str
) -> Iterator[tuple[dict[str, Any], dict[str, NDArray[Any]]]]:
    """Read a network's description and arrays; the body checks them.

    Args:
        path: npz with its JSON beside it; None means the weights that come with the package.
        name: of the package's weights, and in errors.
        schema: that the description must have.

    Raises:
        AvatarError: MODELS_NOT_AVAILABLE where the files are missing, damaged or of another schema,
            or where the body finds that they do not fit its network.
    """
    if path is None:
        path = Path(str(resources.files("avatar_service.motion") / "weights" / f"{name}.npz"))
    try:
        description = json.loads(path.with_suffix(".json").read_text("utf-8"))
        if description["schema"] != schema:
            raise ValueError(f"schema {description['schema']!r}, not {schema!r}")
        with np.load(path) as stored:
            arrays = {key: stored[key] for key in stored.files}
        yield description, arrays
    except _BROKEN as fault:
        raise AvatarError(
            Reason.MODELS_NOT_AVAILABLE, f"{name} weights {path.name}: {fault}"
        ) from fault
