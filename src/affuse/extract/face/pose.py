"""The head's pose, and the face as it would be seen from the front at a standard size."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from affuse.extract.bundled import bundled
from affuse.samples import FloatArray

POSE_NAMES = ("yaw", "pitch", "roll")
# Outer corners of the right and left eye.
_RIGHT, _LEFT = 33, 263


class Fronted(NamedTuple):
    """A face turned to the front.

    Attributes:
        points: float32 `(468, 3)`: x to the viewer's right, which is the person's left, y up, z
            to the viewer. The unit is the distance of the outer eye corners of the canonical face.
        pose: float32 `(3,)`, degrees: yaw (the face turned to the person's left), pitch (up) and
            roll (the head tilted to the person's left shoulder).
    """

    points: FloatArray
    pose: FloatArray


@cache
def canonical_face() -> tuple[FloatArray, FloatArray]:
    """The neutral face `(468, 3)` that others are compared with, as in `Fronted.points`, and the
    weight of each landmark in finding the pose, `(468,)`, 0 for most."""
    table = np.frombuffer(bundled("face_canonical.f32"), "<f4").reshape(-1, 4)
    unit = np.linalg.norm(table[_LEFT, :3] - table[_RIGHT, :3])
    return (table[:, :3] / unit).astype(np.float32), table[:, 3].astype(np.float32)


def to_front(landmarks: FloatArray) -> Fronted:
    """Turn, move and scale landmarks so that they fit the canonical face best.

    Weighted Procrustes analysis (Umeyama 1991, IEEE Transactions on Pattern Analysis and Machine
    Intelligence 13(4)) over landmarks that hardly move with expression.

    Args:
        landmarks: `(468, 3)`, as of `affuse.extract.face.networks.place_landmarks`.
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
