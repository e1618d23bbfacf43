"""What a worker process does for a job: the answer that `affuse predict --json` prints."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from affuse.errors import InputError
from affuse.extract.clip import OnSeconds
from affuse.extract.folder import Clip
from affuse.extract.media.tracks import Wanted
from affuse.extract.text.transcript import Beside, Transcript, read_transcript
from affuse.runtime.many_clips import ClipReader, Reading
from affuse.runtime.predictor import Predictor
from affuse.service.job import ClipTask


def answer(task: ClipTask, on_seconds: OnSeconds) -> bytes:
    """The answer to a job, as JSON on one line.

    Raises:
        AffuseError: there is none; files are named in it by where they lie.
    """
    request = task.request

    def progress(done: float, total: float | None) -> None:
        _require_short(task, max(done, total or 0.0))
        on_seconds(done, total)

    found = _reader(task.checkpoint).read(
        Clip(task.clip, Path(task.clip.name)),
        Reading(
            Wanted(request.audio_track, request.video_track),
            request.recognise,
            window=request.window,
            adapt=request.adapt,
            faces=request.faces,
        ),
        beside=Beside(_transcript(task)),
        progress=progress,
    )
    if found.content is None:
        raise found.error or InputError("there is no answer", remedy="try again")
    content = {**found.content, "file": request.clip.name}
    return f"{json.dumps(content, ensure_ascii=False, allow_nan=False)}\n".encode()


@lru_cache(maxsize=4)
def _reader(checkpoint: str | None) -> ClipReader:
    return ClipReader(Predictor.from_pretrained(checkpoint, alone=False))


def prepare(checkpoint: str | None) -> None:
    """Load a checkpoint before the first job that asks for it."""
    _reader(checkpoint)


def _transcript(task: ClipTask) -> Transcript | None:
    """What is said, as if it had been read where it lies at whoever sent it."""
    request = task.request
    if request.text is not None:
        return Transcript.of_text(request.text)
    if task.transcript is None or request.transcript is None:
        return None
    found = read_transcript(task.transcript)
    ours, theirs = str(task.transcript), request.transcript.name
    language = found.origin.language or request.language
    origin = replace(found.origin, file=theirs, language=language)
    notices = tuple(notice.replace(ours, theirs) for notice in found.notices)
    return replace(found, origin=origin, notices=notices)


def _require_short(task: ClipTask, seconds: float) -> None:
    if task.longest is not None and seconds > task.longest:
        problem = f"is longer than the {task.longest:g} s that this service reads"
        raise InputError(problem, remedy="send a part of it", source=task.clip)
