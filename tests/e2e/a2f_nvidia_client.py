"""NVIDIA's own published client code (nvidia-audio2face-3d on PyPI) against an address.

    python tests/e2e/a2f_nvidia_client.py HOST:PORT FILE.wav

A process of its own: its descriptors carry the same service name as ours.
"""

import json
import sys
import wave

import grpc
from nvidia_ace.audio_pb2 import AudioHeader
from nvidia_audio2face_3d.audio2face_pb2_grpc import A2FControllerServiceStub
from nvidia_audio2face_3d.messages_pb2 import (
    AudioWithEmotion,
    AudioWithEmotionStream,
    AudioWithEmotionStreamHeader,
    BlendShapeParameters,
    EmotionPostProcessingParameters,
    EmotionWithTimeCode,
    FaceParameters,
)

address, path = sys.argv[1:]
with wave.open(path) as clip:
    rate, data = clip.getframerate(), clip.readframes(clip.getnframes())


def requests():
    yield AudioWithEmotionStream(
        audio_stream_header=AudioWithEmotionStreamHeader(
            audio_header=AudioHeader(
                audio_format=AudioHeader.AUDIO_FORMAT_PCM,
                channel_count=1,
                samples_per_second=rate,
                bits_per_sample=16,
            ),
            face_params=FaceParameters(float_params={"lowerFaceStrength": 1.2, "faceMaskLevel": 1}),
            blendshape_params=BlendShapeParameters(bs_weight_multipliers={"JawOpen": 1.0}),
            emotion_post_processing_params=EmotionPostProcessingParameters(emotion_strength=0.6),
        )
    )
    emotions = [EmotionWithTimeCode(time_code=0.0, emotion={"joy": 1.0})]
    for start in range(0, len(data), 2 * rate):
        chunk = data[start : start + 2 * rate]
        yield AudioWithEmotionStream(
            audio_with_emotion=AudioWithEmotion(audio_buffer=chunk, emotions=emotions)
        )
        emotions = []
    yield AudioWithEmotionStream(end_of_audio=AudioWithEmotionStream.EndOfAudio())


names, frames, audio, statuses, events = [], [], b"", [], 0
with grpc.insecure_channel(address) as channel:
    for message in A2FControllerServiceStub(channel).ProcessAudioStream(requests()):
        part = message.WhichOneof("stream_part")
        if part == "animation_data_stream_header":
            names = list(message.animation_data_stream_header.skel_animation_header.blend_shapes)
        elif part == "animation_data":
            for row in message.animation_data.skel_animation.blend_shape_weights:
                frames.append((row.time_code, dict(zip(names, row.values, strict=True))))
            audio += message.animation_data.audio.audio_buffer
        elif part == "event":
            events += 1
        elif part == "status":
            statuses.append((message.status.code, message.status.message))
jaw = [weights["JawOpen"] for _, weights in frames]
print(
    json.dumps(
        {
            "names": names,
            "times": [time for time, _ in frames],
            "jaw_range": [min(jaw), max(jaw)],
            "echo_is_whole": audio == data,
            "seconds": len(data) / 2 / rate,
            "events": events,
            "statuses": statuses,
        }
    )
)
