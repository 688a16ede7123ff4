"""What a shell offers for options whose values are names; each list is loaded when asked for."""

from __future__ import annotations

from collections.abc import Iterable


def motion_models(incomplete: str) -> list[str]:
    """Offer motion models."""
    from avatar_service.motion.generators import MOTION_MODELS

    return _beginning(incomplete, MOTION_MODELS)


def speaking_styles(incomplete: str) -> list[str]:
    """Offer speaking styles."""
    from avatar_service.motion.styles import STYLES

    return _beginning(incomplete, STYLES)


def emotions(incomplete: str) -> list[str]:
    """Offer names of emotions, their weight still to be written."""
    from avatar_service.schema import EMOTION_NAMES

    return _beginning(incomplete, (f"{name}:" for name in EMOTION_NAMES))


def export_formats(incomplete: str) -> list[str]:
    """Offer formats of `avatar export`."""
    from avatar_service.export.formats import FORMATS

    return _beginning(incomplete, (row.name for row in FORMATS))


def log_levels(incomplete: str) -> list[str]:
    """Offer levels of the service's log."""
    from avatar_service.config import LOG_LEVELS

    return _beginning(incomplete, LOG_LEVELS)


def log_formats(incomplete: str) -> list[str]:
    """Offer forms of the service's log."""
    from avatar_service.config import LOG_FORMATS

    return _beginning(incomplete, LOG_FORMATS)


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
