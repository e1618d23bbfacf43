"""Benchmarks and searches by two nodes of a Ray cluster: what processes of one machine give."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import affuse
from affuse.errors import InputError
from affuse.harness.request import Request
from affuse.harness.run import run_benchmark
from affuse.scale import ray_cluster
from affuse.scale.ray_grids import RayGrid

SIZES = {"train": 24, "valid": 12, "test": 12}
SETTINGS = {**SIZES, "epochs": 2, "width": 8, "heads": 2, "members": 1}
# With the single modalities, 6 models: 24 runs.
REQUEST = Request(
    "controlled",
    models=("concat", "hct_mg", "tfn"),
    seeds=4,
    settings=SETTINGS,
    jobs=2,
    command="affuse benchmark controlled",
)
RUNS = 24


@pytest.fixture(autouse=True, scope="module")
def _which_samples_are_hard_is_not_tested(quick_probes: None) -> None:
    """In every test of this file."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same benchmark by processes of this machine."""
    folder: Path = tmp_path_factory.mktemp("here")
    run_benchmark(REQUEST, folder)
    return folder


def _kept(folder: Path) -> dict[str, Any]:
    """All that a results folder holds, but for times of the clock."""
    found: dict[str, Any] = {"table": (folder / "table.json").read_bytes()}
    for place in sorted((folder / "runs").glob("*.json")):
        record = json.loads(place.read_text())
        del record["seconds"], record["test_opened"]["log"]
        found[place.name] = record
    return found


@pytest.mark.slow
def test_two_nodes_give_the_table_of_processes_though_one_is_killed(
    two_nodes: Any, here: Path, tmp_path: Path
) -> None:
    told: list[tuple[int, int, str]] = []

    def on_work(done: int, total: int, latest: str) -> None:
        if total and done > total // 3 and not any(done > total // 3 for done, *_ in told):
            two_nodes.kill_one()
        if total:
            told.append((done, total, latest))

    run_jobs = RayGrid(address=two_nodes.address).runs
    result, records = run_benchmark(REQUEST, tmp_path / "there", on_work, run_jobs=run_jobs)
    assert result.to_json() == run_benchmark(REQUEST, here)[0].to_json()
    assert _kept(tmp_path / "there") == _kept(here)
    assert len(records) == RUNS
    assert told[-1][0] == told[-1][1]
    assert {record["test_opened"]["count"] for record in records} == {1}
    assert [p for p in (tmp_path / "there" / "runs").iterdir() if p.is_dir()] == []


@pytest.mark.slow
def test_a_search_by_two_nodes_finds_what_processes_find(two_nodes: Any, tmp_path: Path) -> None:
    asked = {"trials": 3, "progress": False, "settings": {**SIZES, "epochs": 2, "heads": 2}}
    ray = {"engine": "ray", "address": two_nodes.address}
    ways = {"here": {"jobs": 1}, "there": {"jobs": 1, **ray}, "both": ray}
    found = {
        name: affuse.tune("controlled", "concat", storage=tmp_path / f"{name}.db", **asked, **way)
        for name, way in ways.items()
    }
    said = {
        name: [{**row, "seconds": None} for row in one.to_records()] for name, one in found.items()
    }
    assert said["there"] == said["here"]
    assert len(said["both"]) == 3


@pytest.mark.slow
def test_an_interrupt_ends_it_cleanly_and_it_goes_on(two_nodes: Any, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "affuse", "benchmark", "controlled", "--seeds", "2"]
    words += [f"--set={key}={value}" for key, value in {**SETTINGS, "epochs": 30}.items()]
    words += ["--models", "concat", "--no-singles", "--out", str(tmp_path / "out")]
    words += ["--engine", "ray", "--address", two_nodes.address]
    begun = subprocess.Popen(
        words, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=_as_at_a_terminal
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out").glob("runs/*/run.json")):
        assert begun.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(begun.pid, signal.SIGINT)
    _, said = begun.communicate(timeout=60)
    assert begun.returncode != 0
    assert b"Traceback" not in said
    time.sleep(2)
    assert _orphans(tmp_path / "out") == []
    assert subprocess.run(words, timeout=200, check=False).returncode == 0


def _as_at_a_terminal() -> None:
    """A shell's background job ignores interrupts, and what it starts would too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _orphans(folder: Path) -> list[str]:
    """Processes whose command names a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words:
            found.append(words.decode())
    return found


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: affuse.benchmark("controlled", engine="rey"), "unknown engine 'rey'"),
        (lambda: affuse.tune("controlled", address="h:1"), "--address without a cluster"),
    ],
)
def test_what_cannot_be_spread_is_told(call: Callable[[], object], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        call()


def test_the_extra_is_named_where_ray_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for call in (affuse.benchmark, affuse.tune):
        with pytest.raises(InputError, match=r"'ray' is not installed; pip install 'affuse\[ray\]"):
            call("controlled", engine="ray")
    assert ray_cluster.ENGINES == ("local", "ray")
