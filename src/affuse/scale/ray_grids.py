"""The runs of a benchmark and the trials of a search, by the machines of a Ray cluster.

Each actor holds a core and starts the process that a machine by itself would start, so that the
lock on the test part and all that is computed are the same.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.errors import InputError
from affuse.harness.request import Job
from affuse.plugins import registered_in
from affuse.processes import WorkerKilledError
from affuse.scale.ray_actors import Actors, Begun, Done
from affuse.scale.ray_cluster import joined_cluster, require_ray

if TYPE_CHECKING:
    from affuse.harness.request import Request
    from affuse.harness.workers import Answered
    from affuse.training.compute import Compute
    from affuse.tuning.search import TuningRequest
    from affuse.tuning.search_workers import Place

# What a lost actor began ends with it, but a moment later: two must not write to one run's folder.
_PAUSE = 3.0


@dataclass(frozen=True)
class RayGrid:
    """Runs and trials by a cluster.

    Attributes:
        jobs: actors; by default one for each core of the cluster.
        address: of the cluster; by default that of RAY_ADDRESS, or one on this machine alone.

    Raises:
        InputError: Ray is missing (extra `ray`).
    """

    jobs: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        require_ray()

    def runs(
        self,
        request: Request,
        jobs: Sequence[Job],
        content: str,
        runs: Path,
        tested: Sequence[Sequence[str]] = (),
    ) -> Generator[tuple[Job, int | Answered] | None]:
        """As `affuse.harness.workers.run_all`. What is lost goes on elsewhere.

        Where machines share the folder of runs, one that is lost goes on from its last epoch.
        """
        from affuse.evaluation.held_out import unhidden
        from affuse.harness.workers import WAIT_SECONDS

        if not jobs:
            return
        _require_files()
        ours = replace(request, memory=None, jobs=1, compute=_reserved(request.compute))
        work = _Runs(ours, content, runs.resolve())
        epochs = Counter[Job]()
        with (
            joined_cluster(self.address) as ray,
            self._actors(ray, work, len(jobs), _needs(request.compute)) as actors,
            closing(actors.run(jobs, every=WAIT_SECONDS)) as events,
        ):
            for event in events:
                if event is None:
                    yield None
                    continue
                job = event.task
                if isinstance(event, Begun):
                    yield job, -epochs.pop(job, 0)
                    continue
                news = (event.error or event.result) if isinstance(event, Done) else event.news
                if isinstance(news, InputError) and tested:
                    raise unhidden(news, tested[job.fold])
                if isinstance(news, Exception):
                    raise news
                epochs[job] += news if isinstance(news, int) else 0
                yield job, news

    def trials(self, request: TuningRequest, names: Mapping[Place, str]) -> Generator[None]:
        """As `affuse.tuning.search_workers.by_processes`."""
        from affuse.tuning.search_workers import POLL

        _require_files()
        ours = replace(request, jobs=1, compute=_reserved(request.compute))
        work = _Trials(ours, dict(names), socket.gethostname())
        with (
            joined_cluster(self.address) as ray,
            self._actors(ray, work, None, _needs(request.compute)) as actors,
            closing(actors.run(range(actors.count), every=POLL)) as events,
        ):
            for event in events:
                yield
                if isinstance(event, Done):
                    if event.error is not None:
                        raise event.error
                    # It ends when all trials are there: nothing is left for others.
                    return

    def _actors(self, ray: Any, work: Any, most: int | None, needs: Mapping[str, Any]) -> Actors:
        return Actors(ray, work.begun, self.jobs, most=most, pause=_PAUSE, needs=needs)


@dataclass(frozen=True)
class _Runs:
    """What does a run in an actor."""

    request: Request
    content: str
    runs: Path

    def begun(self) -> _Runs:
        return self

    def __call__(self, job: Job) -> Generator[int, None, Answered | Exception]:
        from affuse.harness.workers import Answered, run_all

        shared = self.runs.is_dir()
        place = self.runs if shared else Path(tempfile.mkdtemp(prefix="affuse-"))
        try:
            for event in run_all(self.request, [job], self.content, place):
                news = 0 if event is None else event[1]
                if isinstance(news, Answered):
                    return news
                yield news
        except WorkerKilledError:
            raise
        except Exception as error:
            return error
        finally:
            if not shared:
                shutil.rmtree(place, ignore_errors=True)
        raise AssertionError


@dataclass(frozen=True)
class _Trials:
    """What works on studies in an actor."""

    request: TuningRequest
    names: Mapping[Place, str]
    asked_by: str  # the machine

    def begun(self) -> _Trials:
        here = socket.gethostname()
        if self.request.database.url.get_backend_name() == "sqlite" and here != self.asked_by:
            problem = f"is a file of {self.asked_by}, which {here} cannot share"
            remedy = "give --storage postgresql://... for a cluster of several machines"
            raise InputError(problem, remedy=remedy, source=self.request.database.shown)
        return self

    def __call__(self, number: int) -> Generator[None, None, None]:
        from affuse.tuning.search_workers import by_processes

        del number
        yield from by_processes(self.request, self.names)


def _reserved(compute: Compute) -> Compute:
    """On what an actor works: what is not reserved for it may be another's."""
    unsaid = (compute.device, compute.accelerator) == ("auto", "auto")
    return replace(compute, device="cpu") if unsaid else compute


def _needs(compute: Compute) -> dict[str, Any]:
    """What an actor asks of its machine: a core for each process, and GPUs where they are used."""
    if compute.device not in ("auto", "cpu", "cuda"):
        remedy = "give cuda: Ray gives each run GPUs of its own"
        raise InputError(f"device {compute.device} of a cluster", remedy=remedy)
    gpus = compute.device == "cuda" or compute.accelerator == "gpu"
    return {"num_cpus": compute.devices, "num_gpus": compute.devices * gpus}


def _require_files() -> None:
    """Raise `InputError` for models and corpora that other machines cannot find."""
    if "__main__" in registered_in:
        remedy = "write it to a .py file that all machines have, and name that in AFFUSE_PLUGINS"
        raise InputError("a model or corpus stands in the script itself", remedy=remedy)
