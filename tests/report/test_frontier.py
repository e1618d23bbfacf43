"""Size against quality: the frontier is right, and the picture holds what it should."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from affuse.errors import InputError
from affuse.evaluation.statistics import summarise
from affuse.harness.results import BenchmarkResult, ModelResult
from affuse.report.frontier import (
    FIGURE_WIDTH,
    Point,
    draw_frontier,
    frontier_figure,
    gather,
    pareto,
    short,
)
from affuse.report.plots import BLUE, GREY, VERMILLION

SCORES = {
    "trivial": (0, 1.46),
    "text": (134_569, 0.79),
    "audio": (4_641, 1.44),
    "ef_lstm": (482_041, 0.85),
    "lf_lstm": (1_165_137, 0.83),
    "tfn": (4_738_273, 0.82),
    "lmf": (234_033, 0.815),
    "mfn": (317_281, 0.84),
    "mult": (1_071_211, 0.80),
    "lmr_cbt": (396_361, 0.81),
    "misa": (4_800_541, 0.79),
    "concat": (140_769, 0.80),
    "hct_mg": (923_788, 0.76),
}
SPREAD = (-0.01, -0.004, 0.0, 0.004, 0.01)


def result(scores: dict[str, tuple[int, float]] = SCORES, **extra: Any) -> BenchmarkResult:
    models = {
        name: ModelResult(
            size,
            {"mae": summarise([mean + d for d in SPREAD]), "corr": summarise([1.2 - mean / 2] * 5)},
        )
        for name, (size, mean) in scores.items()
    }
    about = {"fingerprint": "9f2c", "features": {"text": "", "audio": ""}, **extra}
    return BenchmarkResult("mosi", "affuse benchmark mosi", {}, models, {}, about)


SIZES = [
    result(),
    result({"hct_mg": (250_123, 0.785), "text": (134_569, 0.70)}),
    result({"hct_mg": (501_000, 0.77)}),
]


@cache
def drawn() -> Figure:
    """The picture of one result, for tests that look at it alone."""
    return frontier_figure([result()])


def labels(figure: Figure) -> dict[str, Any]:
    return {text.get_text(): text for text in figure.axes[0].texts}


points = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, 10)), min_size=1, max_size=12, unique=True
).map(lambda pairs: [Point(str(i), n, summarise([s / 10])) for i, (n, s) in enumerate(pairs)])


@given(points, st.sampled_from(["mae", "acc7"]))
def test_the_frontier_is_what_nothing_dominates(found: list[Point], metric: str) -> None:
    on = pareto(found, metric)
    better = min if metric == "mae" else max
    for point in found:
        rivals = [p for p in found if p is not point and p.parameters <= point.parameters]
        as_good = [p for p in rivals if better(p.score.mean, point.score.mean) == p.score.mean]
        # Points are unique: one as small and as good is better in size or in score.
        assert (point in on) == (not as_good)
    assert [p.parameters for p in on] == sorted(p.parameters for p in on)


def test_every_model_is_a_labelled_point() -> None:
    figure = drawn()
    names = {name.partition(" ")[0] for name in labels(figure)}
    assert names == set(SCORES) - {"trivial"}
    (axis,) = figure.axes
    assert axis.get_xscale() == "log"
    assert axis.get_ylabel() == "MAE (label units, lower is better)"
    sizes = {line.get_xdata()[0] for line in axis.lines if line.get_marker() in "os^v"}
    assert sizes == {size for name, (size, _) in SCORES.items() if name != "trivial"}


def test_no_label_covers_another() -> None:
    figure = frontier_figure(SIZES)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in labels(figure).values()]
    assert len(boxes) == 14
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert figure.get_figwidth() == FIGURE_WIDTH


def test_the_frontier_is_marked() -> None:
    colours = {name: to_hex(t.get_color()).upper() for name, t in labels(drawn()).items()}
    # The audio row is the smallest of all, and so on the frontier, bad as it is.
    assert {n for n, c in colours.items() if c == VERMILLION} == {"audio 1.440", "text", "hct_mg"}
    assert colours["concat"] == BLUE
    lower = frontier_figure([result({**SCORES, "audio": (140_000, 1.44)})])
    assert to_hex(labels(lower)["audio 1.440"].get_color()).upper() == GREY


def test_the_frontier_goes_on_to_the_edge() -> None:
    models = {"small": (1_000, 0.8), "huge": (10_000_000, 0.9)}
    (axis,) = frontier_figure([result(models)]).axes
    assert any(line.get_xdata()[-1] > axis.get_xlim()[1] for line in axis.lines)


def test_the_direction_of_the_metric_counts() -> None:
    scores = {"small": (10, 0.7), "middle": (20, 0.9), "large": (30, 0.8)}
    by_mae = pareto(gather([result(scores)], "mae"), "mae")
    by_corr = pareto(gather([result(scores)], "corr"), "corr")
    assert [p.model for p in by_mae] == ["small"]
    # corr falls as mae rises, so that the same model leads.
    assert [p.model for p in by_corr] == ["small"]
    assert [p.model for p in pareto(gather([result(scores)], "mae"), "acc7")] == [
        *("small", "middle"),
    ]


def test_sizes_of_a_model_are_joined_and_named() -> None:
    figure = frontier_figure(SIZES)
    assert {"hct_mg 0.25M", "hct_mg 0.5M", "hct_mg 0.92M", "concat"} <= labels(figure).keys()
    lines = [list(line.get_xdata()) for line in figure.axes[0].lines]
    assert [250_123, 501_000, 923_788] in lines


def test_a_model_of_one_size_in_two_folders_is_taken_from_the_first() -> None:
    (text,) = (p for p in gather(SIZES, "mae") if p.model == "text")
    assert text.score.mean == pytest.approx(0.79)


def test_what_lies_far_off_stands_at_the_edge_with_its_value() -> None:
    (axis,) = drawn().axes
    low, high = axis.get_ylim()
    assert high < 1
    assert low > 0.6
    audio = next(line for line in axis.lines if list(line.get_xdata()) == [4_641])
    assert audio.get_marker() == "^"
    assert low < audio.get_ydata()[0] < high
    (legend,) = axis.figure.legends
    assert "trivial 1.460, above" in [text.get_text() for text in legend.get_texts()]


def test_near_baselines_are_in_view() -> None:
    (axis,) = frontier_figure(
        [result({**SCORES, "audio": (4_641, 0.9), "trivial": (0, 0.88)})]
    ).axes
    audio = next(line for line in axis.lines if list(line.get_xdata()) == [4_641])
    assert audio.get_marker() == "s"
    assert audio.get_ydata()[0] == pytest.approx(0.9)
    assert any(list(line.get_ydata()) == pytest.approx([0.88, 0.88]) for line in axis.lines)
    (legend,) = axis.figure.legends
    assert "trivial 0.880" in [text.get_text() for text in legend.get_texts()]


@pytest.mark.filterwarnings("error")
def test_a_lone_score_stands_in_the_middle() -> None:
    models = {"concat": ModelResult(10, {"mae": summarise([0.8])})}
    (axis,) = frontier_figure([replace(result(), models=models)]).axes
    low, high = axis.get_ylim()
    assert (low + high) / 2 == pytest.approx(0.8)
    assert list(labels(axis.figure)) == ["concat"]


def test_intervals_are_drawn() -> None:
    (axis,) = drawn().axes
    interval = summarise([0.80 + d for d in SPREAD]).ci95
    bars = [line for line in axis.lines if list(line.get_xdata()) == [140_769] * 2]
    assert [tuple(bar.get_ydata()) for bar in bars] == [pytest.approx(interval)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("PDF", b"%PDF")]
)
def test_files_are_the_same_twice(tmp_path: Path, ending: str, begins: bytes) -> None:
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    for path in (first, second):
        draw_frontier([result()], path)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(begins)


def test_pictures_are_of_a_columns_width(tmp_path: Path) -> None:
    draw_frontier([result()], tmp_path / "a.png")
    assert imread(tmp_path / "a.png").shape[1] == round(300 * FIGURE_WIDTH)


@pytest.mark.parametrize(
    ("results", "name", "metric", "says"),
    [
        ([result()], "a.gif", None, r"cannot be '\.gif'; end its name with \.png, \.svg, \.pdf"),
        ([result()], "a", None, "cannot be ''"),
        ([result()], "a.png", "corrr", "unknown metric 'corrr'; did you mean 'corr'"),
        ([result(), result(fingerprint="77aa")], "a.png", None, "9f2c.*data differ"),
        ([result(), replace(result(), models={})], "a.png", None, "share no metric"),
        ([result({"trivial": (0, 1.0)})], "a.png", None, "no model has runs of 'mae'"),
        ([result({"concat": (10, math.nan)})], "a.png", None, "no model has runs of 'mae'"),
    ],
)
def test_what_cannot_be_drawn(
    tmp_path: Path, results: list[BenchmarkResult], name: str, metric: str | None, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        draw_frontier(results, tmp_path / name, metric)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (812, "812"),
        (4_641, "4.6k"),
        (63_308, "63k"),
        (99_999, "0.1M"),
        (250_123, "0.25M"),
        (123_456_789, "123M"),
    ],
)
def test_short_numbers(count: int, text: str) -> None:
    assert short(count) == text
