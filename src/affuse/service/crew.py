"""Worker processes, which answer one job at a time: what hangs or crashes costs its own alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

from affuse.errors import AffuseError, InputError
from affuse.processes import PlainContext, begin_plain_worker
from affuse.service.job import ClipTask

_PAUSE = 0.1


class Gone(Exception):  # noqa: N818 - no fault of a program
    """A job was given up: it was taken back, or the service stops."""


class Worker(Protocol):
    """Whoever answers jobs."""

    def run(
        self, task: ClipTask, on_share: Callable[[float], None], given_up: threading.Event
    ) -> bytes:
        """The answer to a task.

        Raises:
            AffuseError: there is none, and why.
            Gone: `given_up` was set meanwhile.
        """
        ...

    def stop(self) -> None:
        """End its process."""
        ...


class OwnProcess:
    """A worker in a process of its own, which is started when it is needed, and again if it dies.

    Args:
        seconds: that a job may take, at most.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._process: Any = None
        self._connection: Any = None

    def run(
        self, task: ClipTask, on_share: Callable[[float], None], given_up: threading.Event
    ) -> bytes:
        self._ensure()
        last = time.monotonic() + self._seconds
        try:
            self._connection.send(task)
            while True:
                if given_up.is_set():
                    raise Gone
                if time.monotonic() > last:
                    self.stop()
                    problem = f"took longer than {self._seconds:g} s"
                    raise InputError(problem, remedy="send a shorter part of it")
                if self._connection.poll(_PAUSE):
                    kind, value = self._connection.recv()
                    if kind == "done":
                        return bytes(value)
                    if kind == "failed":
                        raise AffuseError(value)
                    on_share(value)
        except (EOFError, OSError):
            self.stop()
            problem, remedy = "the process that read it ended", "send another form of it, or a part"
            raise InputError(problem, remedy=remedy) from None
        except Gone:
            self.stop()
            raise

    def _ensure(self) -> None:
        if self._process is not None and self._process.is_alive():
            return
        self.stop()
        context = PlainContext()
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
        self._process = self._connection = None


def _work(connection: Connection) -> None:
    begin_plain_worker()
    from affuse.service.answering import answer

    while True:
        task = connection.recv()
        try:
            connection.send(("done", answer(task, lambda share: connection.send(("share", share)))))
        except AffuseError as error:
            connection.send(("failed", str(error)))
