"""Names beside points cover neither each other nor a point, where there is room."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure

from affuse.report.label_placement import Label, place_labels


def place(
    points: list[tuple[float, float]], width: float = 3.4, curves: tuple = ()
) -> tuple[bool, Figure]:
    figure = Figure(figsize=(width, 0.8 * width), dpi=200)
    axis = figure.subplots()
    axis.plot(*zip(*points, strict=True), "o", markersize=4)
    axis.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    labels = [Label(f"model_{i}", x, y, "black") for i, (x, y) in enumerate(points)]
    return place_labels(axis, labels, curves), figure


def overlaps(figure: Figure) -> int:
    """Labels that cover one another, a point, or leave the frame; by the drawn extents."""
    (axis,) = figure.axes
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axis.texts]
    frame = axis.get_window_extent()
    points = axis.transData.transform(np.transpose(axis.lines[0].get_data()))
    return (
        sum(a.overlaps(b) for a, b in combinations(boxes, 2))
        + sum(box.contains(*point) for box in boxes for point in points)
        + sum(not (frame.x0 <= b.x0 + 1 and b.x1 <= frame.x1 + 1) for b in boxes)
    )


@pytest.mark.parametrize("seed", range(5))
def test_crowded_points_find_free_places(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0.1, 0.9, (14, 2))
    free, figure = place([(float(x), float(y)) for x, y in points])
    assert free
    assert overlaps(figure) == 0


def test_points_in_one_place_get_names_around_it() -> None:
    free, figure = place([(0.5, 0.5 + i / 200) for i in range(6)])
    assert free
    assert overlaps(figure) == 0
    # Those that are far from their point are led to it.
    assert len(figure.axes[0].lines) > 1


def test_a_lone_point_has_its_name_beside_it() -> None:
    free, figure = place([(0.5, 0.5)])
    (text,) = figure.axes[0].texts
    box, point = text.get_window_extent(), figure.axes[0].transData.transform((0.5, 0.5))
    assert free
    assert 0 < box.x0 - point[0] < 20
    assert box.y0 < point[1] < box.y1


def test_names_keep_clear_of_lines() -> None:
    _, figure = place([(0.5, 0.5)], curves=(((0.5, 1.0), (0.5, 0.5)),))
    (text,) = figure.axes[0].texts
    line = figure.axes[0].transData.transform([(x, 0.5) for x in np.linspace(0.5, 1, 200)])
    assert not any(text.get_window_extent().contains(*point) for point in line)


def test_want_of_room_is_told() -> None:
    points = np.random.default_rng(0).uniform(0.1, 0.9, (60, 2))
    free, figure = place([(float(x), float(y)) for x, y in points], width=2)
    assert not free
    assert overlaps(figure) > 0
