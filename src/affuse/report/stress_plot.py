"""Curves under stress: a panel a kind, a line a model, from the clean input to the worst.

A band is the 95% interval of the mean over seeds, as the first table's is; of a single seed there
is none. Single modalities are grey, the trivial prediction is dotted.
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.errors import InputError
from affuse.evaluation.stress import KINDS
from affuse.harness.results import TRIVIAL, BenchmarkResult
from affuse.metrics.scores import heading
from affuse.report.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PRINT_STYLE,
    PURPLE,
    SKY,
    VERMILLION,
    draw_for_print,
    new_figure,
    unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 6.8, 2.6
"""In inches, the height of each row of two panels."""
COLOURS = VERMILLION, BLUE, GREEN, ORANGE, PURPLE, SKY
DASHES = "-", "--", "-."
"""Models beyond the number of colours differ by these."""
SINGLES = (0, (1, 1)), (0, (3, 1)), (0, (5, 1, 1, 1))


def draw_stress(result: BenchmarkResult, path: Path) -> None:
    """Write the picture of `stress_figure` to a .png, .svg or .pdf.

    Raises:
        InputError: another ending, or as there.
    """
    draw_for_print(lambda: stress_figure(result), path)


def stress_figure(result: BenchmarkResult) -> Figure:
    """The headline metric of every model over the levels of each kind of stress.

    Raises:
        InputError: a result without stress, or matplotlib is not installed.
    """
    if not result.stress:
        remedy = "run the benchmark with --stress"
        raise InputError(f"the result on {result.corpus} has no curves under stress", remedy=remedy)
    rows = -(-len(result.stress) // 2)
    figure = new_figure(WIDTH, HEIGHT * rows)
    from matplotlib import rc_context

    with rc_context(PRINT_STYLE):
        figure.suptitle(f"{result.corpus}, {result.seeds}", fontsize=PRINT_STYLE["axes.titlesize"])
        axes = figure.subplots(rows, 2, sharey=True, squeeze=False).flat
        styles = _styles(result)
        for axis, kind in zip(axes, result.stress, strict=False):
            _draw(axis, result, kind, styles)
        for axis in list(axes)[len(result.stress) :]:
            axis.set_axis_off()
        for row in range(rows):
            name = f"{heading(result.stress_metric)}\n({unit(result.stress_metric)})"
            figure.axes[2 * row].set_ylabel(name)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    return figure


def _styles(result: BenchmarkResult) -> dict[str, dict[str, Any]]:
    """How each row's line looks, the same in all panels; the reference has the first colour."""
    names = list(dict.fromkeys(name for curves in result.stress.values() for name in curves))
    first = {reference for paired in result.stress_paired.values() for reference in paired}
    models = sorted((n for n in names if not result.is_baseline(n)), key=lambda n: n not in first)
    singles = [n for n in names if result.is_baseline(n) and n != TRIVIAL]
    styles: dict[str, dict[str, Any]] = {
        name: {"color": GREY, "linestyle": dash, "linewidth": 0.8}
        for name, dash in zip(singles, cycle(SINGLES), strict=False)
    }
    for place, name in enumerate(models):
        dash = DASHES[place // len(COLOURS) % len(DASHES)]
        styles[name] = {
            "color": COLOURS[place % len(COLOURS)],
            "linestyle": dash,
            "linewidth": 1.2,
            "marker": "o",
            "markersize": 2.5,
        }
    styles[TRIVIAL] = {"color": GREY, "linestyle": ":", "linewidth": 0.8}
    return styles


def _draw(
    axis: Axes, result: BenchmarkResult, kind: str, styles: dict[str, dict[str, Any]]
) -> None:
    bands = result.extra.get("stress_bands", {}).get(kind, {})
    for name, curve in result.stress[kind].items():
        levels, means = zip(*curve.levels, strict=True)
        axis.plot(levels, means, label=name, **styles[name])
        if len(curve.area.runs) > 1 and name in bands and not result.is_baseline(name):
            low, high = zip(*_known(bands[name]), strict=True)
            colour = styles[name]["color"]
            axis.fill_between(levels, low, high, color=colour, alpha=0.15, linewidth=0)
    axis.set(title=kind, xlabel=KINDS[kind].axis if kind in KINDS else "level")
    axis.grid(color="#e5e5e5", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.tick_params(width=0.6, length=2.5)


def _known(band: list[tuple[float | None, float | None]]) -> list[tuple[float, float]]:
    """Where JSON has null there is no interval."""
    none = float("nan")
    return [(none if low is None else low, none if high is None else high) for low, high in band]
