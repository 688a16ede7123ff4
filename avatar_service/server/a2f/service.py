"""A2FControllerService on grpc.aio: order of messages, limits, errors."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from typing import Final, TypeVar, TypeVarTuple

import grpc

from avatar_service.errors import AvatarError
from avatar_service.server.a2f.clip import Clip, MakeMotion, Message, status_message
from avatar_service.server.a2f.gen.nvidia_ace.controller.v1 import controller_pb2
from avatar_service.server.a2f.gen.nvidia_ace.services.a2f_controller.v1 import (
    a2f_controller_pb2_grpc,
)
from avatar_service.server.a2f.gen.nvidia_ace.status.v1 import status_pb2

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")

log = logging.getLogger(__name__)

IDLE_SECS: Final = 30.0
"""A stream on which nothing comes for so long is cut."""
Context = grpc.aio.ServicerContext[controller_pb2.AudioStream, Message]


class A2fControllerService(a2f_controller_pb2_grpc.A2FControllerServiceServicer):
    """Answers ProcessAudioStream.

    A fault ends the stream the way Audio2Face's clients know it: a status ERROR with one line,
    then a gRPC status of the matching code with the same line.
    """

    def __init__(
        self,
        make_motion: MakeMotion,
        *,
        workers: Executor,
        max_streams: int = 16,
        idle_secs: float = IDLE_SECS,
    ) -> None:
        """Keep what every call needs.

        Args:
            make_motion: makes a motion source for one clip.
            workers: threads that run the motion.
            max_streams: beyond it a call is answered RESOURCE_EXHAUSTED.
            idle_secs: patience with a silent client.
        """
        self._make_motion = make_motion
        self._workers = workers
        self._max_streams = max_streams
        self._idle_secs = idle_secs
        self._num_streams = 0

    async def ProcessAudioStream(  # noqa: N802  (the interface's name)
        self,
        request_iterator: AsyncIterator[controller_pb2.AudioStream],
        context: Context,
    ) -> AsyncIterator[Message]:
        """Turn one clip into animation, as fast as it comes."""
        if self._num_streams >= self._max_streams:
            await self._refuse(
                context, grpc.StatusCode.RESOURCE_EXHAUSTED, f"{self._max_streams} streams are busy"
            )
        self._num_streams += 1
        try:
            async for message in self._run(request_iterator):
                yield message
        except AvatarError as error:
            yield status_message(status_pb2.Status.ERROR, error.message)
            code = getattr(grpc.StatusCode, error.answer.code)
            await self._refuse(context, code, error.message)
        except _Misuse as error:
            yield status_message(status_pb2.Status.ERROR, str(error))
            await self._refuse(context, error.code, str(error))
        except Exception as error:
            if isinstance(error, grpc.aio.AbortError | grpc.RpcError):
                raise
            log.exception("A2F stream failed")
            text = "internal error"
            yield status_message(status_pb2.Status.ERROR, text)
            await self._refuse(context, grpc.StatusCode.INTERNAL, text)
        finally:
            self._num_streams -= 1

    async def _run(
        self, requests: AsyncIterator[controller_pb2.AudioStream]
    ) -> AsyncIterator[Message]:
        first = await self._next(requests)
        if first is None or first.WhichOneof("stream_part") != "audio_stream_header":
            raise _Misuse("the header must be sent as the first message; streaming aborted")
        clip = Clip(self._make_motion)
        header = first.audio_stream_header
        yield await self._in_thread(clip.open, header, time.time())
        while (request := await self._next(requests)) is not None:
            part = request.WhichOneof("stream_part")
            if part == "end_of_audio":
                break
            if part != "audio_with_emotion":
                raise _Misuse("after the header come audio and the end of audio, nothing else")
            for message in await self._in_thread(_listed, clip.push(request.audio_with_emotion)):
                yield message
        for message in await self._in_thread(_listed, clip.finish()):
            yield message

    async def _next(
        self, requests: AsyncIterator[controller_pb2.AudioStream]
    ) -> controller_pb2.AudioStream | None:
        try:
            return await asyncio.wait_for(anext(requests), self._idle_secs)
        except StopAsyncIteration:
            return None
        except TimeoutError:
            raise _Misuse(
                f"nothing came for {self._idle_secs:g} seconds",
                grpc.StatusCode.DEADLINE_EXCEEDED,
            ) from None

    async def _in_thread(
        self, work: Callable[[*_Arguments], _Result], *args: *_Arguments
    ) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, *args)

    @staticmethod
    async def _refuse(context: Context, code: grpc.StatusCode, text: str) -> None:
        await context.abort(code, text)


def _listed(messages: Iterator[Message]) -> list[Message]:
    return list(messages)


class _Misuse(Exception):
    """A client that breaks the order of messages or the patience."""

    def __init__(self, text: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(text)
        self.code = code
