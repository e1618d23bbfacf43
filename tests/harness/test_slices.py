"""The hard slice of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affuse.harness import run as run_module
from affuse.harness.assemble import hard_slice
from affuse.harness.model_runs import ModelRuns
from affuse.harness.records import About, Run, read_about
from affuse.harness.request import Request
from affuse.harness.results import BenchmarkResult, ModelResult
from affuse.harness.run import run_benchmark
from affuse.incongruity.hard import hard_ids
from affuse.readers import load_corpus
from affuse.report.tables import hard_table, markdown
from affuse.tasks import Regression

IDS = ("a", "b", "c")


def about(hard: tuple[tuple[str, ...], ...]) -> About:
    task = Regression(-3.0, 3.0).to_config()
    return About(
        corpus="", command="", rows=("m",), reference="m", task=task, folds=len(hard), trivial=(),
        runs={}, extra={}, hard=hard,
    )  # fmt: skip


def run(*errors: float) -> Run:
    target = np.array([[1.0], [-1.0], [2.0]])
    return Run({}, IDS, target, target + np.array(errors)[:, None])


def test_scores_are_of_the_hard_samples_of_all_folds() -> None:
    row = ModelRuns((0, 1), ((run(1, 9, 0), run(9, 9, 9)), (run(9, 9, 3), run(9, 9, 0))))
    found = hard_slice(about((("a",), ("c",))), {"m": row, "none": ModelRuns((), ((), ()))})
    assert (found["samples"], found["of"]) == (2, 6)
    assert list(found["models"]) == ["m"]
    assert found["models"]["m"]["mae"]["runs"] == pytest.approx((2.0, 4.5))


def test_no_slice_without_hard_samples() -> None:
    assert hard_slice(about(((),)), {"m": ModelRuns((0,), ((run(0, 0, 0),),))}) == {}


def test_hard_samples_are_found_before_any_model() -> None:
    corpus = load_corpus("controlled", options={"train": 60, "valid": 30, "test": 300})
    (ids,) = hard_ids(corpus)
    assert set(ids) < {sample.id for sample in corpus.folds[0].test}
    assert list(ids) == sorted(ids, key=lambda name: int(name.partition("/")[2]))


@pytest.mark.slow
def test_they_are_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"train": 24, "valid": 12, "test": 12, "epochs": 1, "width": 8, "heads": 2}
    request = Request("controlled", None, ("concat",), 1, sizes, singles=False)
    first, _ = run_benchmark(request, tmp_path / "first")
    ids = read_about(tmp_path / "first").hard
    assert len(ids) == 1

    def again(_: object) -> None:
        raise AssertionError("looked for twice")

    monkeypatch.setattr(run_module, "hard_ids", again)
    assert run_benchmark(request, tmp_path / "first")[0].to_json() == first.to_json()
    run_benchmark(request, tmp_path / "second", hard=ids)
    assert read_about(tmp_path / "second").hard == ids


def test_the_table_shows_it() -> None:
    plain = {"mean": 1.25, "std": 0.5, "ci95": [0.75, 1.75], "runs": [1.0, 1.5]}
    hard = {"samples": 2, "of": 6, "models": {"m": {"mae": plain}}}
    result = BenchmarkResult("c", "", {}, {"m": ModelResult(1, {})}, extra={"hard": hard})
    assert "Hard samples, 2 of 6" in markdown(result)
    assert hard_table(result) is not None
    assert hard_table(replaced(result)) is None


def replaced(result: BenchmarkResult) -> BenchmarkResult:
    return BenchmarkResult(result.corpus, "", {}, result.models)
