"""Faces in real pictures: found, followed, and measured the same at any size and turn."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from scipy import ndimage

from affuse.errors import InputError
from affuse.extract.face import FEATURES, WIDTH, read_face
from affuse.extract.face.regions import Image, Region, crop
from affuse.extract.face.tracking import FaceTracker

MEASURES = len(FEATURES) - 3


@pytest.fixture(scope="module")
def talks(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "clips").glob("*.mpg"))


def frames(path: Path, every: int = 1) -> list[Image]:
    with av.open(str(path)) as media:
        decoded = [f.to_ndarray(format="rgb24") for f in media.decode(video=0)]
    return decoded[::every]


def still(path: Path) -> Image:
    """A frame with room around it, so that a turned picture shows what the straight one does."""
    return np.pad(frames(path)[10], ((40, 160), (120, 120), (0, 0)), mode="edge")


@pytest.mark.slow
def test_every_frame_is_tracked(talks: list[Path]) -> None:
    assert len(talks) == 5
    for path in talks:
        tracker = FaceTracker()
        faces = [tracker.read(image) for image in frames(path)]
        assert len(faces) == 75
        assert all(face is not None and face.features.shape == (WIDTH,) for face in faces)


def test_following_measures_what_finding_measures(talks: list[Path]) -> None:
    tracker = FaceTracker()
    for number, image in enumerate(frames(talks[0], every=3)):
        followed, found = tracker.read(image), read_face(image)
        assert followed is not None
        assert found is not None
        if number > 2:
            assert np.abs(followed.features - found.features).mean() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.7, 1.5, 2.2])
def test_scale_changes_no_measure_by_two_percent(talks: list[Path], scale: float) -> None:
    for path in talks:
        image = still(path)
        scaled = ndimage.zoom(image, (scale, scale, 1), order=1)
        before, after = read_face(image), read_face(scaled)
        assert before is not None
        assert after is not None
        assert np.abs(after.measures - before.measures).max() < 2


@pytest.mark.parametrize("angle", [-90, -40, 10, 30])
def test_a_turn_of_the_picture_changes_the_roll_alone(talks: list[Path], angle: int) -> None:
    for path in talks:
        image = still(path)
        # Counter-clockwise, as it is seen: the head tilts to the viewer's left.
        turned = ndimage.rotate(image, angle, order=1, mode="nearest")
        before, after = read_face(image), read_face(turned)
        assert before is not None
        assert after is not None
        assert np.abs(after.measures - before.measures).max() < 2
        assert after.pose[2] - before.pose[2] == pytest.approx(-angle, abs=1)


def test_the_larger_of_two_faces_is_taken_and_kept(talks: list[Path]) -> None:
    large, other = frames(talks[0], every=15), frames(talks[1], every=15)
    tracker = FaceTracker()
    for left, right in zip(large, other, strict=True):
        small = ndimage.zoom(right, (0.5, 0.5, 1), order=1)
        canvas = np.zeros((left.shape[0], left.shape[1] + small.shape[1], 3), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        canvas[:, small.shape[1] :] = left
        face = tracker.read(canvas)
        assert face is not None
        assert face.region.x > small.shape[1]


def test_no_face_is_found_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    tracker = FaceTracker()
    for size in ((240, 320), (48, 48), (2, 2), (2, 500)):
        noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        assert read_face(noise) is None
        assert tracker.read(noise) is None


def test_a_face_that_leaves_is_let_go_and_found_again(talks: list[Path]) -> None:
    image, tracker = frames(talks[2])[0], FaceTracker()
    shown = [image, image, np.zeros_like(image), np.zeros_like(image), image]
    assert [tracker.read(i) is not None for i in shown] == [True, True, False, False, True]


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(image: Image) -> None:
    with pytest.raises(InputError, match="a picture of shape"):
        read_face(image)


def test_a_crop_is_where_its_region_says() -> None:
    rows, columns = np.mgrid[:100, :120]
    image = np.stack([columns, rows, rows * 0], axis=2).astype(np.uint8)
    same = crop(image, Region(60, 50, 40, 0.0), 40)
    assert np.array_equal(same, image[30:70, 40:80])
    turned = crop(image, Region(60, 50, 40, np.pi / 2), 40)
    assert np.abs(turned.astype(int) - np.rot90(same, -1 * 3)).max() <= 1
    small = crop(image, Region(60, 50, 80, 0.0), 20)
    assert np.abs(small[:, :, 0].mean(axis=0) - np.arange(21.5, 100, 4)).max() < 1
