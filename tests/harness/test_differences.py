"""Models against the floors that they must beat, from answers whose errors are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from affuse.evaluation.statistics import summarise
from affuse.harness.model_runs import runs_of
from affuse.harness.records import About, Run, Trivial
from affuse.harness.results import ModelResult
from affuse.harness.row_differences import Differences
from affuse.tasks import Regression

COUNT, SEEDS = 60, 3
ERRORS = {"text": 0.5, "audio": 0.8, "better": 0.3, "equal": 0.5, "worse": 0.7}
SINGLES = ("text", "audio")


def run(name: str, seed: int) -> Run:
    """Answers that are off by the model's error, give or take a little."""
    rng = np.random.default_rng([seed, list(ERRORS).index(name)])
    target = np.random.default_rng(0).normal(0, 2, (COUNT, 1)).clip(-3, 3)
    sign = rng.choice([-1, 1], (COUNT, 1))
    off = sign * (ERRORS[name] + rng.normal(0, 0.1, (COUNT, 1)))
    ids = tuple(map(str, range(COUNT)))
    return Run({"seed": seed, "fold": 0}, ids, target, target + off)


def about(**changes: Any) -> About:
    said = {
        "corpus": "c",
        "command": "x",
        "rows": tuple(ERRORS),
        "reference": "better",
        "task": Regression().to_config(),
        "folds": 1,
        "trivial": (Trivial(output=(0.0,), metrics={}),),
        "runs": {},
        "extra": {},
    }
    return About(**{**said, **changes})


def of(errors: dict[str, float], seeds: int = SEEDS) -> tuple[Differences, dict[str, ModelResult]]:
    rows = {name: runs_of([run(name, s) for s in range(seeds)], 1) for name in errors}
    means = {n: ModelResult(1, {"mae": summarise([e])} if seeds else {}) for n, e in errors.items()}
    return Differences(about(), rows), means


def warnings(*names: str, seeds: int = SEEDS) -> list[str]:
    errors = {name: ERRORS[name] for name in names}
    differences, means = of(errors, seeds)
    return list(differences.warnings(means, [name for name in names if name in SINGLES]))


def test_a_model_that_beats_all_floors_is_not_warned_of() -> None:
    assert warnings("text", "audio", "better") == []


def test_words_follow_the_interval() -> None:
    found = warnings("text", "audio", "better", "equal", "worse")
    assert [line.partition(": ")[0] for line in found] == [
        "equal does not beat text alone, the best single modality",
        "worse is worse than text alone, the best single modality",
    ]
    low, high = found[0].rpartition("[")[2].rstrip("]").split(", ")
    assert float(low) < 0 < float(high)
    differs = float(found[1].partition("MAE differs by ")[2].partition(" ")[0])
    assert differs == pytest.approx(ERRORS["worse"] - ERRORS["text"], abs=0.03)


def test_text_and_the_best_single_modality_may_be_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ERRORS, "audio", 0.45)
    monkeypatch.setitem(ERRORS, "equal", 0.6)
    said = [line.partition(": ")[0] for line in warnings("text", "audio", "equal")]
    assert said == [
        "equal is worse than text alone",
        "equal is worse than audio alone, the best single modality",
    ]


def test_single_modalities_and_models_stand_above_the_trivial_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ERRORS, "audio", 2.9)
    said = [line.partition(": ")[0] for line in warnings("text", "audio")]
    assert said == ["audio is worse than the trivial prediction"]


def test_without_single_modalities_that_is_said() -> None:
    (line,) = warnings("better")
    assert "--no-singles" in line


def test_one_seed_is_judged_over_samples() -> None:
    said = [line.partition(": ")[0] for line in warnings("text", "better", "worse", seeds=1)]
    assert said == ["worse is worse than text alone, the best single modality"]


def test_rows_without_runs_are_left_out() -> None:
    differences, _ = of(ERRORS, seeds=0)
    assert differences.all_to("better") == {}
    assert list(differences.warnings({}, SINGLES)) == []


def test_only_shared_seeds_are_compared() -> None:
    rows = {
        "better": runs_of([run("better", s) for s in (0, 2, 3)], 1),
        "text": runs_of([run("text", s) for s in (1, 2, 3)], 1),
        "audio": runs_of([run("audio", 1)], 1),
    }
    found = Differences(about(), rows).all_to("better")
    assert list(found) == ["trivial", "text"]
    errors = [
        [np.abs(r.prediction - r.target).mean() for r in (run("better", s), run("text", s))]
        for s in (2, 3)
    ]
    assert found["text"].difference.runs == pytest.approx([a - b for a, b in errors])
    assert len(found["trivial"].difference.runs) == 3


def test_groups_of_the_test_part_are_drawn() -> None:
    rows = {name: runs_of([run(name, s) for s in range(SEEDS)], 1) for name in ("text", "better")}
    speakers = tuple(f"speaker {row % 5}" for row in range(COUNT))
    found = Differences(about(groups=(speakers,)), rows).all_to("better")
    words = {name: c.statistic for name, c in found.items()}
    assert words == dict.fromkeys(
        ("trivial", "text"), "paired bootstrap over 5 groups of test samples and seeds, two-sided"
    )
