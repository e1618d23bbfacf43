"""Clips answered by worker processes, each with a predictor of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from affuse.extract.clip import OnSeconds
from affuse.extract.folder import Clip
from affuse.extract.text.transcript import Beside
from affuse.process_pool import Finished, Limits, ProcessPool
from affuse.runtime.many_clips import ClipReader, PredictedClip, Reading
from affuse.runtime.predictor import Predictor


@dataclass(frozen=True)
class ClipJob:
    """A clip to be answered.

    Attributes:
        clip: the file, and the name for what is written about it.
        reading: how it is read.
        beside: its transcript; None for what lies beside it.
        out: the folder that keeps its answer.
    """

    clip: Clip
    reading: Reading = field(default_factory=Reading)
    beside: Beside | None = None
    out: Path | None = None

    @property
    def source(self) -> str:
        """What errors name."""
        return str(self.clip.path)


def clip_pool(
    checkpoint: str | Path | None = None,
    jobs: int = 1,
    *,
    limits: Limits = Limits(),  # noqa: B008 - it cannot change
    tries: int = 2,
) -> ProcessPool:
    """A pool that answers `ClipJob`s; `predicted` makes a `PredictedClip` of what is finished.

    Args:
        checkpoint: as `Predictor.from_pretrained` takes it.
        jobs: processes, each on one core.
        limits: of each clip, in seconds and in megabytes of the process that reads it.
        tries: of a clip whose process is killed.
    """
    make = partial(_clip_work, checkpoint)
    return ProcessPool(make, jobs, limits=limits, tries=tries, preload=__name__)


def predicted(finished: Finished) -> PredictedClip:
    """What became of the clip of a `ClipJob`."""
    if finished.error is not None:
        return PredictedClip(finished.job.clip, None, finished.error)
    result: PredictedClip = finished.result
    return result


class _ClipWork:
    """What a worker does with a job."""

    def __init__(self, predictor: Predictor) -> None:
        self._reader = ClipReader(predictor)

    def __call__(self, job: ClipJob, on_seconds: OnSeconds) -> PredictedClip:
        return self._reader.read(
            *(job.clip, job.reading), beside=job.beside, out=job.out, progress=on_seconds
        )


def _clip_work(checkpoint: str | Path | None) -> _ClipWork:
    return _ClipWork(Predictor.from_pretrained(checkpoint, alone=False))
