"""Write docs/configuration.md from avatar_service/config.py: every setting with its meaning.

    python tools/gen_configuration.py [--check]

The meaning of a setting is the string below its field; a section's is the docstring of its class.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from avatar_service import config  # noqa: E402

TARGET: Final = ROOT / "docs/configuration.md"
HOME_DEFAULTS: Final = {
    "home": "the user's data folder",
    "cache": "the user's cache folder",
}
HEAD: Final = """\
# Configuration

Written by `python tools/gen_configuration.py` from `avatar_service/config.py`; do not edit.

A setting has a dotted path. It is given, highest precedence first, as an option of `avatar serve`
(`avatar serve --help` lists those that have one), as the environment variable below, or in the TOML
file that `avatar serve --config FILE` names, where a section is a table:

    listen = "127.0.0.1:50551"

    [metrics]
    port = 9464

Unknown settings and values out of range are refused in one line, with exit code 2. `AVATAR_HOME`
moves home and cache together.
"""


def main() -> int:
    """Write the page, or tell whether it has drifted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="tell whether the page has drifted")
    page = build()
    if parser.parse_args().check:
        if TARGET.exists() and TARGET.read_text("utf-8") == page:
            return 0
        print(f"{TARGET.relative_to(ROOT)} has drifted: run python tools/gen_configuration.py")
        return 1
    TARGET.write_text(page, "utf-8")
    print(f"write {TARGET.relative_to(ROOT)}")
    return 0


def build() -> str:
    """Return the whole page."""
    parts = [HEAD, _table("", config.Config)]
    for name, hint in typing.get_type_hints(config.Config).items():
        if dataclasses.is_dataclass(hint):
            section = typing.cast(type, hint)
            doc = " ".join((section.__doc__ or "").split())
            parts += [f"\n## [{name}]\n\n{doc}\n\n", _table(f"{name}.", section)]
    return "".join(parts)


def _table(prefix: str, section: type) -> str:
    meanings, hints = _meanings(section), typing.get_type_hints(section)
    rows = [
        "| setting | environment | type | default | allowed |",
        "| --- | --- | --- | --- | --- |",
    ]
    texts = []
    ranges = {path: (low, high) for path, low, high in config._RANGES}
    for item in dataclasses.fields(typing.cast(Any, section)):
        hint = hints[item.name]
        if dataclasses.is_dataclass(hint):
            continue
        path = prefix + item.name
        variable = "AVATAR_" + path.replace(".", "_").upper()
        allowed = "{:,.12g} to {:,.12g}".format(*ranges[path]) if path in ranges else ""
        default = _default(path, item)
        rows.append(f"| `{path}` | `{variable}` | {_type(hint)} | {default} | {allowed} |")
        if meanings.get(item.name):
            texts.append(f"- `{path}`: {meanings[item.name]}")
    return (
        "\n".join(["", *rows] if not prefix else rows)
        + "\n"
        + ("\n" + "\n".join(texts) + "\n" if texts else "")
    )


def _meanings(section: type) -> dict[str, str]:
    """Return the string that stands below each field in the source."""
    tree = ast.parse(Path(config.__file__).read_text("utf-8"))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == section.__name__
    )
    found = {}
    for field, below in zip(body, body[1:], strict=False):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            text = typing.cast(Any, below).value.value
            found[field.target.id] = " ".join(str(text).split())
    return found


def _type(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        inner = [part for part in typing.get_args(hint) if part is not types.NoneType]
        return f"{_type(inner[0])}, or none"
    if typing.get_origin(hint) is tuple:
        return "list"
    names = {int: "integer", float: "number", str: "text", bool: "true or false", Path: "path"}
    return names[hint]


def _default(path: str, item: dataclasses.Field[Any]) -> str:
    if path in HOME_DEFAULTS:
        return HOME_DEFAULTS[path]
    value = item.default
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value >= 1 << 16 and value % (1 << 16) == 0:
        return f"{value} ({value / (1 << 20):g} MiB)"
    text = re.sub(r"\|", r"\\|", str(value))
    return f"`{text}`" if text and text != "()" else "empty"


if __name__ == "__main__":
    raise SystemExit(main())
