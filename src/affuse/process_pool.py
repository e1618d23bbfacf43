"""Jobs done by worker processes, where a job that crashes, hangs or eats memory costs itself alone.

One thread manages the workers; whoever submits jobs hears of them on any thread. Workers end with
the process that started them, however it ends.
"""

from __future__ import annotations

import atexit
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol, Self

from affuse.errors import AffuseError, InputError
from affuse.pool_worker import Make, Worker, megabytes_of
from affuse.processes import plain_context


class Job(Protocol):
    """What a worker does; it is sent there, and so can be pickled."""

    @property
    def source(self) -> str:
        """What an error names: a file."""


class Limits(NamedTuple):
    """What a job may take: seconds, and megabytes of the process that does it, all told."""

    seconds: float | None = None
    megabytes: float | None = None


class Progress(NamedTuple):
    """How far a job is: seconds done, and of how many, or None; (0, None) when it begins."""

    number: int
    done: float
    of: float | None


class Finished(NamedTuple):
    """A job's end: what it gave, or why it gave nothing."""

    number: int
    job: Any
    result: Any = None
    error: AffuseError | None = None


class CancelledJobError(InputError):
    """The error of a job that was cancelled."""


Event = Progress | Finished
Tell = Callable[[Event], None]

_LOOKED_AT = 0.1  # seconds between looks at clocks and memory
_STARTS = 3  # workers that may end in a row before they are ready


class ProcessPool:
    """Worker processes that do jobs, each one at a time.

    Args:
        make: called in each worker, returns what does a job: it takes the job and a function that
            it tells the seconds that are done, and of how many.
        count: of workers.
        limits: of each job. A job beyond them is an error, and its worker is replaced.
        tries: a job whose worker is killed or crashes is begun so many times, since the fault may
            lie elsewhere.
        preload: the module that workers need, which is loaded once for all where that is possible.

    Raises:
        InputError: memory cannot be watched on this system.
    """

    def __init__(
        self,
        make: Make,
        count: int,
        *,
        limits: Limits = Limits(),  # noqa: B008 - it cannot change
        tries: int = 2,
        preload: str = "affuse.pool_worker",
    ) -> None:
        if limits.megabytes is not None and megabytes_of(None) is None:
            remedy = "leave the limit out here"
            raise InputError("memory can be watched on Linux alone", remedy=remedy)
        self.count, self.limits = count, limits
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._woken, self._wake = Pipe(duplex=False)
        self._waking, self._numbers, self._open = threading.Lock(), itertools.count(), True
        args = (make, plain_context(preload))
        manager = _Manager(args, count, limits, tries, self._inbox, self._woken)
        self._manager = manager
        self._thread = threading.Thread(target=manager.run, name="affuse-pool", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, job: Job, tell: Tell | None = None) -> int:
        """Have a job done; its number, by which events name it.

        Args:
            tell: called, by the pool's thread, with each event of the job; it must return at once.
                By default `events` has them.
        """
        number = next(self._numbers)
        waiting = _Waiting(
            *(number, job, bytes(ForkingPickler.dumps(job))),
            *(tell or self._events.put, self._manager.tries),
        )
        self._ask(lambda: self._manager.add(waiting))
        return number

    def cancel(self, number: int) -> None:
        """End a job, under way or not, with `CancelledJobError`; one that is done stays done."""
        self._ask(lambda: self._manager.cancel(number))

    def next_event(self, timeout: float | None = None) -> Event:
        """The next event of jobs without a `tell` of their own; `queue.Empty` after `timeout`."""
        return self._events.get(timeout=timeout)

    def run(
        self, jobs: Iterable[Job], *, ahead: int = 2, progress: Tell = lambda _: None
    ) -> Iterator[Finished]:
        """Do jobs, and yield each as it is finished, in any order.

        Args:
            ahead: jobs that are taken from `jobs` before one is free for them, for each worker.
            progress: told how far jobs are.
        """
        waiting, under_way = iter(jobs), 0
        while True:
            for job in itertools.islice(waiting, self.count * (1 + ahead) - under_way):
                self.submit(job)
                under_way += 1
            if not under_way:
                return
            event = self.next_event()
            if isinstance(event, Finished):
                under_way -= 1
                yield event
            else:
                progress(event)

    def processes(self) -> list[int]:
        """The ids of the workers that there are at present."""
        return [w.pid for w in list(self._manager.workers)]

    def close(self) -> None:
        """End the workers, and with them what is under way, untold."""
        if self._open:
            self._open = False
            self._ask(self._manager.end)
            self._thread.join()
            self._wake.close()
            atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, command: Callable[[], None]) -> None:
        with self._waking:
            self._inbox.put(command)
            self._wake.send_bytes(b".")


class _Waiting(NamedTuple):
    number: int
    job: Job
    content: bytes  # the job, pickled
    tell: Tell
    tries: int


class _Manager:
    """What the pool's thread does; nobody else calls it, but through the inbox."""

    def __init__(
        self,
        args: tuple[Make, Any],
        count: int,
        limits: Limits,
        tries: int,
        inbox: SimpleQueue[Callable[[], None]],
        woken: Connection[Any, Any],
    ) -> None:
        self._args, self._count, self._limits = args, count, limits
        self.tries, self._inbox, self._woken = tries, inbox, woken
        self.workers: list[Worker[_Waiting]] = []
        self._waiting: deque[_Waiting] = deque()
        self._failed_starts, self._running = 0, True
        self._broken: AffuseError | None = None

    def run(self) -> None:
        while self._running:
            self._start_missing()
            self._assign()
            timed = any(w.doing is not None for w in self.workers) and any(self._limits)
            heard = wait(
                [self._woken, *(w.connection for w in self.workers)],
                timeout=_LOOKED_AT if timed else None,
            )
            if self._woken in heard:
                self._woken.recv_bytes()
                self._inbox.get()()
            for worker in [w for w in self.workers if w.connection in heard]:
                self._hear(worker)
            if timed:
                self._look()
        for worker in self.workers:
            worker.end()
        self._woken.close()

    def add(self, waiting: _Waiting) -> None:
        if self._broken is not None:
            waiting.tell(Finished(waiting.number, waiting.job, error=self._broken))
        else:
            self._waiting.append(waiting)

    def cancel(self, number: int) -> None:
        for worker in self.workers:
            if worker.doing is not None and worker.doing.number == number:
                self._give_up(worker, _cancelled(worker.doing))
                return
        for waiting in self._waiting:
            if waiting.number == number:
                self._waiting.remove(waiting)
                waiting.tell(Finished(number, waiting.job, error=_cancelled(waiting)))
                return

    def end(self) -> None:
        self._running = False

    def _start_missing(self) -> None:
        while self._broken is None and len(self.workers) < self._count:
            self.workers.append(Worker(*self._args))

    def _assign(self) -> None:
        for worker in self.workers:
            if self._waiting and worker.ready and worker.doing is None:
                waiting = self._waiting.popleft()
                if worker.give(waiting, waiting.content):
                    waiting.tell(Progress(waiting.number, 0.0, None))
                else:
                    self._waiting.appendleft(waiting)  # it is gone, of which we shall hear

    def _hear(self, worker: Worker[_Waiting]) -> None:
        message = worker.receive()
        if message is None:
            self._lose(worker)
        elif message[0] == "ready":
            worker.ready, self._failed_starts = True, 0
            self._require_room(worker)
        elif message[0] == "broken":
            self._break(message[1])
        elif message[0] == "progress" and worker.doing is not None:
            worker.doing.tell(Progress(worker.doing.number, *message[1]))
        elif worker.doing is not None:
            doing, worker.doing = worker.doing, None
            doing.tell(Finished(doing.number, doing.job, *message[1]))

    def _look(self) -> None:
        """End the jobs that have had their time, or hold more than their memory."""
        now, (seconds, megabytes) = time.monotonic(), self._limits
        for worker in [w for w in self.workers if w.doing is not None]:
            source = worker.doing.job.source if worker.doing else ""
            if seconds is not None and now - worker.began > seconds:
                problem, remedy = f"took more than {seconds:g} s", "raise its limit or leave it out"
                self._give_up(worker, InputError(problem, remedy=remedy, source=source))
            elif megabytes is not None and (megabytes_of(worker.pid) or 0.0) > megabytes:
                problem = f"took more than {megabytes:g} MB of memory"
                remedy = "raise its limit or leave it out"
                self._retry(worker, InputError(problem, remedy=remedy, source=source))

    def _lose(self, worker: Worker[_Waiting]) -> None:
        """A worker is gone, with or without a job."""
        how = worker.end()
        if worker.doing is not None:
            problem = f"the process that read it {how}, by its content or for want of memory"
            error = InputError(
                problem, remedy="mend it or leave it out", source=worker.doing.job.source
            )
            self._retry(worker, error)
            return
        self.workers.remove(worker)
        if not worker.ready:
            self._failed_starts += 1
        if self._failed_starts >= _STARTS:
            problem = f"workers do not start: the last {how}"
            remedy = "repeat with fewer jobs; what is finished is kept"
            self._break(InputError(problem, remedy=remedy))

    def _retry(self, worker: Worker[_Waiting], error: AffuseError) -> None:
        doing = worker.doing
        if doing is None or doing.tries <= 1:
            self._give_up(worker, error)
            return
        self._remove(worker)
        self._waiting.appendleft(doing._replace(tries=doing.tries - 1))

    def _give_up(self, worker: Worker[_Waiting], error: AffuseError) -> None:
        self._remove(worker)
        if (doing := worker.doing) is not None:
            doing.tell(Finished(doing.number, doing.job, error=error))

    def _remove(self, worker: Worker[_Waiting]) -> None:
        self.workers.remove(worker)
        worker.end()

    def _require_room(self, worker: Worker[_Waiting]) -> None:
        limit, taken = self._limits.megabytes, megabytes_of(worker.pid)
        if limit is not None and taken is not None and taken >= limit:
            problem = f"{limit:g} MB of memory, of which models alone take {taken:.0f}"
            self._break(InputError(problem, remedy="allow more"))

    def _break(self, error: AffuseError) -> None:
        """Nothing can be done: that is the answer to all jobs."""
        self._broken = error
        for worker in list(self.workers):
            self._give_up(worker, error)
        while self._waiting:
            waiting = self._waiting.popleft()
            waiting.tell(Finished(waiting.number, waiting.job, error=error))


def _cancelled(waiting: _Waiting) -> CancelledJobError:
    return CancelledJobError("was cancelled", remedy="ask for it again", source=waiting.job.source)
