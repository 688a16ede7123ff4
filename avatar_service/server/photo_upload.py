"""Receives a photo: one header, then the file in chunks, within limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.gen.avatar.v1 import avatar_pb2
from avatar_service.gen.avatar.v1 import avatar_service_pb2 as pb
from avatar_service.server.messages import CROPS, PHOTO_MAGIC, consent_of, invalid, pick

PART_TIMEOUT_SECS: Final = 30.0
UPLOAD_TIMEOUT_SECS: Final = 300.0
"""Of the whole: a byte now and then does not hold one of the few places for uploads."""
MAX_DISPLAY_NAME_CHARS: Final = 200


async def receive_photo(
    parts: AsyncIterator[pb.CreateAvatarRequest], *, max_bytes: int
) -> tuple[avatar_pb2.AvatarHeader, bytes]:
    """Return the header, checked, and the photo. CONSENT_REQUIRED, INVALID_FIELD, INVALID_IMAGE."""
    try:
        async with asyncio.timeout(UPLOAD_TIMEOUT_SECS):
            return await _receive(parts, max_bytes)
    except TimeoutError:
        raise AvatarError(
            Reason.INVALID_IMAGE, f"the photo was not whole within {UPLOAD_TIMEOUT_SECS:g} s"
        ) from None


async def _receive(
    parts: AsyncIterator[pb.CreateAvatarRequest], max_bytes: int
) -> tuple[avatar_pb2.AvatarHeader, bytes]:
    first = await _next(parts)
    if first is None or first.WhichOneof("part") != "header":
        raise invalid("header", "is missing; it is the first part of a photo upload")
    header = first.header
    consent_of(header)
    pick(CROPS, header.crop, "header.crop")
    if len(header.display_name) > MAX_DISPLAY_NAME_CHARS:
        raise invalid("header.display_name", f"is longer than {MAX_DISPLAY_NAME_CHARS} characters")
    if header.photo_bytes > max_bytes:
        raise _too_large(header.photo_bytes, max_bytes)
    photo = bytearray()
    while (part := await _next(parts)) is not None:
        if part.WhichOneof("part") != "photo_chunk":
            raise invalid("part", "is no photo_chunk; one header comes first, then chunks")
        photo += part.photo_chunk
        if len(photo) > max_bytes:
            raise _too_large(len(photo), max_bytes)
    _check_bytes(header, photo)
    return header, bytes(photo)


def _check_bytes(header: avatar_pb2.AvatarHeader, photo: bytearray) -> None:
    if not photo:
        raise AvatarError(
            Reason.INVALID_IMAGE, "no bytes of a photo were sent", field="photo_chunk"
        )
    if header.photo_bytes and header.photo_bytes != len(photo):
        raise AvatarError(
            Reason.INVALID_IMAGE,
            f"{header.photo_bytes} bytes were announced and {len(photo)} came",
            field="header.photo_bytes",
        )
    if header.photo_format:
        magic = pick(PHOTO_MAGIC, header.photo_format, "header.photo_format")
        if not photo.startswith(magic):
            name = avatar_pb2.PhotoFormat.Name(header.photo_format).removeprefix("PHOTO_FORMAT_")
            raise AvatarError(
                Reason.INVALID_IMAGE, f"the photo is no {name} file", field="header.photo_format"
            )


async def _next(parts: AsyncIterator[pb.CreateAvatarRequest]) -> pb.CreateAvatarRequest | None:
    try:
        async with asyncio.timeout(PART_TIMEOUT_SECS):
            return await anext(parts, None)
    except TimeoutError:
        raise AvatarError(
            Reason.INVALID_IMAGE, f"the photo did not go on for {PART_TIMEOUT_SECS:g} s"
        ) from None


def _too_large(num_bytes: int, max_bytes: int) -> AvatarError:
    return AvatarError(
        Reason.INVALID_IMAGE,
        f"the photo has {num_bytes} bytes or more; {max_bytes} are allowed",
        field="photo_chunk",
    )
