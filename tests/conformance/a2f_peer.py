"""An Audio2Face-3D client made from a description of its own: field numbers in a table.

The table was typed in from the interface's public description; nothing of protos/ is used, so an
error there cannot hide here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

METHOD = "/nvidia_ace.services.a2f_controller.v1.A2FControllerService/ProcessAudioStream"

# message: (field, number, type), a type in capitals is a scalar, * repeated, ? optional, {} a map.
_MESSAGES = {
    "AudioHeader": "audio_format 1 INT32, channel_count 2 UINT32, samples_per_second 3 UINT32, "
    "bits_per_sample 4 UINT32",
    "EmotionWithTimeCode": "time_code 1 DOUBLE, emotion 2 {FLOAT}",
    "EmotionAggregate": "input_emotions 1 *EmotionWithTimeCode, a2e_output 2 *EmotionWithTimeCode, "
    "a2f_smoothed_output 3 *EmotionWithTimeCode",
    "FloatArray": "values 1 *FLOAT",
    "FaceParameters": "float_params 1 {FLOAT}, integer_params 2 {INT32}, "
    "float_array_params 3 {FloatArray}",
    "BlendShapeParameters": "bs_weight_multipliers 1 {FLOAT}, bs_weight_offsets 2 {FLOAT}, "
    "enable_clamping_bs_weight 3 ?BOOL",
    "EmotionParameters": "live_transition_time 1 ?FLOAT, beginning_emotion 2 {FLOAT}",
    "EmotionPostProcessingParameters": "emotion_contrast 1 ?FLOAT, live_blend_coef 2 ?FLOAT, "
    "enable_preferred_emotion 3 ?BOOL, preferred_emotion_strength 4 ?FLOAT, "
    "emotion_strength 5 ?FLOAT, max_emotions 6 ?INT32",
    "AudioWithEmotion": "audio_buffer 1 BYTES, emotions 2 *EmotionWithTimeCode",
    "AudioStreamHeader": "audio_header 1 AudioHeader, face_params 2 FaceParameters, "
    "emotion_post_processing_params 3 EmotionPostProcessingParameters, "
    "blendshape_params 4 BlendShapeParameters, emotion_params 5 EmotionParameters",
    "EndOfAudio": "",
    "AudioStream": "audio_stream_header 1 AudioStreamHeader, "
    "audio_with_emotion 2 AudioWithEmotion, end_of_audio 3 EndOfAudio",
    "SkelAnimationHeader": "blend_shapes 1 *STRING, joints 2 *STRING",
    "FloatArrayWithTimeCode": "time_code 1 DOUBLE, values 2 *FLOAT",
    "SkelAnimation": "blend_shape_weights 1 *FloatArrayWithTimeCode",
    "AudioWithTimeCode": "time_code 1 DOUBLE, audio_buffer 2 BYTES",
    "AnimationData": "skel_animation 1 SkelAnimation, audio 2 AudioWithTimeCode, metadata 4 {Any}",
    "AnimationDataStreamHeader": "audio_header 1 AudioHeader, "
    "skel_animation_header 2 SkelAnimationHeader, start_time_code_since_epoch 3 DOUBLE",
    "Event": "event_type 1 INT32",
    "Status": "code 1 INT32, message 2 STRING",
    "AnimationDataStream": "animation_data_stream_header 1 AnimationDataStreamHeader, "
    "animation_data 2 AnimationData, event 3 Event, status 4 Status",
}
_ONEOFS = {"AudioStream", "AnimationDataStream"}
_PACKAGE = "peer"
_Field = descriptor_pb2.FieldDescriptorProto


def _add_field(message: descriptor_pb2.DescriptorProto, text: str) -> None:
    name, number, kind = text.split()
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if kind.startswith("{"):
        entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
        entry.options.map_entry = True
        _add_field(entry, "key 1 STRING")
        _add_field(entry, f"value 2 {kind[1:-1]}")
        field.label = _Field.LABEL_REPEATED
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{message.name}.{entry.name}"
        return
    if kind.startswith("*"):
        field.label = _Field.LABEL_REPEATED
    if kind.startswith("?"):
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
    kind = kind.lstrip("*?")
    if kind.isupper():
        field.type = getattr(_Field, f"TYPE_{kind}")
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = ".google.protobuf.Any" if kind == "Any" else f".{_PACKAGE}.{kind}"
    if message.name in _ONEOFS:
        field.oneof_index = 0


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="peer.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=["google/protobuf/any.proto"],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name in _ONEOFS:
            message.oneof_decl.add(name="stream_part")
        for text in filter(None, fields.split(", ")):
            _add_field(message, text)
    pool = descriptor_pool.DescriptorPool()
    any_file = descriptor_pb2.FileDescriptorProto()
    any_pb2.DESCRIPTOR.CopyToProto(any_file)
    pool.Add(any_file)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


MESSAGES = _build()


def header(rate: int = 16000, **parts: Any) -> Any:
    """A stream's first message."""
    audio = {"channel_count": 1, "samples_per_second": rate, "bits_per_sample": 16}
    audio.update(parts.pop("audio", {}))
    return MESSAGES["AudioStream"](
        audio_stream_header=MESSAGES["AudioStreamHeader"](
            audio_header=MESSAGES["AudioHeader"](**audio), **parts
        )
    )


def audio(data: bytes, emotions: Iterable[tuple[float, dict[str, float]]] = ()) -> Any:
    """A message of audio."""
    listed = [MESSAGES["EmotionWithTimeCode"](time_code=t, emotion=e) for t, e in emotions]
    return MESSAGES["AudioStream"](
        audio_with_emotion=MESSAGES["AudioWithEmotion"](audio_buffer=data, emotions=listed)
    )


def end() -> Any:
    """The last message."""
    return MESSAGES["AudioStream"](end_of_audio=MESSAGES["EndOfAudio"]())


def call(channel: grpc.Channel, requests: Iterable[Any]) -> Any:
    """Call ProcessAudioStream; returns the stream of answers."""
    method = channel.stream_stream(
        METHOD,
        request_serializer=MESSAGES["AudioStream"].SerializeToString,
        response_deserializer=MESSAGES["AnimationDataStream"].FromString,
    )
    return method(iter(requests), timeout=60)


class Answer:
    """All messages of a call, taken apart."""

    def __init__(self, messages: Iterable[Any]) -> None:
        self.messages = list(messages)
        self.parts = [m.WhichOneof("stream_part") for m in self.messages]
        self.header = self.messages[0].animation_data_stream_header
        self.names = list(self.header.skel_animation_header.blend_shapes)
        self.data = [m.animation_data for m in self.messages if m.HasField("animation_data")]
        rows = [row for d in self.data for row in d.skel_animation.blend_shape_weights]
        self.times = [row.time_code for row in rows]
        self.weights = [dict(zip(self.names, row.values, strict=True)) for row in rows]
        self.audio = b"".join(d.audio.audio_buffer for d in self.data)
        self.statuses = [
            (m.status.code, m.status.message) for m in self.messages if m.HasField("status")
        ]

    def emotions(self, kind: str) -> list[tuple[float, dict[str, float]]]:
        """Emotions of one kind of all frames' aggregates."""
        found = []
        for data in self.data:
            packed = data.metadata["emotion_aggregate"]
            assert packed.type_url.endswith("nvidia_ace.emotion_aggregate.v1.EmotionAggregate")
            aggregate = MESSAGES["EmotionAggregate"].FromString(packed.value)
            found += [(row.time_code, dict(row.emotion)) for row in getattr(aggregate, kind)]
        return found
