"""The worker processes that answer jobs: what hangs or crashes costs its own job alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from affuse.errors import AffuseError
from affuse.pool_worker import OnSeconds, Work, megabytes_of
from affuse.process_pool import CancelledJobError, Event, Finished, Limits, ProcessPool
from affuse.service.job import ClipTask, PlayTask

_LOOKS = 0.1
_NICE = 10


class GivenUp(Exception):  # noqa: N818 - no fault of a program
    """A job was given up: it was taken back, or the service stops."""


class Crew:
    """A pool of worker processes, as many jobs at a time as it is asked to run.

    Args:
        count: of processes.
        seconds: that a job may take.
        megabytes: that the process of a job may hold, where that can be watched.
    """

    def __init__(self, count: int, *, seconds: float, megabytes: float | None) -> None:
        self.count = count
        watched = None if megabytes_of(None) is None else megabytes
        self._pool = ProcessPool(
            _work, count, limits=Limits(seconds, watched), preload="affuse.service.answering"
        )

    def run(
        self, task: ClipTask, on_share: Callable[[float], None], given_up: threading.Event
    ) -> bytes:
        """The answer to a task. It may be called from several threads.

        Args:
            on_share: told which share of it is done.
            given_up: set by who wants no answer any more.

        Raises:
            AffuseError: there is none, and why.
            GivenUp: nobody wants it.
        """
        try:
            return bytes(self._result(task, on_share, given_up))
        except AffuseError as error:
            raise AffuseError(_by_its_name(str(error), task)) from None

    def playable(self, task: PlayTask) -> Path:
        """A file of a clip that browsers play.

        Raises:
            AffuseError: there can be none, and why.
        """
        return Path(self._result(task, lambda _: None, threading.Event()))

    def _result(
        self,
        task: ClipTask | PlayTask,
        on_share: Callable[[float], None],
        given_up: threading.Event,
    ) -> Any:
        events: SimpleQueue[Event] = SimpleQueue()
        number = self._pool.submit(task, events.put)
        while True:
            try:
                event = events.get(timeout=_LOOKS)
            except Empty:
                if given_up.is_set():
                    self._pool.cancel(number)
                continue
            if not isinstance(event, Finished):
                on_share(min(event.done / event.of, 1.0) if event.of else 0.0)
            elif isinstance(event.error, CancelledJobError):
                raise GivenUp
            elif event.error is not None:
                raise AffuseError(str(event.error))
            else:
                return event.result

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def _by_its_name(line: str, task: ClipTask) -> str:
    """An error that names files as they were called when they were sent."""
    line = line.replace(str(task.clip), task.request.clip.name)
    if task.transcript is not None and task.request.transcript is not None:
        line = line.replace(str(task.transcript), task.request.transcript.name)
    return line


def _work() -> Work:
    """What a worker does with a task; the usual checkpoints are loaded before the first."""
    from affuse.extract.media.playable import playable
    from affuse.extract.media.segments import Segment
    from affuse.service.answering import answer, prepare

    def work(task: ClipTask | PlayTask, on_seconds: OnSeconds) -> bytes | str:
        if isinstance(task, PlayTask):
            return str(playable(task.clip, Segment(0.0, None), task.folder).path)
        return answer(task, on_seconds)

    # Whoever asks is answered while all cores read clips.
    if hasattr(os, "nice"):
        os.nice(_NICE)
    prepare(None)
    return work
