"""How much a picture shows of a face: small, dark and turned ones count less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from two_faces import pictures_of, smaller

from affuse.extract.face import Face, read_face
from affuse.extract.face.quality import quality_of
from affuse.extract.face.regions import Image


@pytest.fixture(scope="module")
def picture(shared_data: Path) -> Image:
    return pictures_of(shared_data / "clips" / "grid_bbaf2n.mpg")[0]


@pytest.fixture(scope="module")
def face(picture: Image) -> Face:
    found = read_face(picture)
    assert found is not None
    return found


def dimmed(picture: Image, share: float) -> Image:
    return (picture * share).astype(np.uint8)


def test_a_clear_face_counts_whole(picture: Image, face: Face) -> None:
    assert quality_of(picture, face) == (1, 1, 1)


def test_the_smaller_the_less(picture: Image) -> None:
    found = []
    for share in (0.25, 0.15):
        image = smaller(picture, share)[100:190, 130:230]
        small = read_face(image)
        assert small is not None
        found.append(quality_of(image, small))
    assert 0.3 < found[1].all < found[0].all < 1
    assert found[0].lacks == "too small"


def test_the_darker_the_less(picture: Image, face: Face) -> None:
    dark = [quality_of(dimmed(picture, share), face) for share in (0.15, 0.1, 0.01)]
    assert 1 > dark[0].all > dark[1].all > dark[2].all == 0
    assert dark[1].lacks == "too dark"


@pytest.mark.parametrize(("yaw", "front"), [(0, 1), (-45, 1), (60, 0.5), (-75, 0), (88, 0)])
def test_the_more_it_is_turned_the_less(
    picture: Image, face: Face, yaw: float, front: float
) -> None:
    turned = replace(face, pose=np.array([yaw, 5, 0], np.float32))
    quality = quality_of(picture, turned)
    assert quality.front == pytest.approx(front)
    assert quality.lacks == ("too small" if front == 1 else "turned away")
