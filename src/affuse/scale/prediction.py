"""Any number of clips answered, here or by many processes; what is finished is kept on the way."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from affuse.errors import AffuseError, InputError
from affuse.extract.folder import Clip
from affuse.extract.text.transcript import Beside
from affuse.files import digest, require_near
from affuse.onnx_devices import AUTO, CPU
from affuse.process_pool import Finished, Limits, Progress, Tell
from affuse.runtime.many_clips import ClipReader, Reading
from affuse.runtime.predictor import Predictor
from affuse.scale.clip_workers import ClipJob, ClipWork, clip_pool, keep_here, predicted
from affuse.scale.manifests import Row
from affuse.scale.parquet_parts import Parts
from affuse.scale.ray_cluster import require_engine
from affuse.scale.remote import is_url
from affuse.scale.row_keeper import RowKeeper
from affuse.scale.shards import Chosen, Shard
from affuse.scale.sources import Source, Sources
from affuse.scale.table_rows import Columns, said_state, state_of
from affuse.scale.together_work import TogetherWork, are_together

# Changes whenever columns do.
_TABLES = 2
# Below this many clips, starting processes takes longer than they save.
_WORTH_PROCESSES = 8


class Engine(Protocol):
    """What has jobs done."""

    def run(self, jobs: Iterable[ClipJob], *, progress: Tell) -> Iterator[Finished]: ...


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        sources: files, folders, globs, manifests or URLs.
        checkpoint: as `Predictor.from_pretrained` takes it.
        reading: how clips are read.
        beside: the transcript of the one clip.
        out: a folder that keeps each answer as JSON; what is there is not done again.
        parquet: a folder that keeps tables; likewise.
        distinct: files are written under the names of clips.
        jobs: processes; by default one for a few clips, else as many as there are cores.
        shard: the share of the clips that is done.
        limits: of each clip.
        max_errors: clips that may have no answer, before the rest is given up.
        engine: `local`, or `ray` for a cluster, at `address`; by default one on this machine. Or
            what else has jobs done, by checkpoints of its own.
        device: of onnxruntime, in every process.
    """

    sources: tuple[str, ...]
    checkpoint: str | Path | None = None
    reading: Reading = field(default_factory=Reading)
    beside: Beside | None = None
    out: Path | None = None
    parquet: Path | None = None
    distinct: bool = False
    jobs: int | None = None
    shard: Shard = field(default_factory=Shard)
    limits: Limits = field(default_factory=Limits)
    max_errors: int | None = None
    engine: str | Engine = "local"
    address: str | None = None
    device: str = AUTO


class Outcome(NamedTuple):
    """What became of a clip."""

    number: int  # its place among all that are named
    file: str  # as it is shown
    name: str  # of what is written about it
    content: dict[str, Any] | None  # the answer as JSON content; None where there is none
    error: AffuseError | None = None
    row: Row | None = None  # what a manifest says of it
    state: Mapping[str, Any] | None = None  # of its file, as of `PredictedClip`, and of its words


OnWord = Callable[[str], None]
"""Told how far a clip is, in words."""


class Prediction:
    """A request under way; `run` does it.

    Attributes:
        total: clips that are asked for.
        known: those that tables had an answer for already.
        answered: those that have one now; `failed`: those that have none.
        seconds: of recordings that were answered.
        repeated: clips that were named more than once, and done once.

    Raises:
        InputError: nothing that can be done, told before anything is begun.
    """

    def __init__(self, request: Request) -> None:
        if isinstance(request.engine, str):
            require_engine(request.engine, request.address)
        _require_fit(request)
        distinct = request.distinct or request.out is not None
        self._request = request
        self._predictor = _predictor_of(request)
        self._chosen = Chosen(Sources(request.sources), request.shard, distinct=distinct)
        if request.beside is not None and len(self._chosen) > 1:
            problem = f"one transcript for {len(self._chosen)} clips"
            remedy = "lay each transcript beside its clip under the same name"
            raise InputError(problem, remedy=remedy)
        self._parts: Parts | None = None
        if request.parquet is not None:
            if self._predictor is None:
                raise InputError("--parquet of a service", remedy="leave one out, or keep --out")
            settings = _settings(ClipReader(self._predictor), request)
            columns = Columns.of(self._predictor)
            self._parts = Parts(request.parquet, settings, columns, request.shard)
        self.total, self.repeated = len(self._chosen), self._chosen.repeated
        self.known = self.answered = self.failed = 0
        self.seconds = 0.0
        self._asked: deque[int] = deque()
        self._early: dict[int, Outcome] = {}

    @property
    def done(self) -> int:
        """Clips of which it is known what becomes."""
        return self.known + self.answered + self.failed

    def run(self, on_word: OnWord = lambda _: None, *, ordered: bool = False) -> Generator[Outcome]:
        """What becomes of each clip, as it is finished; whoever stops listening ends the rest.

        Args:
            on_word: told how far a clip is.
            ordered: in the order of the sources, so that what comes early waits.

        Raises:
            InputError: more clips failed than may; the sources changed; nothing can be written.
        """
        began = time.monotonic()
        with RowKeeper(self._parts) as keeper, self._engine() as engine:
            finished = engine.run(
                self._jobs(keeper, ordered), progress=lambda e: on_word(self._word(e))
            )
            with closing(finished) if isinstance(finished, Generator) else nullcontext():
                for end in finished:
                    outcome = self._outcome(end)
                    keeper.keep(outcome, int(self._chosen.keys[outcome.number]))
                    yield from self._in_order(outcome) if ordered else (outcome,)
                    self._require_few_errors()
        if self._parts is not None:
            took = round(time.monotonic() - began, 1)
            self._parts.finish({"named": self.total, "failed": self.failed, "seconds": took})

    def _engine(self) -> AbstractContextManager[Engine]:
        request = self._request
        if not isinstance(request.engine, str):
            return nullcontext(request.engine)
        if request.engine == "ray":
            from affuse.scale.ray_engine import RayEngine

            device, limits = request.device, request.limits
            make = partial(clip_pool, request.checkpoint, 1, limits=limits, device=device)
            # Ray shows a GPU to whom it has given one.
            needs = {"num_gpus": 1} if device == "cuda" else None
            return RayEngine(make, request.jobs, request.address, needs)
        jobs = request.jobs or (cores() if self.total >= _WORTH_PROCESSES else 1)
        jobs = min(jobs, self.total)
        predictor = self._predictor or Predictor.from_pretrained(device=request.device)
        if are_together(request.reading, request.sources):
            return nullcontext(TogetherWork(predictor))
        if jobs == 1 and not any(request.limits):
            return nullcontext(ClipWork(predictor))
        return clip_pool(request.checkpoint, jobs, limits=request.limits, device=request.device)

    def _jobs(self, keeper: RowKeeper, ordered: bool) -> Iterator[ClipJob]:
        request, (known, states) = self._request, keeper.known(self._chosen.keys)
        for number, source in self._chosen:
            said = "" if self._parts is None else said_state(source.place, source.row)
            if known[number]:
                if _is_unchanged(source, said, int(states[number])):
                    self.known += 1
                    continue
                keeper.supersede(int(self._chosen.keys[number]))
            if ordered:
                self._asked.append(number)
            url = source.place if is_url(source.place) else None
            clip = Clip(Path(source.name if url else source.place), Path(source.name))
            yield ClipJob(
                *(clip, request.reading, request.beside, request.out),
                url=url,
                row=source.row,
                said=said,
                number=number,
            )

    def _outcome(self, end: Finished) -> Outcome:
        job: ClipJob = end.job
        one = predicted(end)
        if one.content is None:
            self.failed += 1
        else:
            self.answered += 1
            if self._request.engine == "ray":
                keep_here(job, one.content)
            self.seconds += one.content["duration"]
        name = job.clip.name.as_posix()
        state = {**(one.state or {}), "said": job.said}
        return Outcome(job.number, job.source, name, one.content, one.error, job.row, state)

    def _in_order(self, outcome: Outcome) -> Iterator[Outcome]:
        """What was asked for first and is finished."""
        self._early[outcome.number] = outcome
        while self._asked and self._asked[0] in self._early:
            yield self._early.pop(self._asked.popleft())

    def _word(self, event: Progress | Finished) -> str:
        if isinstance(event, Finished):
            return ""
        return f"{event.done:.0f}" + ("" if event.of is None else f" of {event.of:.0f}") + " s"

    def _require_few_errors(self) -> None:
        most = self._request.max_errors
        if most is not None and self.failed > most:
            problem = f"{self.failed} clips could not be answered, more than --max-errors {most}"
            remedy = "mend or leave out what the lines above name; what is finished is kept"
            raise InputError(problem, remedy=remedy)


def _predictor_of(request: Request) -> Predictor | None:
    """What answers here; None where somebody else does."""
    here = isinstance(request.engine, str)
    # Where a cluster answers, it has the device, and not this machine.
    device = request.device if request.engine == "local" else CPU
    return Predictor.from_pretrained(request.checkpoint, device=device) if here else None


def _require_fit(request: Request) -> None:
    """Raise `InputError` for what tables and places do not hold, or clips together do not allow."""
    for place in filter(None, (request.out, request.parquet)):
        require_near(place)
    if request.reading.faces == "all" and request.parquet is not None:
        problem = "--faces all into --parquet tables, which hold windows of whole clips alone"
        raise InputError(problem, remedy="use --json, --csv or --html")
    if not are_together(request.reading, request.sources):
        return
    chosen = {
        "--faces all": request.reading.faces == "all",
        "--parquet": request.parquet is not None,
        "--shard": request.shard != Shard(),
        "--engine ray": request.engine == "ray",
        "--server": not isinstance(request.engine, str),
        "--timeout and --memory": any(request.limits),
        "--jobs": (request.jobs or 1) > 1,
    }
    for option in (name for name, asked in chosen.items() if asked):
        problem = f"{option} of clips that are adapted together, which one process here reads"
        raise InputError(problem, remedy="leave it out, or use --adapt recording")


def cores() -> int:
    """How many this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _settings(reader: ClipReader, request: Request) -> dict[str, Any]:
    """What answers depend on, but for the clips."""
    reading, beside = request.reading, request.beside
    words = None if beside is None else digest(repr(beside).encode())
    settings = {
        "tables": _TABLES,
        "recognise": reading.recognise,
        "strict": reading.strict,
        "words": words,
    }
    return {**reader.made_by(reading), **settings}


def _is_unchanged(source: Source, said: str, state: int) -> bool:
    """Whether a clip is as it was answered: its file and what is said in it.

    A file that is gone keeps its answer, and of one that is far away its words alone are compared.
    """
    if is_url(source.place):
        return state_of(None, None, source.row, said) == state
    try:
        found = os.stat(source.place)  # noqa: PTH116 - a million times
    except OSError:
        return True
    return state_of(found.st_size, found.st_mtime_ns, source.row, said) == state
