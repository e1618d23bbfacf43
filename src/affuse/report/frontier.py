"""Size against quality: parameters and one metric of every model, with the Pareto frontier.

A model is on the frontier where no other is at most as large and at least as good, and better in
one of the two. The picture is of one column's width in a paper.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.errors import InputError, unknown_name
from affuse.evaluation.statistics import Summary
from affuse.harness.results import TRIVIAL, BenchmarkResult
from affuse.metrics.scores import heading, higher_is_better
from affuse.report.label_placement import Label, Polyline, place_labels
from affuse.report.plots import (
    BLUE,
    GREY,
    PRINT_DPI,
    PRINT_STYLE,
    SKY,
    VERMILLION,
    draw_for_print,
    new_figure,
    unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURE_WIDTH = 3.4
HEIGHTS = (2.7, 3.4, 4.4, 5.6)
"""In inches; the picture is as high as its labels need."""
BEYOND = 1e12
"""More parameters than any axis shows."""


@dataclass(frozen=True)
class Point:
    """A model of one size; `single` says that it knows one modality alone."""

    model: str
    parameters: int
    score: Summary
    single: bool = False


def draw_frontier(
    results: Sequence[BenchmarkResult], path: Path, metric: str | None = None
) -> None:
    """Write the picture of `frontier_figure` to a .png, .svg or .pdf.

    Raises:
        InputError: another ending, or as there.
    """
    draw_for_print(lambda: frontier_figure(results, metric), path)


def frontier_figure(results: Sequence[BenchmarkResult], metric: str | None = None) -> Figure:
    """Every model's parameters against a metric: mean, 95% interval, name and frontier.

    A model of several sizes has a line through them. What knows a single modality may lie far from
    the models: then it stands at the edge with its value. The trivial prediction has no parameters
    and is a line.

    Args:
        results: one or several, on the same data; a model of the same size in several of them is
            taken from the first.
        metric: the headline by default.

    Raises:
        InputError: an unknown metric, results on different data, no model to draw, or matplotlib is
            not installed.
    """
    name = _metric(results, metric)
    points = gather(results, name)
    if not points:
        raise InputError(f"no model has runs of '{name}'", remedy="let a run of one finish")
    rows = [r.models[TRIVIAL].metrics for r in results if TRIVIAL in r.models]
    trivial = next((row[name] for row in rows if name in row), None)
    figure = new_figure(FIGURE_WIDTH, HEIGHTS[0])
    from matplotlib import rc_context

    with rc_context(PRINT_STYLE):
        for height in HEIGHTS:
            figure = new_figure(FIGURE_WIDTH, height)
            figure.set_dpi(PRINT_DPI)
            axis = figure.subplots()
            axis.set_title(results[0].corpus)
            if _draw(figure, axis, points, trivial, name):
                break
    return figure


def gather(results: Sequence[BenchmarkResult], metric: str) -> list[Point]:
    """A point for each model and size that has the metric.

    Raises:
        InputError: the results stand on different data.
    """
    first = results[0]
    for result in results:
        key = "fingerprint" if "fingerprint" in first.extra else "corpus"
        ours, theirs = (r.extra.get(key, r.corpus) for r in (first, result))
        if ours != theirs:
            problem = f"cannot draw {result.corpus} ({theirs}) beside {first.corpus} ({ours})"
            remedy = "give results on the same data"
            raise InputError(f"{problem}: the data differ", remedy=remedy)
    points: dict[tuple[str, int], Point] = {}
    for result in results:
        for model, row in result.models.items():
            score = row.metrics.get(metric)
            if row.parameters and score and score.runs and not math.isnan(score.mean):
                point = Point(model, row.parameters, score, result.is_baseline(model))
                points.setdefault((model, row.parameters), point)
    return list(points.values())


def pareto(points: Sequence[Point], metric: str) -> list[Point]:
    """The points that no other dominates, by size."""
    sign = 1 if higher_is_better(metric) else -1

    def dominated(point: Point) -> bool:
        ours = -point.parameters, sign * point.score.mean
        each = ((-other.parameters, sign * other.score.mean) for other in points)
        return any(
            size >= ours[0] and mean >= ours[1] and (size, mean) != ours for size, mean in each
        )

    return sorted((p for p in points if not dominated(p)), key=lambda point: point.parameters)


def _metric(results: Sequence[BenchmarkResult], asked: str | None) -> str:
    known = [name for name in results[0].metrics if all(name in r.metrics for r in results)]
    if not known:
        raise InputError("the results share no metric", remedy="give finished runs of one task")
    if asked is not None and asked not in known:
        raise unknown_name("metric", asked, known, source="--metric")
    return asked or known[0]


def _draw(
    figure: Figure, axis: Axes, points: Sequence[Point], trivial: Summary | None, metric: str
) -> bool:
    """Whether every label found a free place."""
    best = pareto(points, metric)
    low, high = _window(points)
    edge = 0.12 * (high - low)
    sizes = Counter(point.model for point in points)
    labels: list[Label] = []
    curves = [_staircase(axis, best), *_series(axis, points)]
    for point in points:
        name = f"{point.model} {short(point.parameters)}" if sizes[point.model] > 1 else point.model
        mean, x = point.score.mean, point.parameters
        colour = VERMILLION if point in best else GREY if point.single else BLUE
        marker = "s" if point.single else "o"
        if not low <= mean <= high:
            marker, name = "v" if mean < low else "^", f"{name} {mean:.3f}"
        y = min(max(mean, low - edge / 2), high + edge / 2)
        inside = colour if point in best else "white"
        axis.plot(x, y, marker, color=colour, markerfacecolor=inside, markersize=4, zorder=3)
        labels.append(Label(name, x, y, colour, bold=point in best))
        if len(point.score.runs) > 1 and y == mean:
            curves.append(((x, x), point.score.ci95))
            axis.plot(*curves[-1], color=colour, linewidth=0.8, zorder=2)
    if trivial is not None and low - edge <= trivial.mean <= high + edge:
        curves.append(((1, BEYOND), (trivial.mean, trivial.mean)))
        axis.axhline(trivial.mean, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
    axis.set_ylim(low - edge, high + edge)
    _axes(axis, points, metric)
    _legend(figure, axis, points, trivial)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return place_labels(axis, labels, curves)


def _window(points: Sequence[Point]) -> tuple[float, float]:
    """The range of scores that is shown: that of the models, with what lies near it."""
    ends = [(min(p.score.ci95), max(p.score.ci95)) for p in points if not p.single]
    ends = ends or [(p.score.mean, p.score.mean) for p in points]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    span = high - low or 0.1 * abs(high) or 1.0
    near = [p.score.mean for p in points if low - span <= p.score.mean <= high + span]
    low, high = min(low, *near), max(high, *near)
    return (low, high) if low < high else (low - span / 2, high + span / 2)


def _staircase(axis: Axes, best: Sequence[Point]) -> Polyline:
    """The best score of models up to each size."""
    x = [point.parameters for point in best for _ in (0, 1)]
    y = [point.score.mean for point in best for _ in (0, 1)]
    corners = [*x[1:], BEYOND], y
    axis.plot(*corners, color=VERMILLION, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    return corners


def _series(axis: Axes, points: Sequence[Point]) -> list[Polyline]:
    """A line through the sizes of a model."""
    curves: list[Polyline] = []
    for model in dict.fromkeys(point.model for point in points):
        sizes = sorted((p for p in points if p.model == model), key=lambda p: p.parameters)
        if len(sizes) > 1:
            curves.append(([p.parameters for p in sizes], [p.score.mean for p in sizes]))
            axis.plot(*curves[-1], color=GREY if sizes[0].single else SKY, linewidth=1, zorder=1)
    return curves


def _axes(axis: Axes, points: Sequence[Point], metric: str) -> None:
    sizes = [point.parameters for point in points]
    axis.set_xscale("log")
    axis.set_xlim(min(sizes) / 1.8, max(sizes) * 1.8)
    axis.set(xlabel="trainable parameters", ylabel=f"{heading(metric)} ({unit(metric)})")
    axis.xaxis.set_major_formatter(lambda size, _: short(size))
    axis.grid(color="#e5e5e5", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.tick_params(width=0.6, length=2.5)
    axis.tick_params(which="minor", width=0.4, length=1.5)


def _legend(figure: Figure, axis: Axes, points: Sequence[Point], trivial: Summary | None) -> None:
    from matplotlib.lines import Line2D

    def entry(label: str, colour: str, **style: Any) -> Line2D:
        return Line2D([], [], color=colour, linewidth=0.8, markersize=4, label=label, **style)

    entries = [
        entry("on the frontier", VERMILLION, marker="o", linestyle=(0, (4, 2))),
        entry("other model, 95% interval", BLUE, marker="o", markerfacecolor="white"),
    ]
    if any(point.single for point in points):
        single = {"marker": "s", "markerfacecolor": "white", "linestyle": ""}
        entries.append(entry("single modality", GREY, **single))
    if trivial is not None:
        low, high = axis.get_ylim()
        where = ", below" if trivial.mean < low else ", above" if trivial.mean > high else ""
        entries.append(entry(f"trivial {trivial.mean:.3f}{where}", GREY, linestyle=":"))
    figure.legend(
        handles=entries, loc="outside lower center", ncols=2, frameon=False, handlelength=2.4
    )


def short(count: float) -> str:
    """A number of parameters for a label: 0.25M, 63k, 812."""
    scale, suffix = (1e6, "M") if count >= 99_500 else (1e3, "k") if count >= 995 else (1, "")
    value = count / scale
    return f"{value:.0f}{suffix}" if value >= 99.5 or scale == 1 else f"{value:.2g}{suffix}"
