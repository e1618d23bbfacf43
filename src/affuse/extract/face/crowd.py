"""All faces of a video, each followed by itself once there are several."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from affuse.extract.face import Face, place_face, regions_in, settle
from affuse.extract.face.regions import Image, Region
from affuse.extract.face.tracking import FaceTracker, Look, look_of

# Pictures after which the detector looks for others, and those of a crowd that are followed.
_LOOK_AROUND, _MOST = 5, 6
# A picture that is so much longer than wide, or wider, is looked at in two parts, too.
_OBLONG = 1.25


@dataclass
class _Person:
    number: int
    region: Region  # where the face was last
    look: Look
    there: bool = True


class Crowd:
    """Follows one face as `FaceTracker` does, until there are two at once; then each by itself.

    People are numbered from 1, the first who was followed. Who was away and comes back, by looks or
    to the same place, keeps the number: a guess by a small picture.

    Attributes:
        people: how many faces were found at once, at most.
        changed: whether another face is followed than before, while there is but one.
    """

    def __init__(self) -> None:
        self.people, self.changed = 0, False
        self._tracker, self._known, self._count = FaceTracker(), list[_Person](), 0

    def read(self, image: Image) -> dict[int, Face]:
        """The faces of the next picture, as `read_face` takes, by the number of the person."""
        if self._known:
            return self._follow(image)
        face = self._tracker.read(image)
        self.people, self.changed = self._tracker.people, self._tracker.changed
        faces = {} if face is None else {1: face}
        if self._tracker.found:
            regions = [*self._tracker.found, *_closer(image)]
            faces |= enumerate(self._others(image, regions, faces), start=len(faces) + 1)
            if len(faces) > 1:
                self.changed, self.people = False, max(self.people, len(faces))
                self._known = [_person(image, number, face) for number, face in faces.items()]
        return faces

    def _follow(self, image: Image) -> dict[int, Face]:
        faces: dict[int, Face] = {}
        self._count += 1
        seek = self._count % _LOOK_AROUND == 0
        for person in self._known:
            face = place_face(image, person.region) if person.there else None
            if face is not None and not _among(face.region, faces.values()):
                faces[person.number] = face
            seek |= person.there and person.number not in faces
            person.there = person.number in faces
        if seek:
            for face in self._others(image, [*regions_in(image), *_closer(image)], faces):
                faces[self._number_of(image, face)] = face
        for person in self._known:
            if person.number in faces:
                person.region, person.there = faces[person.number].region, True
        self.people = max(self.people, len(faces))
        return faces

    def _others(
        self, image: Image, regions: Iterable[Region], known: dict[int, Face]
    ) -> Iterator[Face]:
        """The faces in regions that are none of those that are known."""
        found = list(known.values())
        for region in regions:
            if len(found) == _MOST or _among(region, found):
                continue
            face = settle(image, region)
            if face is not None and not _among(face.region, found):
                found.append(face)
                yield face

    def _number_of(self, image: Image, face: Face) -> int:
        """Whose face it is: of one who is away, or of somebody new."""
        look = look_of(image, face.region)
        away = [person for person in self._known if not person.there]
        same = [p for p in away if look.same(p.look)] or [
            p for p in away if _near(p.region, face.region)
        ]
        if not same:
            same = [_person(image, len(self._known) + 1, face)]
            self._known += same
        same[0].look, same[0].there = look, True
        return same[0].number


def _closer(image: Image) -> Iterator[Region]:
    """Where the detector finds faces at both ends of a picture, by a look at each: smaller ones."""
    height, width = image.shape[:2]
    side, longer = min(height, width), max(height, width)
    if longer < _OBLONG * side:
        return
    for at in (0, longer - side):
        part = image[:, at : at + side] if width > height else image[at : at + side]
        x, y = (at, 0) if width > height else (0, at)
        for region in regions_in(part):
            yield region._replace(x=region.x + x, y=region.y + y)


def _person(image: Image, number: int, face: Face) -> _Person:
    return _Person(number, face.region, look_of(image, face.region))


def _among(region: Region, faces: Iterable[Face]) -> bool:
    return any(_near(face.region, region) for face in faces)


def _near(one: Region, other: Region) -> bool:
    """Whether two regions show one face."""
    return math.hypot(one.x - other.x, one.y - other.y) < max(one.side, other.side) / 3
