"""Square, rotated regions of a picture, and the pixels in them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.samples import FloatArray

Image = NDArray[np.uint8]
"""Red, green and blue, `(height, width, 3)`."""

_BYTE = np.uint64(8)
_HALVES = np.uint64(0x0080_0080_0080_0080)
_COLOURS = np.uint64(0x00FF_00FF_00FF_00FF)


class Region(NamedTuple):
    """A square in a picture: its centre and side in pixels, and its turn in radians.

    The turn is clockwise as the picture is seen: the square's own x axis points to
    `(cos angle, sin angle)`, where y runs down.
    """

    x: float
    y: float
    side: float
    angle: float

    def to_image(self, points: FloatArray) -> FloatArray:
        """Places `(N, 2)` in the square, from 0 to 1 along its sides, as places in the picture."""
        cos, sin = np.cos(self.angle) * self.side, np.sin(self.angle) * self.side
        x, y = points[:, 0] - 0.5, points[:, 1] - 0.5
        placed = [self.x + x * cos - y * sin, self.y + x * sin + y * cos]
        return np.stack(placed, axis=1).astype(np.float32)


def crop(image: Image, region: Region, side: int) -> Image:
    """The pixels of a region, `(side, side, 3)`, by bilinear interpolation; borders are continued.

    A region of many pixels is averaged down first, so that none is skipped.
    """
    shrink = int(region.side / side)
    if shrink > 1:
        image, region = _shrunk(image, region, shrink)
    x, y = _places(region, side, image.shape)
    left, top = x >> 8, y >> 8
    column, row = int(left.min()), int(top.min())
    pixels = _packed(image[row : top.max() + 2, column : left.max() + 2])
    stride, flat = pixels.shape[1], pixels.ravel()
    at = ((top - row) * stride + (left - column)).astype(np.intp)
    across, down = (x & 255).astype(np.uint64), (y & 255).astype(np.uint64)
    upper = _between(flat.take(at), flat.take(at + 1), across)
    at += stride
    lower = _between(flat.take(at), flat.take(at + 1), across)
    found = _between(upper, lower, down).view(np.uint16).reshape(side, side, 4)
    return found[:, :, :3].astype(np.uint8)


def fit_square(image: Image, side: int) -> tuple[Image, Region]:
    """The whole picture in a square of `side` pixels, and the region that the square shows."""
    height, width = image.shape[:2]
    region = Region(width / 2, height / 2, max(height, width), 0.0)
    return crop(image, region, side), region


def _places(
    region: Region, side: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where the pixels of a square lie in a picture: x and y, `(side * side,)`, times 256."""
    along = ((np.arange(side, dtype=np.float32) + 0.5) / side - 0.5) * (region.side * 256)
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    # The middle of the first pixel is at half a pixel; half of a 256th rounds.
    x = np.add.outer((region.x - 0.5) * 256 + 0.5 - along * sin, along * cos)
    y = np.add.outer((region.y - 0.5) * 256 + 0.5 + along * cos, along * sin)
    np.clip(x, 0, (shape[1] - 1) * 256, out=x)
    np.clip(y, 0, (shape[0] - 1) * 256, out=y)
    return x.ravel().astype(np.int32), y.ravel().astype(np.int32)


def _packed(part: Image) -> NDArray[np.uint64]:
    """Pixels as one number each, 16 bits a colour, which are gathered and weighed three at once.

    A row and a column are added, to which only a weight of nothing falls.
    """
    padded = np.zeros((part.shape[0] + 1, part.shape[1] + 1, 4), np.uint16)
    padded[:-1, :-1, :3] = part
    return padded.view(np.uint64)[:, :, 0]


def _between(
    first: NDArray[np.uint64], second: NDArray[np.uint64], weight: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Packed pixels between two, at 0 to 255 parts of 256 of the way; overwrites both.

    A colour times 256 fits its 16 bits. Borrows of the difference cancel in the sum.
    """
    second -= first
    second *= weight
    first <<= _BYTE
    first += second
    first += _HALVES
    first >>= _BYTE
    first &= _COLOURS
    return first


def _shrunk(image: Image, region: Region, factor: int) -> tuple[Image, Region]:
    """The part of a picture around a region, `factor` times smaller, and the region in it."""
    height, width = image.shape[:2]
    cos, sin = abs(math.cos(region.angle)), abs(math.sin(region.angle))
    reach = region.side * (cos + sin) / 2 + 2 * factor
    left, right = _span(region.x - reach, region.x + reach, width, factor)
    top, bottom = _span(region.y - reach, region.y + reach, height, factor)
    if right <= left or bottom <= top:
        return image, region
    part: NDArray[Any] = np.ascontiguousarray(image[top:bottom, left:right])
    # First down, then across: whole rows are added at once.
    rows = part.reshape(-1, factor, (right - left) * 3).sum(axis=1, dtype=np.uint32)
    blocks = rows.reshape(len(rows), -1, factor, 3).sum(axis=2)
    means = blocks / np.float32(factor**2) + 0.5
    x, y = (region.x - left) / factor, (region.y - top) / factor
    return means.astype(np.uint8), Region(x, y, region.side / factor, region.angle)


def _span(low: float, high: float, length: int, factor: int) -> tuple[int, int]:
    """Whole blocks of `factor` pixels within a picture's length."""
    start = max(0, int(low))
    end = min(length, int(high) + 1)
    return start, start + (end - start) // factor * factor
