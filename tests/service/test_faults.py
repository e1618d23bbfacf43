"""Processes that are killed, crash or hang: every job ends, and once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from asking import Asking
from media_files import tone, write_media
from services import Running, started

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("AFFUSE_KILLS", "3"))


class Command:
    """`affuse serve` as a process of its own."""

    def __init__(self, data: Path) -> None:
        words = ["-m", "affuse", "serve", "--port", "0", "--data", str(data), "--workers", "2"]
        self.process = subprocess.Popen(
            [sys.executable, *words], stderr=subprocess.PIPE, text=True, bufsize=1
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        self.ask = Asking(line.split()[5].rstrip(";"))
        self.answers()

    def answers(self) -> None:
        """Wait until it does."""
        last = time.monotonic() + 30
        while time.monotonic() < last:
            try:
                assert self.ask("/healthz").status == 200
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("it does not answer")

    def works(self) -> None:
        """Wait until a job is in a worker's hands."""
        last = time.monotonic() + 60
        while not any(job["state"] == "running" for job in self.ask("/v1/jobs").json["jobs"]):
            assert time.monotonic() < last, "no job is begun"
            time.sleep(0.01)

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


def test_killed_amid_jobs_it_ends_each_once(tmp_path) -> None:
    clip = write_media(tmp_path / "tone.wav", (), tone(3.0))
    one = Command(tmp_path / "data")
    jobs = [one.ask.send(clip).json["id"] for _ in range(20)]
    for kill in range(KILLS):
        one.works()
        time.sleep(0.02 * (kill % 3))
        one.end(signal.SIGKILL)
        one = Command(tmp_path / "data")
    states = {job: one.ask.ended(job, 120) for job in jobs}
    assert {state["state"] for state in states.values()} == {"done"}
    assert len(one.ask("/v1/jobs").json["jobs"]) == 20
    assert one.end(signal.SIGTERM) in (0, -signal.SIGTERM)
    with sqlite3.connect(tmp_path / "data" / "jobs.sqlite") as database:
        endings = database.execute("SELECT endings, starts FROM jobs").fetchall()
    assert {ended for ended, _ in endings} == {1}
    assert any(starts > 1 for _, starts in endings)


@pytest.fixture
def one(tmp_path) -> Any:
    running = started(tmp_path / "data", workers=2, job_seconds=8)
    yield running
    running.stop()


def _busy(one: Running, job: str) -> None:
    last = time.monotonic() + 60
    while one.ask(f"/v1/jobs/{job}").json["progress"] == 0:
        assert time.monotonic() < last
        time.sleep(0.05)


def test_a_worker_that_is_killed_costs_no_other_job(one, tmp_path) -> None:
    long = write_media(tmp_path / "long.wav", (), tone(200.0))
    short = write_media(tmp_path / "short.wav", (), tone(2.0))
    first = one.ask.send(long).json["id"]
    _busy(one, first)
    others = [one.ask.send(short).json["id"] for _ in range(3)]
    for pid in one.service.office._crew._pool.processes():
        os.kill(pid, signal.SIGKILL)
    assert {one.ask.ended(job)["state"] for job in others} == {"done"}
    assert one.ask.ended(first)["state"] in ("done", "failed")


def test_a_worker_that_hangs_costs_its_own_job_alone(one, tmp_path) -> None:
    long = write_media(tmp_path / "long.wav", (), tone(200.0))
    short = write_media(tmp_path / "short.wav", (), tone(2.0))
    hung = one.ask.send(long).json["id"]
    _busy(one, hung)
    for pid in one.service.office._crew._pool.processes():
        os.kill(pid, signal.SIGSTOP)
    other = one.ask.send(short).json["id"]
    state = one.ask.ended(hung, 60)
    assert state["state"] == "failed"
    assert state["error"].startswith("long.wav: took more than 8 s")
    assert one.ask.ended(other, 60)["state"] in ("done", "failed")
    assert one.ask.ended(one.ask.send(short).json["id"], 60)["state"] == "done"
