"""The Godot client's scripts, parsed by the engine itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tools.clients.parts import BUILD, CLIENTS, locked, need, run

GODOT: Final = CLIENTS / "godot"
INSTALL: Final = (
    "apt-get install --no-install-recommends xvfb xauth godot3-runner godot3-server libgl1-mesa-dri"
)


def check_godot() -> Path:
    """Parse every script; return the project's folder.

    Raises:
        MissingTool: Godot is not there.
        BuildFailed: a script is no GDScript of this engine.
    """
    need("the Godot client", INSTALL, ("godot3-server",))
    home = BUILD / "godot"
    with locked(home):
        for script in sorted(GODOT.rglob("*.gd")):
            inside = script.relative_to(GODOT).as_posix()
            run(
                ["godot3-server", "--path", GODOT, "--check-only", "-s", f"res://{inside}"],
                environ={"HOME": str(home)},
            )
    return GODOT
