"""Clips answered by the machines of a Ray cluster.

Each actor of one core holds a pool of one worker process, so that limits, crashes and errors are
those of one machine. What Ray adds is where actors run, and that others take over what is lost with
a node.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from affuse.errors import InputError, first_line
from affuse.onnx_devices import AUTO
from affuse.optional import require
from affuse.process_pool import Finished, Limits, ProcessPool, Tell
from affuse.scale.clip_workers import ClipJob, clip_pool

# Jobs that an actor has at once: one to do, and one that waits beside it.
_AHEAD = 2
_LISTENS = 10.0  # seconds within which a cluster must answer
# A job is lost with so many actors, and then given up.
_TRIES = 3


class _Reader:
    """What an actor is."""

    def __init__(self, checkpoint: str | Path | None, limits: Limits, device: str) -> None:
        self._pool: ProcessPool = clip_pool(checkpoint, 1, limits=limits, device=device)

    def ready(self) -> bool:
        return True

    def read(self, job: ClipJob) -> Finished:
        (finished,) = self._pool.run([job])
        return finished


@dataclass
class _Slot:
    """An actor, with what it was given."""

    actor: Any
    starting: Any  # the reference that comes when it is there
    ready: bool = False
    doing: dict[Any, tuple[ClipJob, int]] = field(default_factory=dict)  # job, tries left


class RayEngine:
    """Does jobs by the actors of a cluster.

    Args:
        checkpoint: as `Predictor.from_pretrained` takes it, on every machine.
        jobs: actors; by default one for each core of the cluster.
        address: of the cluster; by default that of RAY_ADDRESS, or one on this machine alone.
        limits: of each clip.
        device: of onnxruntime, on every machine; with `cuda`, actors have a GPU each.

    Raises:
        InputError: Ray is missing (extra `ray`), or no cluster answers.
    """

    def __init__(
        self,
        checkpoint: str | Path | None,
        jobs: int | None,
        address: str | None,
        limits: Limits,
        *,
        device: str = AUTO,
    ) -> None:
        self._ray = require("ray", extra="ray")
        self._jobs, self._address = jobs, address or os.environ.get("RAY_ADDRESS")
        self._arguments = (checkpoint, limits, device)
        self._kind: Any = None
        self._slots: list[_Slot] = []
        self._ours = False

    def __enter__(self) -> Self:
        ray = self._ray
        if not ray.is_initialized():
            _require_listening(self._address)
            try:
                ray.init(address=self._address, log_to_driver=False, logging_level="error")
            except Exception as error:  # a cluster that is not there raises one of many
                raise _silent(first_line(error), self._address) from None
            self._ours = True
        # Ray shows a GPU to whom it has given one.
        gpus = int(self._arguments[-1] == "cuda")
        cores = int(ray.cluster_resources().get("GPU" if gpus else "CPU", 1))
        needs = {"num_cpus": 1, "num_gpus": gpus}
        self._kind = ray.remote(**needs, max_restarts=0, max_task_retries=0)(_Reader)
        self._slots = [self._new_slot() for _ in range(self._jobs or cores)]
        return self

    def __exit__(self, *_: object) -> None:
        for slot in self._slots if self._ray.is_initialized() else ():
            self._ray.kill(slot.actor)
        if self._ours:
            self._ray.shutdown()

    def run(
        self, jobs: Iterable[ClipJob], *, progress: Tell = lambda _: None
    ) -> Iterator[Finished]:
        """As `ProcessPool.run`; no more jobs are taken than there are actors for."""
        del progress  # words on the way would cost more than they tell
        waiting, again = iter(jobs), deque[tuple[ClipJob, int]]()
        more = True
        while True:
            more = self._give(waiting, again) and more
            if not more and not again and not any(slot.doing for slot in self._slots):
                return
            references = [r for slot in self._slots for r in (*slot.doing, *_starting(slot))]
            heard, _ = self._ray.wait(references, num_returns=1)
            for slot in self._slots:
                for reference in heard:
                    if reference is slot.starting and not slot.ready:
                        self._start(slot)
                    elif reference in slot.doing:
                        yield from self._hear(slot, reference, again)

    def _give(self, waiting: Iterator[ClipJob], again: deque[tuple[ClipJob, int]]) -> bool:
        """Give jobs to actors, one to each before any has two; whether there may be more."""
        for depth in range(_AHEAD):
            for slot in self._slots:
                if not slot.ready or len(slot.doing) > depth:
                    continue
                fresh = ((job, _TRIES) for job in itertools.islice(waiting, 1))
                given = again.popleft() if again else next(fresh, None)
                if given is None:
                    return False
                slot.doing[slot.actor.read.remote(given[0])] = given
        return True

    def _start(self, slot: _Slot) -> None:
        try:
            self._ray.get(slot.starting)
        except Exception as error:
            problem = f"an actor does not start ({first_line(error)})"
            remedy = "install the same affuse on all machines"
            raise InputError(problem, remedy=remedy, source="ray") from None
        slot.ready = True

    def _hear(
        self, slot: _Slot, reference: Any, again: deque[tuple[ClipJob, int]]
    ) -> Iterator[Finished]:
        job, tries = slot.doing.pop(reference)
        try:
            finished: Finished = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            if tries > 1:
                again.append((job, tries - 1))
            else:
                problem = f"was lost with {_TRIES} processes of Ray ({type(error).__name__})"
                lost = InputError(problem, remedy="mend it or leave it out", source=job.source)
                yield Finished(job.number, job, error=lost)
            self._replace(slot, again)
            return
        yield finished._replace(number=job.number)

    def _replace(self, slot: _Slot, again: deque[tuple[ClipJob, int]]) -> None:
        """An actor is gone, and what waited beside it goes to others."""
        again.extend(slot.doing.values())
        slot.doing.clear()
        self._ray.kill(slot.actor)
        self._slots[self._slots.index(slot)] = self._new_slot()

    def _new_slot(self) -> _Slot:
        actor = self._kind.remote(*self._arguments)
        return _Slot(actor, actor.ready.remote())


def _starting(slot: _Slot) -> list[Any]:
    return [] if slot.ready else [slot.starting]


def _require_listening(address: str | None) -> None:
    """Ray would wait for minutes, and end this process, where nobody listens."""
    found = re.fullmatch(r"(?:ray://)?([^/:]+):(\d+)", address or "")
    if found is None:
        return
    try:
        socket.create_connection((found[1], int(found[2])), timeout=_LISTENS).close()
    except OSError as error:
        raise _silent(str(error.strerror or error), address) from None


def _silent(why: str, address: str | None) -> InputError:
    remedy = "check --address, or leave it out for one on this machine"
    return InputError(f"no Ray cluster answers ({why})", remedy=remedy, source=address)
