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
from affuse.extract.face.networks import Detection, detect, place_landmarks, region_of
from affuse.extract.face.regions import Image, Region, crop
from affuse.samples import FloatArray

NAME = f"face measures and head pose (Face Mesh), v{VERSION}"
FEATURES = (*MEASURE_NAMES, *POSE_NAMES)
WIDTH = len(FEATURES)

EXPRESSION_NAME = "expression network v1"
EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
EXPRESSION_WIDTH = len(EXPRESSIONS) + 64

_PRESENT = 0.5
# The mesh is placed anew from its own landmarks until its region is steady.
_PASSES = 5
# Frames after which a tracked face is compared with what else is in the picture.
_LOOK_AROUND = 24
# A face that is tracked is left for another only when that is so much more prominent.
_LEAVE = 1.5
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
    _require_image(image)
    found = _ranked(detect(image), image)
    if cropped:
        height, width = image.shape[:2]
        found.append(Region(width / 2, height / 2, 1.25 * max(height, width), 0.0))
    faces = (_settle(image, region) for region in found)
    return next((face for face in faces if face is not None), None)


class FaceTracker:
    """Follows the main face of a video from frame to frame.

    A face is found by the detector, then followed by its landmarks, which costs a quarter. Now and
    then, and wherever it is lost, the detector looks again; a face that is followed is left for
    another only when that is half as prominent again.
    """

    def __init__(self) -> None:
        self._region: Region | None = None
        self._followed = 0

    def read(self, image: Image) -> Face | None:
        """The main face of the next frame, as `read_face` takes; None where none is found."""
        _require_image(image)
        if (face := self._follow(image)) is None:
            face = read_face(image)
            self._followed = 0
        self._region = None if face is None else face.region
        return face

    def _follow(self, image: Image) -> Face | None:
        if self._region is None:
            return None
        self._followed += 1
        if self._followed % _LOOK_AROUND == 0:
            rivals = _ranked(detect(image), image)
            if rivals and _rivals(rivals[0], self._region, image):
                return None
        return _place(image, self._region)


def _rivals(rival: Region, followed: Region, image: Image) -> bool:
    apart = math.hypot(rival.x - followed.x, rival.y - followed.y) > followed.side / 2
    return apart and _prominence(rival, image) > _LEAVE * _prominence(followed, image)


def _ranked(detections: list[Detection], image: Image) -> list[Region]:
    """The regions of faces, the most prominent first."""
    regions = [detection.region for detection in detections]
    return sorted(regions, key=lambda region: -_prominence(region, image))


def _prominence(region: Region, image: Image) -> float:
    """The area of a face, up to a half less where it is far from the middle of the picture."""
    height, width = image.shape[:2]
    off = math.hypot(region.x / width - 0.5, region.y / height - 0.5)
    return region.side**2 * (1 - min(off, 0.5))


def _settle(image: Image, region: Region) -> Face | None:
    face = None
    for _ in range(_PASSES):
        face = _place(image, region)
        if face is None:
            return None
        region = face.region
    return face


def _place(image: Image, region: Region) -> Face | None:
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
