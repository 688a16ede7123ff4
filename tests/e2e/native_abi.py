"""The C interface of the native client by ctypes, as an engine's bindings call it.

The structs mirror engine_clients/native/include/avatar_client/*.h field by field;
test_native.py has a C compiler compare their sizes.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

WAIT_SECS = 30.0
RATE_HZ = 16_000
READY, RECONNECTING, ENDED, FAILED = 2, 3, 4, 5
INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNIMPLEMENTED, UNAVAILABLE = 3, 5, 7, 12, 14
UNAUTHENTICATED = 16
STATE, SEGMENT_STARTED, SEGMENT_ENDED, CONTROL_APPLIED, NOTICE, RESTARTED = 1, 2, 3, 4, 6, 7
CONTROL_BADGE, CONTROL_MOTION_MODEL = 1 << 12, 1 << 13
SHM, ZMQ, GRPC = 1, 2, 4
FRAMES, MOTION, AUDIO = 1, 2, 4
BURST = 2
RAW, JPEG, H264 = 1, 2, 3
ARPABET = 1
FEATURE_H264, FEATURE_FUTEX = 16, 8
FRAME_STARVED = 2
PTS_NEWEST = 2**63 - 1
NUM_CHANNELS = 71
JAW_OPEN = 17
u32, u64, i32, i64, f32 = (
    ctypes.c_uint32,
    ctypes.c_uint64,
    ctypes.c_int32,
    ctypes.c_int64,
    ctypes.c_float,
)


class Text(ctypes.Structure):
    """avatar_string and avatar_bytes."""

    _fields_ = [("data", ctypes.c_char_p), ("size", u64)]


def text(value: str | bytes) -> Text:
    data = value.encode() if isinstance(value, str) else value
    return Text(data, len(data))


class Error(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("code", i32),
        ("retry_after_millis", u32),
        ("reason", ctypes.c_char * 64),
        ("message", ctypes.c_char * 512),
    ]


class ClientOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("tls", u32),
        *((name, Text) for name in ("target", "token", "ca_pem", "client_cert_pem")),
        *((name, Text) for name in ("client_key_pem", "tls_server_name", "client_name")),
        ("backoff_min_millis", u32),
        ("backoff_max_millis", u32),
        ("keepalive_millis", u32),
        ("reserved", u32),
    ]


class ServerInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("num_sessions", u32),
        ("capabilities", u64),
        ("max_photo_bytes", u64),
        ("max_audio_ahead_millis", u32),
        ("max_frame_rate_hz", u32),
        ("api_version", ctypes.c_char * 16),
        ("product_version", ctypes.c_char * 32),
        ("device", ctypes.c_char * 32),
        ("speaking_styles", ctypes.c_char * 512),
        ("motion_models", ctypes.c_char * 256),
    ]


class Photo(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("crop", u32),
        *((name, Text) for name in ("file", "display_name", "consent_subject")),
        *((name, Text) for name in ("consent_basis", "consent_stated_by")),
    ]


class AvatarInfo(ctypes.Structure):
    _fields_ = [
        *((name, u32) for name in ("struct_size", "photo_width_px", "photo_height_px", "reserved")),
        ("avatar_id", ctypes.c_char * 128),
        ("notes", ctypes.c_char * 512),
    ]


class SessionOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("observe", u32),
        ("avatar_id", Text),
        ("session_id", Text),
        *((name, u32) for name in ("fps_num", "fps_den", "size_px", "outputs", "transports")),
        *((name, u32) for name in ("pacing", "encoding")),
        ("playout_delay_millis", i32),
        *((name, u32) for name in ("min_delay_millis", "max_delay_millis", "buffer_millis")),
        *((name, u32) for name in ("starve_hold_millis", "starve_blend_millis")),
        *((name, u32) for name in ("recover_blend_millis", "statistics_millis", "reconnect")),
        ("controls", ctypes.c_void_p),
        *((name, u32) for name in ("silence_millis", "opening_millis")),
    ]


class SessionInfo(ctypes.Structure):
    _fields_ = [
        *((name, u32) for name in ("struct_size", "state", "transport", "fps_num", "fps_den")),
        *((name, u32) for name in ("width_px", "height_px", "epoch")),
        ("pixel_bytes", u64),
        *((name, u32) for name in ("playout_delay_millis", "outputs")),
        *((name, f32) for name in ("camera_distance", "outer_eye_distance_mm")),
        ("session_id", ctypes.c_char * 128),
    ]


class Controls(ctypes.Structure):
    _fields_ = [
        *((name, u32) for name in ("struct_size", "mask")),
        ("gaze", f32 * 3),
        ("distance", f32),
        ("emotion", f32 * 8),
        *((name, f32) for name in ("head_motion", "expression", "blink_rate", "idle")),
        *((name, u32) for name in ("background", "background_rgb", "seed", "badge")),
        ("speaking_style", Text),
        ("motion_model", Text),
    ]


class AudioIn(ctypes.Structure):
    _fields_ = [
        *((name, u32) for name in ("struct_size", "role", "format", "sample_rate_hz")),
        ("channels", u32),
        ("reserved", u32),
        ("samples", ctypes.c_void_p),
        ("num_frames", u64),
    ]


class Phone(ctypes.Structure):
    _fields_ = [("symbol", Text), ("start_nanos", i64), ("end_nanos", i64)]


class Phones(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("alphabet", u32),
        ("phones", ctypes.POINTER(Phone)),
        ("num_phones", u64),
    ]


class Event(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("kind", u32),
        ("pts_nanos", i64),
        ("value", u64),
        ("count", u64),
        ("epoch", u32),
        ("role", u32),
        ("segment_id", ctypes.c_char * 72),
        ("text", ctypes.c_char * 256),
    ]


class Frame(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("flags", u32),
        ("seq", u64),
        ("pts_nanos", i64),
        ("published_nanos", i64),
        *((name, u32) for name in ("epoch", "width_px", "height_px", "row_bytes")),
        ("pixel_bytes", u64),
    ]


class Motion(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("flags", u32),
        ("seq", u64),
        ("pts_nanos", i64),
        ("epoch", u32),
        ("presence", f32),
        ("values", f32 * NUM_CHANNELS),
        ("reserved", f32),
    ]


class AudioChunk(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("role", u32),
        ("pts_nanos", i64),
        *((name, u32) for name in ("epoch", "format", "sample_rate_hz", "channels")),
        ("num_frames", u64),
    ]


class Statistics(ctypes.Structure):
    _fields_ = [
        ("struct_size", u32),
        ("transport", u32),
        *((name, u64) for name in ("frames_received", "frames_shown", "frames_skipped")),
        *((name, u64) for name in ("reads_torn", "reads_starved", "messages_refused")),
        ("bytes_received", u64),
        ("num_reconnects", u32),
        ("num_starvations", u32),
        *((name, i64) for name in ("delay_nanos", "jitter_nanos", "audio_queued_nanos")),
        *((name, u64) for name in ("server_frames_published", "server_frames_dropped")),
        ("server_frames_late", u64),
        *((name, f32) for name in ("server_frame_rate_hz", "server_latency_p50_millis")),
        *((name, f32) for name in ("server_latency_p99_millis", "server_render_p50_millis")),
        *((name, f32) for name in ("server_audio_ahead_millis", "playback_drift_millis")),
    ]


MIRRORS = {
    "avatar_string": Text,
    "avatar_error": Error,
    "avatar_client_options": ClientOptions,
    "avatar_server_info": ServerInfo,
    "avatar_photo": Photo,
    "avatar_info": AvatarInfo,
    "avatar_session_options": SessionOptions,
    "avatar_session_info": SessionInfo,
    "avatar_controls": Controls,
    "avatar_audio": AudioIn,
    "avatar_phone": Phone,
    "avatar_phones": Phones,
    "avatar_event": Event,
    "avatar_frame": Frame,
    "avatar_motion": Motion,
    "avatar_audio_chunk": AudioChunk,
    "avatar_statistics": Statistics,
}


def speech(secs: float) -> NDArray[np.int16]:
    """A hum, 16 kHz."""
    return (8000 * np.sin(np.arange(int(RATE_HZ * secs)) * 0.05)).astype("<i2")


class Native:
    """The library with a client and a session of it."""

    def __init__(self, library: Path, address: str, *, tls: int = 0, **texts: str):
        self.lib = ctypes.CDLL(str(library))
        self.error = Error(ctypes.sizeof(Error))
        self.client, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        options = ClientOptions()
        self.lib.avatar_client_options_init(ctypes.byref(options), ctypes.sizeof(options))
        options.tls = tls
        options.backoff_min_millis, options.backoff_max_millis = 50, 200
        for name, value in {"target": address, **texts}.items():
            setattr(options, name, text(value))
        self.must("client_create", ctypes.byref(options), ctypes.byref(self.client))

    def call(self, name: str, *arguments: object) -> int:
        """Return the status; the fault then stands in `error`."""
        function = getattr(self.lib, f"avatar_{name}")
        return int(function(*arguments, ctypes.byref(self.error)))

    def must(self, name: str, *arguments: object) -> None:
        status = self.call(name, *arguments)
        assert status == 0, f"{name}: {status} {self.error.reason} {self.error.message}"

    def server_info(self) -> tuple[int, ServerInfo]:
        info = ServerInfo(ctypes.sizeof(ServerInfo))
        status = self.call("client_get_server_info", self.client, 20_000, ctypes.byref(info))
        return status, info

    def create_avatar(self, file: bytes) -> str:
        photo = Photo(ctypes.sizeof(Photo), 0, text(file))
        photo.consent_subject = photo.consent_basis = text("a test")
        info = AvatarInfo(ctypes.sizeof(AvatarInfo))
        arguments = (self.client, ctypes.byref(photo), 240_000, ctypes.byref(info))
        self.must("client_create_avatar", *arguments)
        return bytes(info.avatar_id).decode()

    def begin_session(self, *, avatar_id: str = "", session_id: str = "", **values: int) -> int:
        """Open one; the status of opening, not of the session."""
        options = SessionOptions()
        self.lib.avatar_session_options_init(ctypes.byref(options), ctypes.sizeof(options))
        options.avatar_id, options.session_id = text(avatar_id), text(session_id)
        for name, value in values.items():
            assert name in dict(SessionOptions._fields_), name
            setattr(options, name, value)
        arguments = (self.client, ctypes.byref(options), ctypes.byref(self.session))
        return self.call("session_open", *arguments)

    def open_session(self, **values: Any) -> None:
        """Open one (by default: motion without a picture) and wait until it is ready."""
        status = self.begin_session(**values)
        assert status == 0, self.error.message
        self.must("session_wait_ready", self.session, 60_000)

    def push(self, samples: NDArray[np.int16]) -> int:
        address = samples.ctypes.data
        audio = AudioIn(ctypes.sizeof(AudioIn), 0, 1, RATE_HZ, 1, 0, address, len(samples))
        return self.call("session_push_audio", self.session, ctypes.byref(audio))

    def end_segment(self) -> None:
        self.must("session_end_segment", self.session, 0)

    def set_controls(self, mask: int, **values: float | Text) -> None:
        controls = Controls()
        self.lib.avatar_controls_init(ctypes.byref(controls), ctypes.sizeof(controls))
        controls.mask = mask
        for name, value in values.items():
            setattr(controls, name, value)
        self.must("session_set_controls", self.session, ctypes.byref(controls), i64(0), None)

    def info(self) -> SessionInfo:
        info = SessionInfo(ctypes.sizeof(SessionInfo))
        self.must("session_get_info", self.session, ctypes.byref(info))
        return info

    def statistics(self) -> Statistics:
        statistics = Statistics(ctypes.sizeof(Statistics))
        self.must("session_get_statistics", self.session, ctypes.byref(statistics))
        return statistics

    def now(self) -> int:
        """Session time to show; -1: nothing has come yet."""
        pts = i64()
        status = self.call("session_now", self.session, ctypes.byref(pts))
        return -1 if status == NOT_FOUND else pts.value

    def motion_at(self, pts_nanos: int) -> Motion:
        motion = Motion(ctypes.sizeof(Motion))
        self.must("session_read_motion", self.session, i64(pts_nanos), ctypes.byref(motion))
        return motion

    def wait(self, have_seq: int, secs: float = WAIT_SECS) -> None:
        self.must("session_wait", self.session, u64(have_seq), int(secs * 1000))

    def frame_at(
        self, pts_nanos: int, have_seq: int = 0, pixels: NDArray[np.uint8] | None = None
    ) -> tuple[Frame, Motion]:
        frame, motion = Frame(ctypes.sizeof(Frame)), Motion(ctypes.sizeof(Motion))
        place = None if pixels is None else ctypes.c_void_p(pixels.ctypes.data)
        capacity = u64(0 if pixels is None else pixels.nbytes)
        self.must(
            *("session_copy_frame", self.session, i64(pts_nanos), u64(have_seq), place, capacity),
            *(ctypes.byref(frame), ctypes.byref(motion)),
        )
        return frame, motion

    def next_event(self) -> Event:
        event = Event(ctypes.sizeof(Event))
        self.must("session_next_event", self.session, ctypes.byref(event))
        return event

    def wait_event(self, kind: int) -> Event:
        deadline = time.monotonic() + WAIT_SECS
        while time.monotonic() < deadline:
            event = self.next_event()
            if event.kind == kind:
                return event
            if event.kind == 0:
                time.sleep(0.01)
        pytest.fail(f"no event {kind} within {WAIT_SECS} s")

    def close(self) -> None:
        self.lib.avatar_session_close(self.session)
        self.lib.avatar_client_close(self.client)
