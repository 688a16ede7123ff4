"""The Audio2Face-3D interface, driven by a client of another description."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import grpc
import numpy as np
import pytest
from a2f_peer import MESSAGES, Answer, audio, call, end, header
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from avatar_service.errors import AvatarError, Reason
from avatar_service.schema import EXPRESSION_NAMES
from avatar_service.server.a2f.server import A2fServer, start_a2f_server
from avatar_service.signals import AudioChunk, Controls, MotionFrame

pytestmark = pytest.mark.conformance

SUCCESS, INFO, ERROR = 0, 1, 3
PASCAL = [name[0].upper() + name[1:] for name in EXPRESSION_NAMES]


class LoudnessMotion:
    """A motion source whose jaw is the loudness, whose other coefficients are told apart.

    Frames come 100 ms after their audio, as a look-ahead would have it.
    """

    def __init__(self, frame_rate: Fraction, controls: Controls) -> None:
        self._rate = frame_rate
        self._samples = np.zeros(0, np.float32)
        self._k = 0
        self._controls = [(0, controls)]

    def push(self, chunk: AudioChunk) -> None:
        assert chunk.pts_nanos == len(self._samples) * 62_500
        self._samples = np.concatenate([self._samples, chunk.samples])

    def set_controls(self, controls: Controls, effective_pts_nanos: int = 0, /) -> int:
        self._controls.append((effective_pts_nanos, controls))
        return effective_pts_nanos

    def pull(self) -> Iterator[MotionFrame]:
        while True:
            pts = self._k * 1_000_000_000 * self._rate.denominator // self._rate.numerator
            at = pts // 62_500
            if at + 1600 > len(self._samples):
                return
            expression = ((np.arange(52) + 1) / 100).astype(np.float32)
            expression[17] = np.abs(self._samples[at : at + 480]).mean()
            emotion = np.zeros(8, np.float32)
            due = [c for start, c in sorted(self._controls, key=lambda p: p[0]) if start <= pts]
            emotion[1] = due[-1].emotion.get("happy", 0.0)
            self._k += 1
            yield MotionFrame(pts, self._k - 1, expression=expression, emotion=emotion)


class Running:
    """A server in a thread of its own, and a channel to it."""

    def __init__(self, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        options = {"make_motion": LoudnessMotion, "port": 0} | options
        self.server: A2fServer = self._do(start_a2f_server(**options))
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.server.port}")

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def stop(self) -> None:
        self.channel.close()
        self._do(self.server.stop(0))
        self.loop.call_soon_threadsafe(self.loop.stop)

    def ask(self, *requests: Any) -> Answer:
        return Answer(call(self.channel, requests))

    def refused(self, *requests: Any) -> tuple[grpc.RpcError, list[Any]]:
        stream = call(self.channel, requests)
        messages: list[Any] = []
        with pytest.raises(grpc.RpcError) as caught:
            messages.extend(stream)  # keeps what came before the fault
        return caught.value, messages


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    server = Running()
    yield server
    server.stop()


def speech(seconds: float, rate: int = 16000) -> bytes:
    t = np.arange(round(seconds * rate)) / rate
    loud = np.abs(np.sin(2 * np.pi * 1.5 * t)) * 0.5
    return (loud * np.sin(2 * np.pi * 200 * t) * 32767).astype("<i2").tobytes()


def test_a_clip_is_answered_in_order(running: Running) -> None:
    data = speech(1.0)
    answer = running.ask(header(), audio(data), end())
    assert answer.parts[0] == "animation_data_stream_header"
    assert set(answer.parts[1:-2]) == {"animation_data"}
    assert answer.parts[-2:] == ["event", "status"]
    assert answer.statuses == [(SUCCESS, "sent all data")]
    assert answer.names == PASCAL
    assert answer.header.audio_header.samples_per_second == 16000
    assert answer.header.start_time_code_since_epoch > 1.7e9
    assert answer.times == pytest.approx([k / 30 for k in range(30)])


def test_every_channel_arrives_under_its_name(running: Running) -> None:
    answer = running.ask(header(), audio(speech(0.5)), end())
    for row in answer.weights:
        for index, name in enumerate(PASCAL):
            if name != "JawOpen":
                assert row[name] == pytest.approx((index + 1) / 100), name
    jaws = [row["JawOpen"] for row in answer.weights]
    assert max(jaws) > 0.2 > 0.05 > min(jaws)


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000, 96000, 144000])
def test_audio_comes_back_whole_with_its_frames(running: Running, rate: int) -> None:
    data = speech(1.2345, rate)
    answer = running.ask(header(rate), audio(data[:1000]), audio(data[1000:]), end())
    assert answer.audio == data
    num_samples = len(data) // 2
    assert len(answer.times) == -(-num_samples * 30 // rate)
    for frame, time in zip(answer.data, answer.times, strict=True):
        assert abs(frame.audio.time_code - time) <= 1 / rate
    loud = np.abs(np.frombuffer(data, "<i2").astype(float)) / 32768
    for time, row in list(zip(answer.times, answer.weights, strict=True))[2:-2]:
        first = round(time * rate)
        assert row["JawOpen"] == pytest.approx(
            loud[first : first + rate * 3 // 100].mean(), abs=0.02
        )


@pytest.mark.parametrize("size", [58, 334, 3200, 32000])
def test_the_size_of_chunks_does_not_matter(running: Running, size: int) -> None:
    data = speech(0.3, 48000)
    whole = running.ask(header(48000), audio(data), end())
    chunks = [audio(data[i : i + size]) for i in range(0, len(data), size)]
    cut = running.ask(header(48000), *chunks, end())
    assert cut.times == whole.times
    assert cut.audio == whole.audio
    for a, b in zip(cut.weights, whole.weights, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


def test_animation_comes_while_audio_still_flows(running: Running) -> None:
    got_first = threading.Event()
    seen: list[str] = []

    def requests() -> Iterator[Any]:
        yield header()
        yield audio(speech(1.0))
        assert got_first.wait(20), "no animation before the end of the audio"
        yield end()

    for message in call(running.channel, requests()):
        seen.append(message.WhichOneof("stream_part"))
        if seen[-1] == "animation_data":
            got_first.set()
    assert seen[-1] == "status"


def test_a_client_that_just_stops_sending_gets_its_animation(running: Running) -> None:
    answer = running.ask(header(), audio(speech(0.2)))
    assert answer.statuses[-1][0] == SUCCESS
    assert len(answer.times) == 6


def shapes(**maps: Any) -> Any:
    return MESSAGES["BlendShapeParameters"](**maps)


def test_multipliers_offsets_and_clamping_are_honoured(running: Running) -> None:
    maps = {
        "bs_weight_multipliers": {"MouthSmileLeft": 3.0, "TongueOut": 4.0},
        "bs_weight_offsets": {"MouthSmileLeft": 0.1, "BrowInnerUp": -0.9},
    }
    free = running.ask(header(blendshape_params=shapes(**maps)), audio(speech(0.1)), end())
    row = free.weights[0]
    assert row["MouthSmileLeft"] == pytest.approx(0.24 * 3 + 0.1)
    assert row["TongueOut"] == pytest.approx(0.52 * 4)  # not clamped unless asked
    assert row["BrowInnerUp"] == pytest.approx(0.44 - 0.9)
    assert row["MouthSmileRight"] == pytest.approx(0.25)
    maps["enable_clamping_bs_weight"] = True
    held = running.ask(header(blendshape_params=shapes(**maps)), audio(speech(0.1)), end())
    row = held.weights[0]
    assert (row["TongueOut"], row["BrowInnerUp"]) == (1.0, 0.0)


def with_face(running: Running, **values: float) -> Answer:
    face = MESSAGES["FaceParameters"](float_params=values)
    return running.ask(header(face_params=face), audio(speech(0.4)), end())


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("upperFaceStrength", 2.0, {"BrowInnerUp": 0.88, "MouthSmileLeft": 0.24}),
        ("lowerFaceStrength", 0.5, {"MouthSmileLeft": 0.12, "BrowInnerUp": 0.44}),
        ("skinStrength", 0.5, {"MouthSmileLeft": 0.12, "BrowInnerUp": 0.22, "TongueOut": 0.52}),
        ("blinkStrength", 0.0, {"EyeBlinkLeft": 0.0, "EyeSquintLeft": 0.06}),
        ("tongueStrength", 2.0, {"TongueOut": 1.04, "MouthSmileLeft": 0.24}),
        ("eyelidOpenOffset", -0.5, {"EyeBlinkLeft": 0.505, "EyeWideLeft": 0.07}),
        ("eyelidOpenOffset", 0.5, {"EyeBlinkLeft": 0.01, "EyeWideLeft": 0.57}),
        ("lipOpenOffset", 0.2, {"MouthLowerDownLeft": 0.58, "MouthSmileLeft": 0.24}),
        ("lipOpenOffset", -0.2, {"MouthLowerDownLeft": 0.18}),
    ],
)
def test_face_parameters_act(
    running: Running, name: str, value: float, expected: dict[str, float]
) -> None:
    answer = with_face(running, **{name: value})
    found = {key: answer.weights[0][key] for key in expected}
    assert found == pytest.approx(expected, abs=1e-6)
    assert answer.statuses == [(SUCCESS, "sent all data")]


def test_smoothing_slows_the_mouth(running: Running) -> None:
    rough = [row["JawOpen"] for row in with_face(running).weights]
    smooth = [row["JawOpen"] for row in with_face(running, lowerFaceSmoothing=0.1).weights]
    assert np.abs(np.diff(smooth)).max() < 0.6 * np.abs(np.diff(rough)).max()
    brow = [row["BrowInnerUp"] for row in with_face(running, lowerFaceSmoothing=0.1).weights]
    assert brow == pytest.approx([0.44] * len(brow))


def test_what_has_no_effect_is_named_in_an_info_status(running: Running) -> None:
    answer = running.ask(
        header(
            face_params=MESSAGES["FaceParameters"](
                float_params={"faceMaskLevel": 0.6, "tongueHeightOffset": 0.1, "skinStrength": 9},
                integer_params={"someCount": 3},
            ),
            blendshape_params=shapes(bs_weight_multipliers={"Nostril": 2.0}),
            emotion_post_processing_params=MESSAGES["EmotionPostProcessingParameters"](
                emotion_contrast=1.0
            ),
        ),
        audio(speech(0.1), [(0.0, {"boredom": 0.5})]),
        end(),
    )
    codes = [code for code, _ in answer.statuses]
    assert codes == [INFO] * (len(codes) - 1) + [SUCCESS]
    text = "\n".join(message for _, message in answer.statuses)
    for word in (
        "faceMaskLevel, someCount, tongueHeightOffset",
        "skinStrength 9 was brought to 2",
        "Nostril",
        "emotion_contrast",
        "boredom",
    ):
        assert word in text


def test_emotions_are_mapped_and_reported(running: Running) -> None:
    params = MESSAGES["EmotionPostProcessingParameters"](emotion_strength=1.0)
    answer = running.ask(
        header(emotion_post_processing_params=params),
        audio(speech(1.0), [(0.5, {"joy": 0.8}), (0.8, {})]),
        end(),
    )
    assert answer.emotions("input_emotions") == [
        (0.5, {"joy": pytest.approx(0.8)}),
        (0.8, {}),
    ]
    shown = {round(time * 30): row["joy"] for time, row in answer.emotions("a2f_smoothed_output")}
    assert shown[10] == 0
    assert shown[20] == pytest.approx(0.8)
    assert shown[28] == 0


@pytest.mark.parametrize(
    ("requests", "code", "complaint"),
    [
        ([audio(speech(0.1))], "INVALID_ARGUMENT", "first message"),
        ([end()], "INVALID_ARGUMENT", "first message"),
        ([], "INVALID_ARGUMENT", "first message"),
        ([header(audio={"channel_count": 2})], "INVALID_ARGUMENT", "channel_count"),
        ([header(audio={"bits_per_sample": 24})], "INVALID_ARGUMENT", "bits_per_sample"),
        ([header(audio={"audio_format": 7})], "INVALID_ARGUMENT", "audio_format"),
        ([header(8000)], "INVALID_ARGUMENT", "samples_per_second 8000: 16000 to 144000"),
        ([header(), header()], "INVALID_ARGUMENT", "after the header"),
        ([header(), end()], "INVALID_ARGUMENT", "no audio was sent"),
        ([header(), audio(b"abc")], "INVALID_ARGUMENT", "odd number of bytes"),
        ([header(), audio(b"", [(0.0, {"joy": 2.0})])], "INVALID_ARGUMENT", "emotion joy"),
        ([header(), audio(b"", [(-1.0, {})])], "INVALID_ARGUMENT", "time code"),
        ([header(), audio(b"\0" * 9_600_002)], "INVALID_ARGUMENT", "longer than 300 seconds"),
    ],
    ids=range(13),
)
def test_faults_are_a_status_and_a_grpc_code(
    running: Running, requests: list[Any], code: str, complaint: str
) -> None:
    error, messages = running.refused(*requests)
    assert error.code().name == code
    assert complaint in error.details()
    assert messages[-1].status.code == ERROR
    assert messages[-1].status.message == error.details()


def test_not_a_number_is_refused(running: Running) -> None:
    face = MESSAGES["FaceParameters"](float_params={"skinStrength": float("nan")})
    error, _ = running.refused(header(face_params=face))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_silent_client_is_cut(running: Running) -> None:
    impatient = Running(idle_secs=0.2)
    hold = threading.Event()

    def requests() -> Iterator[Any]:
        yield header()
        hold.wait(20)

    try:
        with pytest.raises(grpc.RpcError) as caught:
            list(call(impatient.channel, requests()))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    finally:
        hold.set()
        impatient.stop()


def test_beyond_the_streams_a_call_is_refused() -> None:
    small = Running(max_streams=1)
    hold = threading.Event()

    def requests() -> Iterator[Any]:
        yield header()
        hold.wait(20)
        yield audio(speech(0.1))
        yield end()

    try:
        first = call(small.channel, requests())
        next(first)  # its header came: the stream is counted
        error, _ = small.refused(header(), end())
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        hold.set()
        assert Answer([*first][-1:] or []).statuses[-1][0] == SUCCESS
        assert small.ask(header(), audio(speech(0.1)), end()).statuses[-1][0] == SUCCESS
    finally:
        hold.set()
        small.stop()


def test_a_failing_motion_source_is_internal_and_tells_nothing() -> None:
    def fail(frame_rate: Fraction, controls: Controls) -> Any:
        raise RuntimeError("secret path")

    broken = Running(make_motion=fail)
    try:
        error, messages = broken.refused(header())
        assert error.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in error.details() + messages[-1].status.message
    finally:
        broken.stop()


def test_health_and_reflection_name_the_service(running: Running) -> None:
    name = "nvidia_ace.services.a2f_controller.v1.A2FControllerService"
    stub = health_pb2_grpc.HealthStub(running.channel)
    for service in ("", name):
        reply = stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
    assert name in ProtoReflectionDescriptorDatabase(running.channel).get_services()


def test_beyond_loopback_it_wants_credentials() -> None:
    with pytest.raises(AvatarError) as caught:
        asyncio.run(start_a2f_server("0.0.0.0", 0))
    assert caught.value.reason is Reason.PERMISSION_DENIED


def test_a_taken_port_gets_one_line(running: Running) -> None:
    with pytest.raises(AvatarError, match="in use"):
        asyncio.run(start_a2f_server("127.0.0.1", running.server.port))
