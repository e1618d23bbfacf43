"""Clips that are adapted to their folder or their speakers: all are read, then each is answered."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from affuse.errors import InputError
from affuse.extract.account import require_no_notices
from affuse.extract.text.transcript import transcript_beside
from affuse.files import make_folder, to_strict_json, write_atomic
from affuse.pool_worker import mendable
from affuse.process_pool import Finished, Tell
from affuse.runtime.adapting import speaker_pattern
from affuse.runtime.many_clips import PredictedClip, Reading
from affuse.runtime.predictor import Predictor
from affuse.runtime.together import Together
from affuse.scale.clip_workers import ClipJob, told, words_of
from affuse.scale.manifests import is_manifest


def are_together(reading: Reading, sources: Sequence[str]) -> bool:
    """Whether clips have to be read together, since they are adapted to what several share.

    Raises:
        InputError: a way to find speakers that is none, or that nothing adapts to.
    """
    pattern = reading.speaker_from
    if pattern is not None:
        if reading.adapt != "speaker":
            problem = f"--speaker-from '{pattern}' without --adapt speaker"
            raise InputError(problem, remedy="add it")
        speaker_pattern(pattern)
    named = any(is_manifest(source) for source in sources)
    return reading.adapt == "folder" or (reading.adapt == "speaker" and (bool(pattern) or named))


class TogetherWork:
    """Does jobs whose clips are adapted together, in this process.

    Features wait on disk, so that memory does not grow with the clips. What was answered before is
    answered anew, since an answer depends on all clips.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def run(
        self, jobs: Iterable[ClipJob], *, progress: Tell = lambda _: None
    ) -> Iterator[Finished]:
        """As `ProcessPool.run`: nothing is finished before all clips are read."""
        asked = list(jobs)
        if not asked:
            return
        reading, failed = asked[0].reading, dict[int, Exception]()
        options: dict[str, Any] = {"recognise": reading.recognise, "window": reading.window}
        with tempfile.TemporaryDirectory(prefix="affuse-") as folder:
            together = Together(self._predictor, Path(folder), reading.adapt, reading.speaker_from)
            for job in asked:
                try:
                    _require_near(job)
                    beside = job.beside or words_of(job) or transcript_beside(job.clip.path)
                    together.read(
                        *(job.clip.path, beside, reading.tracks),
                        speaker=None if job.row is None else job.row.speaker,
                        options=options,
                        progress=told(job.number, progress),
                    )
                except Exception as error:
                    failed[job.number] = error
            for job in asked:
                yield self._finished(job, together, failed.get(job.number))

    def _finished(self, job: ClipJob, together: Together, error: Exception | None) -> Finished:
        try:
            if error is not None:
                raise error
            content = together.answer(job.clip.path).to_dict()
            if job.out is not None:
                place = job.out / f"{job.clip.name}.json"
                make_folder(place.parent)
                write_atomic(place, to_strict_json(content).encode())
            if job.reading.strict:
                require_no_notices(content["file"], content["notices"])
            return Finished(job.number, job, PredictedClip(job.clip, content))
        except Exception as found:
            return Finished(job.number, job, error=mendable(found, job.source))


def _require_near(job: ClipJob) -> None:
    if job.segment is not None:
        remedy = "cut it out of its recording, or adapt to the recording alone"
        raise InputError("is a part of a recording", remedy=remedy, source=job.source)
    if job.url is not None:
        remedy = "fetch it first, or adapt to the recording alone"
        raise InputError("is far away, and is read twice", remedy=remedy, source=job.source)
