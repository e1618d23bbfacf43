"""Two results side by side: right intervals, right verdicts, and every difference named."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats

from affuse.evaluation.statistics import summarise
from affuse.files import to_strict_json
from affuse.harness.results import BenchmarkResult, ModelResult
from affuse.report.command_tables import comparison_markdown, comparison_tables
from affuse.report.comparison import SideBySide, compare_results, welch

RUNS = {
    "trivial": {"mae": [1.4], "acc7": [0.2]},
    "concat": {"mae": [0.80, 0.82, 0.81, 0.84, 0.79], "acc7": [0.38, 0.36, 0.37, 0.39, 0.35]},
    "hct_mg": {"mae": [0.77, 0.78, 0.75, 0.76, 0.79], "acc7": [0.40, 0.41, 0.39, 0.42, 0.40]},
}
CONFIGURATION = {
    "concat": {"options": {"width": 64}, "train": {"epochs": 40, "noise": {}}},
    "hct_mg": {"options": {"width": 48, "gate": "contribution"}, "train": {"epochs": 40}},
}
EXTRA = {
    "fingerprint": "9f2c",
    "options": {"layers": [6], "split": "bc"},
    "features": {"text": "minilm"},
    "folds": 1,
    "seeds": 5,
    "normalise": "train",
    "settings": {},
    "configuration": CONFIGURATION,
}


def result(
    runs: dict[str, dict[str, list[float]]] = RUNS, versions: str = "1", **extra: Any
) -> BenchmarkResult:
    models = {
        model: ModelResult(100 * len(model), {m: summarise(v) for m, v in scores.items()})
        for model, scores in runs.items()
    }
    about = {**EXTRA, **extra}
    return BenchmarkResult("mosi", "affuse benchmark mosi", {"torch": versions}, models, {}, about)


def shifted(by: float, *, noise: float = 0.0) -> dict[str, dict[str, list[float]]]:
    rng = np.random.default_rng(0)
    return {
        model: {
            metric: [v + by + noise * rng.standard_normal() for v in values]
            for metric, values in scores.items()
        }
        if model != "trivial"
        else scores
        for model, scores in RUNS.items()
    }


def shown(found: SideBySide, width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(comparison_tables(found))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


hundredths = st.integers(-500, 500).map(lambda count: count / 100)
groups = st.lists(hundredths, min_size=2, max_size=8).filter(lambda runs: np.ptp(runs) > 0)


@given(groups, groups)
def test_welch_is_that_of_scipy(a: list[float], b: list[float]) -> None:
    difference, (low, high), p = welch(a, b)
    assert difference == pytest.approx(np.mean(b) - np.mean(a))
    theirs = stats.ttest_ind(b, a, equal_var=False)
    interval = theirs.confidence_interval()
    assert (low, high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)
    assert p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)


def test_groups_without_spread() -> None:
    assert welch([1.0, 1.0], [1.0, 1.0]) == (0.0, (0.0, 0.0), 1.0)
    assert welch([1.0, 1.0], [3.0, 3.0]) == (2.0, (2.0, 2.0), 0.0)


def test_the_same_seeds_on_the_same_samples_are_paired() -> None:
    found = compare_results(result(), result(shifted(0.0, noise=0.01)))
    row = next(r for r in found.rows if (r.model, r.metric) == ("concat", "mae"))
    theirs = stats.ttest_rel(row.b.runs, row.a.runs)
    assert row.paired
    assert row.p == pytest.approx(theirs.pvalue)
    assert row.ci95 == pytest.approx(tuple(theirs.confidence_interval()))


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "other"},
        {"fingerprint": None},
        {"seeds": 6},
        {"folds": 5},
        {"seeds": None},
    ],
    ids=str,
)
def test_other_runs_are_groups(change: dict[str, Any]) -> None:
    found = compare_results(result(), result(shifted(0.0, noise=0.01), **change))
    row = next(r for r in found.rows if (r.model, r.metric) == ("concat", "mae"))
    assert not row.paired
    assert (row.difference, row.ci95, row.p) == welch(row.a.runs, row.b.runs)


def test_seeds_of_which_some_are_missing_are_groups() -> None:
    fewer = {m: {k: v[:3] for k, v in scores.items()} for m, scores in RUNS.items()}
    found = compare_results(result(fewer), result(fewer))
    assert not any(row.paired for row in found.rows)
    assert found.reproduces == "exactly"
    for text in (shown(found), comparison_markdown(found)):
        assert "Not finished in B: hct_mg has 3 of 5 seeds." in text


def test_equal_scores_reproduce_exactly() -> None:
    found = compare_results(result(), result())
    assert found.reproduces == "exactly"
    assert {row.verdict for row in found.rows} == {"equal"}
    assert found.data == found.config == found.version == {}
    assert found.summary == (
        "Comparable: data, config and versions are the same.",
        "The scores reproduce exactly: all 6 are equal for every seed.",
    )


def test_undefined_scores_are_equal_too() -> None:
    runs = {"concat": {"mae": [0.5, 0.6], "acc2_nonzero": [math.nan, math.nan]}}
    assert compare_results(result(runs, seeds=2), result(runs, seeds=2)).reproduces == "exactly"


def test_scattered_scores_reproduce_within_intervals() -> None:
    found = compare_results(result(), result(shifted(0.0, noise=0.02), versions="2"))
    assert found.reproduces == "within intervals"
    assert found.version == {"torch": ("1", "2")}
    assert "they differ in version" in found.summary[0]
    assert "2 of 6 scores are equal for every seed" in found.summary[1]


def test_rounding_is_no_difference() -> None:
    found = compare_results(result(), result(shifted(1e-9)))
    assert found.reproduces == "within intervals"
    assert {row.verdict for row in found.rows} == {"equal", "undecided"}


@pytest.mark.parametrize(("by", "mae", "acc7"), [(0.1, "A", "B"), (-0.1, "B", "A")])
def test_shifted_scores_do_not_reproduce(by: float, mae: str, acc7: str) -> None:
    found = compare_results(result(), result(shifted(by, noise=0.001)))
    assert found.reproduces == "no"
    assert found.apart == ("concat", "hct_mg")
    assert "do NOT reproduce: MAE differs for concat, hct_mg" in found.summary[1]
    verdicts = {(row.model, row.metric): row.verdict for row in found.rows}
    assert verdicts["hct_mg", "mae"] == f"{mae} better"
    assert verdicts["hct_mg", "acc7"] == f"{acc7} better"
    assert verdicts["trivial", "mae"] == "equal"


def test_one_of_many_models_may_differ_by_chance() -> None:
    rng = np.random.default_rng(0)
    names = [f"model{i}" for i in range(60)]
    a = {name: {"mae": rng.normal(0.8, 0.02, 5).tolist()} for name in names}
    b = {name: {"mae": rng.normal(0.8, 0.02, 5).tolist()} for name in names}
    found = compare_results(result(a), result(b))
    assert any("better" in row.verdict for row in found.rows)
    assert found.reproduces == "within intervals"


def test_single_seeds_cannot_tell() -> None:
    one = {m: {k: v[:1] for k, v in scores.items()} for m, scores in RUNS.items()}
    other = {m: {k: v[:1] for k, v in scores.items()} for m, scores in shifted(0.1).items()}
    found = compare_results(result(one, seeds=1), result(other, seeds=1))
    assert found.reproduces == "unknown"
    assert "since a single seed has no interval" in found.summary[1]
    assert all(math.isnan(row.ci95[0]) for row in found.rows)
    assert "unknown" in shown(found)
    assert compare_results(result(one, seeds=1), result(one, seeds=1)).reproduces == "exactly"


def test_other_data_are_said_loudly() -> None:
    found = compare_results(
        result(), result(fingerprint="77aa", options={"layers": [2], "split": "bc"})
    )
    assert found.reproduces == "unknown"
    assert found.summary[0].startswith("NOT COMPARABLE")
    assert "9f2c against 77aa" in found.summary[0]
    assert found.data == {"fingerprint": ("9f2c", "77aa"), "options.layers": ([6], [2])}
    assert shown(found).index("NOT COMPARABLE") < shown(found).index("verdict")


def test_a_missing_fingerprint_is_said() -> None:
    found = compare_results(result(), result(fingerprint=None))
    assert found.same_data is None
    assert "a fingerprint is missing" in found.summary[0]


def test_every_difference_in_config_is_named_once() -> None:
    other = {
        "concat": {"options": {"width": 64}, "train": {"epochs": 10, "noise": {"text": 0.1}}},
        "hct_mg": {"options": {"width": 32, "gate": "contribution"}, "train": {"epochs": 10}},
    }
    b = result(normalise="speaker", settings={"epochs": 10}, configuration=other)
    b.models["hct_mg"] = replace(b.models["hct_mg"], parameters=7)
    assert compare_results(result(), b).config == {
        "normalise": ("train", "speaker"),
        "settings.epochs": (None, 10),
        "train.epochs of concat, hct_mg": (40, 10),
        "train.noise.text of concat": (None, 0.1),
        "parameters of hct_mg": (600, 7),
        "options.width of hct_mg": (48, 32),
    }


def test_options_that_one_result_does_not_know_are_no_difference() -> None:
    b = result()
    del b.extra["configuration"]
    assert compare_results(result(), b).config == {}


def test_models_only_in_one_are_named() -> None:
    a = result({k: RUNS[k] for k in ("trivial", "concat")})
    found = compare_results(a, result({k: RUNS[k] for k in ("trivial", "hct_mg")}))
    assert found.only == (("concat",), ("hct_mg",))
    for text in (shown(found), comparison_markdown(found)):
        assert "Only in A: concat." in text
        assert "Only in B: hct_mg." in text
    assert {row.model for row in found.rows} == {"trivial"}


def test_nothing_shared() -> None:
    found = compare_results(result({"concat": RUNS["concat"]}), result({"concat": {}}))
    assert found.rows == ()
    assert found.summary[1] == "No model and metric stands in both."
    assert "No model and metric" in shown(found)
    assert "No model and metric" in comparison_markdown(found)


def test_json_holds_everything() -> None:
    found = compare_results(result(), result(shifted(0.1), versions="2"), ("old", "new"))
    content = json.loads(to_strict_json(found.to_dict()))
    assert content["names"] == ["old", "new"]
    assert content["summary"] == list(found.summary)
    assert content["reproduces"] == "no"
    assert content["version"] == {"torch": ["1", "2"]}
    row = content["rows"][2]
    assert (row["model"], row["metric"], row["verdict"]) == ("concat", "mae", "A better")
    assert row["difference"] == pytest.approx(0.1)
    assert row["a"]["runs"] == RUNS["concat"]["mae"]


def test_tables_show_the_numbers() -> None:
    found = compare_results(
        result(), result(shifted(0.1, noise=0.01), normalise="none"), ("old", "new")
    )
    row = next(r for r in found.rows if (r.model, r.metric) == ("hct_mg", "mae"))
    for text in (shown(found), comparison_markdown(found)):
        line = next(x for x in text.splitlines() if "hct_mg" in x and "MAE" in x and "±" in x)
        for cell in (
            *(f"{s.mean:.3f} ±{s.std:.3f}" for s in (row.a, row.b)),
            *(f"{row.difference:+.3f}", f"[{row.ci95[0]:+.3f}, {row.ci95[1]:+.3f}]"),
            *("<0.001", "paired", "A better"),
        ):
            assert cell in line
        assert "normalise" in text
        assert "A: old, mosi (affuse benchmark mosi)" in text
    assert max(map(len, shown(found).splitlines())) <= 120


def test_a_narrow_terminal_cuts_nothing() -> None:
    text = shown(compare_results(result(), result(shifted(0.1, noise=0.01))), width=70)
    assert "…" not in text
