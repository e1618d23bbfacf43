"""Clips of two people side by side, made of clips of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from media_files import write_media
from numpy.typing import NDArray

from affuse.extract.face.regions import Image, Region, crop


def pictures_of(path: Path) -> list[Image]:
    """The pictures of a clip."""
    with av.open(str(path)) as media:
        return [frame.to_ndarray(format="rgb24") for frame in media.decode(video=0)]


def sound_of(path: Path) -> NDArray[np.float32]:
    """The sound of a clip, 16 kHz, mono."""
    with av.open(str(path)) as media:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        pieces = [p for f in media.decode(audio=0) for p in resampler.resample(f)]
    return np.concatenate([piece.to_ndarray().ravel() for piece in pieces])


def smaller(image: Image, share: float) -> Image:
    """A picture with a grey border, in which what was there is smaller."""
    height, width = image.shape[:2]
    side = max(height, width)
    whole = crop(image, Region(width / 2, height / 2, side, 0.0), round(side * share))
    shown: Any = np.full_like(image, 90)
    inner = whole[: round(height * share), : round(width * share)]
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    shown[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return shown


def two_faces(
    place: Path,
    speaker: Path,
    other: Path,
    *,
    left: bool = True,
    frozen: bool = False,
    sizes: tuple[float, float] = (1.0, 1.0),
    fps: int = 25,
) -> Path:
    """A clip of somebody who is heard, left or right of somebody else.

    Args:
        frozen: whether the other does not move.
        sizes: of the speaker and the other.
    """
    shown = [pictures_of(speaker), pictures_of(other)]
    if frozen:
        shown[1] = shown[1][10:11] * len(shown[0])
    for people, size in zip(shown, sizes, strict=True):
        if size != 1:
            people[:] = [smaller(image, size) for image in people]
    sides = shown if left else shown[::-1]
    images = [np.hstack(pair) for pair in zip(*sides, strict=False)][:: 25 // fps]
    return write_media(place, images, sound_of(speaker), fps=fps, codec="libx264")
