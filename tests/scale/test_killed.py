"""Processes killed at random moments: after going on, nothing is lost and nothing there twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clip_files import write_clips

parquet = pytest.importorskip("pyarrow.parquet")

_CLIPS, _ROUNDS = 24, 6
_RUN = """
import sys
from affuse.scale import row_keeper
from affuse.cli.main import run
row_keeper._FLUSHED_CLIPS = 3
sys.argv = ["affuse", *sys.argv[1:]]
run()
"""


def _start(clips: Path, tables: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _RUN, "predict", str(clips), "--checkpoint", "sentiment"]
    options = ["--parquet", str(tables), "--out", str(out), "--jobs", "2"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*command, *options], start_new_session=True, **quiet)


def _children(pid: int) -> list[int]:
    """The processes below one, workers and their server."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            cells = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(cells[1]) == pid:
            child = int(place.parent.name)
            found += [child, *_children(child)]
    return found


@pytest.mark.slow
def test_whatever_is_killed_the_rest_goes_on(recording: Path, tmp_path: Path) -> None:
    write_clips(tmp_path / "in", _CLIPS, recording)
    (tmp_path / "in" / "bad.wav").write_bytes(b"no sound")
    tables, out = tmp_path / "tables", tmp_path / "out"
    chance = random.Random(0)
    for number in range(_ROUNDS):
        driver = _start(tmp_path / "in", tables, out)
        time.sleep(chance.uniform(1.0, 6.0))
        if number % 2 and (workers := _children(driver.pid)):
            os.kill(chance.choice(workers), signal.SIGKILL)
            time.sleep(chance.uniform(0.5, 2.0))
        driver.kill()
        driver.wait()
    assert _start(tmp_path / "in", tables, out).wait(300) == 2
    rows = {k: parquet.read_table(tables / k).to_pylist() for k in ("clips", "windows", "errors")}
    files = sorted(str(place) for place in (tmp_path / "in").glob("clip*.wav"))
    assert sorted(row["file"] for row in rows["clips"]) == files
    assert sorted(row["file"] for row in rows["windows"]) == files
    assert [row["file"] for row in rows["errors"]] == [str(tmp_path / "in" / "bad.wav")]
    assert len([p for p in out.iterdir() if p.suffix == ".json"]) == _CLIPS


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_who_is_asked_to_end_writes_what_is_done(recording: Path, tmp_path, jobs: str) -> None:
    write_clips(tmp_path / "in", _CLIPS, recording)
    words = [sys.executable, "-m", "affuse", "predict", str(tmp_path / "in"), "--jobs", jobs]
    words += ["--checkpoint", "sentiment", "--out", str(tmp_path / "out")]
    words += ["--parquet", str(tmp_path / "t")]
    driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while len(list((tmp_path / "out").glob("*.json"))) < 4:
        assert driver.poll() is None
        time.sleep(0.02)
    driver.terminate()
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 143
    assert b"ended by SIGTERM; what is finished is kept" in said
    assert b"Traceback" not in said
    # Not a thousand clips and not a minute, by which rows are written otherwise.
    assert 3 <= len(parquet.read_table(tmp_path / "t" / "clips")) < _CLIPS
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert len(parquet.read_table(tmp_path / "t" / "clips")) == _CLIPS
