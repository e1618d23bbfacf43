"""Tasks done by actors of a Ray cluster; what is lost with an actor or a node is done by another.

An actor holds what does tasks, one at a time, and tells how far it is. It works where this process
does, by the same settings of the environment, where its machine has the folder.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

from affuse.errors import AffuseError, InputError
from affuse.pool_worker import mendable
from affuse.processes import WorkerKilledError
from affuse.progress import say
from affuse.scale.ray_cluster import room_of

Work = Callable[[Any], Generator[Any, None, Any]]
"""Does a task: it yields what is to be told on the way, and returns what came of it."""

# A task is lost with so many actors, and then given up.
TRIES = 3
_PATIENT = 30.0  # seconds without any actor, after which a line says so
_STARTS = 3  # actors that may end in a row before they are there
_OURS = "AFFUSE_"


class Told(NamedTuple):
    """What a task tells on the way."""

    task: Any
    news: Any


class Begun(NamedTuple):
    """A task that was lost, and is begun anew."""

    task: Any


class Done(NamedTuple):
    """A task's end: what came of it, or why nothing did."""

    task: Any
    result: Any = None
    error: AffuseError | None = None


Event = Told | Begun | Done


class _Message(NamedTuple):
    """What an actor says of the task that it does."""

    kind: str  # told, done, failed or lost
    content: Any


class _Actor:
    """What an actor is."""

    def __init__(self, make: Callable[[], Work], folder: str, ours: Mapping[str, str]) -> None:
        os.environ.update(ours)
        with suppress(OSError):
            os.chdir(folder)
        self._wrong: AffuseError | None = None
        try:
            self._work = make()
        except Exception as error:
            self._wrong = mendable(error, None)

    def ready(self) -> AffuseError | None:
        """Why it can do nothing, if so."""
        return self._wrong

    def do(self, task: Any) -> Iterator[_Message]:
        work = self._work(task)
        try:
            while True:
                yield _Message("told", next(work))
        except StopIteration as end:
            yield _Message("done", end.value)
        except WorkerKilledError as error:
            yield _Message("lost", error)
        except Exception as error:
            yield _Message("failed", mendable(error, None))


class _Given(NamedTuple):
    task: Any
    tries: int  # that are left
    since: float = 0.0  # by `time.monotonic`, from when on it may be given again


@dataclass(eq=False)
class _Slot:
    """An actor, with what it was given."""

    actor: Any
    starting: Any  # the reference that comes when it is there
    ready: bool = False
    doing: dict[Any, _Given] = field(default_factory=dict)  # by what its messages come from


class Actors:
    """Actors that do tasks, on a cluster that is joined.

    Args:
        make: called in each actor, returns what does a task. It is sent there, as tasks are.
        count: of actors; by default one for each core of the cluster, or GPU where each needs one.
        most: actors that there is work for.
        ahead: tasks that wait beside an actor while it does another.
        pause: seconds before a lost task is begun anew, in which what did it may still end.
        needs: of an actor, as Ray's `options` take it; by default a core.
    """

    def __init__(
        self,
        ray: Any,
        make: Callable[[], Work],
        count: int | None = None,
        *,
        most: int | None = None,
        ahead: int = 0,
        pause: float = 0.0,
        needs: Mapping[str, Any] | None = None,
    ) -> None:
        self._ray, self._ahead, self._pause = ray, ahead, pause
        ours = {key: value for key, value in os.environ.items() if key.startswith(_OURS)}
        # Where what is relative starts from.
        self._arguments = (make, str(Path.cwd()), ours)
        options = {"num_cpus": 1, **(needs or {}), "max_restarts": 0, "max_task_retries": 0}
        self._kind = ray.remote(**options)(_Actor)
        self._again: deque[_Given] = deque()
        self._failed_starts = 0
        wanted = count or room_of(ray, options)
        self.count = wanted if most is None else min(wanted, most)
        self._slots = [self._new_slot() for _ in range(self.count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for slot in self._slots if self._ray.is_initialized() else ():
            self._ray.kill(slot.actor)

    def run(self, tasks: Iterable[Any], *, every: float | None = None) -> Generator[Event | None]:
        """Do tasks, and yield what becomes of each; no more are taken than there are actors for.

        Args:
            every: seconds after which None is yielded where nothing has happened.

        Raises:
            InputError: an actor does not start.
        """
        waiting, more, patient = iter(tasks), True, _Patience()
        while True:
            more = self._give(waiting) and more
            if not (more or self._again or any(slot.doing for slot in self._slots)):
                return
            heard = self._heard(every)
            patient.look(any(slot.ready for slot in self._slots))
            if not heard:
                yield None
            for slot in list(self._slots):
                for source in heard:
                    if source is slot.starting and not slot.ready:
                        self._start(slot)
                    elif source in slot.doing:
                        yield from self._hear(slot, source)

    def _heard(self, every: float | None) -> list[Any]:
        """Of what has news, one at least; none after some seconds."""
        sources = [s for slot in self._slots for s in (*slot.doing, *_starting(slot))]
        idle = any(slot.ready and not slot.doing for slot in self._slots)
        pauses = [max(0.05, g.since - time.monotonic()) for g in self._again if idle]
        pauses += [] if every is None else [every]
        pauses += [] if any(slot.ready for slot in self._slots) else [_PATIENT / 10]
        timeout = min(pauses, default=None)
        found: list[Any] = self._ray.wait(sources, num_returns=1, timeout=timeout)[0]
        return found

    def _give(self, waiting: Iterator[Any]) -> bool:
        """Give tasks to actors, one to each before any has two; whether there may be more."""
        for depth in range(1 + self._ahead):
            for slot in self._slots:
                if not slot.ready or len(slot.doing) > depth:
                    continue
                given = self._next(waiting)
                if given is None:
                    return bool(self._again)
                messages = slot.actor.do.options(num_returns="streaming").remote(given.task)
                slot.doing[messages] = given
        return True

    def _next(self, waiting: Iterator[Any]) -> _Given | None:
        now = time.monotonic()
        if self._again and self._again[0].since <= now:
            return self._again.popleft()
        for task in waiting:
            return _Given(task, TRIES)
        return None

    def _start(self, slot: _Slot) -> None:
        try:
            wrong = self._ray.get(slot.starting)
        except Exception as error:
            self._failed_starts += 1
            # Its node may be gone before it was there; what it is made of may be no good anywhere.
            if self._failed_starts >= _STARTS or getattr(error, "actor_init_failed", False):
                raise _no_start(error) from None
            self._replace(slot)
            return
        if wrong is not None:
            raise wrong
        slot.ready, self._failed_starts = True, 0

    def _hear(self, slot: _Slot, messages: Any) -> Iterator[Event]:
        given = slot.doing[messages]
        try:
            message: _Message = self._ray.get(next(messages))
        except (self._ray.exceptions.RayError, StopIteration) as error:
            del slot.doing[messages]
            yield self._lost(given, f"{type(error).__name__}")
            self._replace(slot)
            return
        if message.kind == "told":
            yield Told(given.task, message.content)
            return
        del slot.doing[messages]
        if message.kind == "done":
            yield Done(given.task, message.content)
        elif message.kind == "lost":
            yield self._lost(given, "its process was killed")
        else:
            yield Done(given.task, error=message.content)

    def _lost(self, given: _Given, how: str) -> Event:
        if given.tries <= 1:
            problem = f"was lost with {TRIES} processes of Ray ({how})"
            source = getattr(given.task, "source", getattr(given.task, "name", None))
            remedy = "mend it or leave it out, or give it more memory"
            return Done(given.task, error=InputError(problem, remedy=remedy, source=source))
        self._again.append(
            given._replace(tries=given.tries - 1, since=time.monotonic() + self._pause)
        )
        return Begun(given.task)

    def _replace(self, slot: _Slot) -> None:
        """An actor is gone, and what waited beside it goes to others."""
        self._again.extend(slot.doing.values())
        slot.doing.clear()
        self._ray.kill(slot.actor)
        self._slots[self._slots.index(slot)] = self._new_slot()

    def _new_slot(self) -> _Slot:
        actor = self._kind.remote(*self._arguments)
        return _Slot(actor, actor.ready.remote())


class _Patience:
    """Tells once that there is nothing but to wait."""

    def __init__(self) -> None:
        self._since: float | None = time.monotonic()

    def look(self, ready: bool) -> None:
        if ready:
            self._since = None
        elif self._since is not None and time.monotonic() - self._since > _PATIENT:
            self._since = None
            say("waiting for the cluster, which has begun nothing so far")


def _starting(slot: _Slot) -> list[Any]:
    return [] if slot.ready else [slot.starting]


def _no_start(error: Exception) -> InputError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Of a trace, the last line says what it is about.
    why = lines[-1][:200] if lines else type(error).__name__
    problem = f"an actor does not start ({why})"
    return InputError(problem, remedy="install the same affuse on all machines", source="ray")
