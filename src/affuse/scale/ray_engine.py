"""Clips answered or extracted by the machines of a Ray cluster.

Each actor of one core holds a pool of one worker process, so that limits, crashes and errors are
those of one machine. What Ray adds is where actors run, and that others take over what is lost with
a node.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol, Self

from affuse.process_pool import Finished, ProcessPool, Tell
from affuse.scale.ray_actors import Actors, Done
from affuse.scale.ray_cluster import joined_cluster, require_ray

# Clips that wait beside an actor, so that it need not wait for the next.
_AHEAD = 1


class NumberedJob(Protocol):
    """A job of a pool, with a number by which whoever asks knows it."""

    @property
    def source(self) -> str: ...
    @property
    def number(self) -> int: ...


class RayEngine:
    """Does jobs by the actors of a cluster.

    Args:
        make_pool: called in each actor, returns a pool of one process.
        jobs: actors; by default one for each core of the cluster, or GPU where each needs one.
        address: of the cluster; by default that of RAY_ADDRESS, or one on this machine alone.
        needs: of an actor, as Ray's `options` take it; by default a core.

    Raises:
        InputError: Ray is missing (extra `ray`), or no cluster answers.
    """

    def __init__(
        self,
        make_pool: Callable[[], ProcessPool],
        jobs: int | None,
        address: str | None,
        needs: Mapping[str, Any] | None = None,
    ) -> None:
        require_ray()
        self._make = partial(_Reader, make_pool)
        self._jobs, self._address, self._needs = jobs, address, needs
        self._held = ExitStack()

    def __enter__(self) -> Self:
        ray = self._held.enter_context(joined_cluster(self._address))
        actors = Actors(ray, self._make, self._jobs, ahead=_AHEAD, needs=self._needs)
        self._actors = self._held.enter_context(actors)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def run(
        self, jobs: Iterable[NumberedJob], *, progress: Tell = lambda _: None
    ) -> Iterator[Finished]:
        """As `ProcessPool.run`; no more jobs are taken than there are actors for."""
        del progress  # words on the way would cost more than they tell
        for event in self._actors.run(jobs):
            if isinstance(event, Done):
                job = event.task
                result = Finished(job.number, job, error=event.error)
                yield result if event.error else event.result._replace(number=job.number)


class _Reader:
    """What does a job in an actor."""

    def __init__(self, make_pool: Callable[[], ProcessPool]) -> None:
        self._pool = make_pool()

    def __call__(self, job: NumberedJob) -> Generator[Any, None, Finished]:
        yield from ()  # nothing is told on the way
        (finished,) = self._pool.run([job])
        return finished
