"""Pictures of training and of results.

matplotlib is imported only when a picture is drawn, and without pyplot: no window system, no
global state. Colours are Okabe and Ito's (2008), which readers with colour blindness tell apart.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.errors import InputError
from affuse.evaluation.statistics import Summary
from affuse.files import write_atomic
from affuse.harness.results import BenchmarkResult
from affuse.metrics.scores import heading, higher_is_better, limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Mapping[int, Sequence[Mapping[str, float]]]
"""Seed to one mapping an epoch: `epoch`, `train_loss`, `valid_loss`, any `valid_<metric>` and, of a
model with a gate, `gate_<modality>`."""

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
PURPLE, VERMILLION, SKY = "#CC79A7", "#D55E00", "#56B4E9"
GREY = "#767676"
MODALITY_COLOURS = {"text": BLUE, "audio": ORANGE, "vision": GREEN}
OTHER_COLOURS = (PURPLE, VERMILLION, SKY)
DPI = 150
FORMATS = ("png", "svg", "pdf")
PRINT_DPI = 300
PRINT_STYLE: dict[Any, Any] = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.linewidth": 0.6,
    "legend.fontsize": 6,
    # Type 42: publishers refuse the default, Type 3.
    "pdf.fonttype": 42,
    "svg.hashsalt": "affuse",
}
"""Of a picture in a paper, which is as wide as its columns."""


def training_curves(history: History, path: Path) -> None:
    """Loss and validation metrics over epochs: a thin line a seed, a thick one for their mean.

    Raises:
        InputError: an empty history, or matplotlib is not installed.
    """
    metrics = [key for key in _keys(history, "valid_") if key != "valid_loss"]
    panels = 1 + len(metrics)
    columns = min(panels, 3)
    rows = math.ceil(panels / columns)
    figure = new_figure(width=0.6 + 3.9 * columns, height=0.4 + 3.2 * rows)
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(panels)]
    _lines(axes[0], history, "train_loss", GREY, "training")
    _lines(axes[0], history, "valid_loss", BLUE, "validation")
    axes[0].set(title="Loss", ylabel="mean over samples, lower is better")
    axes[0].legend(frameon=False)
    for axis, key in zip(axes[1:], metrics, strict=True):
        metric = key.removeprefix("valid_")
        _lines(axis, history, key, BLUE, "validation")
        axis.set(title=f"Validation: {heading(metric)}", ylabel=unit(metric))
    for axis in axes:
        _epoch_axis(axis)
    figure.suptitle(f"Training, {_seeds(history)}")
    save_figure(figure, path)


def gate_over_time(history: History, path: Path) -> None:
    """Mean gate weight of each modality over epochs: thin lines are seeds, thick ones their mean.

    Raises:
        InputError: a history without gate weights, or matplotlib is not installed.
    """
    keys = _keys(history, "gate_")
    if not keys:
        remedy = "train a model with a gate, such as hct_mg"
        raise InputError("the history holds no gate weights", remedy=remedy)
    figure = new_figure(width=6.4, height=3.8)
    axis = figure.subplots()
    others = iter(OTHER_COLOURS * len(keys))
    for key in keys:
        modality = key.removeprefix("gate_")
        colour = MODALITY_COLOURS.get(modality) or next(others)
        _lines(axis, history, key, colour, modality)
    axis.axhline(1 / len(keys), color=GREY, linestyle=":", linewidth=1, label="equal share")
    axis.set(ylim=(0, 1), ylabel="gate weight (sums to 1)", title=f"Gate, {_seeds(history)}")
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    _epoch_axis(axis)
    save_figure(figure, path)


def benchmark_intervals(result: BenchmarkResult, metric: str, path: Path) -> None:
    """One metric of each model: the mean, its 95% interval over runs, and the runs as small dots.

    Raises:
        InputError: no model has the metric, or matplotlib is not installed.
    """
    rows = {name: m.metrics[metric] for name, m in result.models.items() if metric in m.metrics}
    _intervals(rows, metric, f"{result.corpus}: {heading(metric)}", path, result.best(metric))


def any_subset(table: Mapping[str, Mapping[str, Summary]], metric: str, path: Path) -> None:
    """One metric of one model for each subset of modalities given at inference.

    Args:
        table: a subset's name, such as `text+audio`, to metric to its runs; in the order shown.

    Raises:
        InputError: no subset has the metric, or matplotlib is not installed.
    """
    named = {subset.replace("+", " + "): scores for subset, scores in table.items()}
    rows = {subset: scores[metric] for subset, scores in named.items() if metric in scores}
    _intervals(rows, metric, f"Modalities present: {heading(metric)}", path, _best(rows, metric))


def _best(rows: Mapping[str, Summary], metric: str) -> set[str]:
    """The rows whose mean is the best."""
    means = {name: s.mean for name, s in rows.items() if s.runs and not math.isnan(s.mean)}
    choose = max if higher_is_better(metric) else min
    return {name for name, mean in means.items() if mean == choose(means.values())}


def _intervals(
    rows: Mapping[str, Summary], metric: str, title: str, path: Path, best: set[str]
) -> None:
    drawn = {name: s for name, s in rows.items() if s.runs and not math.isnan(s.mean)}
    if not drawn:
        raise InputError(f"nothing to draw: no runs of '{metric}'", remedy="name another metric")
    figure = new_figure(width=6.4, height=1.4 + 0.42 * len(drawn))
    axis = figure.subplots()
    for place, (name, s) in enumerate(drawn.items()):
        colour = VERMILLION if name in best else BLUE
        if len(s.runs) > 1:
            axis.plot(s.ci95, (place, place), color=colour, linewidth=1.8)
            axis.plot(s.ci95, (place, place), "|", color=colour, markersize=8, markeredgewidth=1.8)
        axis.plot(s.mean, place, "o", color=colour, markersize=6)
        below = np.full(len(s.runs), place + 0.27)
        axis.plot(s.runs, below, "o", color=GREY, markersize=2.5, alpha=0.7)
        axis.annotate(
            f"{s.mean:.3f}",
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            weight="bold" if name in best else "normal",
        )
    axis.set_yticks(range(len(drawn)), list(drawn))
    axis.set_ylim(len(drawn) - 0.5, -0.5)
    legend = "line: 95% interval of the mean; grey: single runs; orange: best mean"
    axis.set_title(title)
    axis.set_xlabel(f"{heading(metric)} ({unit(metric)})\n{legend}")
    axis.grid(axis="x", color="#e5e5e5")
    axis.set_axisbelow(True)
    save_figure(figure, path)


def _lines(axis: Axes, history: History, key: str, colour: str, label: str) -> None:
    runs = [run for run in history.values() if any(key in row for row in run)]
    for run in runs if len(runs) > 1 else ():
        axis.plot(*_series(run, key), color=colour, alpha=0.35, linewidth=0.8)
    # Beyond the epoch at which the first seed stopped, a mean would jump as seeds drop out.
    shared = min(map(len, runs), default=0)
    if shared:
        epochs = [row["epoch"] for row in runs[0][:shared]]
        mean = np.mean([_series(run, key)[1][:shared] for run in runs], axis=0)
        marker = "o" if shared == 1 else None
        axis.plot(epochs, mean, color=colour, linewidth=2.2, label=label, marker=marker)


def _series(run: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    return [row["epoch"] for row in run], [row.get(key, math.nan) for row in run]


def _keys(history: History, prefix: str) -> list[str]:
    """Names that start with `prefix` in any epoch of any seed, in order of appearance."""
    if not any(history.values()):
        raise InputError("the history is empty", remedy="train for one epoch or more")
    names = (key for run in history.values() for row in run for key in row)
    return [key for key in dict.fromkeys(names) if key.startswith(prefix)]


def _seeds(history: History) -> str:
    several = len(history) > 1
    return f"{len(history)} seeds and their mean" if several else f"seed {next(iter(history))}"


def unit(metric: str) -> str:
    """A metric's unit and direction, as an axis says it."""
    direction = "higher" if higher_is_better(metric) else "lower"
    low, high = limits(metric)
    scale = "label units" if np.isinf(high) else "-1 to 1" if low < 0 else "fraction"
    return f"{scale}, {direction} is better"


def _epoch_axis(axis: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(axis="y", color="#e5e5e5")
    axis.set_axisbelow(True)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; size in inches.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        remedy = "install it with: pip install 'affuse[train]'"
        raise InputError("plots need matplotlib", remedy=remedy) from None
    return Figure(figsize=(width, height), layout="constrained")


def draw_for_print(make: Callable[[], Figure], path: Path) -> None:
    """Write what `make` draws to a .png, .svg or .pdf; `InputError` for another ending."""
    picture = _picture_format(path)
    figure = make()
    from matplotlib import rc_context

    with rc_context(PRINT_STYLE):
        save_figure(figure, path, picture=picture, dpi=PRINT_DPI)


def _picture_format(path: Path) -> str:
    """One of `FORMATS`, by the ending of a picture's name; `InputError` for any other."""
    picture = path.suffix.lower().removeprefix(".")
    if picture not in FORMATS:
        remedy = f"end its name with .{', .'.join(FORMATS)}"
        raise InputError(f"a picture cannot be '{path.suffix}'", remedy=remedy, source=path)
    return picture


def save_figure(figure: Figure, path: Path, *, picture: str = "png", dpi: int = DPI) -> None:
    """Write a figure whole or not at all, without the date, so that equal figures are equal files.

    Args:
        picture: the file's format, `png`, `svg` or `pdf`, whatever the path ends with.
        dpi: dots an inch of what is made of dots.
    """
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(picture)
    content = io.BytesIO()
    figure.savefig(content, format=picture, dpi=dpi, metadata=date)
    write_atomic(path, content.getvalue())
