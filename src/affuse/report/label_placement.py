"""Names beside the points of a plot, placed so that none covers another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

from affuse.tasks import Bools, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

Polyline = tuple[Sequence[float], Sequence[float]]
"""x and y of a line's corners, in data coordinates."""

# In points of 1/72 inch.
MARKER = 3.0
GAP = 1.0
DISTANCES = (4.0, 7.0, 11.0, 16.0, 22.0, 29.0, 37.0, 46.0)
LEADER = 10.0
"""Distance from which a thin line leads from a label to its point."""
ANGLES = (0, 180, 90, 270, 45, 135, 315, 225, 20, 160, 340, 200, 70, 110, 250, 290)
"""In degrees, the most readable first."""
PASSES = 6

# What a place costs, against one for each place that would be preferred to it: what it covers, and
# that it is nearer to another point than to its own.
ON_LABEL, ON_MARKER, ASTRAY, ON_CURVE = 1e6, 1e4, 100.0, 15.0


@dataclass(frozen=True)
class Label:
    """A name at the point `(x, y)`, in data coordinates."""

    text: str
    x: float
    y: float
    colour: str
    bold: bool = False


def place_labels(axis: Axes, labels: Sequence[Label], curves: Sequence[Polyline]) -> bool:
    """Write each label at the place near its point where it covers least.

    Every label takes the cheapest of its places given the others, in turns until none moves. The
    layout of the figure must stand, since places are in pixels.

    Args:
        curves: lines to keep clear of if possible.

    Returns:
        Whether no label covers another one or a point.
    """
    scale = axis.figure.dpi / 72
    points = axis.transData.transform([(label.x, label.y) for label in labels])
    texts = [_write(axis, label) for label in labels]
    sizes = [np.array(text.get_window_extent().size) for text in texts]
    frame = axis.get_window_extent()
    inside = np.array([frame.x0, frame.y0, frame.x1, frame.y1])
    markers = np.hstack([points - MARKER * scale, points + MARKER * scale])
    ink = np.vstack([_pixels(axis, curve) for curve in curves] or [np.empty((0, 2))])
    places = [_places(p, size, scale, inside) for p, size in zip(points, sizes, strict=True)]
    costs = [_fixed_costs(boxes, i, points, markers, ink, scale) for i, boxes in enumerate(places)]
    chosen = _settle(places, costs)
    boxes = np.array([boxes[k] for boxes, k in zip(places, chosen, strict=True)])
    for label, text, point, box in zip(labels, texts, points, boxes, strict=True):
        _put(axis, label, text, point, box, scale)
    apart = not any(_covers(boxes[[i]], boxes[j])[0] for i, j in combinations(range(len(boxes)), 2))
    return apart and not any(_covers(boxes, marker).any() for marker in markers)


def _write(axis: Axes, label: Label) -> Annotation:
    from matplotlib.patheffects import withStroke

    text = axis.annotate(
        label.text,
        (label.x, label.y),
        xytext=(0, 0),
        textcoords="offset points",
        color=label.colour,
        weight="bold" if label.bold else "normal",
        annotation_clip=False,
        # Over a line, a name stays legible.
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
    )
    text.set_in_layout(False)
    return text


def _pixels(axis: Axes, curve: Polyline) -> Floats:
    """Points `(n, 2)` along a line, about two pixels apart."""
    corners = axis.transData.transform(np.column_stack(curve))
    parts = []
    for start, end in pairwise(corners):
        steps = int(min(np.abs(end - start).max() / 2, 2000)) + 1
        parts.append(start + np.linspace(0, 1, steps)[:, None] * (end - start))
    return np.vstack(parts)


def _places(point: Floats, size: Floats, scale: float, inside: Floats) -> Floats:
    """Boxes `(n, 4)` around a point, the nearest first: left, bottom, right, top."""
    boxes = []
    for distance in DISTANCES:
        for angle in map(math.radians, ANGLES):
            way = np.array([math.cos(angle), math.sin(angle)])
            # The label's nearer edge, not its middle, is what stands at the distance.
            middle = point + distance * scale * way + np.round(way, 1) * size / 2
            boxes.append(np.hstack([middle - size / 2, middle + size / 2]))
    found = np.array(boxes)
    within = (found[:, :2] >= inside[:2]).all(axis=1) & (found[:, 2:] <= inside[2:]).all(axis=1)
    return found[within] if within.any() else found


def _fixed_costs(
    boxes: Floats, own: int, points: Floats, markers: Floats, ink: Floats, scale: float
) -> Floats:
    """What each place costs whatever the other labels do; places come in order of preference."""
    covered = sum((_covers(boxes, marker) for marker in markers), np.zeros(len(boxes)))
    away = np.linalg.norm(points - np.clip(points, boxes[:, None, :2], boxes[:, None, 2:]), axis=-1)
    astray = (away < away[:, [own]]).any(axis=1)
    gap = GAP * scale
    lines = [((ink >= box[:2] - gap) & (ink <= box[2:] + gap)).all(axis=1).sum() for box in boxes]
    costs = ON_MARKER * covered + ASTRAY * astray + ON_CURVE * np.array(lines)
    return np.asarray(costs + np.arange(len(boxes)))


def _settle(places: Sequence[Floats], costs: Sequence[Floats]) -> list[int]:
    """The index of each label's place."""
    chosen = [int(cost.argmin()) for cost in costs]
    for _ in range(PASSES):
        before = list(chosen)
        for i, boxes in enumerate(places):
            others = [places[j][k] for j, k in enumerate(chosen) if j != i]
            covered = sum((_covers(boxes, other) for other in others), np.zeros(len(boxes)))
            chosen[i] = int((costs[i] + ON_LABEL * covered).argmin())
        if chosen == before:
            break
    return chosen


def _covers(boxes: Floats, other: Floats) -> Bools:
    """Which boxes `(n, 4)` overlap another one."""
    return np.asarray(
        (boxes[:, :2] < other[2:]).all(axis=1) & (boxes[:, 2:] > other[:2]).all(axis=1)
    )


def _put(
    axis: Axes, label: Label, text: Annotation, point: Floats, box: Floats, scale: float
) -> None:
    now = text.get_window_extent()
    text.set_position(((box[0] - now.x0) / scale, (box[1] - now.y0) / scale))
    nearest = np.clip(point, box[:2], box[2:])
    if np.hypot(*(nearest - point)) > LEADER * scale:
        ends = axis.transData.inverted().transform([point, nearest])
        axis.plot(ends[:, 0], ends[:, 1], color=label.colour, linewidth=0.4, zorder=1)
