"""Which rows are baselines, which lack seeds, and what a choice of metrics keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from affuse.errors import InputError
from affuse.evaluation.statistics import Comparison, paired_difference, summarise
from affuse.harness.results import BenchmarkResult, ModelResult

METRICS = {
    "mae": summarise([0.7, 0.8]),
    "corr": summarise([0.5, 0.6]),
    "acc7": summarise([0.3, 0.4]),
}
DIFFERENCE = paired_difference([0.7, 0.8], [0.9, 0.9])
RESULT = BenchmarkResult(
    "mosi",
    "affuse benchmark mosi",
    {},
    {
        "trivial": ModelResult(0, {"mae": summarise([1.4])}),
        "gaze": ModelResult(10, {}),
        "concat": ModelResult(20, {"mae": summarise([0.9])}),
        "hct_mg": ModelResult(30, METRICS),
    },
    {
        "hct_mg": {
            "concat": Comparison("mae", DIFFERENCE, {"corr": paired_difference([0.5], [0.4])}),
            "gaze": Comparison("mae", DIFFERENCE),
        }
    },
    extra={"seeds": 2, "features": {"gaze": "angles"}},
)


def test_baselines() -> None:
    assert [RESULT.is_baseline(model) for model in RESULT.models] == [True, True, False, False]
    assert RESULT.is_baseline("text")


def test_models_that_lack_seeds() -> None:
    assert RESULT.unfinished() == {"gaze": (0, 2), "concat": (1, 2)}
    assert replace(RESULT, extra={}).unfinished() == {}


def test_a_choice_keeps_its_order_and_what_was_compared() -> None:
    chosen = RESULT.select(["acc7", "corr"])
    assert chosen.metrics == ("acc7", "corr")
    assert chosen.models["concat"].metrics == {}
    assert list(chosen.paired["hct_mg"]) == ["concat"]
    kept = chosen.paired["hct_mg"]["concat"]
    assert (kept.metric, kept.difference.mean, kept.others) == ("corr", pytest.approx(0.1), {})
    assert RESULT.select(["acc7"]).paired == {}
    assert RESULT.select(["mae", "corr"]).paired["hct_mg"] == RESULT.paired["hct_mg"]


def test_unknown_metrics_are_named() -> None:
    with pytest.raises(InputError, match="unknown metric 'cor'; did you mean 'corr'"):
        RESULT.select(["mae", "cor"])
