"""The parts of gRPC messages that describe transports and latents."""

from __future__ import annotations

from typing import Final

from avatar_service import schema
from avatar_service.gen.avatar.v1 import endpoint_pb2, motion_pb2
from avatar_service.signals import MotionFrame
from avatar_service.transports import motion_codec, motion_schema
from avatar_service.transports import ring_layout as layout
from avatar_service.transports.motion_schema import Group, Unit
from avatar_service.transports.ring import RingWriter
from avatar_service.transports.zmq_publisher import Kind, ZmqPublisher

_UNITS: Final = {
    Unit.COEFFICIENT: motion_pb2.MOTION_UNIT_COEFFICIENT,
    Unit.RADIANS: motion_pb2.MOTION_UNIT_RADIANS,
    Unit.OUTER_EYE_DISTANCES: motion_pb2.MOTION_UNIT_OUTER_EYE_DISTANCES,
}
_GROUPS: Final = {
    Group.EXPRESSION: motion_pb2.MOTION_GROUP_EXPRESSION,
    Group.HEAD_ROTATION: motion_pb2.MOTION_GROUP_HEAD_ROTATION,
    Group.HEAD_TRANSLATION: motion_pb2.MOTION_GROUP_HEAD_TRANSLATION,
    Group.GAZE: motion_pb2.MOTION_GROUP_GAZE,
    Group.EMOTION: motion_pb2.MOTION_GROUP_EMOTION,
    Group.SPEECH: motion_pb2.MOTION_GROUP_SPEECH,
}
_OUTPUTS: Final = {
    Kind.FRAME: endpoint_pb2.OUTPUT_FRAMES,
    Kind.MOTION: endpoint_pb2.OUTPUT_MOTION,
}


def motion_schema_message() -> motion_pb2.MotionSchema:
    """Return the schema of the latents."""
    return motion_pb2.MotionSchema(
        schema_id=schema.SCHEMA_ID,
        schema_hash=motion_schema.schema_hash(),
        channels=[
            motion_pb2.MotionChannel(
                name=channel.name,
                group=_GROUPS[channel.group],
                unit=_UNITS[channel.unit],
                minimum=channel.minimum,
                maximum=channel.maximum,
                rest=channel.rest,
                blob_offset=channel.blob_offset,
                blob_step=channel.blob_step,
            )
            for channel in motion_schema.CHANNELS
        ],
        camera_distance=schema.CAMERA_DISTANCE_UNITS,
        outer_eye_distance_mm=schema.OUTER_EYE_DISTANCE_MM,
    )


def motion_latent_message(motion: MotionFrame) -> motion_pb2.MotionLatent:
    """Return a latent as it goes over the wire."""
    return motion_pb2.MotionLatent(blob=motion_codec.encode_blob(motion))


def ring_descriptor_message(ring: RingWriter) -> endpoint_pb2.RingDescriptor:
    """Return where a ring is to be had."""
    geometry = ring.geometry
    return endpoint_pb2.RingDescriptor(
        path=str(ring.path),
        layout_id=layout.LAYOUT_ID,
        ring_id=ring.ring_id,
        file_bytes=geometry.file_bytes,
        slot_count=geometry.slot_count,
        slot_stride_bytes=geometry.slot_stride,
        width_px=geometry.width_px,
        height_px=geometry.height_px,
    )


def zmq_endpoint_messages(publisher: ZmqPublisher) -> list[endpoint_pb2.ZmqEndpoint]:
    """Return where a session's ZeroMQ sockets are to be had."""
    return [
        endpoint_pb2.ZmqEndpoint(
            output=_OUTPUTS[address.kind],
            address=address.address,
            topic=address.topic,
            curve_server_key=address.curve_server_key,
        )
        for address in publisher.addresses
    ]
