"""One worker of a process pool: the process, and the end of its line that the pool holds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, TypeVar

from affuse.errors import AffuseError, InputError, file_error, first_line
from affuse.processes import begin_plain_worker, one_thread_each

OnSeconds = Callable[[float, float | None], None]
Work = Callable[[Any, OnSeconds], Any]
"""Does a job; it is given what is told the seconds that are done, and of how many."""
Make = Callable[[], Work]

T = TypeVar("T")

_TOLD = 0.1  # seconds between two words on how far a job is
_GONE = 5.0  # seconds that a process which was killed may take to be gone


class Worker(Generic[T]):
    """A process that does jobs, as the pool sees it.

    Attributes:
        ready: it has loaded what it needs.
        doing: the job that it does, as the pool calls it.
        began: when, by `time.monotonic`.
    """

    def __init__(self, make: Make, context: Any) -> None:
        self.connection, theirs = context.Pipe()
        self.ready, self.began = False, 0.0
        self.doing: T | None = None
        self._process = context.Process(target=_serve, args=(make, theirs), daemon=True)
        with one_thread_each():
            self._process.start()
        theirs.close()
        self.pid: int = self._process.pid

    def give(self, doing: T, content: bytes) -> bool:
        """Let it do a job, given as pickled; False where it is gone."""
        try:
            self.connection.send_bytes(content)
        except OSError:
            return False
        self.doing, self.began = doing, time.monotonic()
        return True

    def receive(self) -> tuple[str, Any] | None:
        """What it says; None where it is gone."""
        try:
            message: tuple[str, Any] = self.connection.recv()
        except (EOFError, OSError):
            return None
        return message

    def end(self) -> str:
        """End it, if it has not ended; how it ended, in words."""
        if not self.connection.closed:
            self.connection.close()
            self._process.join(0.2 if self.doing is None else 0)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            self._process.join(_GONE)
            code = self._process.exitcode
        return f"was killed (signal {-code})" if code is not None and code < 0 else "ended"


def megabytes_of(pid: int | None) -> float | None:
    """The memory that a process holds (None: this one); None where that cannot be told."""
    try:
        pages = int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _serve(make: Make, pool: Connection[Any, Any]) -> None:
    """What a worker does until the pool hangs up."""
    begin_plain_worker()
    with suppress(EOFError, OSError):
        try:
            work = make()
        except Exception as error:
            pool.send(("broken", mendable(error, None)))
            return
        pool.send(("ready", None))
        while True:
            pool.send(_done(work, pool.recv(), pool))


def _done(work: Work, job: Any, pool: Connection[Any, Any]) -> tuple[str, Any]:
    told = 0.0

    def on_seconds(done: float, of: float | None) -> None:
        nonlocal told
        if (now := time.monotonic()) - told > _TOLD:
            told = now
            pool.send(("progress", (done, of)))

    try:
        return "done", (work(job, on_seconds), None)
    except Exception as error:
        return "done", (None, mendable(error, job.source))


def mendable(error: Exception, source: str | None) -> AffuseError:
    """The error in a user's terms."""
    if isinstance(error, AffuseError):
        return error
    if isinstance(error, MemoryError):
        return InputError("out of memory", remedy="close other programs", source=source)
    if isinstance(error, OSError):
        return file_error(error, "cannot be read", source or error.filename)
    problem = f"failed by a fault of affuse ({type(error).__name__}: {first_line(error)})"
    return InputError(problem, remedy="report it, and leave it out meanwhile", source=source)
