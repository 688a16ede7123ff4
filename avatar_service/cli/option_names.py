"""Faults in the words of the command line: a room knows fields, a person has given options."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import typer
from typer.core import TyperCommand, TyperOption

from avatar_service.errors import AvatarError

Function = TypeVar("Function", bound=Callable[..., Any])

_ALIASES: Final = {
    "speaking_style": "style",
    "out": "output",
    "rate": "fps",
    "live_allowed_destinations": "live_allowed",
}
"""Options that are named after neither the field nor its section."""
_UNIT: Final = re.compile("_(secs|px|hz|ms)$")


class Commands(typer.Typer):
    """A tree of commands whose faults name the option that was given."""

    def command(self, *args: Any, **settings: Any) -> Callable[[Function], Function]:
        """See typer.Typer.command."""
        return super().command(*args, **{"cls": _Command, **settings})


class _Command(TyperCommand):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AvatarError as error:
            raise named(error, ctx) from error


def named(error: AvatarError, context: typer.Context) -> AvatarError:
    """Return a fault that names the option to blame.

    A value that was not given on the command line (it is a default, or stands in the environment
    or a file) keeps the name that it has there.
    """
    option = _option_of(error.field or "", context)
    if option is None or option in error.message:
        return error
    # "speaking_style is ..." begins with the name; "cannot listen on ..." does not.
    own_names = {error.field or "", _UNIT.sub("", error.field or ""), option.lstrip("-")}
    spelt = "|".join(re.escape(name).replace("_", "[ _]") for name in sorted(own_names, key=len))
    found = re.match(rf"({spelt})(?![\w.])", error.message, re.IGNORECASE)
    message = option + (error.message[found.end() :] if found else f": {error.message}")
    return AvatarError(
        error.reason,
        message,
        field=error.field,
        metadata=error.metadata,
        retry_secs=error.retry_secs,
    )


def _option_of(field: str, context: typer.Context) -> str | None:
    whole = field.replace(".", "_").replace("-", "_")
    section, _, last = field.rpartition(".")
    flags = {
        parameter.name: max(parameter.opts, key=len)
        for parameter in context.command.params
        if isinstance(parameter, TyperOption)
    }
    for name in (whole, _ALIASES.get(whole), _UNIT.sub("", whole), last, section):
        if name in flags:
            source = context.get_parameter_source(name)
            # By its name: Typer has brought a copy of Click's enumeration of its own since 0.20.
            is_given = source is not None and source.name == "COMMANDLINE"
            return flags[name] if is_given else None
    return None
