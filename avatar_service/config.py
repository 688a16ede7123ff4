"""The one typed configuration tree, parsed once at the door.

Precedence, highest first: command-line options, environment (AVATAR_*), TOML file, defaults.
An option is named by its dotted path (`limits.max_sessions`), its environment variable by the
same path in capitals with underscores (AVATAR_LIMITS_MAX_SESSIONS); in TOML a section is a table.
Times are in the unit of the name. A wrong value is INVALID_FIELD with one line.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final

import platformdirs

from avatar_service.errors import AvatarError, Reason

APP_NAME: Final = "avatar-service"
DEFAULT_PORT: Final = 50551


def home_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of what must be kept: avatars and consents (AVATAR_HOME overrides)."""
    home = (os.environ if environ is None else environ).get("AVATAR_HOME")
    return Path(home).expanduser() if home else Path(platformdirs.user_data_dir(APP_NAME))


def cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of what can be made again: models, portraits (AVATAR_HOME overrides)."""
    home = (os.environ if environ is None else environ).get("AVATAR_HOME")
    if home:
        return Path(home).expanduser() / "cache"
    return Path(platformdirs.user_cache_dir(APP_NAME))


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Transport security; mutual when `client_ca` is given."""

    certificate: Path | None = None
    private_key: Path | None = None
    client_ca: Path | None = None

    @property
    def is_enabled(self) -> bool:
        """Whether the service speaks TLS."""
        return self.certificate is not None


@dataclass(frozen=True, slots=True)
class CredentialsConfig:
    """Who signs the content credentials of exported videos."""

    certificate: Path | None = None
    """PEM, the signing certificate first; None: a self-signed test certificate, marked as such."""
    private_key: Path | None = None
    timestamp_url: str = ""
    """Of a time stamp authority (RFC 3161), which is then asked at each export; "": none."""


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What one client may ask for; beyond it stands an answer of the error table."""

    max_sessions: int = 256
    """Upper bound beside the measured capacity."""
    max_observers_per_session: int = 32
    max_message_bytes: int = 4 << 20
    """Largest received message; an audio chunk or a part of a photo fits well."""
    max_photo_bytes: int = 32 << 20
    max_avatars: int = 1000
    audio_ahead_secs: float = 60.0
    """Speech that may wait on the line: a long synthesised sentence, pushed at once, fits."""
    idle_timeout_secs: float = 60.0
    """A session without a stream, since its controller left or never came, is closed."""
    subscriber_frames: int = 8
    """Frames and latents that wait for one slow reader; older ones are dropped."""


@dataclass(frozen=True, slots=True)
class QuotaConfig:
    """What one client may take: a name of the token file, or everybody where no token is asked for.

    A call beyond a quota is RESOURCE_EXHAUSTED, QUOTA_EXCEEDED, with the time after which it fits;
    streams that run are slowed down to the rates instead, and lose nothing.
    """

    sessions: int = 128
    """Sessions at once."""
    avatars: int = 1000
    """Avatars that the client made and that are stored."""
    audio_ahead_secs: float = 1200.0
    """Speech that waits in all its sessions together."""
    calls: int = 512
    """Calls and streams at once."""
    requests_per_sec: float = 200.0
    """New calls; as many again may come at once."""
    messages_per_sec: float = 2000.0
    """Messages in all its streams; as many again may come at once. A live one sends about 60."""
    stream_messages_per_sec: float = 500.0
    """Messages in one stream; as many again may come at once."""
    bytes_per_sec: float = 64e6
    """Received; twice as many may come at once."""


@dataclass(frozen=True, slots=True)
class PacingConfig:
    """Defaults of the session's clock."""

    fps: str = "40"
    """A rational, "40" or "30000/1001"; 1 to 120."""
    lookahead_ms: float = 40.0
    """Audio after a frame's pts that its lips depend on; 40 or 80, which is later and surer."""
    input_margin_ms: float = 20.0
    """Tolerated jitter of live audio chunks."""
    playout_delay_ms: float = 150.0
    """A frame that is not readable at pts + this is late."""


@dataclass(frozen=True, slots=True)
class ShmConfig:
    """Shared-memory rings."""

    enabled: bool = True
    folder: Path | None = None
    """None: the platform's place (/dev/shm, else the user's temporary folder)."""
    group: str | None = None
    """Readers of this group may attach (mode 0640); None: only this user (0600)."""
    slots: int = 8


@dataclass(frozen=True, slots=True)
class ZmqConfig:
    """ZeroMQ publishers: ipc on this host, and tcp (always CURVE, keys made per session)."""

    enabled: bool = True
    endpoint: str = ""
    """Empty: ipc in the user's runtime folder; "ipc://FOLDER"; "tcp://HOST": ipc and tcp."""

    @property
    def folder(self) -> Path | None:
        """Folder of the ipc sockets; None: the user's runtime folder."""
        kind, _, place = self.endpoint.partition("://")
        return Path(place).expanduser() if kind == "ipc" else None

    @property
    def tcp_host(self) -> str | None:
        """Address to listen on with tcp; None: ipc only. Ports are free ones."""
        kind, _, place = self.endpoint.partition("://")
        return place if kind == "tcp" else None


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """Live outputs of sessions: Live Link and VMC."""

    allowed_destinations: tuple[str, ...] = ()
    """Addresses, networks (192.168.7.0/24) and host names that may be sent to besides loopback;
    in text separated by commas."""


@dataclass(frozen=True, slots=True)
class A2fConfig:
    """The service for Audio2Face-3D clients beside this one."""

    listen: str = ""
    """HOST:PORT, usually 127.0.0.1:52000; empty: off."""
    max_streams: int = 16
    """Clips at once."""


@dataclass(frozen=True, slots=True)
class RecordConfig:
    """Recordings of sessions, to be repeated by `avatar replay`."""

    folder: Path | None = None
    """Where; None: nothing is recorded."""
    audio: bool = False
    """Keep speech, phones and latents too. False: times and controls only."""
    max_mb: int = 1024
    """Of one session, MiB; beyond it the recording ends. Speech takes about 4 MiB a minute."""


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Prometheus metrics."""

    port: int | None = None
    """Port on loopback for http://127.0.0.1:PORT/metrics; 0: a free one; None: off."""


@dataclass(frozen=True, slots=True)
class TracesConfig:
    """OpenTelemetry traces; need the extra [telemetry]."""

    endpoint: str = ""
    """OTLP/gRPC collector, usually http://127.0.0.1:4317; https:// speaks TLS; empty: off."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set."""

    listen: str = f"127.0.0.1:{DEFAULT_PORT}"
    """HOST:PORT; beyond loopback TLS and tokens are needed; port 0 takes a free one."""
    token_file: Path | None = None
    """File with bearer tokens (docs/security.md)."""
    reuse_port: bool = False
    """Let another service listen on the same port (SO_REUSEPORT; Linux): for a hand-over without a
    refused connection. On SIGTERM this one then stops listening at once."""
    device: str = "auto"
    """auto, cpu or cuda:N."""
    workers: int = 0
    """Threads that render; 0: one per CPU core."""
    drain_secs: float = 5.0
    """On SIGTERM sessions get a notice and this long to end."""
    log_level: str = "info"
    """debug, info, warning or error."""
    log_format: str = "text"
    """text: lines for people; json: one object a line for machines."""
    home: Path = field(default_factory=home_dir)
    """Folder of what must be kept: avatars and consents."""
    cache: Path = field(default_factory=cache_dir)
    """Folder of what can be made again: models, compiled kernels."""
    provenance: Path | None = None
    """Folder of the installation's key and its consents; None: the folder provenance in home."""
    motion_model: str = "mixed"
    """Who moves head, face, gaze and lids where a session does not say: mixed, transformer or
    rules."""
    motion_device: str = "cpu"
    """Where the networks of motion run: cpu, or cuda:N for all sessions at once (a torch with CUDA;
    not yet run on a GPU, see docs/gpu.md)."""
    badge: bool = False
    """Whether frames bear a visible badge, "AI-generated"; the watermark is in all of them."""
    tls: TlsConfig = field(default_factory=TlsConfig)
    credentials: CredentialsConfig = field(default_factory=CredentialsConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    quotas: QuotaConfig = field(default_factory=QuotaConfig)
    pacing: PacingConfig = field(default_factory=PacingConfig)
    shm: ShmConfig = field(default_factory=ShmConfig)
    zmq: ZmqConfig = field(default_factory=ZmqConfig)
    live: LiveConfig = field(default_factory=LiveConfig)
    a2f: A2fConfig = field(default_factory=A2fConfig)
    record: RecordConfig = field(default_factory=RecordConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    traces: TracesConfig = field(default_factory=TracesConfig)

    @property
    def provenance_dir(self) -> Path:
        """Folder of the installation's key and its consents."""
        return self.provenance or self.home / "provenance"

    def __post_init__(self) -> None:
        """Check what the types cannot say."""
        parse_listen(self.listen)
        if self.a2f.listen:
            parse_listen(self.a2f.listen, name="a2f.listen")
        parse_fps(self.pacing.fps, name="pacing.fps")
        if self.pacing.lookahead_ms not in LOOKAHEADS_MS:
            allowed = " or ".join(map(str, LOOKAHEADS_MS))
            raise _invalid(
                "pacing.lookahead_ms", f"is {self.pacing.lookahead_ms:g}; {allowed} is allowed"
            )
        for entry in self.live.allowed_destinations:
            _check_destination(entry)
        if (self.tls.certificate is None) != (self.tls.private_key is None):
            raise _invalid("tls", "certificate and private_key are given together or not at all")
        if (self.credentials.certificate is None) != (self.credentials.private_key is None):
            raise _invalid(
                "credentials", "certificate and private_key are given together or not at all"
            )
        if self.tls.client_ca is not None and self.tls.certificate is None:
            raise _invalid("tls.client_ca", "needs tls.certificate and tls.private_key")
        if self.log_level not in LOG_LEVELS:
            raise _invalid("log_level", f"is {self.log_level!r}; debug, info, warning or error")
        if self.log_format not in LOG_FORMATS:
            raise _invalid("log_format", f"is {self.log_format!r}; text or json")
        if not re.fullmatch(r"cpu|cuda:\d+", self.motion_device):
            raise _invalid("motion_device", f"is {self.motion_device!r}; cpu or cuda:N is allowed")
        if self.record.audio and self.record.folder is None:
            raise _invalid("record.audio", "needs record.folder")
        if self.metrics.port is not None and not 0 <= self.metrics.port <= 65535:
            raise _invalid("metrics.port", f"is {self.metrics.port}; 0 to 65535 is allowed")
        if self.traces.endpoint and not re.fullmatch(r"https?://\S+:\d+/?", self.traces.endpoint):
            raise _invalid(
                "traces.endpoint", f"is {self.traces.endpoint!r}; http://HOST:PORT or https://"
            )
        if self.zmq.endpoint and not (self.zmq.folder or self.zmq.tcp_host):
            raise _invalid("zmq.endpoint", f"is {self.zmq.endpoint!r}; ipc://FOLDER or tcp://HOST")
        for path, low, high in _RANGES:
            value = _value_at(self, path)
            if not low <= value <= high:
                raise _invalid(path, f"is {value:g}; {low:g} to {high:g} is allowed")


LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("text", "json")
LOOKAHEADS_MS: Final = (40, 80)
"""What the shipped articulation network has heads for."""

_RANGES: Final[tuple[tuple[str, float, float], ...]] = (
    ("workers", 0, 256),
    ("drain_secs", 0, 600),
    ("limits.max_sessions", 1, 4096),
    ("limits.max_observers_per_session", 0, 4096),
    ("limits.max_message_bytes", 64 << 10, 64 << 20),
    ("limits.max_photo_bytes", 64 << 10, 256 << 20),
    ("limits.max_avatars", 1, 1_000_000),
    ("limits.audio_ahead_secs", 1, 3600),
    ("limits.idle_timeout_secs", 1, 1e6),
    ("limits.subscriber_frames", 1, 1024),
    ("quotas.sessions", 1, 4096),
    ("quotas.avatars", 0, 1_000_000),
    ("quotas.audio_ahead_secs", 1, 1e6),
    ("quotas.calls", 1, 4096),
    ("quotas.requests_per_sec", 1, 1e6),
    ("quotas.messages_per_sec", 100, 1e6),
    ("quotas.stream_messages_per_sec", 100, 1e6),
    ("quotas.bytes_per_sec", 1e6, 1e12),
    ("pacing.input_margin_ms", 0, 1000),
    ("pacing.playout_delay_ms", 1, 10_000),
    ("shm.slots", 3, 64),
    ("a2f.max_streams", 1, 4096),
    ("record.max_mb", 1, 1_000_000),
)


def parse_fps(text: str, *, name: str = "fps") -> Fraction:
    """Parse a frame rate such as "40" or "30000/1001"; 1 to 120 frames per second."""
    # Checked by pattern first: Fraction("1e99999999") would compute a number of that size.
    if not re.fullmatch(r"\d{1,7}(\.\d{1,6}|/\d{1,7})?", text.strip()):
        raise _invalid(name, f"is {text[:40]!r}; a number or a ratio such as 30000/1001")
    try:
        rate = Fraction(text.strip())
    except ZeroDivisionError as error:
        raise _invalid(name, f"is {text!r}; a number or a ratio such as 30000/1001") from error
    if not 1 <= rate <= 120:
        raise _invalid(name, f"is {text.strip()}; 1 to 120 is allowed")
    return rate


def parse_listen(text: str, *, name: str = "listen") -> tuple[str, int]:
    """Split "HOST:PORT" ("[::1]:0" for IPv6; port 0 lets the system choose)."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise _invalid(name, f"is {text!r}; HOST:PORT with a port of 0 to 65535")
    return host, int(port)


def _check_destination(entry: str) -> None:
    """Refuse what looks like an address or network and is none; names are resolved later."""
    if "/" not in entry and ":" not in entry:
        return
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        raise _invalid(
            "live.allowed_destinations",
            f"holds {entry!r}; an address, a network such as 192.168.7.0/24 or a host name",
        ) from None


def load_config(
    options: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    toml_file: Path | None = None,
) -> Config:
    """Build the configuration from options by dotted path, the environment and a TOML file.

    Options that are None count as not given. Raises AvatarError INVALID_FIELD.
    """
    environ = os.environ if environ is None else environ
    known = _paths(Config)
    values: dict[str, object] = {"home": home_dir(environ), "cache": cache_dir(environ)}
    if toml_file is not None:
        values.update(_read_toml(toml_file, known))
    for path in known:
        text = environ.get("AVATAR_" + path.replace(".", "_").upper())
        if text is not None and path != "home":  # AVATAR_HOME: home_dir has taken it
            values[path] = text
    _refuse_unknown_environment(environ, known)
    for path, value in (options or {}).items():
        if path not in known:
            raise _invalid(path, "is no option of the service")
        if value is not None:
            values[path] = value
    return typing.cast(Config, _build(Config, "", values))


def _refuse_unknown_environment(environ: Mapping[str, str], known: Mapping[str, object]) -> None:
    """A misspelt AVATAR_<SECTION>_* must not be ignored in silence."""
    names = {"AVATAR_" + path.replace(".", "_").upper() for path in known}
    sections = tuple({f"AVATAR_{path.split('.')[0].upper()}_" for path in known if "." in path})
    for name in environ:
        if name.startswith(sections) and name not in names:
            raise _invalid(name, "is no setting of the service (environment variable)")


def _read_toml(file: Path, known: Mapping[str, object]) -> dict[str, object]:
    try:
        tree = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise _invalid("config", f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid("config", f"{file} is not TOML: {error}") from error
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            flat[key] = value
    for path in flat:
        if path not in known:
            raise _invalid(path, f"is no option of the service ({file})")
    return flat


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _paths(cls: type, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for item in fields(cls):
        hint = _hints(cls)[item.name]
        if is_dataclass(hint):
            found.update(_paths(typing.cast(type, hint), f"{prefix}{item.name}."))
        else:
            found[prefix + item.name] = hint
    return found


def _build(cls: type, prefix: str, values: Mapping[str, object]) -> object:
    arguments: dict[str, object] = {}
    for item in fields(cls):
        hint, path = _hints(cls)[item.name], prefix + item.name
        if is_dataclass(hint):
            arguments[item.name] = _build(typing.cast(type, hint), path + ".", values)
        elif path in values:
            arguments[item.name] = _convert(path, hint, values[path])
    return cls(**arguments)


def _convert(path: str, hint: object, value: object) -> object:
    """Turn an option's value (often text) into the field's type."""
    if isinstance(hint, types.UnionType):
        if value is None or value == "":
            return None
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        parts = value if isinstance(value, list | tuple) else str(value).split(",")
        return tuple(str(part).strip() for part in parts if str(part).strip())
    text = str(value).strip()
    if hint is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise _invalid(path, f"is {text!r}; true or false")
    if hint is int or hint is float:
        try:
            return int(text) if hint is int else float(text)
        except ValueError as error:
            kind = "a whole number" if hint is int else "a number"
            raise _invalid(path, f"is {text!r}; {kind} is needed") from error
    return Path(text).expanduser() if hint is Path else text


def _value_at(config: object, path: str) -> float:
    for name in path.split("."):
        config = getattr(config, name)
    return typing.cast(float, config)


def _invalid(path: str, problem: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FIELD, f"{path} {problem}", field=path)
