"""Processes that work together: what they come to, and that they end with whoever asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from team_work import add_up, go_on_for_ever, go_wrong

from affuse.errors import InputError
from affuse.training.compute import Compute
from affuse.training.team import run_team

pytestmark = pytest.mark.slow


def _cpu(devices: int) -> Compute:
    return Compute(accelerator="cpu", devices=devices)


@pytest.mark.parametrize("counts", [[2, 1], [1, 0, 0]])
def test_rows_of_all_come_together(counts: list[int]) -> None:
    told: list[Any] = []
    found = run_team(add_up, counts, _cpu(len(counts)), lambda *said: told.append(said))
    assert found == [float(n) for n in range(sum(counts))]
    assert told == [("rows", sum(counts))]


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ("killed", InputError, "a training process was killed; with --resume"),
        ("refused", InputError, "a file is bad; mend it"),
        ("mistaken", ValueError, "a mistake"),
    ],
)
def test_what_went_wrong_in_one_is_told_and_not_that_others_waited(
    how: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        run_team(go_wrong, how, _cpu(2), lambda *_: None)


def test_all_end_where_whoever_hears_has_heard_enough() -> None:
    class EnoughError(Exception):
        pass

    heard: list[int] = []

    def hear(process: int) -> None:
        heard.append(process)
        if len(heard) == 3:
            raise EnoughError

    with pytest.raises(EnoughError):
        run_team(go_on_for_ever, None, _cpu(2), hear)
    assert heard[0] != os.getpid()
    assert not Path(f"/proc/{heard[0]}").exists()
