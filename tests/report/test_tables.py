"""A benchmark's result on disk, in a terminal and as Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from affuse.errors import InputError
from affuse.evaluation.statistics import Comparison, Summary, paired_difference, summarise
from affuse.harness.results import BenchmarkResult, ModelResult
from affuse.report.tables import label_table, markdown, paired_table, rich_table, write_csv

SEEDS = {
    "unimodal:text": [0.86, 0.87, 0.88],
    "concat": [0.91, 0.92, 0.90],
    "mult": [0.87, 0.86, 0.88],
    "hct_mg": [0.84, 0.85, 0.86],
}
METRICS = (
    "mae",
    "corr",
    "acc2_nonzero",
    "f1_nonzero",
    "acc2_haszero",
    "f1_nonzero_swapped",
    "acc7",
)


def scores(maes: list[float]) -> dict[str, Summary]:
    return {m: summarise([v if m == "mae" else 1.2 - v / 2 for v in maes]) for m in METRICS}


@pytest.fixture
def result() -> BenchmarkResult:
    models = {
        "trivial": ModelResult(0, {"mae": summarise([1.4]), "corr": summarise([-0.02, -0.1])})
    }
    models["unimodal:vision"] = ModelResult(0, {})
    models |= {name: ModelResult(123_456, scores(maes)) for name, maes in SEEDS.items()}
    models["hct_mg"] = ModelResult(712_345, scores(SEEDS["hct_mg"]), {"text": 95, "audio": 5})
    paired = {
        other: Comparison("mae", paired_difference(SEEDS["hct_mg"], SEEDS[other]))
        for other in ("concat", "mult")
    }
    return BenchmarkResult(
        corpus="mosi[split=bc]",
        command="affuse benchmark mosi --seeds 3",
        versions={"affuse": "0.1.0", "torch": "2.13"},
        models=models,
        paired={"hct_mg": paired},
        extra={"fingerprint": "9f2c", "notes": ["one", None]},
    )


def render(table: Table, width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row_of(table: Table, model: str) -> list[Any]:
    place = [str(cell) for cell in table.columns[0].cells].index(model)
    return [list(column.cells)[place] for column in table.columns]


def test_json_round_trip(result: BenchmarkResult, tmp_path: Path) -> None:
    path = tmp_path / "mosi.json"
    result.write_json(path)
    assert BenchmarkResult.read_json(path) == result
    assert [p.name for p in tmp_path.iterdir()] == ["mosi.json"]


def test_json_has_the_documented_shape(result: BenchmarkResult) -> None:
    content = json.loads(result.to_json())
    assert list(content)[:5] == ["corpus", "command", "versions", "models", "paired"]
    assert content["fingerprint"] == "9f2c"
    hct = content["models"]["hct_mg"]
    assert (hct["parameters"], hct["primary"]) == (712_345, {"text": 95, "audio": 5})
    assert hct["metrics"]["mae"]["runs"] == SEEDS["hct_mg"]
    assert list(hct["metrics"]["mae"]) == ["mean", "std", "ci95", "runs"]
    assert content["paired"]["hct_mg"]["concat"]["difference"]["mean"] == pytest.approx(-0.06)


def test_scores_without_a_value_are_null() -> None:
    undefined = summarise([math.nan])
    models = {"trivial": ModelResult(0, {"acc2_nonzero": undefined, "mae": summarise([1.0])})}
    text = BenchmarkResult("c", "x", {}, models, extra={"notes": None}).to_json()
    assert "NaN" not in text
    back = BenchmarkResult.from_json(text)
    assert math.isnan(back.models["trivial"].metrics["acc2_nonzero"].mean)
    assert back.extra == {"notes": None}
    assert str(row_of(rich_table(back), "trivial")[3]) == "undefined"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"corpus": ', "line 1: expecting value"),
        ("[1, 2]", "not a JSON object"),
        ("{}", "entry 'corpus'"),
        ('{"corpus": "c", "command": "x", "versions": {}}', "entry 'models'"),
        (
            '{"corpus": "c", "command": "x", "versions": {}, "models": {"m": {"parameters": 1, '
            '"metrics": {"mae": {"mean": "low", "std": 0, "ci95": [0, 1], "runs": [1]}}}}}',
            "entry 'models.m.metrics.mae.mean'",
        ),
    ],
)
def test_malformed_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        BenchmarkResult.read_json(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_absent_files_and_folders_are_named(result: BenchmarkResult, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        BenchmarkResult.read_json(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be written"):
        write_csv(result, tmp_path / "none" / "mosi.csv")


def test_failed_write_leaves_the_old_file(result: BenchmarkResult, tmp_path: Path) -> None:
    folder = tmp_path / "mosi.json"
    folder.mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        result.write_json(folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_csv_is_long(result: BenchmarkResult, tmp_path: Path) -> None:
    path = tmp_path / "mosi.csv"
    write_csv(result, path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 + 4 * len(METRICS)
    row = next(r for r in rows if r["model"] == "hct_mg" and r["metric"] == "mae")
    assert (row["corpus"], row["command"]) == (result.corpus, result.command)
    assert [float(v) for v in row["runs"].split()] == SEEDS["hct_mg"]
    low, high = result.models["hct_mg"].metrics["mae"].ci95
    assert (float(row["ci95_low"]), float(row["ci95_high"])) == (low, high)


def test_terminal_table_fits_and_breaks_no_number(result: BenchmarkResult) -> None:
    text = render(rich_table(result))
    assert max(map(len, text.splitlines())) <= 120
    for summary in result.models["hct_mg"].metrics.values():
        assert f"{summary.mean:.3f} ±{summary.std:.3f}" in text
    low, high = result.models["trivial"].metrics["corr"].ci95
    assert f"[{low:.3f}, {high:.3f}]" in text
    assert "mosi[split=bc], 3 seeds" in text
    assert "primary modality of hct_mg: text 95%, audio 5%" in text


@pytest.mark.parametrize("width", [40, 80, 100])
def test_a_narrow_terminal_has_fewer_columns_but_whole_names(
    result: BenchmarkResult, width: int
) -> None:
    table, full = rich_table(result, width=width), rich_table(result)
    text = render(table, max(width, 60))  # one column is always shown
    assert 3 <= len(table.columns) < len(full.columns)
    assert all(model in text for model in result.models)


def test_terminal_table_shows_the_headline_and_names_the_rest(result: BenchmarkResult) -> None:
    table = rich_table(result)
    headings = [str(column.header) for column in table.columns]
    assert headings == [
        *("model", "parameters", "MAE", "Pearson r", "Acc2 non-zero"),
        *("F1 non-zero (weights from truth)", "Acc7"),
    ]
    assert "also have: acc2_haszero, f1_nonzero_swapped" in str(table.caption)
    chosen = rich_table(result, ["f1_nonzero_swapped"])
    assert str(chosen.columns[2].header) == "F1 non-zero (weights from prediction)"


def test_rows_keep_their_order_and_absent_runs_are_dashes(result: BenchmarkResult) -> None:
    table = rich_table(result)
    assert [str(cell) for cell in table.columns[0].cells] == list(result.models)
    assert [str(cell) for cell in row_of(table, "unimodal:vision")[2:]] == ["—"] * 5
    assert str(row_of(table, "trivial")[2]) == "1.400"


def test_best_of_each_metric_is_bold_in_its_direction(result: BenchmarkResult) -> None:
    table = rich_table(result)
    for column in table.columns[2:]:
        bold = [m for m, cell in zip(result.models, column.cells, strict=True) if cell.style]
        assert bold == ["hct_mg"]
    assert markdown(result).count("**") == 2 * len(METRICS)


def test_warnings_and_folds_are_said(result: BenchmarkResult) -> None:
    fewer = {**result.models, "mult": ModelResult(1, scores([0.9, 0.8]))}
    said = replace(result, models=fewer, warnings=("mult does not beat text",), extra={"folds": 4})
    text = markdown(said)
    assert text.startswith("### mosi[split=bc], 2 to 3 seeds of 4 folds\n")
    assert "\n\nWarning: mult does not beat text.\n\n" in text
    assert json.loads(said.to_json())["warnings"] == ["mult does not beat text"]
    assert BenchmarkResult.from_json(said.to_json()) == said


def test_every_metric_of_a_difference_is_in_markdown(result: BenchmarkResult) -> None:
    down = paired_difference(SEEDS["hct_mg"], SEEDS["concat"])
    found = Comparison("mae", down, {"acc7": down}, "coin, two-sided")
    told = replace(result, paired={"hct_mg": {"concat": found}})
    rows = [line for line in markdown(told).splitlines() if "against concat" in line]
    assert [row.split(" | ")[1] for row in rows] == ["MAE", "Acc7"]
    assert [row.split(" | ")[-1] for row in rows] == ["hct_mg better |", "hct_mg worse |"]
    assert "95% interval and p: coin, two-sided; not corrected" in markdown(told)
    text = render(paired_table(told))
    assert "Acc7" not in text
    assert "coin, two-sided" in text
    assert "of one seed" not in text
    single = replace(found, difference=paired_difference([0.5], [0.75]))
    alone = replace(result, paired={"hct_mg": {"concat": single}})
    assert "of one seed: nothing is known" in " ".join(render(paired_table(alone)).split())


def test_paired_table(result: BenchmarkResult) -> None:
    text = render(paired_table(result))
    concat = next(line for line in text.splitlines() if "against concat" in line)
    # Lower is better: each difference is negative, and their interval excludes zero.
    assert "-0.060" in concat
    assert "hct_mg better" in concat
    mult = next(line for line in text.splitlines() if "against mult" in line)
    assert "undecided" in mult


@pytest.mark.parametrize(
    ("metric", "a", "b", "verdict"),
    [
        ("mae", [1.0, 1.1], [0.5, 0.6], "worse"),
        ("acc7", [1.0, 1.1], [0.5, 0.6], "better"),
        ("acc7", [0.5, 0.6], [0.6, 0.5], "undecided"),
        ("acc7", [0.9], [0.5], "undecided"),
    ],
)
def test_verdict(metric: str, a: list[float], b: list[float], verdict: str) -> None:
    assert Comparison(metric, paired_difference(a, b)).verdict == verdict


def test_markdown_holds_everything(result: BenchmarkResult) -> None:
    text = markdown(result)
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count(" | ") for line in table[: len(result.models) + 2]} == {1 + len(METRICS)}
    assert "F1 non-zero (weights from prediction)" in table[0]
    assert "hct_mg against concat" in text
    assert result.command in text
    assert "torch 2.13" in text


def test_metrics_unknown_to_the_screen_are_still_shown() -> None:
    result = BenchmarkResult("c", "x", {}, {"m": ModelResult(1, {"f1_happy": summarise([0.5])})})
    assert str(rich_table(result).columns[2].header) == "F1, happy (weights from truth)"


def test_labels_have_a_table_of_their_own(result: BenchmarkResult) -> None:
    assert label_table(result) is None
    names = ("accuracy_mean", "f1_mean", "accuracy_happy", "f1_happy", "accuracy_sad", "f1_sad")
    models = {
        model: ModelResult(9, {m: summarise([base + n / 100]) for n, m in enumerate(names)})
        for model, base in (("trivial", 0.5), ("mult", 0.6), ("hct_mg", 0.7))
    }
    models["unimodal:text"] = ModelResult(9, {"accuracy_mean": summarise([0.5])})
    several = BenchmarkResult("iemocap", "affuse benchmark iemocap", {}, models)
    table = label_table(several)
    assert table is not None
    text = render(table, 60)
    assert "happy" in text
    assert "0.720 / 0.730" in text
    assert "0.740 / 0.750" in text
    assert "- / -" in text
    assert "f1_sad" not in render(rich_table(several))
    # Where metrics are chosen, no table of labels stands beside them.
    assert "f1_sad" in render(rich_table(several, ("accuracy_mean",)))


def test_values_have_a_table_of_their_own() -> None:
    names = ("ccc_mean", "mae_mean", "ccc_valence", "mae_valence", "ccc_arousal", "mae_arousal")
    scores = {m: summarise([n / 10]) for n, m in enumerate(names)}
    found = BenchmarkResult("own", "affuse benchmark own", {}, {"hct_mg": ModelResult(9, scores)})
    table = label_table(found)
    assert table is not None
    text = render(table, 70)
    assert "CCC / MAE of each value" in text
    assert "0.200 / 0.300" in text
    assert "F1" not in text
    assert "CCC, mean" in render(rich_table(found))


def test_members_stand_where_any_model_has_several(result: BenchmarkResult) -> None:
    assert "each model is one network" in render(rich_table(result))
    assert "| model | parameters |" in markdown(result)
    models = {**result.models, "mult": replace(result.models["mult"], members=5)}
    ensembles = replace(result, models=models)
    assert [str(cell) for cell in row_of(rich_table(ensembles), "mult")[1:3]] == ["5", "123,456"]
    assert "| model | members | parameters |" in markdown(ensembles)
    assert "| mult | 5 | 123,456 |" in markdown(ensembles)
    assert "Members are networks that answer by their mean" in markdown(ensembles)
    assert next(r["members"] for r in ensembles.to_records() if r["model"] == "mult") == 5


def test_what_learnt_from_members_is_named(result: BenchmarkResult) -> None:
    models = {**result.models, "mult": replace(result.models["mult"], distilled=5)}
    found = replace(result, models=models)
    assert "each model is one network; mult learnt from 5 members" in render(rich_table(found))
    assert "Each model is one network; mult learnt from 5 members." in markdown(found)


def test_members_of_an_older_result_are_told_by_its_options(result: BenchmarkResult) -> None:
    content = json.loads(result.to_json())
    content["configuration"] = {"hct_mg": {"options": {"members": 5}, "train": {}}, "gone": {}}
    for row in content["models"].values():
        del row["members"]
    found = BenchmarkResult.from_json(json.dumps(content))
    assert {name: row.members for name, row in found.models.items() if row.members > 1} == {
        "hct_mg": 5
    }
