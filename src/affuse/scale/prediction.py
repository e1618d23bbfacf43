"""Any number of clips answered, here or by many processes; what is finished is kept on the way."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from affuse.errors import AffuseError, InputError, unknown_name
from affuse.extract.folder import Clip
from affuse.extract.text.transcript import Beside
from affuse.files import digest
from affuse.process_pool import Finished, Limits, Progress, Tell
from affuse.runtime.many_clips import ClipReader, Reading
from affuse.runtime.predictor import Predictor
from affuse.scale.clip_workers import ClipJob, ClipWork, clip_pool, predicted
from affuse.scale.manifests import Row
from affuse.scale.parquet_parts import Parts
from affuse.scale.remote import is_url
from affuse.scale.shards import Chosen, Shard
from affuse.scale.sources import Source, Sources
from affuse.scale.table_rows import Columns, Rows, state_of
from affuse.scale.together_work import TogetherWork, are_together

ENGINES = ("local", "ray")
# Below this many clips, starting processes takes longer than they save.
_WORTH_PROCESSES = 8
# Rows are written when there are so many clips of them, or after so many seconds.
_FLUSHED_CLIPS, _FLUSHED_SECONDS = 1000, 60.0


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


class Outcome(NamedTuple):
    """What became of a clip."""

    number: int  # its place among all that are named
    file: str  # as it is shown
    name: str  # of what is written about it
    content: dict[str, Any] | None  # the answer as JSON content; None where there is none
    error: AffuseError | None = None
    row: Row | None = None  # what a manifest says of it
    state: Mapping[str, Any] | None = None  # of its file, as of `PredictedClip`


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
        if isinstance(request.engine, str) and request.engine not in ENGINES:
            raise unknown_name("engine", request.engine, ENGINES)
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
        with _Keeper(self._parts) as keeper, self._engine() as engine:
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

            return RayEngine(request.checkpoint, request.jobs, request.address, request.limits)
        jobs = request.jobs or (cores() if self.total >= _WORTH_PROCESSES else 1)
        jobs = min(jobs, self.total)
        predictor = self._predictor or Predictor.from_pretrained()
        if are_together(request.reading, request.sources):
            return nullcontext(TogetherWork(predictor))
        if jobs == 1 and not any(request.limits):
            return nullcontext(ClipWork(predictor))
        return clip_pool(request.checkpoint, jobs, limits=request.limits)

    def _jobs(self, keeper: _Keeper, ordered: bool) -> Iterator[ClipJob]:
        request, (known, states) = self._request, keeper.known(self._chosen.keys)
        for number, source in self._chosen:
            if known[number]:
                if _is_unchanged(source, int(states[number])):
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
                number=number,
            )

    def _outcome(self, end: Finished) -> Outcome:
        job: ClipJob = end.job
        one = predicted(end)
        if one.content is None:
            self.failed += 1
        else:
            self.answered += 1
            self.seconds += one.content["duration"]
        name = job.clip.name.as_posix()
        return Outcome(job.number, job.source, name, one.content, one.error, job.row, one.state)

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


class _Keeper:
    """Writes rows now and then, and at the end, however it comes."""

    def __init__(self, parts: Parts | None) -> None:
        self._parts, self._rows = parts, Rows()
        self._stale: set[int] = set()
        self._written = time.monotonic()

    def known(self, keys: Any) -> tuple[Any, Any]:
        if self._parts is None:
            return (nothing := [False] * len(keys)), nothing
        return self._parts.known().of(keys)

    def supersede(self, key: int) -> None:
        """What was answered before is replaced by what comes."""
        self._stale.add(key)

    def keep(self, outcome: Outcome, key: int) -> None:
        if self._parts is None:
            return
        if key in self._stale:
            self._stale.remove(key)
            self._parts.supersede(key)
        if outcome.content is not None:
            self._rows.answer(key, outcome.content, outcome.row, outcome.state or {})
        elif outcome.error is not None:
            self._rows.error(key, outcome.file, outcome.error)
        late = time.monotonic() - self._written > _FLUSHED_SECONDS
        if late or len(self._rows) >= _FLUSHED_CLIPS:
            self._write()

    def _write(self) -> None:
        if self._parts is not None:
            rows, self._rows = self._rows, Rows()
            self._parts.add(rows)
            self._written = time.monotonic()

    def __enter__(self) -> _Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()


def _predictor_of(request: Request) -> Predictor | None:
    """What answers here; None where somebody else does."""
    here = isinstance(request.engine, str)
    return Predictor.from_pretrained(request.checkpoint) if here else None


def _require_fit(request: Request) -> None:
    """Raise `InputError` for what tables do not hold, or cannot be done for clips together."""
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
    settings = {"recognise": reading.recognise, "strict": reading.strict, "words": words}
    return {**reader.made_by(reading), **settings}


def _is_unchanged(source: Source, state: int) -> bool:
    """Whether a file is as it was answered; one that is gone, or far away, keeps its answer."""
    if is_url(source.place):
        return True
    try:
        found = os.stat(source.place)  # noqa: PTH116 - a million times
    except OSError:
        return True
    return state_of(found.st_size, found.st_mtime_ns, source.row) == state
