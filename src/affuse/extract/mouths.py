"""Mouths read as often, and as large, as a voice needs it, by another look at a recording."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from affuse.extract.face import place_face
from affuse.extract.face.regions import Image, Region
from affuse.extract.face.speaking import Mouth, opening
from affuse.extract.media.decode import MediaReader
from affuse.extract.media.frames import LONGEST_SIDE, Picture, Pictures
from affuse.extract.media.tracks import Wanted

# Pictures a second, and pixels of their longer side.
_FPS, _LARGE = 12.5, 2 * LONGEST_SIDE
# Seconds by which two times of one picture differ, at most.
_SAME = 1e-6

Places = Sequence[tuple[float, Region, float]]
"""Where a face was and how far its mouth was open: by the second, in their order."""


class Mouths:
    """Reads the mouths of several faces in stretches of a recording, one after the other.

    Nothing is opened before it is asked for. A clip of one face never is.

    Args:
        wanted: the tracks that are read of the recording.
    """

    def __init__(self, source: Path, wanted: Wanted) -> None:
        self._source, self._wanted = source, wanted
        self._media: MediaReader | None = None
        self._pictures: Iterator[Picture] = iter(())
        self._next: Picture | None = None  # the first one after what was read
        self._from = self._until = 0.0
        self._known: deque[tuple[float, dict[int, float]]] = deque()

    def read(self, start: float, end: float, faces: Mapping[int, Places]) -> dict[int, Mouth]:
        """The mouths of faces, whose places are known a few times a second, in a stretch.

        Places are in pixels of pictures that are as large as `MediaReader` makes them. A stretch
        may overlap with the last one, but begins no earlier.
        """
        while self._known and self._known[0][0] < start:
            self._known.popleft()
        times = {number: [time for time, _, _ in places] for number, places in faces.items()}
        for picture in self._between(start, end):
            found = {}
            for number, places in faces.items():
                place = bisect_right(times[number], picture.time + _SAME) - 1
                open_ = None if place < 0 else _opening(picture, places[place])
                if open_ is not None:
                    found[number] = open_
            self._known.append((picture.time, found))
        return {
            number: [(time, found[number]) for time, found in self._known if number in found]
            for number in faces
        }

    def close(self) -> None:
        """End the look, if there was one."""
        if self._media is not None:
            self._media.__exit__()

    def _between(self, start: float, end: float) -> Iterator[Picture]:
        """The pictures of a stretch that were not read before."""
        if self._media is None:
            taken = Pictures(_FPS, _LARGE, lambda time: time >= self._from)
            self._media = MediaReader(self._source, fps=taken, wanted=self._wanted)
            self._pictures = (item for item in self._media if isinstance(item, Picture))
        if end <= self._until:
            return
        self._from, self._until = start, end
        first = [] if self._next is None else [self._next]
        self._next = None
        for picture in chain(first, self._pictures):
            if picture.time >= end:
                self._next = picture
                return
            if picture.time >= start:
                yield picture


def _opening(picture: Picture, known: tuple[float, Region, float]) -> float | None:
    """How far a mouth is open, by where the face was last; None where there is no face."""
    time, region, open_ = known
    scale = _scale(picture.image)
    if scale == 1 and picture.time - time <= _SAME:
        return open_
    there = Region(region.x * scale, region.y * scale, region.side * scale, region.angle)
    face = place_face(picture.image, there)
    return None if face is None else opening(face)


def _scale(image: Image) -> float:
    """How much larger a picture is than those in which places are told."""
    return float(max(1.0, max(image.shape[:2]) / LONGEST_SIDE))
