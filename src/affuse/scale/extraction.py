"""Clips extracted by many processes, here or on the machines of a Ray cluster: the same bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from affuse.errors import AffuseError
from affuse.extract.clip import ClipExtractor, ClipSettings, OnSeconds
from affuse.extract.folder import Extracting, ExtractJob, extract_clip
from affuse.extract.media.segments import Segment
from affuse.extract.store import StoredClip
from affuse.extract.takes import ReadRecordings, RecordingJob, read_recording
from affuse.files import write_atomic
from affuse.process_pool import Finished, ProcessPool
from affuse.progress import Advance
from affuse.scale.ray_engine import RayEngine


class _Engine(Protocol):
    """What has jobs done."""

    def run(self, jobs: Iterable[Any]) -> Iterator[Finished]: ...


_Begin = Callable[[], AbstractContextManager[_Engine]]


def extracting_by_processes(settings: ClipSettings, jobs: int) -> Extracting:
    """For `extract_all`: so many processes of this machine, each on one core."""
    return partial(_extracted, partial(_pool, partial(_ExtractWork, settings), jobs))


def extracting_by_ray(
    settings: ClipSettings, jobs: int | None = None, address: str | None = None
) -> Extracting:
    """For `extract_all`: the cores of a cluster, as of `RayEngine`.

    Clips must be where every machine finds them; features are written by the one that asks.

    Raises:
        InputError: Ray is missing (extra `ray`).
    """
    make = partial(_pool, partial(_ExtractWork, settings), 1)
    engine = RayEngine(make, jobs, address)
    return partial(_extracted, lambda: engine)


def recordings_by_ray(jobs: int | None = None, address: str | None = None) -> ReadRecordings:
    """For `recordings_read_by`: the cores of a cluster, likewise.

    Raises:
        InputError: Ray is missing (extra `ray`), or no cluster answers.
    """

    def read(
        settings: ClipSettings, asked: Sequence[RecordingJob], advance: Advance
    ) -> Iterator[tuple[Path, str]]:
        make = partial(_pool, partial(_RecordingWork, settings), 1)
        places = [{place.name: place for place in segments} for _, segments in asked]
        tasks = (
            _Recording(number, path, {place.name: s for place, s in segments.items()})
            for number, (path, segments) in enumerate(asked)
        )
        with RayEngine(make, jobs, address) as engine:
            for end in engine.run(tasks):
                yield from _kept(end, places[end.number])
                advance(len(places[end.number]))

    return read


def _pool(make: Callable[[], Any], count: int) -> ProcessPool:
    return ProcessPool(make, count, preload=__name__)


def _extracted(
    begin: _Begin, asked: Iterable[tuple[ExtractJob, OnSeconds]]
) -> Iterator[tuple[ExtractJob, StoredClip | AffuseError]]:
    with begin() as engine:
        for end in engine.run(job for job, _ in asked):
            yield end.job, end.error or end.result


class _ExtractWork:
    """What extracts a clip in a worker."""

    def __init__(self, settings: ClipSettings) -> None:
        self._extractor = ClipExtractor(settings, threads=False)

    def __call__(self, job: ExtractJob, on_seconds: OnSeconds) -> StoredClip:
        return extract_clip(self._extractor, job, on_seconds)


@dataclass(frozen=True)
class _Recording:
    """A recording, and under which name each segment of it is kept."""

    number: int
    path: Path
    segments: dict[str, Segment]

    @property
    def source(self) -> str:
        return str(self.path)


_Read = tuple[dict[str, bytes], list[tuple[str, str]]]
"""Files by their names, and the names of those that could not be made, with why."""


class _RecordingWork:
    """What reads a recording in a worker: the files that a process here would keep."""

    def __init__(self, settings: ClipSettings) -> None:
        self._settings = settings.model_dump()

    def __call__(self, job: _Recording, on_seconds: OnSeconds) -> _Read:
        del on_seconds
        with tempfile.TemporaryDirectory(prefix="affuse-") as folder:
            segments = {Path(folder) / name: segment for name, segment in job.segments.items()}
            wrong = [
                (p.name, why) for p, why in read_recording(self._settings, (job.path, segments))
            ]
            made = {place.name: place.read_bytes() for place in segments if place.exists()}
        return made, wrong


def _kept(end: Finished, places: dict[str, Path]) -> Iterator[tuple[Path, str]]:
    """Keep what was made of a recording; the places of what could not be, and why."""
    if end.error is not None:
        yield from ((place, str(end.error)) for place in places.values())
        return
    made, wrong = end.result
    for name, content in made.items():
        write_atomic(places[name], content)
    yield from ((places[name], why) for name, why in wrong)
