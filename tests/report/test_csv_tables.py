"""CSV that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from affuse.evaluation.statistics import summarise
from affuse.harness.results import BenchmarkResult, ModelResult
from affuse.report.answer_files import to_csv
from affuse.report.csv_tables import csv_text, defused
from affuse.report.tables import write_csv


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-", "=", "-1e5x"]
)
def test_formulas_are_defused(text: str) -> None:
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize(
    "cell", ["-0.5", "+3", "-0.1 0.2 -3e-05", "-inf", "nan", -1.5, 3, None, "", "a=b"]
)
def test_numbers_and_other_texts_are_untouched(cell: object) -> None:
    assert defused(cell) == cell


def test_headings_and_cells_are_defused() -> None:
    text = csv_text(["=a", "b"], [{"=a": "@x", "b": -1.0}, {"=a": "plain, text", "b": "-2.5"}])
    assert list(csv.reader(io.StringIO(text))) == [
        ["'=a", "b"],
        ["'@x", "-1.0"],
        ["plain, text", "-2.5"],
    ]


def test_every_writer_defuses(tmp_path: Path) -> None:
    row = ModelResult(1, {"corr": summarise([-0.25, -0.5])})
    result = BenchmarkResult("=corpus", "@command", {}, {"+model": row})
    write_csv(result, tmp_path / "result.csv")
    (found,) = csv.DictReader((tmp_path / "result.csv").open())
    assert [found[k] for k in ("corpus", "model", "command")] == [
        "'=corpus",
        "'+model",
        "'@command",
    ]
    assert found["runs"] == "-0.25 -0.5"
    assert float(found["mean"]) == -0.375
    window = {
        "start": 0.0,
        "end": 1.0,
        "sentiment": -0.5,
        "emotion": None,
        "primary": "text",
        "conflict": 0.1,
        "gate": {"text": 1.0},
    }
    words = [{"word": "=HYPERLINK()", "start": 0.1, "end": 0.4}]
    content = {"file": "-clip.mp4", "timeline": [window], "words": words, "notices": []}
    (answer,) = csv.DictReader(io.StringIO(to_csv([content])))
    assert (answer["file"], answer["text"]) == ("'-clip.mp4", "'=HYPERLINK()")
    assert answer["sentiment"] == "-0.5"
