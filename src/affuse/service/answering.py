"""What a worker process does for a job: the answer that `affuse predict --json` prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError, InputError
from affuse.extract.folder import Clip
from affuse.extract.media.tracks import Wanted
from affuse.extract.text.transcript import Transcript, read_transcript
from affuse.runtime.many_clips import predict_clips
from affuse.runtime.predictor import Predictor
from affuse.service.job import ClipTask

OnShare = Callable[[float], None]
"""Told which share of a job is done, in [0, 1]."""


def answer(task: ClipTask, on_share: OnShare) -> bytes:
    """The answer to a job, as JSON on one line.

    Raises:
        AffuseError: there is none; files are named in it as they were when they were sent.
    """
    try:
        return _line(_content(task, on_share))
    except AffuseError as error:
        raise _renamed_error(error, task) from None


def _content(task: ClipTask, on_share: OnShare) -> dict[str, Any]:
    request = task.request

    def on_clip(_: Clip, done: float, total: float | None) -> None:
        _require_short(task, max(done, total or 0.0))
        on_share(min(done / total, 1.0) if total else 0.0)

    (found,) = predict_clips(
        _predictor(task.checkpoint),
        [Clip(task.clip, Path(task.clip.name))],
        transcript=_transcript(task),
        recognise=request.recognise,
        tracks=Wanted(request.audio_track, request.video_track),
        on_clip=on_clip,
    )
    if found.content is None:
        raise found.error or InputError("there is no answer", remedy="try again")
    return {**found.content, "file": request.clip.name}


@lru_cache(maxsize=4)
def _predictor(checkpoint: str | None) -> Predictor:
    return Predictor.from_pretrained(checkpoint)


def prepare(checkpoint: str | None) -> None:
    """Load a checkpoint before the first job that asks for it."""
    _predictor(checkpoint).extractor()


def _transcript(task: ClipTask) -> Transcript | None:
    """What is said, as if it had been read where it lies at whoever sent it."""
    request = task.request
    if request.text is not None:
        return Transcript.of_text(request.text)
    if task.transcript is None or request.transcript is None:
        return None
    found = read_transcript(task.transcript)
    ours, theirs = str(task.transcript), request.transcript.name
    origin = replace(found.origin, file=theirs, language=found.origin.language or request.language)
    notices = tuple(notice.replace(ours, theirs) for notice in found.notices)
    return replace(found, origin=origin, notices=notices)


def _require_short(task: ClipTask, seconds: float) -> None:
    if task.longest is not None and seconds > task.longest:
        problem = f"is longer than the {task.longest:g} s that this service reads"
        raise InputError(problem, remedy="send a part of it", source=task.clip)


def _renamed_error(error: AffuseError, task: ClipTask) -> AffuseError:
    line = str(error).replace(str(task.clip), task.request.clip.name)
    if task.transcript is not None and task.request.transcript is not None:
        line = line.replace(str(task.transcript), task.request.transcript.name)
    return AffuseError(line)


def _line(content: Any) -> bytes:
    return f"{json.dumps(content, ensure_ascii=False, allow_nan=False)}\n".encode()
