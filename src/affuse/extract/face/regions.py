"""Square, rotated regions of a picture, and the pixels in them."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.samples import FloatArray

Image = NDArray[np.uint8]
"""Red, green and blue, `(height, width, 3)`."""


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
    """The pixels of a region, `(side, side, 3)`, by bilinear interpolation.

    Beyond the picture its border is continued. A region of many pixels is averaged down first, so
    that none is skipped.
    """
    shrink = int(region.side / side)
    if shrink > 1:
        image, region = _shrunk(image, region, shrink)
    height, width = image.shape[:2]
    places = region.to_image(_grid(side)) - 0.5
    x = np.clip(places[:, 0], 0, width - 1)
    y = np.clip(places[:, 1], 0, height - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    pixels, rows, columns = _packed(image, left.min(), top.min(), right.max(), bottom.max())
    left, right, top, bottom = left - columns, right - columns, top - rows, bottom - rows
    across, down = (x - left - columns)[:, None], (y - top - rows)[:, None]
    stride = pixels.shape[1]
    flat = pixels.ravel()
    upper = _between(flat, top * stride + left, top * stride + right, across)
    lower = _between(flat, bottom * stride + left, bottom * stride + right, across)
    upper += (lower - upper) * down
    upper += 0.5
    return np.ascontiguousarray(upper.astype(np.uint8).reshape(side, side, 4)[:, :, :3])


def fit(image: Image, side: int) -> tuple[Image, Region]:
    """The whole picture in a square of `side` pixels, and the region that the square shows."""
    height, width = image.shape[:2]
    region = Region(width / 2, height / 2, max(height, width), 0.0)
    return crop(image, region, side), region


def _packed(
    image: Image, left: int, top: int, right: int, bottom: int
) -> tuple[NDArray[np.uint32], int, int]:
    """A part of a picture with each pixel as one number, which are gathered much faster than
    three bytes; and its first row and column."""
    part = image[top : bottom + 1, left : right + 1]
    padded = np.zeros((*part.shape[:2], 4), np.uint8)
    padded[:, :, :3] = part
    return padded.view(np.uint32)[:, :, 0], int(top), int(left)


def _between(
    pixels: NDArray[np.uint32],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    weight: FloatArray,
) -> FloatArray:
    start, end = (
        pixels.take(places).view(np.uint8).reshape(-1, 4).astype(np.float32)
        for places in (first, second)
    )
    end -= start
    end *= weight
    end += start
    return end


def _shrunk(image: Image, region: Region, factor: int) -> tuple[Image, Region]:
    """The part of a picture around a region, `factor` times smaller, and the region in it."""
    height, width = image.shape[:2]
    reach = region.side * 0.75 + factor
    left, right = _span(region.x - reach, region.x + reach, width, factor)
    top, bottom = _span(region.y - reach, region.y + reach, height, factor)
    if right <= left or bottom <= top:
        return image, region
    part: NDArray[Any] = np.ascontiguousarray(image[top:bottom, left:right])
    # First down, then across: whole rows are added at once.
    rows = part.reshape(-1, factor, (right - left) * 3).sum(axis=1, dtype=np.uint32)
    blocks = rows.reshape(len(rows), -1, factor, 3).sum(axis=2)
    means = blocks / np.float32(factor**2) + 0.5
    moved = Region(
        (region.x - left) / factor, (region.y - top) / factor, region.side / factor, region.angle
    )
    return means.astype(np.uint8), moved


def _span(low: float, high: float, length: int, factor: int) -> tuple[int, int]:
    """Whole blocks of `factor` pixels within a picture's length."""
    start = max(0, int(low))
    end = min(length, int(high) + 1)
    return start, start + (end - start) // factor * factor


@cache
def _grid(side: int) -> FloatArray:
    """The middles of the pixels of a square, `(side * side, 2)` of x and y from 0 to 1."""
    middles = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(middles, middles)
    return np.stack([x.ravel(), y.ravel()], axis=1)
