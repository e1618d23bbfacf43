"""Benchmarks under stress: areas of answers that are known, and one end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.evaluation.bootstrap import FoldAnswers, paired_bootstrap, resampled_scores
from affuse.evaluation.stress import KINDS, area_weights
from affuse.harness.assemble import assemble, read_result
from affuse.harness.records import About, Run, Trivial
from affuse.harness.request import Request
from affuse.harness.results import BenchmarkResult
from affuse.harness.run import run_benchmark
from affuse.report.tables import markdown, result_tables, write_csv
from affuse.tasks import Regression

LEVELS = (0.0, 1.0, 3.0)
ERRORS = {"better": (0.1, 0.2, 0.4), "worse": (0.2, 0.5, 1.1)}
COUNT = 30


def run(model: str, seed: int, fold: int = 0) -> Run:
    """Answers that are off by the model's error at each level, more so for a later seed."""
    target = np.linspace(-2, 2, COUNT)[:, None]
    errors = [error + 0.01 * seed + 0.1 * fold for error in ERRORS[model]]
    said = [target + np.where(np.arange(COUNT)[:, None] % 2, e, -e) for e in errors]
    record = {
        "model": model,
        "fold": fold,
        "seed": seed,
        "parameters": 1,
        "metrics": {"mae": errors[0]},
        "versions": {},
        "test_opened": {"count": 1},
        "run": {"options": {}, "train": {}},
        "stress": {"noise": [[*pair] for pair in zip(LEVELS, errors, strict=True)]},
    }
    ids = tuple(f"{fold}/{n}" for n in range(COUNT))
    return Run(record, ids, target, said[0], {"noise": np.stack(said[1:])})


def about(folds: int) -> About:
    return About(
        corpus="c",
        command="x",
        rows=tuple(ERRORS),
        reference="better",
        task=Regression(-3.0, 3.0).to_config(),
        folds=folds,
        trivial=(Trivial(output=(0.0,), metrics={"mae": 1.0}),) * folds,
        runs={},
        extra={"stress_about": {"metric": "mae", "swapped": "audio"}},
    )


@pytest.mark.parametrize("folds", [1, 2])
def test_areas_and_their_differences_are_those_of_the_answers(folds: int) -> None:
    runs = [run(m, s, f) for m in ERRORS for s in (0, 1, 2) for f in range(folds)]
    result = assemble(about(folds), runs)
    curves = result.stress["noise"]
    assert tuple(curves) == ("trivial", "better", "worse")
    shift = 0.1 * (folds - 1) / 2
    for name, errors in ERRORS.items():
        # Trapezoids: one of width 1, one of width 2.
        area = ((errors[0] + errors[1]) / 2 + (errors[1] + errors[2])) / 3 + shift
        assert curves[name].area.runs == pytest.approx([area, area + 0.01, area + 0.02])
        assert [level for level, _ in curves[name].levels] == list(LEVELS)
        assert [m for _, m in curves[name].levels] == pytest.approx(
            [e + shift + 0.01 for e in errors]
        )
        band = result.extra["stress_bands"]["noise"][name][1]
        assert band[0] < errors[1] + shift + 0.01 < band[1]
    constant = curves["trivial"]
    assert len(constant.area.runs) == 1
    assert {mean for _, mean in constant.levels} == {constant.area.mean}
    others = result.stress_paired["noise"]["better"]
    assert tuple(others) == ("trivial", "worse")
    expected = curves["better"].area.mean - curves["worse"].area.mean
    assert others["worse"].difference.mean == pytest.approx(expected)
    assert others["worse"].verdict == "better"
    assert BenchmarkResult.from_json(result.to_json()) == result


def test_an_area_is_redrawn_as_its_levels_are() -> None:
    rng = np.random.default_rng(0)
    rows = {m: [run(m, s) for s in (0, 1)] for m in ERRORS}
    noisy = {
        m: [
            replace(r, spoilt={"noise": r.spoilt["noise"] + rng.normal(0, 0.3, (2, COUNT, 1))})
            for r in runs
        ]
        for m, runs in rows.items()
    }
    result = assemble(about(1), [r for runs in noisy.values() for r in runs])
    weights = area_weights(LEVELS)

    def by_hand(model: str) -> Any:
        def level(place: int) -> Any:
            said = [
                r.prediction if not place else r.spoilt["noise"][place - 1] for r in noisy[model]
            ]
            fold = FoldAnswers(noisy[model][0].ids, noisy[model][0].target, np.stack(said))
            return resampled_scores(Regression(-3.0, 3.0), [fold], ("mae",))["mae"]

        known = [level(place) for place in range(3)]
        return replace(
            known[0],
            measured=sum(w * s.measured for w, s in zip(weights, known, strict=True)),
            redrawn=sum(w * s.redrawn for w, s in zip(weights, known, strict=True)),
        )

    expected = paired_bootstrap(by_hand("better"), by_hand("worse"))
    found = result.stress_paired["noise"]["better"]["worse"].difference
    assert found.ci95 == pytest.approx(expected.ci95)
    assert found.p == pytest.approx(expected.p)


SETTINGS = {
    "train": 24,
    "valid": 12,
    "test": 20,
    "epochs": 1,
    "width": 8,
    "heads": 2,
    "members": 1,
}
ROWS = "unimodal:text", "concat"
REQUEST = Request(
    "controlled", None, ROWS, 2, SETTINGS, singles=False, stress=True, reference="concat"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stress")


@pytest.fixture(scope="module")
def finished(folder: Path) -> BenchmarkResult:
    return run_benchmark(REQUEST, folder)[0]


@pytest.mark.slow
def test_the_json_keeps_its_contract(finished: BenchmarkResult, folder: Path) -> None:
    content = json.loads(finished.to_json())
    assert tuple(content["stress"]) == tuple(KINDS)
    assert content["stress_about"] == {"metric": "mae", "swapped": "audio"}
    for kind, models in content["stress"].items():
        assert tuple(models) == ("trivial", "text", "concat")
        for name, curve in models.items():
            assert curve.keys() == {"area", "levels"}
            assert curve["area"].keys() == {"mean", "std", "ci95", "runs"}
            assert len(curve["area"]["runs"]) == (1 if name == "trivial" else 2)
            assert [level for level, _ in curve["levels"]] == list(KINDS[kind].levels)
            clean = content["models"][name]["metrics"]["mae"]["mean"]
            assert curve["levels"][0][1] == pytest.approx(clean)
        (others,) = content["stress_paired"][kind].values()
        assert set(others) == {"trivial", "text"}
        for found in others.values():
            assert found["metric"] == "mae"
            assert found["difference"].keys() == {"mean", "std", "ci95", "runs", "p"}
    with np.load(folder / "runs" / "concat-fold0-seed0.npz") as kept:
        assert kept["stress_missing"].shape == (9, 20, 1)
    # Nothing that happens to the voice changes what text alone says.
    assert len({mean for _, mean in content["stress"]["swapped"]["text"]["levels"]}) == 1
    assert BenchmarkResult.from_json(finished.to_json()) == finished


@pytest.mark.slow
def test_what_was_stopped_goes_on_to_the_same_table(
    finished: BenchmarkResult, folder: Path
) -> None:
    (folder / "runs" / "concat-fold0-seed1.json").unlink()
    stopped = read_result(folder)
    assert len(stopped.stress["noise"]["concat"].area.runs) == 1
    again, _ = run_benchmark(REQUEST, folder)
    assert again.to_json() == finished.to_json()
    assert read_result(folder).to_json() == finished.to_json()


@pytest.mark.slow
def test_a_folder_knows_whether_stress_was_asked_for(
    finished: BenchmarkResult, folder: Path
) -> None:
    assert finished.stress
    with pytest.raises(InputError, match="another stress;"):
        run_benchmark(replace(REQUEST, stress=False), folder)


def test_features_in_units_of_their_own_are_refused(tmp_path: Path) -> None:
    settings = {**SETTINGS, "normalise": "none"}
    with pytest.raises(InputError, match="stress spoils by standard deviations"):
        run_benchmark(replace(REQUEST, settings=settings), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_tables_show_areas_differences_and_curves(
    finished: BenchmarkResult, tmp_path: Path
) -> None:
    titles = [str(table.title) for table in result_tables(finished)]
    assert sum("under stress" in title for title in titles) == 2
    text = markdown(finished)
    assert "| model | clean | missing | noise | swapped | lost |" in text
    assert "- swapped: in a share of the samples audio is another test sample's" in text
    assert "| model | 0 | 0.5 | 1 | 2 | 4 |" in text
    write_csv(finished, tmp_path / "result.csv")
    lines = (tmp_path / "result.csv").read_text().splitlines()
    assert sum("area under" in line for line in lines) == 4 * 3
    plain = replace(finished, stress={}, stress_paired={})
    assert "stress" not in plain.to_dict()
    assert "under stress" not in markdown(plain)
