"""Several faces: each is followed by itself, and one alone as ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from two_faces import pictures_of, smaller

from affuse.extract.face.crowd import Crowd
from affuse.extract.face.regions import Image
from affuse.extract.face.tracking import FaceTracker


@pytest.fixture(scope="module")
def people(shared_data: Path) -> list[list[Image]]:
    """Pictures of each of two people, five a second."""
    paths = sorted((shared_data / "clips").glob("*.mpg"))[1:3]
    return [pictures_of(path)[::5] for path in paths]


def test_one_face_is_followed_as_ever(people: list[list[Image]]) -> None:
    crowd, tracker = Crowd(), FaceTracker()
    for image in people[0][:3]:
        face, (number, found) = tracker.read(image), next(iter(crowd.read(image).items()))
        assert face is not None
        assert number == 1
        assert np.array_equal(found.features, face.features)
    assert crowd.people == 1


@pytest.mark.slow
def test_each_of_two_keeps_the_number(people: list[list[Image]]) -> None:
    first, second = people
    empty = np.full_like(first[0], 90)
    both = [np.hstack(pair) for pair in zip(first, second, strict=True)]
    alone = [np.hstack((empty, image)) for image in second]
    crowd, sides = Crowd(), dict[int, set[str]]()
    for number, image in enumerate(both + alone + both):
        faces = crowd.read(image)
        assert len(faces) == 1 if 16 < number < 30 else len(faces) in (1, 2)
        for person, face in faces.items():
            side = "left" if face.region.x < image.shape[1] / 2 else "right"
            sides.setdefault(person, set()).add(side)
    assert sorted(map(sorted, sides.values())) == [["left"], ["right"]]
    assert len(faces) == 2


@pytest.mark.slow
def test_one_who_is_far_away_is_found(people: list[list[Image]]) -> None:
    image = np.hstack((people[0][0], smaller(people[1][0], 0.45)))
    assert len(Crowd().read(image)) == 2
