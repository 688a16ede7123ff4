"""Write the .meta files of the Unity package: Unity ignores files without one in a package.

    .venv/bin/python engine_clients/unity/gen_meta.py [--check]

A GUID is derived from the file's path in the package, so that it never changes by itself and
references from scenes stay whole. Folders whose names end in ~ are not imported and have none.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent / "com.avatarservice.client"
IMPORTERS: Final = {
    ".cs": "MonoImporter:\n  externalObjects: {}\n  serializedVersion: 2\n"
    "  defaultReferences: []\n  executionOrder: 0\n  icon: {instanceID: 0}\n",
    ".asmdef": "AssemblyDefinitionImporter:\n  externalObjects: {}\n",
    ".json": "PackageManifestImporter:\n  externalObjects: {}\n",
    ".md": "TextScriptImporter:\n  externalObjects: {}\n",
}
FOLDER: Final = "folderAsset: yes\nDefaultImporter:\n  externalObjects: {}\n"
TAIL: Final = "  userData: \n  assetBundleName: \n  assetBundleVariant: \n"


def wanted() -> dict[Path, str]:
    """Return the text of every .meta file."""
    files: dict[Path, str] = {}
    for path in sorted(PACKAGE.rglob("*")):
        inside = path.relative_to(PACKAGE)
        is_hidden = any(part.endswith("~") or part.startswith(".") for part in inside.parts)
        if is_hidden or path.suffix == ".meta":
            continue
        name = f"com.avatarservice.client/{inside.as_posix()}"
        guid = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        importer = FOLDER if path.is_dir() else IMPORTERS[path.suffix]
        target = path.with_name(path.name + ".meta")
        files[target] = f"fileFormatVersion: 2\nguid: {guid}\n{importer}{TAIL}"
    return files


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description="Write Unity's .meta files.")
    parser.add_argument("--check", action="store_true", help="fail on a difference")
    is_check = parser.parse_args().check
    files = wanted()
    wrong = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    stale = [path for path in PACKAGE.rglob("*.meta") if path not in files]
    if is_check:
        for path in [*wrong, *stale]:
            print(f"{path.relative_to(PACKAGE)} is not what gen_meta.py writes")
        return 1 if wrong or stale else 0
    for path in wrong:
        path.write_text(files[path])
    for path in stale:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
