"""A pool of processes: each job's fault is its own, and no process outlives its driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty

import pytest
from pool_jobs import Order, die_early, make, make_nothing

from affuse.process_pool import CancelledJobError, Finished, Limits, ProcessPool, Progress

HELPERS = Path(__file__).parent / "helpers"


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    with ProcessPool(make, 2, limits=Limits(seconds=1.0), tries=1) as pool:
        yield pool


def _end_of(pool: ProcessPool, order: Order) -> Finished:
    (finished,) = pool.run([order])
    return finished


def test_jobs_are_done_and_their_faults_are_their_own(pool: ProcessPool) -> None:
    orders = [Order("square", n) for n in range(20)]
    bad = ("crash", "end", "refuse", "fail")
    found = list(pool.run([*orders[:10], *(Order(what, "it is odd") for what in bad), *orders]))
    assert len(found) == 34
    assert sorted(f.result for f in found if f.error is None) == sorted(
        n**2 for n in (*range(10), *range(20))
    )
    told = {f.job.what: str(f.error) for f in found if f.error is not None}
    assert "was killed (signal 11)" in told["crash"]
    assert "clip.mp4: the process that read it ended" in told["end"]
    assert told["refuse"] == "clip.mp4: it is odd; mend it"
    assert "by a fault of affuse (ValueError: it is odd)" in told["fail"]


def test_a_job_that_hangs_is_ended(pool: ProcessPool) -> None:
    assert str(_end_of(pool, Order("sleep", 99)).error).startswith("clip.mp4: took more than 1 s; ")
    assert _end_of(pool, Order("square", 3)).result == 9


def test_a_job_that_holds_too_much_is_ended() -> None:
    with ProcessPool(make, 1, limits=Limits(megabytes=700), tries=1) as pool:
        assert "clip.mp4: took more than 700 MB of memory; " in str(
            _end_of(pool, Order("hold", 1200)).error
        )
        assert _end_of(pool, Order("square", 3)).result == 9


def test_jobs_are_cancelled_under_way_and_before(pool: ProcessPool) -> None:
    numbers = [pool.submit(Order("sleep", 0.8)) for _ in range(3)]
    assert isinstance(pool.next_event(5), Progress)
    pool.cancel(numbers[2])
    pool.cancel(numbers[0])
    ends: dict[int, Finished] = {}
    while len(ends) < 3:
        event = pool.next_event(5)
        if isinstance(event, Finished):
            ends[event.number] = event
    assert [type(ends[n].error) for n in numbers] == [
        CancelledJobError,
        type(None),
        CancelledJobError,
    ]
    pool.cancel(numbers[1])
    with pytest.raises(Empty):
        pool.next_event(0.05)


def test_progress_and_ends_go_to_whom_a_job_names(pool: ProcessPool) -> None:
    told: list[object] = []
    number = pool.submit(Order("sleep", 0.0), tell=told.append)
    while not any(isinstance(event, Finished) for event in told):
        time.sleep(0.01)
    assert told[:2] == [Progress(number, 0.0, None), Progress(number, 1.0, 2.0)]
    assert _end_of(pool, Order("environment", "OMP_NUM_THREADS")).result == "1"


def test_a_job_whose_worker_is_killed_is_done_again(tmp_path: Path) -> None:
    with ProcessPool(make, 1) as pool:
        assert _end_of(pool, Order("crash once", str(tmp_path / "seen"))).result == "second"
        assert "signal 11" in str(_end_of(pool, Order("crash")).error)


@pytest.mark.parametrize(
    ("broken", "problem"), [(make_nothing, "no such checkpoint"), (die_early, "do not start")]
)
def test_workers_that_cannot_begin_are_the_error_of_each_job(broken, problem) -> None:
    with ProcessPool(broken, 2) as pool:
        found = list(pool.run([Order("square", n) for n in range(3)]))
    assert all(problem in str(finished.error) for finished in found)


def test_a_limit_below_what_models_take_is_told() -> None:
    with ProcessPool(make, 1, limits=Limits(megabytes=1)) as pool:
        assert "1 MB of memory, of which models alone" in str(
            _end_of(pool, Order("square", 1)).error
        )


_DRIVER = """
import sys
sys.path.insert(0, {helpers!r})
from affuse.process_pool import ProcessPool
from pool_jobs import Order, make
pool = ProcessPool(make, 2)
for n in range(2):
    pool.submit(Order("sleep", 99))
for n in range(2):
    pool.next_event()
print(*pool.processes(), flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["pool.next_event(); pool.next_event(); pool.next_event()", ""])
def test_nothing_outlives_the_driver(end: str) -> None:
    code = _DRIVER.format(helpers=str(HELPERS), end=end)
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    workers = [int(pid) for pid in driver.stdout.readline().split()]
    assert len(workers) == 2
    if end:
        driver.kill()
    driver.wait(10)
    driver.stdout.close()
    _soon(lambda: not any(_lives(pid) for pid in workers))


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def _soon(holds: Callable[[], bool]) -> None:
    for _ in range(100):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it does not come to hold")


def test_a_worker_killed_from_outside_is_replaced() -> None:
    with ProcessPool(make, 1) as pool:
        assert _end_of(pool, Order("square", 2)).result == 4
        (before,) = pool.processes()
        os.kill(before, signal.SIGKILL)
        assert _end_of(pool, Order("square", 3)).result == 9
        assert pool.processes() != [before]
