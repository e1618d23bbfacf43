"""Runs in parallel, each in a process of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

from affuse.benchmark.job import Answered, run_in_process
from affuse.benchmark.request import Job, Request
from affuse.errors import InputError
from affuse.processes import worker_context

RUNS_IN = run_in_process.__module__
"""What the processes of runs load first."""

WAIT_SECONDS = 0.5
"""Without news from any run, that nothing has happened is told this often."""


def run_all(
    request: Request, jobs: Sequence[Job], content: str, runs: Path
) -> Generator[tuple[Job, int | Answered] | None]:
    """Yield what runs tell: how many epochs more are done, or their answers; None now and then.

    Whoever stops listening ends the runs that are under way; they go on from their last epoch when
    they are asked for again.

    Args:
        content: what the corpus holds; a run that reads another is an error.
        runs: the folder in which each has its own.

    Raises:
        InputError: a process was killed.
        Exception: whatever went wrong in a run.
    """
    context, waiting = worker_context(RUNS_IN), deque(jobs)
    running: dict[Connection, tuple[Job, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < request.jobs:
                job = waiting.popleft()
                ours, theirs = context.Pipe(duplex=False)
                arguments = (request, job, content, runs / job.name, theirs)
                process = context.Process(target=run_in_process, args=arguments)
                process.start()
                theirs.close()
                running[ours] = job, process
            heard = wait(list(running), timeout=WAIT_SECONDS)
            if not heard:
                yield None
            for connection in cast("list[Connection]", heard):
                job, process = running[connection]
                message = _receive(connection)
                if isinstance(message, Answered):
                    process.join()
                    del running[connection]
                    connection.close()
                yield job, message
    finally:
        for _, process in running.values():
            process.kill()
        for connection, (_, process) in running.items():
            process.join()
            connection.close()


def _receive(connection: Connection) -> int | Answered:
    try:
        message = connection.recv()
    except (EOFError, OSError):
        raise InputError(
            "a worker process was killed, perhaps for want of memory",
            remedy="repeat with fewer --jobs; what is finished is kept",
        ) from None
    if isinstance(message, Exception):
        raise message
    assert isinstance(message, int | Answered)
    return message
