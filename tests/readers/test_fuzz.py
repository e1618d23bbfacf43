"""Spoiled files of every format: a few of those of `benchmarks/fuzz_files.py`, and that it sees."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz_files.py"
BAD = ("other_error", "crash", "hang", "executed")

pytest.importorskip("h5py")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the reader is watched in /proc")


def _fuzz(out: Path, *options: str) -> tuple[int, list[dict[str, Any]], str]:
    command = [sys.executable, str(SCRIPT), "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    with out.open(newline="") as lines:
        return done.returncode, list(csv.DictReader(lines)), done.stderr


@pytest.mark.slow
def test_whatever_is_spoiled_there_is_a_corpus_or_one_error(tmp_path: Path) -> None:
    code, rows, said = _fuzz(tmp_path / "found.csv", "--count", "25", "--seed", "5")
    assert code == 0, said
    assert len(rows) == 13
    for row in rows:
        assert {kind: row[kind] for kind in BAD} == dict.fromkeys(BAD, "0"), row["format"]
        assert int(row["read"]) + int(row["refused"]) == 25
        assert float(row["more_memory_mb"]) < 100
    assert sum(int(row["read"]) for row in rows) > 20


@pytest.mark.slow
def test_it_sees_what_pythons_own_reader_runs(tmp_path: Path) -> None:
    options = ("--count", "60", "--only", "programs", "--naive")
    code, rows, _ = _fuzz(tmp_path / "found.csv", *options)
    assert code == 1
    assert int(rows[0]["executed"]) > 0
