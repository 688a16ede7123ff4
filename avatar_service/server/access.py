"""Who may call what: bearer tokens with scopes, read again when their file changes.

The token file holds one token per line, `#` begins a comment:

    TOKEN                                     every scope, for a service with one kind of client
    TOKEN name=game scopes=animate            what a game in the field needs
    sha256:HEX name=wall scopes=observe       the token's SHA-256 instead of the token

A client is a name: sessions and quotas are the name's, so a second line with the same name lets a
client change its token without a gap. `avatar token` makes tokens and such lines.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.server.reloading import ReloadedFiles, read_small, warn_if_readable_by_others

MIN_TOKEN_CHARS: Final = 16
MAX_TOKENS: Final = 1000
DEFAULT_NAME: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,40}")
_HASHED: Final = re.compile(r"sha256:([0-9a-f]{64})")


class Scope(StrEnum):
    """What a token is good for; see ALLOWED."""

    ANIMATE = "animate"
    OBSERVE = "observe"
    ADMIN = "admin"


EVERY_SCOPE: Final = frozenset(Scope)
_SERVICE: Final = "/avatar.v1.AvatarService/"
ALLOWED: Final[Mapping[str, frozenset[Scope]]] = {
    _SERVICE + "GetServerInfo": EVERY_SCOPE,
    _SERVICE + "GetAvatar": frozenset({Scope.ANIMATE, Scope.ADMIN}),
    _SERVICE + "ListAvatars": frozenset({Scope.ANIMATE, Scope.ADMIN}),
    _SERVICE + "CreateAvatar": frozenset({Scope.ADMIN}),
    _SERVICE + "DeleteAvatar": frozenset({Scope.ADMIN}),
    _SERVICE + "CreateSession": frozenset({Scope.ANIMATE}),
    _SERVICE + "GetSession": EVERY_SCOPE,
    _SERVICE + "ListSessions": frozenset({Scope.ADMIN}),
    _SERVICE + "CloseSession": frozenset({Scope.ANIMATE, Scope.ADMIN}),
    # As the controller: ANIMATE; that is known when the stream's first message is.
    _SERVICE + "Animate": frozenset({Scope.ANIMATE, Scope.OBSERVE}),
    "/nvidia_ace.services.a2f_controller.v1.A2FControllerService/ProcessAudioStream": frozenset(
        {Scope.ANIMATE}
    ),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": EVERY_SCOPE,
}
"""Scopes of which a token needs one, by method; a method that is not named here needs ADMIN."""
OPEN_SERVICES: Final = ("/grpc.health.v1.Health/",)
"""Probes carry no token."""
HEALTH_CHECK: Final = "/grpc.health.v1.Health/Check"
"""Is always answered: who keeps a probe from its answer gets the service restarted."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call.

    Attributes:
        name: of the client in the token file; "" where the service asks for no token.
        digest: SHA-256 of its token.
    """

    name: str = ""
    scopes: frozenset[Scope] = EVERY_SCOPE
    digest: bytes = b""

    def may_manage(self, owner: str) -> bool:
        """Whether a session of `owner` may be controlled or closed."""
        return self.name == owner or Scope.ADMIN in self.scopes


ANYBODY: Final = Caller()
"""Everybody who reaches a service without tokens: this machine's users, with every right."""
CALLER: Final[ContextVar[Caller]] = ContextVar("caller", default=ANYBODY)
"""Who makes the call that the current task serves; set by the interceptor."""


class TokenFile:
    """The tokens that count now.

    Raises:
        AvatarError: INVALID_FIELD where the file cannot be read or holds a bad line.
    """

    def __init__(self, path: Path) -> None:
        self._file = ReloadedFiles((path,), lambda: read_tokens(path))
        warn_if_readable_by_others(path, "token_file")

    def poll(self) -> bool:
        """Read the file again where it changed. Blocking."""
        return self._file.poll()

    def find(self, metadata: Any) -> Caller:
        """Return whose token a call carries. Raises UNAUTHENTICATED.

        All tokens are compared, each in constant time: how long it takes tells nothing.
        """
        given = next((value for key, value in metadata or () if key == "authorization"), "")
        given = given if isinstance(given, bytes) else given.encode()
        scheme, _, token = given.partition(b" ")
        digest = hashlib.sha256(token).digest()
        found: Caller | None = None
        for caller in self._file.value:
            if hmac.compare_digest(digest, caller.digest):
                found = caller
        if found is None or scheme.lower() != b"bearer":
            raise AvatarError(
                Reason.UNAUTHENTICATED,
                'this service asks for the metadata "authorization: Bearer TOKEN"',
            )
        return found

    def holds(self, caller: Caller) -> bool:
        """Whether a caller's token still counts, with the rights it had."""
        return caller in self._file.value


def check_scope(caller: Caller, method: str) -> None:
    """Raise PERMISSION_DENIED unless the caller's token covers a method."""
    needed = ALLOWED.get(method, frozenset({Scope.ADMIN}))
    if not needed & caller.scopes:
        raise AvatarError(
            Reason.PERMISSION_DENIED,
            f"this call needs a token of scope {' or '.join(sorted(needed))}; yours has "
            + ", ".join(sorted(caller.scopes)),
        )


def check_owner(owner: str, *, role: str) -> None:
    """Raise PERMISSION_DENIED unless the current caller may steer a session of `owner`."""
    caller = CALLER.get()
    if Scope.ANIMATE not in caller.scopes and Scope.ADMIN not in caller.scopes:
        raise AvatarError(Reason.PERMISSION_DENIED, f"a token of scope observe cannot {role}")
    if not caller.may_manage(owner):
        raise AvatarError(
            Reason.PERMISSION_DENIED, f"the session is another client's; you cannot {role}"
        )


def read_tokens(path: Path) -> tuple[Caller, ...]:
    """Read a token file; see the module. Raises INVALID_FIELD, which never shows a token."""
    text = read_small(path, "token_file").decode("utf-8", "replace")
    callers: list[Caller] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if content:
            callers.append(parse_line(content, f"token_file: line {number}"))
    if not callers:
        raise _bad("token_file: holds no token")
    if len(callers) > MAX_TOKENS:
        raise _bad(f"token_file: holds {len(callers)} tokens; {MAX_TOKENS} are allowed")
    if len({caller.digest for caller in callers}) < len(callers):
        raise _bad("token_file: holds a token twice")
    return tuple(callers)


def parse_line(content: str, where: str) -> Caller:
    """Read one line of a token file. INVALID_FIELD, blaming `where`."""
    token, *settings = content.split()
    hashed = _HASHED.fullmatch(token)
    if hashed is None and (
        len(token) < MIN_TOKEN_CHARS or not token.isascii() or not token.isprintable()
    ):
        raise _bad(
            f"{where}: a token needs {MIN_TOKEN_CHARS} or more printable ASCII characters "
            "without spaces"
        )
    name, scopes = DEFAULT_NAME, EVERY_SCOPE
    for setting in settings:
        key, _, value = setting.partition("=")
        if key == "name" and _NAME.fullmatch(value):
            name = value
        elif key == "scopes":
            scopes = parse_scopes(value, f"{where}: ")
        else:
            raise _bad(
                f"{where}: behind the token stand name=NAME (40 letters, digits, . _ -) and "
                "scopes=SCOPE,SCOPE"
            )
    digest = bytes.fromhex(hashed[1]) if hashed else hashlib.sha256(token.encode()).digest()
    return Caller(name, scopes, digest)


def parse_scopes(text: str, where: str = "") -> frozenset[Scope]:
    """Turn "animate,observe" into scopes. INVALID_FIELD."""
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in list(Scope)]
    if unknown or not names:
        raise _bad(f"{where}scopes are {', '.join(Scope)}, separated by commas")
    return frozenset(Scope(name) for name in names)


def _bad(problem: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FIELD, problem, field="token_file")
