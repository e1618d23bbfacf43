"""`affuse ablate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SMALL = ("train=24", "valid=12", "test=12", "width=8", "heads=2", "epochs=1", "members=1")


@pytest.mark.slow
def test_every_ablation_is_a_row(affuse, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    settings = [f"--set={setting}" for setting in SMALL]
    done = affuse("ablate", "controlled", "--seeds=1", *settings, f"--json={file}")
    assert done.status == 0, done.err
    rows = json.loads(file.read_text())["ablations"]
    names = [row["name"] for row in rows]
    assert names[0] == "whole"
    assert {"gate=paper", "gate=fixed:text", "granularity=sample"} <= set(names)
    assert all(row["metrics"]["mae"]["mean"] > 0 for row in rows)
    assert all(name in done.out for name in names[:2])


def test_bad_input_is_one_line(affuse, assert_one_line) -> None:
    done = affuse("ablate", "controled")
    assert_one_line(done.status, done.err, ("controled",))
