"""Measures of the face: each rises with its movement on many faces, and pose does not matter."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from affuse.extract.face.measures import (
    MEASURE_NAMES,
    MEASURES,
    canonical_face,
    measure_face,
    to_front,
)
from affuse.samples import FloatArray

FACES = 24


class Pull(NamedTuple):
    """What a muscle does: the skin around a place goes somewhere, less the further away it is."""

    place: int
    way: tuple[float, float, float]
    reach: float = 0.12


# Movements of the person's right side, after the muscles of the facial action coding system.
_RIGHT = {
    "inner_brow_raise": [Pull(55, (0, 0.06, 0))],
    "outer_brow_raise": [Pull(53, (0, 0.06, 0))],
    "brow_arch": [Pull(52, (0, 0.05, 0), 0.05)],
    "upper_lid_raise": [Pull(159, (0, 0.04, 0), 0.06)],
    "lower_lid_raise": [Pull(145, (0, 0.04, 0), 0.06)],
    "cheek_raise": [Pull(50, (0, 0.05, 0.02), 0.2)],
    "cheek_fold_raise": [Pull(205, (-0.01, 0.06, 0.02), 0.15)],
    "nose_wrinkle": [Pull(129, (0, 0.05, 0), 0.1)],
    "upper_lip_raise": [Pull(39, (0, 0.05, 0), 0.08)],
    "lip_corner_raise": [Pull(61, (-0.03, 0.06, 0), 0.1)],
    "lip_corner_out": [Pull(61, (-0.07, 0, 0), 0.1)],
    "lower_lip_drop": [Pull(181, (0, -0.06, 0), 0.08)],
}
_BOTH = {
    "brow_gather": [Pull(55, (0.03, -0.02, 0)), Pull(285, (-0.03, -0.02, 0))],
    "nostril_flare": [Pull(64, (-0.03, 0, 0), 0.08), Pull(294, (0.03, 0, 0), 0.08)],
    "mouth_curve": [Pull(61, (-0.03, 0.06, 0), 0.1), Pull(291, (0.03, 0.06, 0), 0.1)],
    "lips_part": [Pull(13, (0, 0.03, 0), 0.06), Pull(14, (0, -0.05, 0), 0.06)],
    "upper_lip_height": [Pull(0, (0, 0.03, 0.01), 0.05)],
    "lower_lip_height": [Pull(17, (0, -0.03, 0.01), 0.05)],
    "lips_forward": [Pull(13, (0, 0, 0.08), 0.12)],
    "mouth_left": [Pull(14, (0.06, 0, 0), 0.12)],
    "chin_raise": [Pull(18, (0, 0.06, 0.01), 0.1)],
    "jaw_drop": [Pull(152, (0, -0.15, 0), 0.3)],
    "jaw_left": [Pull(152, (0.08, 0, 0), 0.3)],
    "jaw_forward": [Pull(152, (0, 0, 0.1), 0.3)],
    "cheek_puff": [Pull(192, (-0.02, 0, 0.08), 0.2), Pull(416, (0.02, 0, 0.08), 0.2)],
}


def movements() -> dict[str, list[Pull]]:
    """Movement of each measure, the left side's mirrored from the right."""
    neutral = canonical_face()[0]
    found = dict(_BOTH)
    for name, pulls in _RIGHT.items():
        found[f"{name}_right"] = pulls
        mirrored = []
        for pull in pulls:
            other = np.abs(neutral - neutral[pull.place] * (-1, 1, 1)).sum(axis=1).argmin()
            x, y, z = pull.way
            mirrored.append(Pull(int(other), (-x, y, z), pull.reach))
        found[f"{name}_left"] = mirrored
    return found


def moved(face: FloatArray, pulls: list[Pull]) -> FloatArray:
    after = face.copy()
    for pull in pulls:
        away = np.linalg.norm(face - face[pull.place], axis=1)
        after += np.exp(-((away / pull.reach) ** 2))[:, None] * np.float32(pull.way)
    return after


def people() -> list[FloatArray]:
    """Faces of other proportions than the canonical one."""
    rng, neutral = np.random.default_rng(0), canonical_face()[0]
    found = []
    for _ in range(FACES):
        face = neutral * rng.uniform(0.9, 1.1, 3)
        for place in rng.choice(len(face), 6):
            face = moved(face, [Pull(int(place), tuple(rng.normal(0, 0.02, 3)), 0.4)])
        found.append(face.astype(np.float32))
    return found


def photographed(face: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A face at any size and place, turned by up to 40 degrees, as landmarks in pixels."""
    turn = Rotation.from_euler("yxz", rng.uniform(-40, 40, 3), degrees=True)
    size, place = rng.uniform(20, 500), rng.uniform(0, 1000, 3)
    return (turn.apply(face) * size * (1, -1, -1) + place).astype(np.float32)


def measured(landmarks: FloatArray) -> FloatArray:
    return measure_face(to_front(landmarks).points)


def test_every_measure_has_a_movement() -> None:
    assert set(movements()) == set(MEASURE_NAMES)
    assert len(MEASURES) == len(set(MEASURE_NAMES)) == 37


@pytest.mark.parametrize("name", MEASURE_NAMES)
def test_a_measure_rises_with_its_movement_on_every_face(name: str) -> None:
    rng, index = np.random.default_rng(1), MEASURE_NAMES.index(name)
    for face in people():
        before = measured(photographed(face, rng))
        after = measured(photographed(moved(face, movements()[name]), rng))
        assert after[index] > before[index] + 0.5
        back = moved(
            face, [Pull(p.place, tuple(-np.array(p.way)), p.reach) for p in movements()[name]]
        )
        assert measured(photographed(back, rng))[index] < before[index] - 0.5


def test_pose_size_and_place_change_nothing() -> None:
    rng = np.random.default_rng(2)
    for face in people():
        found = np.stack([measured(photographed(face, rng)) for _ in range(5)])
        assert np.ptp(found, axis=0).max() < 0.05


def test_the_canonical_face_measures_zero() -> None:
    face = canonical_face()[0]
    assert np.abs(measured(face * np.float32((100, -100, -100)))).max() < 1e-3


def test_a_mirrored_face_swaps_its_sides() -> None:
    rng = np.random.default_rng(3)
    neutral = canonical_face()[0]
    distances = np.abs(neutral[:, None] - neutral[None] * (-1, 1, 1)).sum(axis=2)
    partner = distances.argmin(axis=1)
    face = people()[0]
    mirrored = (face[partner] * (-1, 1, 1)).astype(np.float32)
    values = dict(zip(MEASURE_NAMES, measured(photographed(face, rng)), strict=True))
    others = dict(zip(MEASURE_NAMES, measured(photographed(mirrored, rng)), strict=True))
    for name, value in values.items():
        other = name.replace("_right", "_?").replace("_left", "_right").replace("_?", "_left")
        if other in others and name not in ("mouth_left", "jaw_left"):
            assert value == pytest.approx(others[other], abs=0.1), name
    assert values["jaw_left"] == pytest.approx(-others["jaw_left"], abs=0.1)


def test_the_guide_has_every_measure_with_its_landmarks() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "faces.md").read_text()
    for found in MEASURES:
        of, from_ = (", ".join(map(str, group)) for group in (found.of, found.from_))
        assert f"| `{found.name}` | {found.units} |" in guide
        assert f"| {found.axis}: {of} from {from_} |" in guide
