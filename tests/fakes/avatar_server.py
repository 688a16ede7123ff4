"""A gRPC server that plays the service's part for tests of the client: scripted, no pictures of
its own, but real rings and ZeroMQ sockets."""

import queue
import threading
from concurrent import futures
from fractions import Fraction

import grpc
import numpy as np
from avatar_client.gen.avatar.v1 import (
    audio_pb2,
    avatar_pb2,
    avatar_service_pb2,
    avatar_service_pb2_grpc,
    capability_pb2,
    endpoint_pb2,
    event_pb2,
    frame_pb2,
    session_pb2,
)

from avatar_service.errors import AvatarError, Reason
from avatar_service.server.statuses import DETAILS_KEY, status_from
from avatar_service.transports import grpc_messages
from avatar_service.transports.ring import RingGeometry, RingWriter
from avatar_service.transports.zmq_publisher import ZmqPublisher
from fakes.latents import uniform_motion

SIZE_PX = 16
Response = avatar_service_pb2.AnimateResponse
CODES = {code.name: code for code in grpc.StatusCode}
HANG_UP = object()


class FakeService(avatar_service_pb2_grpc.AvatarServiceServicer):
    """Answers as told by its attributes; keeps what it was sent."""

    def __init__(self, folder):
        self.folder = folder
        self.api_version = "1.0"
        self.num_unavailable = 0
        self.num_has_controller = 0
        self.num_unanswered_streams = 0
        self.answers_closing = threading.Event()
        self.answers_closing.set()
        self.fault = None
        self.requests = []
        self.tokens = set()
        self.uploads = []
        self.num_streams = 0
        self.outbox = queue.SimpleQueue()  # of the newest stream
        self.inbox = queue.SimpleQueue()
        self.transports = None
        self.ring = None
        self.zmq = None
        self.session = None
        self.epoch = 0

    def GetServerInfo(self, request, context):
        self._enter(request, context)
        return avatar_service_pb2.GetServerInfoResponse(
            api_version=self.api_version,
            capabilities=[
                capability_pb2.CAPABILITY_TRANSPORT_SHM,
                capability_pb2.CAPABILITY_TRANSPORT_ZMQ_IPC,
                capability_pb2.CAPABILITY_TRANSPORT_GRPC,
            ],
        )

    def CreateAvatar(self, request_iterator, context):
        parts = list(request_iterator)
        self._enter(parts[0], context)
        self.uploads.append(parts)
        return avatar_service_pb2.CreateAvatarResponse(avatar=avatar_pb2.Avatar(avatar_id="a1"))

    def ListAvatars(self, request, context):
        self._enter(request, context)
        page = int(request.page_token or 0)
        return avatar_service_pb2.ListAvatarsResponse(
            avatars=[avatar_pb2.Avatar(avatar_id=f"a{page}")],
            next_page_token=str(page + 1) if page < 2 else "",
        )

    def DeleteAvatar(self, request, context):
        self._enter(request, context)
        return avatar_service_pb2.DeleteAvatarResponse(num_sessions_ended=2)

    def CreateSession(self, request, context):
        self._enter(request, context)
        ways = self.transports if self.transports is not None else list(request.transports)
        size = request.width_px
        outputs = [endpoint_pb2.OUTPUT_MOTION, endpoint_pb2.OUTPUT_AUDIO]
        if size:
            size = SIZE_PX
            outputs.append(endpoint_pb2.OUTPUT_FRAMES)
        session = session_pb2.Session(
            session_id="s1",
            avatar_id=request.avatar_id,
            frame_rate=request.frame_rate,
            width_px=size,
            height_px=size,
            outputs=outputs,
            transports=ways,
            pacing=request.pacing,
            playout_delay_millis=150,
            motion_schema=grpc_messages.motion_schema_message(),
            pts_nanos=1_000_000_000,
        )
        if endpoint_pb2.TRANSPORT_SHM in ways:
            self.ring = RingWriter(RingGeometry(size, size), Fraction(40), folder=self.folder)
            session.ring.CopyFrom(grpc_messages.ring_descriptor_message(self.ring))
        if endpoint_pb2.TRANSPORT_ZMQ in ways:
            self.zmq = ZmqPublisher("s1", folder=self.folder)
            session.zmq_endpoints.extend(grpc_messages.zmq_endpoint_messages(self.zmq))
        self.session = session
        return avatar_service_pb2.CreateSessionResponse(session=session)

    def GetSession(self, request, context):
        self._enter(request, context)
        return avatar_service_pb2.GetSessionResponse(session=self.session)

    def CloseSession(self, request, context):
        self._enter(request, context)
        self.answers_closing.wait(10)
        return avatar_service_pb2.CloseSessionResponse()

    def Animate(self, request_iterator, context):
        """Answer what is asked, and send what the test puts into `outbox`."""
        first = next(request_iterator)
        self._enter(first, context)
        if self.num_has_controller:
            self.num_has_controller -= 1
            error = AvatarError(Reason.SESSION_HAS_CONTROLLER, "the session has its one controller")
            self._abort(error, context)
        if self.num_unanswered_streams:
            self.num_unanswered_streams -= 1
            self.inbox.put(first)
            has_gone = threading.Event()
            if context.add_callback(has_gone.set):
                has_gone.wait()
            return
        self.num_streams += 1
        outbox = self.outbox = queue.SimpleQueue()
        self.inbox.put(first)
        opened = event_pb2.StreamOpened(session=self.session, role=first.open.role)
        yield Response(opened=opened)

        def listen():
            try:
                for request in request_iterator:
                    self.inbox.put(request)
                    for response in self._answers(request):
                        outbox.put(response)
            except grpc.RpcError:
                pass  # the client has gone
            outbox.put(None)

        threading.Thread(target=listen, daemon=True).start()
        context.add_callback(lambda: outbox.put(None))
        while (response := outbox.get()) is not None:
            if response is HANG_UP:
                context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            if isinstance(response, Exception):
                self._abort(response, context)
            yield response

    def sent(self, timeout_secs=10):
        """Return the next request that arrived in a stream."""
        return self.inbox.get(timeout=timeout_secs)

    def publish(self, seq, *, pts_nanos=None, epoch=0, inline=False):
        """Publish frame `seq`, all of whose bytes are `seq`, by every way there is."""
        pts = seq * 25_000_000 if pts_nanos is None else pts_nanos
        motion = uniform_motion(seq / 256, seq, epoch=epoch, pts_nanos=pts)
        pixels = np.full((SIZE_PX, SIZE_PX, 4), seq, np.uint8)
        if self.ring is not None:
            self.ring.publish(motion, pixels if self.session.width_px else None)
        if self.zmq is not None:
            self.zmq.publish(motion, pixels if self.session.width_px else None)
        if inline:
            latent = grpc_messages.motion_latent_message(motion)
            if not self.session.width_px:
                self.outbox.put(Response(motion=latent))
                return
            frame = frame_pb2.Frame(
                pts_nanos=pts,
                seq=seq,
                epoch=epoch,
                location=frame_pb2.FRAME_LOCATION_INLINE,
                encoding=frame_pb2.FRAME_ENCODING_RAW,
                width_px=SIZE_PX,
                height_px=SIZE_PX,
                data=pixels.tobytes(),
                motion=latent,
            )
            self.outbox.put(Response(frame=frame))

    def close(self):
        for outlet in (self.ring, self.zmq):
            if outlet is not None:
                outlet.close()

    def _enter(self, request, context):
        self.requests.append(request)
        self.tokens.add(dict(context.invocation_metadata()).get("authorization"))
        if self.num_unavailable:
            self.num_unavailable -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "starting")
        if self.fault is not None:
            self._abort(self.fault, context)

    def _abort(self, fault, context):
        status = status_from(fault)
        context.set_trailing_metadata([(DETAILS_KEY, status.SerializeToString())])
        context.abort(CODES[fault.answer.code], fault.message)

    def _answers(self, request):
        kind = request.WhichOneof("payload")
        if kind == "audio":
            yield Response(
                segment_started=event_pb2.SegmentStarted(
                    segment_id=request.audio.segment_id, pts_nanos=2_000_000_000
                )
            )
            yield Response(
                audio=audio_pb2.AudioEcho(pts_nanos=2_000_000_000, data=request.audio.data)
            )
        elif kind == "segment_end":
            yield Response(
                segment_ended=event_pb2.SegmentEnded(
                    segment_id=request.segment_end.segment_id, pts_nanos=3_000_000_000
                )
            )
        elif kind == "control":
            yield Response(
                control_applied=event_pb2.ControlApplied(
                    change_id=request.control.change_id, pts_nanos=5
                )
            )
        elif kind == "interrupt":
            self.epoch += 1
            yield Response(
                interrupted=event_pb2.Interrupted(
                    epoch=self.epoch, valid_through_nanos=100_000_000, segment_id="speak-1"
                )
            )


def serve(service, address="127.0.0.1:0", options=()):
    """Start a server; return it and its target."""
    server = grpc.server(futures.ThreadPoolExecutor(8), options=options)
    avatar_service_pb2_grpc.add_AvatarServiceServicer_to_server(service, server)
    port = server.add_insecure_port(address)
    server.start()
    return server, f"127.0.0.1:{port}"
