"""Several machines share a study on a real PostgreSQL server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forked import Forked, typed

from affuse.errors import InputError
from affuse.tuning.run import tune
from affuse.tuning.storage import find_place

TRIALS = 6


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
    place = find_place(postgres.url.replace(postgres.password, "wrong-password"), None)
    with pytest.raises(InputError, match="cannot be used as storage") as refused:
        tune(ask(place=place))
    assert "wrong-password" not in str(refused.value)
    assert "password authentication failed" in str(refused.value)
