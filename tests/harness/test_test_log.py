"""The log of opened test parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.harness.records import TEST_LOG, log_test_use


def test_checkpoints_are_counted_and_all_openings_kept(tmp_path: Path) -> None:
    assert log_test_use(tmp_path, "a", "1")["count"] == 1
    assert log_test_use(tmp_path, "b", "2")["count"] == 1
    again = log_test_use(tmp_path, "a", "1")
    assert (again["count"], len(again["log"])) == (1, 2)
    other = log_test_use(tmp_path, "a", "3")
    assert (other["count"], len(other["log"])) == (2, 3)
    assert [line["checkpoint"] for line in other["log"]] == ["1", "1", "3"]
    assert len((tmp_path / TEST_LOG).read_text().splitlines()) == 4


@pytest.mark.parametrize("line", ['{"run": "a", "check', "[1]", "null", ""])
def test_a_damaged_line_hides_no_other(tmp_path: Path, line: str) -> None:
    log_test_use(tmp_path, "a", "1")
    with (tmp_path / TEST_LOG).open("a") as log:
        log.write(line + "\n")
    assert log_test_use(tmp_path, "a", "2")["count"] == 2


def test_a_line_that_a_kill_cut_short_spoils_only_itself(tmp_path: Path) -> None:
    (tmp_path / TEST_LOG).write_text('{"run": "a"')
    found = log_test_use(tmp_path, "a", "1")
    assert (found["count"], len(found["log"])) == (1, 1)
    assert json.loads((tmp_path / TEST_LOG).read_text().splitlines()[-1])["checkpoint"] == "1"


def test_without_a_log_nothing_is_opened(tmp_path: Path) -> None:
    (tmp_path / TEST_LOG).mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        log_test_use(tmp_path, "a", "1")
