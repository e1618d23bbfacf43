"""Several machines share a study on a real PostgreSQL server."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from forked import Forked, typed

from affuse.errors import InputError
from affuse.tuning import storage as storage_module
from affuse.tuning.search import run_search
from affuse.tuning.storage import find_database, open_storage
from affuse.tuning.study import fail_silent, finished, open_study, run_one

TRIALS = 6
pytestmark = pytest.mark.slow


def test_two_commands_share_a_study_and_its_trials_sum_up(postgres, ask, tmp_path: Path) -> None:
    settings = [f"--set={key}={value}" for key, value in ask().settings.items()]
    command = ["tune", "controlled", *settings, "--model=concat", f"--trials={TRIALS}"]
    # Both find an empty database, make its tables and its study.
    machines = [
        Forked(typed(*command, f"--storage={postgres.url}", "--json", f"{name}.json"), tmp_path)
        for name in ("first", "second")
    ]
    for machine in machines:
        ended = machine.wait()
        assert ended.code == 0, ended.err
        assert postgres.password not in ended.output
        assert f"postgresql://{postgres.user}:***@127.0.0.1:{postgres.port}/postgres" in ended.out
    first, second = (
        json.loads((tmp_path / f"{name}.json").read_text())["models"]["concat"]
        for name in ("first", "second")
    )
    assert first == second
    assert len(first["trials"]) == TRIALS
    assert len({trial["number"] for trial in first["trials"]}) == TRIALS
    drawn = [json.dumps(trial["settings"]) for trial in first["trials"]]
    assert len(set(drawn)) == TRIALS
    assert first["untuned"]["number"] == 0


def test_a_server_that_refuses_is_one_line_without_the_password(postgres, ask) -> None:
    database = find_database(postgres.url.replace(postgres.password, "wrong-password"), None)
    with pytest.raises(InputError, match="cannot be used as storage") as refused:
        run_search(ask(database=database))
    assert "wrong-password" not in str(refused.value)
    assert "password authentication failed" in str(refused.value)


def test_a_trial_whose_process_died_is_begun_anew(
    postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_module, "GRACE", 0.2)
    storage = open_storage(find_database(postgres.url, None))
    study = open_study(storage, "dead", direction="minimize", identity={}, preset={"x": 0.5})
    study.ask().suggest_float("x", 0, 1)
    deadline, seen = time.monotonic() + 60, set()
    while [trial.state.name for trial in study.trials] != ["FAIL", "WAITING"]:
        assert time.monotonic() < deadline
        fail_silent(study, seen)
    run_one(study, lambda trial: trial.suggest_float("x", 0, 1), 1)
    assert [(trial.number, trial.value) for trial in finished(study)] == [(1, 0.5)]
