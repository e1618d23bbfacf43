"""Whose face is followed where there are two people, and when that changes."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from affuse.extract.account import Faces
from affuse.extract.face.regions import Image
from affuse.extract.face.tracking import FaceTracker


@pytest.fixture(scope="module")
def people(shared_data: Path) -> list[list[Image]]:
    """Fifteen pictures of each of two people, five a second."""
    shown = []
    for path in sorted((shared_data / "clips").glob("*.mpg"))[1:3]:
        with av.open(str(path)) as media:
            shown.append([f.to_ndarray(format="rgb24") for f in media.decode(video=0)][::5])
    return shown


def followed(pictures: list[Image]) -> tuple[Faces, list[str]]:
    """What is said of pictures of two people side by side, and whose face was read in each."""
    tracker, faces, sides = FaceTracker(), Faces(), []
    for number, image in enumerate(pictures):
        face = tracker.read(image)
        faces.see(number / 5, 0.2, face is not None, tracker)
        if face is None:
            sides.append("")
        else:
            sides.append("left" if face.region.x < image.shape[1] / 2 else "right")
    return faces, sides


def scene(people: list[list[Image]], left: bool, right: bool) -> list[Image]:
    """Three seconds in which some of two people are there."""
    first, second = people
    empty = np.full_like(first[0], 90)
    return [
        np.hstack([a if left else empty, b if right else empty])
        for a, b in zip(first, second, strict=True)
    ]


def test_the_first_is_followed_again_once_back(people: list[list[Image]]) -> None:
    both, away = scene(people, True, True), scene(people, False, True)
    _, (first, *_) = followed(both)
    if first == "right":
        away = scene(people, True, False)
    faces, sides = followed(both + away + both)
    other = {"left": "right", "right": "left"}[first]
    assert set(sides[:15]) == {first}
    assert set(sides[17:30]) == {other}
    # The first is looked for once a second.
    assert set(sides[36:]) == {first}
    assert faces.changes == [pytest.approx(3.0, abs=0.41), pytest.approx(6.0, abs=1.3)]
    assert faces.most == 2
    assert faces.seen == pytest.approx(9.0, abs=0.5)


def test_one_who_leaves_and_comes_back_is_no_change(people: list[list[Image]]) -> None:
    there, nobody = scene(people, True, False), scene(people, False, False)
    faces, sides = followed(there + nobody + there)
    assert sides[20] == ""
    assert faces.changes == []
    assert faces.most == 1
    assert faces.to_dict()["share"] == pytest.approx(0.67, abs=0.03)


def test_another_in_the_same_place_is_told(people: list[list[Image]]) -> None:
    faces, _ = followed([*people[0], *people[1]])
    assert faces.changes == [pytest.approx(3.0, abs=1.0)]


def test_another_for_a_moment_is_no_change() -> None:
    faces = Faces()
    tracker = FaceTracker()
    for time, changed in ((0.0, False), (0.2, True), (0.4, False), (0.6, True), (5.0, False)):
        tracker.changed = changed
        faces.see(time, 0.2, True, tracker)
    assert faces.changes == []
