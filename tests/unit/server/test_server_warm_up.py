"""What is compiled at the start, so that no client waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.service import fake_fit

from avatar_service import jit
from avatar_service.config import load_config
from avatar_service.provenance.consent import Consent
from avatar_service.server.main import Service
from avatar_service.session import stage_factory
from avatar_service.session.compilation import MOTION, PICTURE

pytestmark = pytest.mark.unit
CONSENT = Consent("A. Person", "my own photo")


def test_what_draws_is_compiled_at_the_start_where_avatars_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the first session after an update takes a minute or two, and its client gives up."""
    compiled: list[tuple[str, ...]] = []

    def compile_ahead(what: str, portrait: Path | None = None) -> None:
        compiled.append((what, *([portrait.parent.name] if portrait else [])))

    monkeypatch.setattr(jit, "_FOLDER", tmp_path)
    monkeypatch.setattr(stage_factory, "compile_ahead", compile_ahead)
    config = load_config({"home": str(tmp_path / "home")}, environ={})
    service = Service(config, fit=fake_fit)
    service.warm_up()
    assert compiled == [(MOTION,)]
    made = [
        service._avatars.create(photo, crop="face", display_name="", consent=CONSENT)
        for photo in (b"one", b"two")
    ]
    newest = service._avatars.list_all()[0]
    service._consents.revoke(newest.photo_sha256, forget=False)
    (other,) = {one.avatar_id for one in made} - {newest.avatar_id}
    compiled.clear()
    service.warm_up()
    assert compiled == [(MOTION,), (PICTURE, other)], "of one that may be shown"
    jit.note_compiled(PICTURE)
    compiled.clear()
    service.warm_up()
    assert compiled == [(MOTION,)]
