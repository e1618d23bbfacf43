"""Faces in pictures and in video: where, which way they look, and what they do.

Measures of 37 distances miss what wrinkles, teeth and shadows tell: a small network, which
`scripts/train_expression.py` trains, reads that in the pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from affuse.errors import InputError
from affuse.extract import session
from affuse.extract.face.measures import MEASURE_NAMES, POSE_NAMES, VERSION, measure_face, to_front
from affuse.extract.face.networks import detect, place_landmarks, region_of
from affuse.extract.face.regions import Image, Region, crop
from affuse.samples import FloatArray

NAME = f"face measures and head pose (Face Mesh), v{VERSION}"
FEATURES = (*MEASURE_NAMES, *POSE_NAMES)
WIDTH = len(FEATURES)

EXPRESSION_NAME = "expression network v3"
EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
EXPRESSION_WIDTH = len(EXPRESSIONS) + 64

_PRESENT = 0.5
# The mesh is placed anew from its own landmarks until its region is steady.
_PASSES = 5
# The expression network's picture, and what of a face's region it shows: the part that pictures of
# FER-2013 show, by the median of 376 of them.
_SIDE, _SHARE, _ABOVE = 48, 0.727, 0.033


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a picture."""

    landmarks: FloatArray  # float32 `(468, 3)`, as of `place_landmarks`
    presence: float  # how certain it is that there is a face, from 0.5 to 1
    pose: FloatArray  # float32 `(3,)`: yaw, pitch and roll in degrees
    measures: FloatArray  # float32 `(37,)`

    @property
    def features(self) -> FloatArray:
        """Measures and pose, float32 `(40,)`, named by `FEATURES`."""
        return np.concatenate([self.measures, self.pose])

    @property
    def region(self) -> Region:
        """The face with a margin, upright by its eyes."""
        return region_of(self.landmarks)


def read_face(image: Image, *, cropped: bool = False) -> Face | None:
    """The main face of a picture, the largest and most central; None where none is found.

    The image is uint8 `(height, width, 3)`, red, green and blue; else `InputError`. One that is
    `cropped` holds one face and little else, as in collections of faces: it is then sought in the
    whole picture where the detector finds none.
    """
    found = regions_in(image)
    if cropped:
        height, width = image.shape[:2]
        found.append(Region(width / 2, height / 2, 1.25 * max(height, width), 0.0))
    faces = (settle(image, region) for region in found)
    return next((face for face in faces if face is not None), None)


def regions_in(image: Image) -> list[Region]:
    """The regions of faces that the detector finds in a picture, the most prominent first."""
    _require_image(image)
    regions = [detection.region for detection in detect(image)]
    return sorted(regions, key=lambda region: -prominence(region, image))


def prominence(region: Region, image: Image) -> float:
    """The area of a face, up to a half less where it is far from the middle of the picture."""
    height, width = image.shape[:2]
    off = math.hypot(region.x / width - 0.5, region.y / height - 0.5)
    return region.side**2 * (1 - min(off, 0.5))


def settle(image: Image, region: Region) -> Face | None:
    """The face in a region, about, of a picture; None where there is none."""
    face = None
    for _ in range(_PASSES):
        face = place_face(image, region)
        if face is None:
            return None
        region = face.region
    return face


def place_face(image: Image, region: Region) -> Face | None:
    """The face that fills a region; None where there is none."""
    landmarks, presence = place_landmarks(image, region)
    if presence < _PRESENT or not np.isfinite(landmarks).all():
        return None
    fronted = to_front(landmarks)
    return Face(landmarks, presence, fronted.pose, measure_face(fronted.points))


def _require_image(image: Image) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        remedy = "give bytes of red, green and blue, (height, width, 3)"
        raise InputError(f"a picture of shape {image.shape} and type {image.dtype}", remedy=remedy)


def read_expression(image: Image, face: Face) -> FloatArray:
    """Logits of `EXPRESSIONS`, then 64 numbers from -1 to 1 that they rest on: float32 `(71,)`."""
    region = face.region
    up = region.side * _ABOVE
    x, y = region.x + math.sin(region.angle) * up, region.y - math.cos(region.angle) * up
    pixels = crop(image, Region(x, y, region.side * _SHARE, region.angle), _SIDE)
    # Brightness as television weighs the colours (ITU-R BT.601).
    grey = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    logits, embedding = session("expression").run(None, {"face": grey[None, None]})
    found: FloatArray = np.concatenate([logits[0], embedding[0]])
    return found
