"""Clips to answers that are kept: none stops the rest, and none is done twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from affuse import __version__
from affuse.errors import AffuseError, InputError, file_error
from affuse.extract.account import require_no_notices
from affuse.extract.clip import OnSeconds
from affuse.extract.features import Faces
from affuse.extract.folder import Clip
from affuse.extract.media.segments import Segment
from affuse.extract.media.tracks import Wanted
from affuse.extract.text.transcript import Beside, Transcript, transcript_beside
from affuse.files import digest, digest_file, make_folder, to_strict_json, write_atomic
from affuse.runtime.adapting import Adapt, AdaptAlone
from affuse.runtime.bundle import CONFIG, MODEL
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
    # Of the file that was answered: its `size`, and `modified`, by which a change is told.
    state: Mapping[str, Any] | None = None


class Reading(NamedTuple):
    """How clips are read."""

    tracks: Wanted = Wanted()  # those to read of each; by default those that matter
    recognise: bool = False  # recognise speech where there is no transcript
    strict: bool = False  # no answer for a clip of which anything is lost, but an error
    window: float | None = None  # seconds of windows; by default they follow speech
    adapt: Adapt = "recording"  # to what features are adapted
    speaker_from: str | None = None  # a regular expression that finds the speaker in a file's name
    faces: Faces = "one"  # whether each of several faces is answered by itself, too

    @property
    def alone(self) -> AdaptAlone:
        """To what features of a clip are adapted that is read by itself."""
        return "recording" if self.adapt == "folder" else self.adapt


class Remote(Protocol):
    """A clip that is fetched when it is read."""

    @property
    def shown(self) -> str:
        """How it is called."""

    def state(self) -> dict[str, Any]:
        """Its `size`, and `modified`: what else tells that it has changed."""

    def fetched(self) -> AbstractContextManager[Path]:
        """The clip as a file, as long as it is needed."""


class ClipReader:
    """Answers for clips by a predictor, an error for each that has none.

    Raises:
        InputError: checkpoints that are made for other features.
    """

    def __init__(self, predictor: Predictor) -> None:
        predictor.extractor()
        self._predictor = predictor
        self._models = {
            s.config.name: [digest_file(s.folder / name) for name in (MODEL, CONFIG)]
            for s in predictor.sessions
        }

    def read(
        self,
        clip: Clip,
        reading: Reading = Reading(),  # noqa: B008 - it cannot change
        *,
        beside: Beside | None = None,
        out: Path | None = None,
        progress: OnSeconds | None = None,
        remote: Remote | None = None,
        segment: Segment | None = None,
    ) -> PredictedClip:
        """What becomes of a clip.

        Args:
            beside: its transcript; by default what lies beside it, if any.
            out: a folder that keeps the answer as JSON. Where it is there, by the same checkpoints,
                extractors and transcript, the clip is not read again.
            progress: told the seconds that are done.
            remote: where the clip is fetched from; nothing then lies at its path.
            segment: all that is read of it.
        """
        source = clip.path if remote is None else remote.shown
        try:
            return self._read(clip, reading, beside, out, progress, remote, segment)
        except AffuseError as error:
            return PredictedClip(clip, None, error)
        except OSError as error:
            return PredictedClip(clip, None, file_error(error, "cannot be read", source))
        except MemoryError:
            problem = InputError("out of memory", remedy="close other programs", source=source)
            return PredictedClip(clip, None, problem)

    def made_by(self, reading: Reading) -> dict[str, Any]:
        """What answers depend on, but for the clip and its words."""
        versions = self._predictor.extractor(recognise=reading.recognise).versions
        settings = {"affuse": __version__, "models": self._models, "extractors": versions}
        cut = {"window": reading.window, "adapt": reading.adapt, "faces": reading.faces}
        return settings | {"tracks": reading.tracks._asdict(), **cut}

    def _read(
        self,
        clip: Clip,
        reading: Reading,
        beside: Beside | None,
        out: Path | None,
        progress: OnSeconds | None,
        remote: Remote | None,
        segment: Segment | None,
    ) -> PredictedClip:
        if beside is None:
            beside = Beside(None) if remote else beside_of(clip.path, segment)
        recogniser = None
        if reading.recognise and beside.transcript is None:
            recogniser = self._predictor.extractor(recognise=True).features.recogniser
        made_from = {
            **self.made_by(reading),
            **({} if segment is None else {"segment": list(segment)}),
            "words": digest(repr(beside).encode(), 64),
            "recognised": recogniser,
        }
        state = remote.state() if remote else _state(clip.path)
        place = None if out is None else out / f"{clip.name}.json"
        if place is not None or remote:
            # Where the answer is not kept, it is that of any copy of the file.
            made_from |= state
        content = None
        if place is not None:
            content = _known(place, made_from, None if remote else clip.path)
        known = content is not None
        if content is None:
            content = self._answer(clip.path, reading, beside, made_from, progress, remote, segment)
            if place is not None:
                make_folder(place.parent)
                write_atomic(place, to_strict_json(content).encode())
        if reading.strict:
            require_no_notices(content["file"], content["notices"])
        return PredictedClip(clip, content, known=known, state=state)

    def _answer(
        self,
        path: Path,
        reading: Reading,
        beside: Beside,
        made_from: dict[str, Any],
        progress: OnSeconds | None,
        remote: Remote | None,
        segment: Segment | None,
    ) -> dict[str, Any]:
        with nullcontext(path) if remote is None else remote.fetched() as file:
            made_from["media"] = digest_file(file)
            try:
                answer = self._predictor.read(
                    *(file, beside, reading.tracks),
                    recognise=reading.recognise,
                    window=reading.window,
                    adapt=reading.alone,
                    faces=reading.faces,
                    progress=progress,
                    segment=segment,
                )
            except InputError as error:
                # Where it lay meanwhile says nothing to anybody.
                if remote is None or str(error.source) != str(file):
                    raise
                raise InputError(error.problem, remedy=error.remedy, source=remote.shown) from None
        content = answer.to_dict() | ({} if remote is None else {"file": remote.shown})
        return {**content, _MADE_FROM: made_from}


def beside_of(path: Path, segment: Segment | None) -> Beside:
    """The transcript beside a recording, as far as it can be one of a segment of it."""
    found = transcript_beside(path)
    if segment is None or found.transcript is None or found.transcript.timed:
        return found
    why = "the text beside its recording has no times, so that none of it is its own"
    return Beside(None, (*found.notices, why))


def predict_clips(
    predictor: Predictor,
    clips: Sequence[Clip],
    *,
    out: Path | None = None,
    transcript: Transcript | None = None,
    recognise: bool = False,
    tracks: Wanted | None = None,
    strict: bool = False,
    window: float | None = None,
    adapt: Adapt = "recording",
    on_clip: OnClipSeconds = lambda *_: None,
) -> Iterator[PredictedClip]:
    """Answers for clips, one after the other; the options are those of `ClipReader.read`."""
    reader, beside = ClipReader(predictor), None if transcript is None else Beside(transcript)
    reading = Reading(tracks or Wanted(), recognise, strict, window, adapt)
    for clip in clips:
        yield reader.read(clip, reading, beside=beside, out=out, progress=partial(on_clip, clip))


_OF_FILE = ("media", "size", "modified")


def _state(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {"size": found.st_size, "modified": found.st_mtime_ns}


def _known(place: Path, made_from: Mapping[str, Any], media: Path | None) -> dict[str, Any] | None:
    """The answer that is kept there, if it was made from the same."""
    try:
        content = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return None
    kept = content.get(_MADE_FROM) if isinstance(content, dict) else None
    if not isinstance(kept, dict) or _apart(kept) != _apart(made_from):
        return None
    same = all(kept.get(key) == made_from[key] for key in ("size", "modified"))
    if not same and media is not None and kept.get("size") == made_from["size"]:
        # A file of another time may be a copy.
        same = kept.get("media") == digest_file(media)
    return dict(content) if same else None


def _apart(made_from: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in made_from.items() if key not in _OF_FILE}
