"""Clips answered by worker processes, each with a predictor of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from affuse.extract.clip import OnSeconds
from affuse.extract.folder import Clip
from affuse.extract.media.segments import Segment
from affuse.extract.text.transcript import Beside, Transcript, read_transcript
from affuse.files import make_folder, to_strict_json, write_atomic
from affuse.onnx_devices import AUTO
from affuse.pool_worker import mendable
from affuse.process_pool import Finished, Limits, ProcessPool, Progress, Tell
from affuse.runtime.many_clips import ClipReader, PredictedClip, Reading, beside_of
from affuse.runtime.predictor import Predictor
from affuse.scale.manifests import Row
from affuse.scale.remote import fetched, is_url, shown_url, state_of


@dataclass(frozen=True)
class ClipJob:
    """A clip to be answered.

    Attributes:
        clip: the file, and the name for what is written about it.
        reading: how it is read.
        beside: its transcript; None for what lies beside it, or what `row` says.
        out: the folder that keeps its answer.
        url: where it is fetched from; then no file lies at its path.
        row: what a manifest says of it.
        said: the state of what is said in it, before it is read.
        number: by which whoever asks knows it.
    """

    clip: Clip
    reading: Reading = field(default_factory=Reading)
    beside: Beside | None = None
    out: Path | None = None
    url: str | None = field(default=None, repr=False)
    row: Row | None = field(default=None, repr=False)
    said: str = field(default="", repr=False)
    number: int = 0

    @property
    def segment(self) -> Segment | None:
        """All that is read of it; None for the whole."""
        return None if self.row is None else self.row.segment

    @property
    def source(self) -> str:
        """What errors name: without credentials."""
        return str(self.clip.path) if self.url is None else shown_url(self.url)


def clip_pool(
    checkpoint: str | Path | None = None,
    jobs: int = 1,
    *,
    limits: Limits = Limits(),  # noqa: B008 - it cannot change
    tries: int = 2,
    device: str = AUTO,
) -> ProcessPool:
    """A pool that answers `ClipJob`s; `predicted` makes a `PredictedClip` of what is finished.

    Args:
        checkpoint: as `Predictor.from_pretrained` takes it.
        jobs: processes, each on one core.
        limits: of each clip, in seconds and in megabytes of the process that reads it.
        tries: of a clip whose process is killed.
        device: of onnxruntime, in every process.
    """
    make = partial(clip_work, checkpoint, device)
    return ProcessPool(make, jobs, limits=limits, tries=tries, preload=__name__)


def predicted(finished: Finished) -> PredictedClip:
    """What became of the clip of a `ClipJob`."""
    if finished.error is not None:
        return PredictedClip(finished.job.clip, None, finished.error)
    result: PredictedClip = finished.result
    return result


def keep_here(job: ClipJob, content: dict[str, Any]) -> None:
    """Keep the answer that a worker of another machine gave, which may not share the folder."""
    if job.out is None:
        return
    place, said = job.out / f"{job.clip.name}.json", to_strict_json(content).encode()
    if not place.exists() or place.read_bytes() != said:
        make_folder(place.parent)
        write_atomic(place, said)


class ClipWork:
    """What does a job, here or in a worker."""

    def __init__(self, predictor: Predictor) -> None:
        self._reader = ClipReader(predictor)

    def __call__(self, job: ClipJob, on_seconds: OnSeconds) -> PredictedClip:
        remote = None if job.url is None else _Remote(job.url)
        beside = words_of(job) if job.beside is None else job.beside
        return self._reader.read(
            *(job.clip, job.reading),
            beside=beside,
            out=job.out,
            progress=on_seconds,
            remote=remote,
            segment=job.segment,
        )

    def run(
        self, jobs: Iterable[ClipJob], *, progress: Tell = lambda _: None
    ) -> Iterator[Finished]:
        """As `ProcessPool.run`, one after the other in this process."""
        for job in jobs:
            try:
                result = self(job, told(job.number, progress))
                yield Finished(job.number, job, result)
            except Exception as error:
                yield Finished(job.number, job, error=mendable(error, job.source))


def clip_work(checkpoint: str | Path | None, device: str = AUTO) -> ClipWork:
    """What a worker does, which has one core."""
    return ClipWork(Predictor.from_pretrained(checkpoint, alone=False, device=device))


def told(number: int, progress: Tell) -> Callable[[float, float | None], None]:
    """What tells of a job how many seconds are done."""
    return lambda done, of: progress(Progress(number, done, of))


@dataclass(frozen=True)
class _Remote:
    """A clip behind a URL."""

    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        return shown_url(self.url)

    def state(self) -> dict[str, Any]:
        found = state_of(self.url)
        return {"size": found.size, "modified": found.version}

    def fetched(self) -> AbstractContextManager[Path]:
        return fetched(self.url)


def words_of(job: ClipJob) -> Beside | None:
    """What a manifest says that is said; None for what lies beside the clip."""
    row = job.row
    if row is None:
        return None
    if row.text is not None:
        found = Beside(Transcript.of_text(row.text))
    elif row.transcript is not None:
        found = Beside(_transcript(row.transcript))
    elif row.language is not None and job.url is None:
        found = beside_of(job.clip.path, row.segment)
    else:
        return None
    if row.language is None or found.transcript is None:
        return found
    origin = replace(found.transcript.origin, language=row.language)
    return found._replace(transcript=replace(found.transcript, origin=origin))


def _transcript(place: str) -> Transcript:
    if not is_url(place):
        return read_transcript(Path(place))
    with fetched(place) as file:
        found = read_transcript(file)
    return replace(found, origin=replace(found.origin, file=shown_url(place)))
