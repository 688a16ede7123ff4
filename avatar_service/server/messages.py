"""Requests checked and turned into the domain's terms; answers written down."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final, TypeVar

from avatar_service.audio.ingest import SampleFormat
from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import (
    audio_pb2,
    avatar_pb2,
    avatar_service_pb2,
    endpoint_pb2,
    event_pb2,
    frame_pb2,
    session_pb2,
)
from avatar_service.motion.generators import DEFAULT_MOTION_MODEL
from avatar_service.motion.phones import TimedPhone
from avatar_service.provenance.consent import Consent
from avatar_service.server.avatar_store import StoredAvatar
from avatar_service.server.controls_message import apply_controls, controls_message
from avatar_service.server.live_output_message import live_output_messages, live_outputs_of
from avatar_service.session.events import FrameEncoding
from avatar_service.session.managed_session import ManagedSession, SessionState
from avatar_service.session.phones import KnownPhones, check_number, check_phones
from avatar_service.session.session_request import OutputKind, SessionRequest, TransportKind
from avatar_service.session.settings import Pacing
from avatar_service.session.speech import Pcm
from avatar_service.session.stats import Recent
from avatar_service.session.subscriber import Subscriber
from avatar_service.signals import AudioRole, Controls
from avatar_service.transports.grpc_messages import (
    motion_schema_message,
    ring_descriptor_message,
    zmq_endpoint_messages,
)
from avatar_service.transports.ring import RingWriter
from avatar_service.transports.zmq_publisher import ZmqPublisher

FRAME_SIZES_PX: Final = (256, 512, 1024)
MAX_PLAYOUT_MILLIS: Final = 2000
MAX_NAME_CHARS: Final = 64

_OUTPUTS: Final = {
    endpoint_pb2.OUTPUT_FRAMES: OutputKind.FRAMES,
    endpoint_pb2.OUTPUT_MOTION: OutputKind.MOTION,
    endpoint_pb2.OUTPUT_AUDIO: OutputKind.AUDIO,
}
_TRANSPORTS: Final = {
    endpoint_pb2.TRANSPORT_SHM: TransportKind.SHM,
    endpoint_pb2.TRANSPORT_ZMQ: TransportKind.ZMQ,
    endpoint_pb2.TRANSPORT_GRPC: TransportKind.GRPC,
}
_PACINGS: Final = {
    session_pb2.PACING_UNSPECIFIED: Pacing.REALTIME,
    session_pb2.PACING_REALTIME: Pacing.REALTIME,
    session_pb2.PACING_BURST: Pacing.BURST,
}
_ENCODINGS: Final = {
    frame_pb2.FRAME_ENCODING_UNSPECIFIED: FrameEncoding.RAW,
    frame_pb2.FRAME_ENCODING_RAW: FrameEncoding.RAW,
    frame_pb2.FRAME_ENCODING_JPEG: FrameEncoding.JPEG,
    frame_pb2.FRAME_ENCODING_H264: FrameEncoding.H264,
}
_ROLES: Final = {
    audio_pb2.AUDIO_ROLE_UNSPECIFIED: AudioRole.SPEAK,
    audio_pb2.AUDIO_ROLE_SPEAK: AudioRole.SPEAK,
    audio_pb2.AUDIO_ROLE_LISTEN: AudioRole.LISTEN,
}
_FORMATS: Final = {
    audio_pb2.AUDIO_FORMAT_PCM_S16LE: SampleFormat.PCM_S16,
    audio_pb2.AUDIO_FORMAT_F32LE: SampleFormat.FLOAT32,
}
_ALPHABETS: Final = {
    audio_pb2.PHONE_ALPHABET_ARPABET: "arpabet",
    audio_pb2.PHONE_ALPHABET_IPA: "ipa",
}
_STATES: Final = {
    SessionState.READY: session_pb2.SESSION_STATE_READY,
    SessionState.ACTIVE: session_pb2.SESSION_STATE_ACTIVE,
    SessionState.WAITING: session_pb2.SESSION_STATE_WAITING,
    SessionState.CLOSED: session_pb2.SESSION_STATE_CLOSED,
}
CROPS: Final = {
    avatar_pb2.CROP_POLICY_UNSPECIFIED: "face",
    avatar_pb2.CROP_POLICY_FACE: "face",
    avatar_pb2.CROP_POLICY_KEEP: "keep",
}
PHOTO_MAGIC: Final = {
    avatar_pb2.PHOTO_FORMAT_JPEG: b"\xff\xd8\xff",
    avatar_pb2.PHOTO_FORMAT_PNG: b"\x89PNG\r\n\x1a\n",
    avatar_pb2.PHOTO_FORMAT_WEBP: b"RIFF",
}

Key = TypeVar("Key", bound=int)
Value = TypeVar("Value")


def invalid(field: str, problem: str) -> AvatarError:
    """Make the INVALID_FIELD of a field."""
    return AvatarError(Reason.INVALID_FIELD, f"{field} {problem}", field=field)


def pick(table: dict[Key, Value], key: Key, field: str) -> Value:
    """Look an enum up. Raises UNSPECIFIED_ENUM for a value that is not accepted."""
    if key not in table:
        raise AvatarError(
            Reason.UNSPECIFIED_ENUM,
            f"{field} is {int(key)}; one of {', '.join(str(int(k)) for k in table)}",
            field=field,
        )
    return table[key]


def key_of(table: dict[Key, Value], value: Value) -> Key:
    """Return the last key of a value: behind the UNSPECIFIED default stands the real one."""
    return [key for key, one in table.items() if one == value][-1]


def session_request(
    message: avatar_service_pb2.CreateSessionRequest,
    *,
    default_rate: Fraction,
    default_playout_nanos: int,
    default_motion_model: str = DEFAULT_MOTION_MODEL,
) -> SessionRequest:
    """Check a CreateSessionRequest field by field."""
    has_avatar = bool(message.avatar_id)
    rate = default_rate
    if message.HasField("frame_rate"):
        if not message.frame_rate.den:
            raise invalid("frame_rate.den", "is 0; 1 or more is allowed")
        rate = Fraction(message.frame_rate.num, message.frame_rate.den)
        if not 1 <= rate <= 120:
            raise invalid("frame_rate", f"is {float(rate):g}; 1 to 120 is allowed")
    outputs = frozenset(pick(_OUTPUTS, output, "outputs") for output in message.outputs)
    if not outputs:
        outputs = frozenset({OutputKind.MOTION} | ({OutputKind.FRAMES} if has_avatar else set()))
    if OutputKind.FRAMES in outputs and not has_avatar:
        raise invalid("outputs", "hold FRAMES, which need an avatar_id")
    transports = frozenset(pick(_TRANSPORTS, one, "transports") for one in message.transports)
    controls = apply_controls(Controls(motion_model=default_motion_model), message.controls)
    if message.ring_slot_count and not 3 <= message.ring_slot_count <= 64:
        raise invalid("ring_slot_count", f"is {message.ring_slot_count}; 3 to 64 is allowed")
    playout = default_playout_nanos
    if message.HasField("playout_delay_millis"):
        if message.playout_delay_millis > MAX_PLAYOUT_MILLIS:
            raise invalid(
                "playout_delay_millis",
                f"is {message.playout_delay_millis}; 0 to {MAX_PLAYOUT_MILLIS} is allowed",
            )
        playout = message.playout_delay_millis * 1_000_000
    pacing = pick(_PACINGS, message.pacing, "pacing")
    live_outputs = live_outputs_of(message.live_outputs)
    if live_outputs and pacing is not Pacing.REALTIME:
        raise invalid("live_outputs", "need PACING_REALTIME")
    return SessionRequest(
        avatar_id=message.avatar_id,
        rate=rate,
        size_px=_frame_size(message, has_avatar),
        outputs=outputs,
        transports=transports or frozenset({TransportKind.GRPC}),
        pacing=pacing,
        encoding=pick(_ENCODINGS, message.frame_encoding, "frame_encoding"),
        playout_delay_nanos=playout,
        controls=controls,
        ring_slots=message.ring_slot_count,
        live_outputs=live_outputs,
    )


def _frame_size(message: avatar_service_pb2.CreateSessionRequest, has_avatar: bool) -> int:
    width, height = message.width_px, message.height_px
    if not has_avatar:
        if width or height:
            raise invalid("width_px", f"is {width or height}; a latent-only session has no frames")
        return 0
    width = width or 512
    if width not in FRAME_SIZES_PX:
        raise invalid("width_px", f"is {width}; one of {FRAME_SIZES_PX} is allowed")
    if height not in (0, width):
        raise invalid("height_px", f"is {height}; frames are square: 0 or {width}")
    return width


def pcm_of(message: audio_pb2.AudioChunk) -> Pcm:
    """Check an AudioChunk's enums and names; sizes and rates are checked by the decoder."""
    if len(message.segment_id) > MAX_NAME_CHARS:
        raise invalid(
            "audio.segment_id",
            f"has {len(message.segment_id)} characters; {MAX_NAME_CHARS} are allowed",
        )
    if not 1 <= message.channels <= 2:
        raise AvatarError(
            Reason.INVALID_AUDIO,
            f"audio.channels is {message.channels}; 1 or 2 is allowed",
            field="audio.channels",
        )
    return Pcm(
        data=message.data,
        sample_rate_hz=message.sample_rate_hz,
        num_channels=message.channels,
        sample_format=pick(_FORMATS, message.format, "audio.format"),
        role=role_of(message.role),
        segment_id=message.segment_id,
    )


def phones_of(message: audio_pb2.KnownPhones) -> KnownPhones:
    """Check known phones."""
    if len(message.segment_id) > MAX_NAME_CHARS:
        raise invalid("phones.segment_id", f"is longer than {MAX_NAME_CHARS} characters")
    alphabet = pick(_ALPHABETS, message.alphabet, "phones.alphabet")
    check_number(len(message.phones))  # before they are read, one by one
    phones = [TimedPhone(p.start_nanos / 1e9, p.end_nanos / 1e9, p.symbol) for p in message.phones]
    return check_phones(message.segment_id, alphabet, phones)


def role_of(role: audio_pb2.AudioRole.ValueType) -> AudioRole:
    """Look up whose voice it is."""
    return pick(_ROLES, role, "role")


def role_value(role: AudioRole) -> audio_pb2.AudioRole.ValueType:
    """Write down whose voice it is."""
    return key_of(_ROLES, role)


def format_value(sample_format: SampleFormat) -> audio_pb2.AudioFormat.ValueType:
    """Write an audio format down."""
    return key_of(_FORMATS, sample_format)


def encoding_value(encoding: FrameEncoding) -> frame_pb2.FrameEncoding.ValueType:
    """Write a frame encoding down."""
    return key_of(_ENCODINGS, encoding)


def outputs_of(selection: event_pb2.OutputSelection) -> frozenset[OutputKind]:
    """Check a choice of outputs."""
    return frozenset(pick(_OUTPUTS, one, "inline_outputs") for one in selection.outputs)


def session_message(managed: ManagedSession) -> session_pb2.Session:
    """Write a session down with its effective values."""
    session, request = managed.session, managed.request
    size = session.settings.size_px
    message = session_pb2.Session(
        session_id=managed.session_id,
        avatar_id=request.avatar_id,
        state=_STATES[managed.state],
        frame_rate=session_pb2.FrameRate(num=request.rate.numerator, den=request.rate.denominator),
        width_px=size,
        height_px=size,
        outputs=[key for key, kind in _OUTPUTS.items() if kind in request.outputs],
        transports=[key for key, kind in _TRANSPORTS.items() if kind in request.transports],
        pacing=key_of(_PACINGS, request.pacing),
        frame_encoding=encoding_value(request.encoding),
        playout_delay_millis=request.playout_delay_nanos // 1_000_000,
        controls=controls_message(session.controls),
        motion_schema=motion_schema_message(),
        pts_nanos=session.pts_nanos,
        epoch=session.epoch,
        num_observers=managed.num_observers,
        live_outputs=live_output_messages(request.live_outputs),
    )
    for publisher in managed.publishers:
        if isinstance(publisher, RingWriter):
            message.ring.CopyFrom(ring_descriptor_message(publisher))
        elif isinstance(publisher, ZmqPublisher):
            message.zmq_endpoints.extend(zmq_endpoint_messages(publisher))
    return message


def statistics_message(
    managed: ManagedSession, subscriber: Subscriber | None = None
) -> event_pb2.Statistics:
    """Write a session's figures down."""
    session, stats = managed.session, managed.session.stats
    return event_pb2.Statistics(
        pts_nanos=session.pts_nanos,
        frame_rate_hz=stats.frame_rate_hz(time.monotonic_ns()),
        frames_published=stats.published,
        frames_dropped=stats.skipped,
        frames_dropped_by_stream=subscriber.num_dropped if subscriber is not None else 0,
        frames_late=stats.late,
        audio_ahead_millis=session.audio_ahead_nanos / 1e6,
        latency=_percentiles(stats.publish_ms),
        render=_percentiles(stats.render_ms),
        cpu_seconds=time.process_time(),
        playback_drift_millis=session.drift_nanos / 1e6,
    )


def _percentiles(recent: Recent) -> event_pb2.Percentiles:
    return event_pb2.Percentiles(
        p50_millis=recent.percentile(50),
        p95_millis=recent.percentile(95),
        p99_millis=recent.percentile(99),
    )


def consent_of(header: avatar_pb2.AvatarHeader) -> Consent:
    """Read the statement of consent and check it. Raises CONSENT_REQUIRED."""
    message = header.consent
    valid_until = None
    if message.HasField("valid_until"):
        try:
            valid_until = message.valid_until.ToDatetime(tzinfo=UTC)
        except ValueError as error:
            raise invalid(
                "consent.valid_until", "is no time between the years 1 and 9999"
            ) from error
    consent = Consent(
        subject=message.subject,
        basis=message.basis,
        stated_by=message.stated_by,
        valid_until=valid_until,
        stated_at=datetime.now(UTC),
    )
    consent.check()
    return consent


def avatar_message(avatar: StoredAvatar) -> avatar_pb2.Avatar:
    """Write an avatar down."""
    consent = avatar_pb2.ConsentStatement(
        subject=avatar.consent.subject,
        basis=avatar.consent.basis,
        stated_by=avatar.consent.stated_by,
    )
    if avatar.consent.valid_until is not None:
        consent.valid_until.FromDatetime(avatar.consent.valid_until)
    message = avatar_pb2.Avatar(
        avatar_id=avatar.avatar_id,
        display_name=avatar.display_name,
        consent=consent,
        crop=key_of(CROPS, avatar.crop),
        photo_width_px=avatar.photo_width_px,
        photo_height_px=avatar.photo_height_px,
        photo_sha256=bytes.fromhex(avatar.photo_sha256),
        notes=avatar.notes,
    )
    message.create_time.FromDatetime(avatar.create_time)
    return message
