"""The head's pose: found in faces that were turned by known angles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from affuse.extract.face.measures import canonical_face, to_front
from affuse.samples import FloatArray


def pictured(points: FloatArray, pose: tuple[float, float, float], size: float = 100) -> FloatArray:
    """Landmarks in pixels, as the mesh places them, of a face with this yaw, pitch and roll."""
    yaw, pitch, roll = pose
    # About y the nose goes to the viewer's right, about x down, about z the head to the left.
    turn = Rotation.from_euler("yxz", (yaw, -pitch, -roll), degrees=True)
    landmarks = turn.apply(points) * size * (1, -1, -1) + (320, 240, 7)
    return landmarks.astype(np.float32)


@pytest.mark.parametrize(
    "pose", [(0, 0, 0), (40, 0, 0), (-25, 0, 0), (0, 30, 0), (0, 0, -60), (35, -20, 15)]
)
def test_a_turned_face_is_turned_back(pose: tuple[float, float, float]) -> None:
    found = to_front(pictured(canonical_face()[0], pose))
    assert found.pose == pytest.approx(pose, abs=0.01)
    assert np.abs(found.points - canonical_face()[0]).max() < 1e-4


def test_the_angles_go_the_way_that_is_documented() -> None:
    face = canonical_face()[0]
    nose, crown, left_eye = 4, 10, 263
    to_left = pictured(face, (30, 0, 0))
    # The person's left is on the viewer's right, and so is their left eye.
    assert to_left[left_eye, 0] > to_left[33, 0]
    assert to_left[nose, 0] > pictured(face, (0, 0, 0))[nose, 0]
    assert pictured(face, (0, 30, 0))[nose, 1] < pictured(face, (0, 0, 0))[nose, 1]
    assert pictured(face, (0, 0, 30))[crown, 0] > pictured(face, (0, 0, 0))[crown, 0]


def test_expression_hardly_moves_the_pose() -> None:
    face = canonical_face()[0].copy()
    face[face[:, 1] < -0.5, 1] -= 0.1
    assert np.abs(to_front(pictured(face, (20, 10, 0))).pose - (20, 10, 0)).max() < 2
