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
    pixels = image.reshape(-1, 3)
    across, down = (x - left)[:, None], (y - top)[:, None]
    upper = _between(pixels, top * width + left, top * width + right, across)
    lower = _between(pixels, bottom * width + left, bottom * width + right, across)
    upper += (lower - upper) * down
    upper += 0.5
    return upper.astype(np.uint8).reshape(side, side, 3)


def fit(image: Image, side: int) -> tuple[Image, Region]:
    """The whole picture in a square of `side` pixels, and the region that the square shows."""
    height, width = image.shape[:2]
    region = Region(width / 2, height / 2, max(height, width), 0.0)
    return crop(image, region, side), region


def _between(
    pixels: Image, first: NDArray[np.intp], second: NDArray[np.intp], weight: FloatArray
) -> FloatArray:
    start = pixels.take(first, axis=0).astype(np.float32)
    mixed: FloatArray = start + (pixels.take(second, axis=0) - start) * weight
    return mixed


def _shrunk(image: Image, region: Region, factor: int) -> tuple[Image, Region]:
    """The part of a picture around a region, `factor` times smaller, and the region in it."""
    height, width = image.shape[:2]
    reach = region.side * 0.75 + factor
    left, right = _span(region.x - reach, region.x + reach, width, factor)
    top, bottom = _span(region.y - reach, region.y + reach, height, factor)
    if right <= left or bottom <= top:
        return image, region
    part: NDArray[Any] = image[top:bottom, left:right]
    blocks = part.reshape((bottom - top) // factor, factor, (right - left) // factor, factor, 3)
    means = blocks.mean(axis=(1, 3), dtype=np.float32) + 0.5
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
