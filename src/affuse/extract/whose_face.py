"""Whose face a window is about: the one that speaks, else the largest; and how much it shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from affuse.extract.account import Account
from affuse.extract.face.crowd import Crowd
from affuse.extract.face.quality import HOPELESS, Quality, quality_of
from affuse.extract.face.regions import Region
from affuse.extract.face.speaking import opening, who_speaks
from affuse.extract.features import ClipFeatures, Steps
from affuse.extract.media.frames import Picture
from affuse.extract.mouths import Mouths
from affuse.extract.voice import RATE
from affuse.extract.voice.recognise import SPEECH, STEP, speech_probabilities
from affuse.samples import FloatArray

# Who is there for less than this share of the time of who is there most is passed over.
_THERE = 0.5
# Seconds of speech that tell whose mouth moves with it, those around it that count, and the most.
_SPEECH, _AROUND, _LONGEST = 0.5, 0.1, 6.0
# A face that was read is left for one whose side is so much longer.
_LEAVE = 1.2
# A face of less quality is told of.
_LESS = 0.75

Why = Literal["only", "speaks", "largest", "beside"]


class Whose(NamedTuple):
    """The face that a window is about.

    Attributes:
        person: their number, from 1 in the order in which they were first seen.
        why: the `only` face there, the one that `speaks`, or the `largest`; `beside` those is one
            that the window is not about.
        share: of the window's pictures, in how many it is seen.
        place: x, y and side of the square around it, in shares of the picture's width, height and
            width, at the middle of the window.
        quality: how much of it is seen, from 0 to 1.
        lacks: what it is where quality is below 1: too small, too dark or turned away.
        useful: whether any picture shows enough of it to say anything.
    """

    person: int
    why: Why
    share: float
    place: tuple[float, float, float]
    quality: float
    lacks: str | None
    useful: bool = True

    def to_dict(self) -> dict[str, Any]:
        face: dict[str, Any] = {"person": self.person, "why": self.why, "share": self.share}
        face |= {"place": list(self.place), "lacks": self.lacks}
        return {"face": face, "face_quality": self.quality}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Whose | None:
        """What `to_dict` made such content of; None where no face is told."""
        face = content.get("face")
        if face is None:
            return None
        told = {**face, "place": tuple(face["place"]), "quality": content["face_quality"]}
        return cls(**told)


@dataclass(frozen=True, slots=True)
class Seen:
    """A face in one picture."""

    time: float
    person: int
    region: Region
    size: tuple[int, int]  # of the picture, width and height
    mouth: float
    quality: Quality
    features: FloatArray


class Pictured(NamedTuple):
    """What was seen in a window."""

    faces: Sequence[Seen]
    pictures: int  # how many there were, with a face or without


class FacesSeen:
    """The faces of the pictures of a recording, kept until their windows are complete.

    Args:
        mouths: reads them more often; None where a recording can be read but once.
    """

    def __init__(self, features: ClipFeatures, account: Account, mouths: Mouths | None) -> None:
        self._features, self._account, self._mouths = features, account, mouths
        self._crowd = Crowd()
        self._times: deque[float] = deque()
        self._seen: deque[Seen] = deque()
        self._last: int | None = None  # whose face was read

    def add(self, picture: Picture) -> None:
        """The next picture."""
        faces, image = self._crowd.read(picture.image), picture.image
        lasts = max(picture.shown, 1 / self._features.settings.fps)
        self._account.faces.see(picture.time, lasts, bool(faces), self._crowd)
        self._times.append(picture.time)
        for person, face in faces.items():
            quality = quality_of(image, face)
            step = self._features.vision_step(image, face)
            size, mouth = (image.shape[1], image.shape[0]), opening(face)
            self._seen.append(Seen(picture.time, person, face.region, size, mouth, quality, step))

    def forget(self, before: float) -> None:
        """What is before a second is needed no more."""
        while self._times and self._times[0] < before:
            self._times.popleft()
        while self._seen and self._seen[0].time < before:
            self._seen.popleft()

    def between(self, start: float, end: float) -> Pictured:
        """What is seen in a window."""
        faces = [seen for seen in self._seen if start <= seen.time < end]
        return Pictured(faces, sum(start <= time < end for time in self._times))

    def whose(
        self, pictured: Pictured, start: float, end: float, signal: FloatArray
    ) -> Whose | None:
        """The face that a window is about, whose sound is the signal; None where there is none.

        Windows come in their order.
        """
        people = by_person(pictured.faces)
        if not people:
            return None
        most = max(map(len, people.values()))
        there = {number: seen for number, seen in people.items() if len(seen) >= _THERE * most}
        person, why = self._chosen(there, start, signal)
        whose = _described(people[person], person, why, pictured.pictures)
        told = self._account.faces
        told.choose(start, person, sure=why == "speaks")
        told.judge(start, end, whose.lacks, less=whose.quality < _LESS, useful=whose.useful)
        self._last = person
        return whose

    def each(self, pictured: Pictured, whose: Whose | None) -> list[tuple[Whose, Steps]]:
        """Each face of a window, and what it says."""
        return [
            (
                whose
                if whose is not None and person == whose.person
                else _described(seen, person, "beside", pictured.pictures),
                steps_of(seen),
            )
            for person, seen in sorted(by_person(pictured.faces).items())
        ]

    def _chosen(
        self, there: Mapping[int, Sequence[Seen]], start: float, signal: FloatArray
    ) -> tuple[int, Why]:
        if len(there) == 1:
            return next(iter(there)), "only"
        speaker = self._speaker(there, start, signal)
        if speaker is not None:
            return speaker, "speaks"
        sizes = {number: _size(seen) for number, seen in there.items()}
        if self._last in sizes:
            sizes[self._last] *= _LEAVE
        return max(sizes, key=sizes.__getitem__), "largest"

    def _speaker(
        self, there: Mapping[int, Sequence[Seen]], start: float, signal: FloatArray
    ) -> int | None:
        speech = np.flatnonzero(speech_probabilities(signal) >= SPEECH)
        if STEP * len(speech) < _SPEECH:
            return None
        begin = max(0.0, STEP * float(speech[0]) - _AROUND)
        last = min(STEP * float(speech[-1] + 1) + _AROUND, begin + _LONGEST)
        heard = signal[round(begin * RATE) : round(last * RATE)]
        begin += start
        end = begin + len(heard) / RATE
        places = {n: [(s.time, s.region, s.mouth) for s in seen] for n, seen in there.items()}
        if self._mouths is not None:
            return who_speaks(self._mouths.read(begin, end, places), begin, heard)
        mouths = {
            n: [(time, mouth) for time, _, mouth in found if begin <= time < end]
            for n, found in places.items()
        }
        return who_speaks(mouths, begin, heard)


def by_person(faces: Sequence[Seen]) -> dict[int, list[Seen]]:
    """Faces by the number of their person."""
    people: dict[int, list[Seen]] = {}
    for seen in faces:
        people.setdefault(seen.person, []).append(seen)
    return people


def steps_of(faces: Sequence[Seen]) -> Steps:
    """What faces of one person say, but for those of which too little is seen."""
    return [(seen.time, seen.features) for seen in faces if seen.quality.all >= HOPELESS]


def _size(faces: Sequence[Seen]) -> float:
    """The side of a face, less where it is there less often."""
    return float(sum(seen.region.side for seen in faces))


def _described(faces: Sequence[Seen], person: int, why: Why, pictures: int) -> Whose:
    middle = faces[len(faces) // 2]
    width, height = middle.size
    region = middle.region
    qualities = [seen.quality for seen in faces]
    mean = Quality(*(float(np.mean(values)) for values in zip(*qualities, strict=True)))
    quality = round(float(np.mean([one.all for one in qualities])), 3)
    return Whose(
        person,
        why,
        share=round(len(faces) / max(pictures, 1), 3),
        place=(
            round(region.x / width, 3),
            round(region.y / height, 3),
            round(region.side / width, 3),
        ),
        quality=quality,
        lacks=mean.lacks if quality < 1 else None,
        useful=any(one.all >= HOPELESS for one in qualities),
    )
