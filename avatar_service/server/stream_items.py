"""What a session tells, as messages of the Animate stream."""

from __future__ import annotations

from typing import Final

from avatar_service.gen.avatar.v1 import audio_pb2, event_pb2, frame_pb2
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.server.controls_message import controls_message
from avatar_service.server.messages import (
    encoding_value,
    format_value,
    role_value,
    statistics_message,
)
from avatar_service.session import events
from avatar_service.session.managed_session import ManagedSession
from avatar_service.session.session_request import TransportKind
from avatar_service.session.subscriber import Subscriber
from avatar_service.signals import MotionFrame
from avatar_service.transports.grpc_messages import motion_latent_message

NANOS_PER_MILLI: Final = 1_000_000


def item_message(
    item: events.StreamItem, managed: ManagedSession, subscriber: Subscriber
) -> pb.AnimateResponse:
    """Write an item down."""
    match item:
        case MotionFrame():
            return pb.AnimateResponse(motion=motion_latent_message(item))
        case events.EncodedFrame() | events.FrameAnnounced():
            return pb.AnimateResponse(frame=_frame(item, managed))
        case events.AudioEcho():
            return pb.AnimateResponse(audio=_echo(item))
        case events.SegmentStarted():
            started = event_pb2.SegmentStarted(
                segment_id=item.segment_id,
                role=role_value(item.role),
                pts_nanos=item.pts_nanos,
                epoch=item.epoch,
            )
            return pb.AnimateResponse(segment_started=started)
        case events.SegmentEnded():
            ended = event_pb2.SegmentEnded(
                segment_id=item.segment_id,
                role=role_value(item.role),
                pts_nanos=item.pts_nanos,
                epoch=item.epoch,
                interrupted=item.is_cut_short,
            )
            return pb.AnimateResponse(segment_ended=ended)
        case events.ControlsApplied():
            applied = event_pb2.ControlApplied(
                change_id=item.change_id,
                pts_nanos=item.pts_nanos,
                controls=controls_message(item.controls),
            )
            return pb.AnimateResponse(control_applied=applied)
        case events.Interrupted():
            interrupted = event_pb2.Interrupted(
                epoch=item.epoch,
                valid_through_nanos=item.valid_through_nanos,
                segment_id=item.segment_id,
            )
            return pb.AnimateResponse(interrupted=interrupted)
        case events.SessionEnded():
            over = event_pb2.SessionEnded(pts_nanos=item.pts_nanos, last_seq=item.last_seq)
            return pb.AnimateResponse(session_ended=over)
        case events.StatisticsDue():
            return pb.AnimateResponse(statistics=statistics_message(managed, subscriber))
        case _:
            return pb.AnimateResponse(notice=_notice(item, managed, subscriber))


def _frame(
    item: events.EncodedFrame | events.FrameAnnounced, managed: ManagedSession
) -> frame_pb2.Frame:
    size = managed.session.settings.size_px
    if isinstance(item, events.EncodedFrame):
        motion = item.motion
        return frame_pb2.Frame(
            pts_nanos=motion.pts_nanos,
            seq=motion.seq,
            epoch=motion.epoch,
            location=frame_pb2.FRAME_LOCATION_INLINE,
            encoding=encoding_value(item.encoding),
            width_px=item.width_px,
            height_px=item.height_px,
            data=item.data,
            motion=motion_latent_message(motion),
            keyframe=item.is_keyframe,
        )
    has_ring = TransportKind.SHM in managed.request.transports
    return frame_pb2.Frame(
        pts_nanos=item.pts_nanos,
        seq=item.seq,
        epoch=item.epoch,
        location=frame_pb2.FRAME_LOCATION_RING if has_ring else frame_pb2.FRAME_LOCATION_ZMQ,
        width_px=size,
        height_px=size,
        keyframe=True,
    )


def _echo(item: events.AudioEcho) -> audio_pb2.AudioEcho:
    return audio_pb2.AudioEcho(
        pts_nanos=item.pts_nanos,
        epoch=item.epoch,
        role=role_value(item.role),
        format=format_value(item.sample_format),
        sample_rate_hz=item.sample_rate_hz,
        channels=item.num_channels,
        data=item.pcm,
        segment_id=item.segment_id,
    )


def _notice(
    item: events.StreamItem, managed: ManagedSession, subscriber: Subscriber
) -> event_pb2.Notice:
    stats = managed.session.stats
    match item:
        case events.AudioLate():
            text = "no audio has come in time; silence is shown in its place"
            if item.gap_nanos:
                text = f"audio came {item.gap_nanos / 1e6:.0f} ms late and continues here"
            return event_pb2.Notice(
                kind=event_pb2.NOTICE_KIND_LATE_AUDIO,
                message=text,
                pts_nanos=item.pts_nanos,
                count=item.gap_nanos // NANOS_PER_MILLI,
                total=managed.session.gap_nanos_total // NANOS_PER_MILLI,
            )
        case events.AudioClipped():
            return event_pb2.Notice(
                kind=event_pb2.NOTICE_KIND_AUDIO_CLIPPED,
                message="samples beyond full scale were clipped",
                pts_nanos=item.pts_nanos,
                count=item.num_samples,
                total=stats.clipped,
            )
        case events.FramesSkipped():
            return event_pb2.Notice(
                kind=event_pb2.NOTICE_KIND_FRAMES_DROPPED,
                message="the machine was too busy to render this picture in time",
                pts_nanos=item.pts_nanos,
                count=item.num_frames,
                total=stats.skipped,
            )
        case events.FramesLate():
            return event_pb2.Notice(
                kind=event_pb2.NOTICE_KIND_FRAMES_LATE,
                message="a frame was readable only after pts + playout delay",
                pts_nanos=item.pts_nanos,
                count=item.num_frames,
                total=stats.late,
            )
        case events.ReaderBehind():
            return event_pb2.Notice(
                kind=event_pb2.NOTICE_KIND_FRAMES_DROPPED,
                message="this stream is read too slowly; older frames or latents were dropped",
                pts_nanos=managed.session.pts_nanos,
                count=item.num_frames,
                total=subscriber.num_dropped,
            )
        case events.ObserversChanged():
            return event_pb2.Notice(
                kind=event_pb2.NOTICE_KIND_OBSERVERS_CHANGED,
                message=f"{item.num_observers} observers",
                pts_nanos=managed.session.pts_nanos,
                count=item.num_observers,
                total=item.num_observers,
            )
        case events.TransportLost():
            return event_pb2.Notice(
                kind=event_pb2.NOTICE_KIND_TRANSPORT_LOST, message=item.message, count=1, total=1
            )
        case events.PhonesIgnored():
            return event_pb2.Notice(
                kind=event_pb2.NOTICE_KIND_PHONES_IGNORED,
                message="phones with symbols that the alphabet does not have were ignored",
                pts_nanos=item.pts_nanos,
                count=item.num_phones,
                total=stats.phones_ignored,
            )
        case events.SessionEnding():
            return event_pb2.Notice(
                kind=event_pb2.NOTICE_KIND_SESSION_ENDING,
                message=item.message,
                pts_nanos=managed.session.pts_nanos,
                count=1,
                total=1,
            )
        case _:
            raise TypeError(f"no message for {type(item).__name__}")
