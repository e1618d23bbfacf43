"""What the face does, in measures that head pose and size do not change.

Each is named after the movement that raises it, and stands near the action units of the Facial
Action Coding System (Ekman, Friesen and Hager 2002): a distance between landmarks along one axis of
the face turned to the front, less the same on the neutral canonical face, in percent of the
distance of the outer eye corners. `docs/faces.md` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from affuse.extract import bundled
from affuse.extract.face.networks import LANDMARKS
from affuse.samples import FloatArray

POSE_NAMES = ("yaw", "pitch", "roll")
# Outer corners of the right and left eye.
_RIGHT, _LEFT = 33, 263


class Fronted(NamedTuple):
    """A face turned to the front."""

    # float32 `(468, 3)`: x to the viewer's right, which is the person's left, y up, z to the
    # viewer. The unit is the distance of the outer eye corners of the canonical face.
    points: FloatArray
    # float32 `(3,)`, degrees: yaw (the face turned to the person's left), pitch (up) and roll (the
    # head tilted to the person's left shoulder).
    pose: FloatArray


@cache
def canonical_face() -> tuple[FloatArray, FloatArray]:
    """The neutral face `(468, 3)` that others are compared with, as in `Fronted.points`, and the
    weight of each landmark in finding the pose, `(468,)`, 0 for most."""
    table = np.frombuffer(bundled("face_canonical.f32"), "<f4").reshape(-1, 4)
    unit = np.linalg.norm(table[_LEFT, :3] - table[_RIGHT, :3])
    return (table[:, :3] / unit).astype(np.float32), table[:, 3].astype(np.float32)


def to_front(landmarks: FloatArray) -> Fronted:
    """Turn, move and scale landmarks `(468, 3)`, of a picture, so that they fit the canonical face.

    Weighted Procrustes analysis (Umeyama 1991, IEEE Transactions on Pattern Analysis and Machine
    Intelligence 13(4)) over landmarks that hardly move with expression.
    """
    target, weights = canonical_face()
    used = weights > 0
    share = (weights[used] / weights[used].sum())[:, None].astype(np.float64)
    # Pictures count down and away from the viewer.
    points = landmarks.astype(np.float64) * (1, -1, -1)
    middle, goal = (share * points[used]).sum(axis=0), (share * target[used]).sum(axis=0)
    centred, wanted = points[used] - middle, target[used] - goal
    left, stretch, right = np.linalg.svd((share * wanted).T @ centred)
    flip = np.array([1, 1, np.sign(np.linalg.det(left @ right))])
    rotation = (left * flip) @ right
    scale = (stretch * flip).sum() / max((share * centred**2).sum(), 1e-12)
    fronted = scale * (points - middle) @ rotation.T + goal
    return Fronted(fronted.astype(np.float32), _angles(rotation.T))


def _angles(head: FloatArray) -> FloatArray:
    """Yaw, pitch and roll in degrees of the rotation from the front to the head's pose.

    The rotation is one about y, then about x, then about z; about x, positive lowers the nose, and
    about z, positive tilts to the right shoulder.
    """
    about_y = np.arctan2(-head[2, 0], head[2, 2])
    about_x = np.arcsin(np.clip(head[2, 1], -1, 1))
    about_z = np.arctan2(-head[0, 1], head[1, 1])
    return np.degrees([about_y, -about_x, -about_z]).astype(np.float32)


VERSION = 1
_AXES = {"out": 0, "up": 1, "forward": 2}


class Measure(NamedTuple):
    """A distance between two groups of landmarks along an axis."""

    name: str  # of the movement that raises it
    units: str  # numbers of the nearest action units; a minus for one that lowers it
    axis: str  # `out` (to the person's left, away from the middle for one side), `up` or `forward`
    of: tuple[int, ...]  # landmarks whose mean place counts
    from_: tuple[int, ...]  # landmarks from whose mean place
    side: str | None = None  # `right` and `left` of the person, or None


# Landmarks of the person's right side, and those of the left that mirror them.
_MIRROR = dict(
    zip(
        (
            *(33, 133, 158, 159, 160, 144, 145, 153, 46, 52, 53, 55, 63, 65, 70, 105, 107, 50, 101),
            *(118, 205, 206, 216, 48, 64, 129, 37, 39, 40, 61, 91, 181),
        ),
        (
            *(263, 362, 385, 386, 387, 373, 374, 380, 276, 282, 283, 285, 293, 295, 300, 334, 336),
            *(280, 330, 347, 425, 426, 436, 278, 294, 358, 267, 269, 270, 291, 321, 405),
        ),
        strict=True,
    )
)
_MIDDLE = (6, 168, 197)
_NOSE_BASE = (2, 97, 326)
_EYE = (33, 133)
_LIPS = (0, 13, 14, 17)
_CHIN = (148, 152, 175, 377)

# Name, action units, axis, landmarks of the right side, those they are measured from.
_SIDED: tuple[tuple[str, str, str, tuple[int, ...], tuple[int, ...]], ...] = (
    ("inner_brow_raise", "1, -4", "up", (55, 65, 107), _EYE),
    ("outer_brow_raise", "2, -4", "up", (46, 53, 63, 70), _EYE),
    ("brow_arch", "2", "up", (52, 105), (46, 55, 70, 107)),
    ("upper_lid_raise", "5, -43, -45", "up", (158, 159, 160), _EYE),
    ("lower_lid_raise", "7", "up", (144, 145, 153), _EYE),
    ("cheek_raise", "6", "up", (50, 101, 118), _EYE),
    ("cheek_fold_raise", "11, 12", "up", (205, 206, 216), _EYE),
    ("nose_wrinkle", "9", "up", (48, 64, 129), (133,)),
    ("upper_lip_raise", "10", "up", (37, 39, 40), _NOSE_BASE),
    ("lip_corner_raise", "12, 13, -15", "up", (61,), _NOSE_BASE),
    ("lip_corner_out", "12, 20, -18", "out", (61,), _MIDDLE),
    ("lower_lip_drop", "16", "up", (61,), (91, 181)),
)
_CENTRAL = (
    Measure("brow_gather", "4", "out", (55, 107), (285, 336)),
    Measure("nostril_flare", "38, -39", "out", (278, 294, 358), (48, 64, 129)),
    Measure("mouth_curve", "12, -15", "up", (61, 291), _LIPS),
    Measure("lips_part", "25, 26, 27", "up", (13, 82, 312), (14, 87, 317)),
    Measure("upper_lip_height", "22, -23, -24, -28", "up", (0, 37, 267), (13, 82, 312)),
    Measure("lower_lip_height", "22, -23, -24, -28", "up", (14, 87, 317), (17, 84, 314)),
    Measure("lips_forward", "18, 22", "forward", _LIPS, (2, 200)),
    Measure("mouth_left", "none", "out", _LIPS, _MIDDLE),
    Measure("chin_raise", "17", "up", (17, 18, 83, 313), _CHIN),
    Measure("jaw_drop", "26, 27", "up", _NOSE_BASE, _CHIN),
    Measure("jaw_left", "30", "out", _CHIN, _MIDDLE),
    Measure("jaw_forward", "29", "forward", _CHIN, _MIDDLE),
    Measure("cheek_puff", "34", "forward", (187, 192, 207, 411, 416, 427), (129, 358)),
)


def _both_sides() -> Iterator[Measure]:
    for name, units, axis, of, from_ in _SIDED:
        yield Measure(f"{name}_right", units, axis, of, from_, "right")
        yield Measure(f"{name}_left", units, axis, _mirrored(of), _mirrored(from_), "left")


def _mirrored(landmarks: tuple[int, ...]) -> tuple[int, ...]:
    # Landmarks of the middle mirror themselves.
    return tuple(_MIRROR.get(number, number) for number in landmarks)


MEASURES: tuple[Measure, ...] = (*_both_sides(), *_CENTRAL)
MEASURE_NAMES = tuple(measure.name for measure in MEASURES)


def measure_face(points: FloatArray) -> FloatArray:
    """All measures of `Fronted.points`, float32 `(37,)`, 0 for the canonical face."""
    return np.asarray(100 * (_weights() @ (points - canonical_face()[0]).ravel()))


@cache
def _weights() -> FloatArray:
    """The measures as one linear map, `(37, 468 * 3)`."""
    weights = np.zeros((len(MEASURES), LANDMARKS, 3), np.float32)
    for row, found in zip(weights, MEASURES, strict=True):
        # The right side's outward is the way to smaller x.
        sign = -1 if found.axis == "out" and found.side == "right" else 1
        row[list(found.of), _AXES[found.axis]] += sign / len(found.of)
        row[list(found.from_), _AXES[found.axis]] -= sign / len(found.from_)
    return weights.reshape(len(MEASURES), -1)
