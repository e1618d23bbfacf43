"""Many clips, one after the other: none stops the rest, and none is done twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from affuse import __version__
from affuse.errors import AffuseError, InputError, file_error
from affuse.extract.account import require_no_notices
from affuse.extract.folder import Clip
from affuse.extract.media.tracks import Wanted
from affuse.extract.text.transcript import Beside, Transcript, transcript_beside
from affuse.extract.voice.recognise import NAME as RECOGNISER
from affuse.files import digest, digest_file, make_folder, to_strict_json, write_atomic
from affuse.runtime.bundle import MODEL
from affuse.runtime.predictor import Predictor

_MADE_FROM = "made_from"

OnClipSeconds = Callable[[Clip, float, float | None], None]
"""Told a clip, the seconds of it that are done, and of how many."""


class PredictedClip(NamedTuple):
    """What became of a clip."""

    clip: Clip  # which
    content: dict[str, Any] | None  # the answer as JSON content; None where there is none
    error: AffuseError | None = None  # why; None where there is an answer
    known: bool = False  # whether the answer was there before


def predict_clips(
    predictor: Predictor,
    clips: Sequence[Clip],
    *,
    out: Path | None = None,
    transcript: Transcript | None = None,
    recognise: bool = False,
    tracks: Wanted | None = None,
    strict: bool = False,
    on_clip: OnClipSeconds = lambda *_: None,
) -> Iterator[PredictedClip]:
    """Answers for clips, as they are found.

    Args:
        out: a folder that keeps the answer to each clip as JSON. A clip whose answer is there, by
            the same checkpoints, extractors and transcript, is not read again.
        transcript: of all clips; by default each has the one that lies beside it, if any.
        recognise: recognise speech where there is no transcript.
        tracks: those to read of each; by default those that matter.
        strict: no answer for a clip of which anything is lost, but an error.
    """
    models = {s.config.name: digest_file(s.folder / MODEL) for s in predictor.sessions}
    versions = predictor.extractor(recognise=recognise).versions
    tracks = Wanted() if tracks is None else tracks
    settings = {"affuse": __version__, "models": models, "extractors": versions}
    settings |= {"tracks": tracks._asdict()}
    for clip in clips:
        try:
            beside = transcript_beside(clip.path) if transcript is None else Beside(transcript)
            said = beside.transcript
            made_from = {
                **settings,
                "media": digest_file(clip.path),
                "words": digest(repr(beside).encode(), 64),
                "recognised": RECOGNISER if recognise and said is None else None,
            }
            place = None if out is None else out / f"{clip.name}.json"
            content = None if place is None else _known(place, made_from)
            known = content is not None
            if content is None:
                answer = predictor.read(
                    *(clip.path, beside, tracks),
                    recognise=recognise,
                    progress=partial(on_clip, clip),
                )
                content = {**answer.to_dict(), _MADE_FROM: made_from}
                if place is not None:
                    make_folder(place.parent)
                    write_atomic(place, to_strict_json(content).encode())
            if strict:
                require_no_notices(clip.path, content["notices"])
            yield PredictedClip(clip, content, known=known)
        except AffuseError as error:
            yield PredictedClip(clip, None, error)
        except OSError as error:
            yield PredictedClip(clip, None, file_error(error, "cannot be read", clip.path))
        except MemoryError:
            problem = InputError("out of memory", remedy="close other programs", source=clip.path)
            yield PredictedClip(clip, None, problem)


def _known(place: Path, made_from: dict[str, Any]) -> dict[str, Any] | None:
    """The answer that is kept there, if it was made from the same."""
    try:
        content = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return None
    same = isinstance(content, dict) and content.get(_MADE_FROM) == made_from
    return content if same else None
