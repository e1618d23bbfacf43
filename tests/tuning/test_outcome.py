"""What is said of a study: its best, the untuned one, what mattered, and the settings file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from rich.console import Console

from affuse.errors import InputError
from affuse.report.command_tables import tuning_table
from affuse.tuning.outcome import MIN_FOR_IMPORTANCE, StudyResult, TuningResult

IDENTITY = {
    "affuse": "0",
    "code": {"model": "c0de", "training": "c0de"},
    "corpus": "controlled",
    "fingerprint": "f00d",
    "fold": 0,
    "metric": "mae",
    "seed": 3,
    "settings": {},
    "space": {},
}


def study_of(values: list[float | None], direction: str = "minimize") -> optuna.Study:
    """Trials with `x` equal to their value and a `y` that does not matter; None was pruned."""
    study = optuna.create_study(direction=direction, study_name="s/mfn")
    study.set_user_attr("identity", IDENTITY)
    for number, value in enumerate(values):
        x = 0.5 if value is None else value
        study.add_trial(
            create_trial(
                params={"x": x, "y": (7 * number % 10) / 10},
                distributions={"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)},
                value=value,
                state=TrialState.PRUNED if value is None else TrialState.COMPLETE,
                user_attrs={
                    "parameters": 1000 + number,
                    **({"preset": True} if not number else {}),
                },
            )
        )
    return study


def text_of(tuned: StudyResult) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(tuning_table(tuned, "mae"))
    return out.getvalue()


def test_the_best_trials_stand_beside_the_untuned_one() -> None:
    tuned = StudyResult.read("mfn", study_of([0.9, 0.2, None, 0.4, 0.3, 0.8, 0.7]))
    assert [trial.value for trial in tuned.ranked] == [0.2, 0.3, 0.4, 0.7, 0.8, 0.9]
    assert tuned.preset is tuned.ranked[-1]
    text = text_of(tuned)
    assert "mfn: 7 trials, 1 of them pruned" in text
    row = next(line for line in text.splitlines() if "validation mae" in line)
    assert [float(cell) for cell in row.split("│")[2:-2]] == [0.2, 0.3, 0.4, 0.7, 0.9]
    assert "0 (untuned)" in text
    assert "1,001" in text
    content = tuned.to_dict()
    assert content["best"]["value"] == 0.2
    assert content["untuned"]["number"] == 0
    assert [t["state"] for t in content["trials"]].count("pruned") == 1


def test_where_more_is_better_the_best_is_the_highest() -> None:
    tuned = StudyResult.read("mfn", study_of([0.5, 0.9, 0.9, 0.1], "maximize"))
    assert (tuned.best.number, tuned.best.value) == (1, 0.9)


def test_an_untuned_model_that_was_not_finished_is_not_shown() -> None:
    tuned = StudyResult.read("mfn", study_of([None, 0.2]))
    assert tuned.preset is None
    assert tuned.to_dict()["untuned"] is None
    assert "untuned" not in text_of(tuned)


def test_what_matters_is_found_from_enough_trials() -> None:
    values: list[float | None] = [(3 * k % 20) / 20 for k in range(20)]
    found = StudyResult.read("mfn", study_of(values)).importances
    assert found["x"] > 2 * found["y"]
    assert sum(found.values()) == pytest.approx(1)
    few: list[float | None] = [*values[: MIN_FOR_IMPORTANCE - 1], None, None]
    assert StudyResult.read("mfn", study_of(few)).importances == {}
    # Where all are equal there is nothing to tell.
    assert set(StudyResult.read("mfn", study_of([0.5] * 12)).importances) <= {"x", "y"}


def test_a_study_without_a_complete_trial_is_refused() -> None:
    with pytest.raises(InputError, match=r"no trial of mfn came to an end \(all were pruned\)"):
        StudyResult.read("mfn", study_of([None, None]))


def test_the_file_holds_what_was_fixed_and_what_was_found(ask, tmp_path: Path) -> None:
    fixed: dict[str, Any] = {"train": 24, "epochs": 2, "mfn.hidden": 8, "concat.width": 16}
    tuned = StudyResult.read("mfn", study_of([0.9, 0.2]))
    tuning = TuningResult(ask(models=("mfn",), settings=fixed, seed=3), "mae", [tuned])
    out = tmp_path / "tuned.yaml"
    tuning.write_yaml(out)
    origin = {"corpus": "controlled", "fingerprint": "f00d", "folds": 1}
    expected = {
        "tuned": origin,
        "train": 24,
        "mfn.epochs": 2,
        "mfn.hidden": 8,
        "mfn.x": 0.2,
        "mfn.y": 0.7,
    }
    assert yaml.safe_load(out.read_text()) == expected
    assert "# mfn: mae 0.2000, untuned 0.9000; 2 trials, seed 3." in out.read_text()
