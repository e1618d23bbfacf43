"""One face followed through a video, and whose it is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from affuse.extract.face import Face, place_face, prominence, regions_in, settle
from affuse.extract.face.regions import Image, Region
from affuse.samples import FloatArray

# Frames after which a face that is followed is compared with what else is in the picture, and
# after which its looks are compared with what they were.
_LOOK_AROUND, _GLANCE = 24, 5
# The first one is sought after so many frames, until it has been away for many.
_SEEK, _SOUGHT = 8, 40
# A face that is tracked is left for another only when that is so much more prominent.
_LEAVE = 1.5
# Looks of one person were 0.91 alike or more, those of two 0.81 at most (GRID, one camera). Who
# turns his head is less like himself, but in his own place.
_ALIKE, _ALIKE_THERE = 0.9, 0.85
# So many pixels along a side are enough to tell people apart.
_SIDE = 24


class FaceTracker:
    """Follows one face of a video from frame to frame.

    A face is found by the detector, then followed by its landmarks, which costs a quarter. Now and
    then, and wherever it is lost, the detector looks again. While the first one is away another is
    followed, until it is back; it is left for good only for one that is half as prominent again.

    Attributes:
        people: how many faces were found at once, at most.
        changed: whether the last picture has another face than was followed before.
        found: where the detector found faces in the last picture; empty where it did not look.
    """

    def __init__(self) -> None:
        self.people, self.changed = 0, False
        self.found: list[Region] = []
        self._region: Region | None = None
        self._followed = 0
        self._away = 0
        self._look: Look | None = None
        self._first: Look | None = None

    def read(self, image: Image) -> Face | None:
        """The face of the next picture, as `read_face` takes; None where none is found."""
        self.changed, self.found = False, []
        face = self._follow(image)
        if face is None:
            face = self._find(image)
            self._followed = 0
        if face is not None and self._followed % _GLANCE == 0:
            self._meet(look_of(image, face.region))
        self._region = None if face is None else face.region
        return face

    def _follow(self, image: Image) -> Face | None:
        if self._region is None:
            return None
        self._followed += 1
        self._away += self._away > 0
        seek = self._away <= _SOUGHT and self._away % _SEEK == 1
        if seek or self._followed % _LOOK_AROUND == 0:
            found = self._detect(image)
            if self._away and len(found) > 1:
                return None
            if found and self._rivals(found[0], image):
                self._first = None
                return None
        return place_face(image, self._region)

    def _find(self, image: Image) -> Face | None:
        """The first face where it is in a picture, else the last one, else the most prominent."""
        faces = (settle(image, region) for region in self._detect(image))
        found = [face for face in faces if face is not None]
        if len(found) > 1:
            looks = [look_of(image, face.region) for face in found]
            for known in (self._first, self._look):
                same = [known is not None and look.same(known) for look in looks]
                if any(same):
                    return found[same.index(True)]
        return found[0] if found else None

    def _detect(self, image: Image) -> list[Region]:
        self.found = regions_in(image)
        self.people = max(self.people, len(self.found))
        return self.found

    def _meet(self, look: Look) -> None:
        self.changed = self._look is not None and not look.same(self._look)
        self._look = look
        if self._first is None or look.same(self._first):
            self._first, self._away = look, 0
        elif not self._away:
            self._away = 1

    def _rivals(self, rival: Region, image: Image) -> bool:
        assert self._region is not None
        apart = math.hypot(rival.x - self._region.x, rival.y - self._region.y)
        more = prominence(rival, image) > _LEAVE * prominence(self._region, image)
        return apart > self._region.side / 2 and more


class Look(NamedTuple):
    """Where a face is and what it looks like: its colours, of mean 0 and length 1."""

    region: Region
    colours: FloatArray

    def same(self, other: Look) -> bool:
        """Whether it is the same person, by all that a small picture tells."""
        apart = math.hypot(self.region.x - other.region.x, self.region.y - other.region.y)
        there = apart < other.region.side / 2
        alike = float(self.colours @ other.colours)
        return alike > (_ALIKE_THERE if there else _ALIKE)


def look_of(image: Image, region: Region) -> Look:
    """What a face looks like that fills a region."""
    # Pixels here and there: to average them would take a third of the time of a face.
    share = (np.arange(_SIDE) + 0.5) / _SIDE - 0.5
    rows, columns = region.y + share * region.side, region.x + share * region.side
    height, width = image.shape[:2]
    rows = np.clip(rows, 0, height - 1).astype(np.intp)
    columns = np.clip(columns, 0, width - 1).astype(np.intp)
    colours = image[rows[:, None], columns].astype(np.float32).ravel()
    colours -= colours.mean()
    return Look(region, colours / max(float(np.linalg.norm(colours)), 1e-6))
