"""Curves under stress as a picture: panels, lines and bands are those of the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.image import imread

from affuse.errors import InputError
from affuse.evaluation.statistics import summarise
from affuse.evaluation.stress import KINDS
from affuse.harness.results import BenchmarkResult, ModelResult, StressCurve
from affuse.report.plots import GREY, VERMILLION
from affuse.report.stress_plot import draw_stress, stress_figure

HEIGHTS = {"trivial": 1.4, "text": 1.0, "concat": 0.8, "hct_mg": 0.6}


def result() -> BenchmarkResult:
    models = {n: ModelResult(1, {"mae": summarise([h, h + 0.1])}) for n, h in HEIGHTS.items()}

    def curve(name: str, kind: str) -> StressCurve:
        runs = [HEIGHTS[name]] if name == "trivial" else [HEIGHTS[name], HEIGHTS[name] + 0.1]
        steps = KINDS[kind].levels
        return StressCurve(summarise(runs), tuple((x, HEIGHTS[name] + 0.1 * x) for x in steps))

    bands = {
        kind: {
            n: [[h + 0.1 * x - 0.1, h + 0.1 * x + 0.1] for x in known.levels]
            for n, h in HEIGHTS.items()
            if n != "trivial"
        }
        for kind, known in KINDS.items()
    }
    return BenchmarkResult(
        "controlled", "x", {}, models,
        extra={"stress_about": {"metric": "mae", "swapped": "audio"}, "stress_bands": bands},
        stress={kind: {name: curve(name, kind) for name in HEIGHTS} for kind in KINDS},
        stress_paired={"noise": {"hct_mg": {}}},
    )  # fmt: skip


def test_four_panels_with_a_line_a_model_and_its_band() -> None:
    figure = stress_figure(result())
    assert [axis.get_title() for axis in figure.axes] == list(KINDS)
    for axis, (kind, known) in zip(figure.axes, KINDS.items(), strict=True):
        assert axis.get_xlabel() == known.axis
        lines = {str(line.get_label()): line for line in axis.lines}
        assert list(lines) == list(HEIGHTS)
        drawn = list(zip(*lines["concat"].get_data(), strict=True))
        assert drawn == [pytest.approx(pair) for pair in result().stress[kind]["concat"].levels]
        assert lines["hct_mg"].get_color() == VERMILLION
        assert lines["text"].get_color() == lines["trivial"].get_color() == GREY
        # Bands of models, not of single modalities.
        assert len(axis.collections) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(HEIGHTS)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_it_is_written_as_its_name_says(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"curves.{ending}"
    draw_stress(result(), path)
    first = path.read_bytes()
    draw_stress(result(), path)
    assert path.read_bytes() == first
    if ending == "png":
        assert imread(path).std() > 0


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a picture cannot be '\.gif'"):
        draw_stress(result(), tmp_path / "curves.gif")
    plain = replace(result(), stress={}, stress_paired={})
    with pytest.raises(InputError, match="no curves under stress; run the benchmark with --stress"):
        draw_stress(plain, tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())
