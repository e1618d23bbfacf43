"""How much of a face a picture shows: small, dark and turned faces count less.

The bounds are by what the expression network still tells of faces of FER+ that are made smaller, or
darker with the noise of a camera (a deviation of 2 of 255): 86% are right at 44 pixels, 78% at 22,
66% at 15, 52% at 11; 82% at a contrast of 13.5, 70% at 6.5, 54% at 4.3, which is chance at 2.7.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from affuse.extract.face import Face
from affuse.extract.face.networks import MARGIN
from affuse.extract.face.regions import Image

HOPELESS = 0.1
"""A face of less quality says nothing."""

# From nothing to all: pixels along a side of the face, deviation of its brightness, of 255, and
# degrees by which it is turned.
_PIXELS, _CONTRAST, _YAW = (8.0, 40.0), (3.0, 12.0), (75.0, 45.0)
_SIDE = 24


class Quality(NamedTuple):
    """How much of a face is seen, each from 0, nothing, to 1."""

    size: float
    light: float
    front: float

    @property
    def all(self) -> float:
        """Of the face as a whole."""
        return self.size * self.light * self.front

    @property
    def lacks(self) -> str:
        """What there is least of, in words."""
        words = ("too small", "too dark", "turned away")
        return words[int(np.argmin(self))]


def quality_of(image: Image, face: Face) -> Quality:
    """How much a picture shows of a face in it."""
    region = face.region
    pixels, yaw = region.side / MARGIN, abs(float(face.pose[0]))
    return Quality(
        _share(pixels, *_PIXELS), _share(_contrast(image, face), *_CONTRAST), _share(yaw, *_YAW)
    )


def _contrast(image: Image, face: Face) -> float:
    """The deviation of the brightness of a face, by pixels here and there."""
    region = face.region
    places = ((np.arange(_SIDE) + 0.5) / _SIDE - 0.5) * region.side / MARGIN
    height, width = image.shape[:2]
    rows = np.clip(region.y + places, 0, height - 1).astype(np.intp)
    columns = np.clip(region.x + places, 0, width - 1).astype(np.intp)
    return float(image[rows[:, None], columns].mean(axis=2).std())


def _share(value: float, nothing: float, everything: float) -> float:
    return float(np.clip((value - nothing) / (everything - nothing), 0.0, 1.0))
