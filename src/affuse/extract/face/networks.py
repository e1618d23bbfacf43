"""The two networks: one finds faces in a picture, the other places 468 landmarks on a face.

BlazeFace of Bazarevsky et al. (2019), "BlazeFace: Sub-millisecond Neural Face Detection on Mobile
GPUs", and Face Mesh of Kartynnik et al. (2019), "Real-time Facial Surface Geometry from Monocular
Video on Mobile GPUs". `scripts/make_models.py` makes the files.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from affuse.extract import session
from affuse.extract.face.regions import Image, Region, crop, fit_square
from affuse.samples import FloatArray

LANDMARKS = 468
_DETECTOR_SIDE, _MESH_SIDE = 128, 192
# Feature maps of the detector: cells along a side, and boxes in each cell.
_MAPS = ((16, 2), (8, 6))
_CERTAIN = 0.5
_OVERLAP = 0.3
MARGIN = 1.5


class Detection(NamedTuple):
    """A face that was found, upright by its eyes and with a margin; its score is from 0.5 to 1."""

    region: Region
    score: float


def detect(image: Image) -> list[Detection]:
    """The faces of a picture, the most certain first, from a tenth of its longer side on or so."""
    square, shown = fit_square(image, _DETECTOR_SIDE)
    offsets, logits = session("face_detector").run(None, {"image": square[None]})
    scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -50, 50)))
    likely = np.flatnonzero(scores > _CERTAIN)
    boxes = offsets[0, likely] / _DETECTOR_SIDE
    # Centre, size, then six points of which the first two are the eyes.
    boxes[:, :2] += _anchors()[likely]
    boxes[:, 4:] += np.tile(_anchors()[likely], 6)
    return _merged(boxes, scores[likely], shown)


def place_landmarks(image: Image, region: Region) -> tuple[FloatArray, float]:
    """Landmarks of the face in a region of a picture, and the probability that there is one.

    Float32 `(468, 3)`: x and y in pixels of the picture, and depth in the same unit, which grows
    away from the viewer and is about 0 at the middle of the head.
    """
    pixels = crop(image, region, _MESH_SIDE)
    mesh, logit = session("face_mesh").run(None, {"image": pixels[None]})
    points = mesh.reshape(LANDMARKS, 3) / _MESH_SIDE
    placed = np.column_stack([region.to_image(points[:, :2]), points[:, 2] * region.side])
    presence = 1 / (1 + np.exp(-np.clip(float(logit.item()), -50, 50)))
    return placed.astype(np.float32), float(presence)


def region_of(landmarks: FloatArray) -> Region:
    """The region of a face, with a margin and upright by its eyes, from its landmarks."""
    eyes = landmarks[263, :2] - landmarks[33, :2]
    angle = float(np.arctan2(eyes[1], eyes[0]))
    cos, sin = np.cos(angle), np.sin(angle)
    across = landmarks[:, 0] * cos + landmarks[:, 1] * sin
    down = landmarks[:, 1] * cos - landmarks[:, 0] * sin
    u, v = (across.max() + across.min()) / 2, (down.max() + down.min()) / 2
    side = MARGIN * max(np.ptp(across), np.ptp(down))
    return Region(float(u * cos - v * sin), float(u * sin + v * cos), float(side), angle)


def _merged(boxes: FloatArray, scores: FloatArray, shown: Region) -> list[Detection]:
    """One detection a face: boxes that overlap are averaged, weighted by their scores."""
    found = []
    order = np.argsort(-scores)
    while len(order):
        same = _overlaps(boxes[order[0]], boxes[order]) > _OVERLAP
        # A box of no size overlaps with nothing, itself included.
        same[0] = True
        group = order[same]
        box = np.average(boxes[group], axis=0, weights=scores[group])
        found.append(Detection(_upright(box, shown), float(scores[order[0]])))
        order = order[~same]
    return found


def _overlaps(box: FloatArray, boxes: FloatArray) -> FloatArray:
    """Intersection over union of one box with many."""
    low = np.maximum(box[:2] - box[2:4] / 2, boxes[:, :2] - boxes[:, 2:4] / 2)
    high = np.minimum(box[:2] + box[2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2)
    shared = np.clip(high - low, 0, None).prod(axis=1)
    union = box[2:4].prod() + boxes[:, 2:4].prod(axis=1) - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def _upright(box: FloatArray, shown: Region) -> Region:
    points = shown.to_image(np.stack([box[:2], box[4:6], box[6:8]]).astype(np.float32))
    eyes = points[2] - points[1]
    angle = float(np.arctan2(eyes[1], eyes[0]))
    side = MARGIN * shown.side * float(max(box[2:4]))
    return Region(float(points[0, 0]), float(points[0, 1]), side, angle)


@cache
def _anchors() -> FloatArray:
    """The places that boxes are told from, `(896, 2)`."""
    parts = []
    for cells, count in _MAPS:
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(middles, middles)
        parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), count, axis=0))
    return np.concatenate(parts)
