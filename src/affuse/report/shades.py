"""Shades of one colour as an image, for heat maps."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from affuse.tasks import Floats

_BLUE = (38, 128, 194)
"""It stands out on light and dark."""


def png_of(shares: Floats) -> bytes:
    """Shares `(T, S)` in [0, 1] as an image of one pixel each, a blue of that opacity.

    An image, since thousands of rectangles a map would make the page megabytes heavy.
    """
    rows, columns = shares.shape
    pixels = np.empty((rows, columns, 4), dtype=np.uint8)
    pixels[..., :3] = _BLUE
    pixels[..., 3] = np.round(255 * np.clip(shares, 0, 1))
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")
