"""A service from Python: `affuse.connect(url).predict("interview.mp4")`, as if on the spot."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from affuse.errors import AffuseError, InputError, RecordingWarning
from affuse.files import digest
from affuse.service.calls import Calls, Upload
from affuse.service.side_by_side import OnShare, side_by_side, unless

if TYPE_CHECKING:
    from affuse.extract.features import Faces
    from affuse.extract.text.transcript import Beside, Transcript
    from affuse.runtime.adapting import AdaptAlone
    from affuse.runtime.answers import ClipAnswer

T = TypeVar("T")
U = TypeVar("U")

# A service that cannot wait answers at once.
_PAUSE, _WAIT = 0.05, 1
_WORDS = "transcript-as-sent"


class Options(NamedTuple):
    """How a clip is read, as `Predictor.predict` has it."""

    checkpoint: str | None = None
    recognise: bool = False
    audio_track: int | None = None
    video_track: int | None = None
    window: float | None = None
    adapt: AdaptAlone = "recording"
    faces: Faces = "one"

    def fields(self) -> dict[str, str]:
        """Those that are not as they are by default, as fields of a form."""
        usual = Options._field_defaults
        given = {key: value for key, value in self._asdict().items() if value != usual[key]}
        return {
            key: str(value).lower() if value is True else str(value) for key, value in given.items()
        }


class ServiceClient:
    """Asks one service.

    Args:
        url: of it, such as `http://localhost:8000`.
        key: for it, if it needs one; by default what the environment's `AFFUSE_KEY` holds.
        patience: seconds for which a service that is full, or away, is asked again.
    """

    def __init__(self, url: str, key: str | None = None, *, patience: float = 600.0) -> None:
        key = os.environ.get("AFFUSE_KEY") if key is None else key
        self._calls = Calls(url, key, patience=patience)

    def __repr__(self) -> str:
        return f"ServiceClient({self._calls.url!r})"

    def checkpoints(self) -> list[dict[str, Any]]:
        """What the service answers by."""
        listed: list[dict[str, Any]] = self._calls.json("GET", "v1/checkpoints")["checkpoints"]
        return listed

    def predict(
        self,
        path: Path | str,
        transcript: Transcript | Path | str | None = None,
        *,
        checkpoint: str | None = None,
        recognise: bool = False,
        window: float | None = None,
        adapt: AdaptAlone = "recording",
        faces: Faces = "one",
        audio_track: int | None = None,
        video_track: int | None = None,
        strict: bool = False,
        progress: OnShare = lambda _: None,
    ) -> ClipAnswer:
        """The answer for a recording; the arguments are those of `Predictor.predict`.

        Args:
            checkpoint: a name that the service offers; by default all that come with affuse.
            progress: told which share is done, in [0, 1].

        Raises:
            InputError: a file that cannot be read, here or there; a service that is not there.
        """
        from affuse.extract.account import require_no_notices
        from affuse.extract.text.transcript import Beside, as_transcript, transcript_beside
        from affuse.runtime.answers import ClipAnswer

        path = Path(path)
        beside = (
            transcript_beside(path) if transcript is None else Beside(as_transcript(transcript))
        )
        options = Options(checkpoint, recognise, audio_track, video_track, window, adapt, faces)
        answer = ClipAnswer.from_dict(self.content(path, beside, options, progress=progress))
        if strict:
            require_no_notices(answer.file, answer.notices)
        for notice in answer.notices:
            warnings.warn(f"{path}: {notice}", RecordingWarning, stacklevel=2)
        return answer

    def predict_all(
        self, paths: Iterable[Path | str], *, at_once: int = 4, **options: Any
    ) -> Iterator[ClipAnswer]:
        """The answers for recordings, in their order, several of them asked at once.

        Args:
            at_once: how many.
            options: of `predict`, for each.
        """

        def ask(path: Path | str, given_up: Event) -> ClipAnswer:
            return self.predict(path, **options, progress=unless(given_up))

        return side_by_side(ask, paths, at_once)

    def content(
        self,
        path: Path,
        beside: Beside,
        options: Options = Options(),  # noqa: B008 - it cannot change
        *,
        progress: OnShare = lambda _: None,
    ) -> dict[str, Any]:
        """The answer as JSON content, as `affuse predict --json` prints it on the spot."""
        from affuse.extract.text.transcript.languages import language_code

        _require_recording(path)
        fields, files = options.fields(), [Upload("file", path.name, path)]
        words, name = _words_of(beside)
        if isinstance(words, Path):
            files.append(Upload("transcript", name, words))
            language = None if beside.transcript is None else beside.transcript.origin.language
            # A longer one stands in the file itself.
            if language is not None and language_code(language) == language:
                fields["language"] = language
        elif words is not None:
            fields["text"] = words
        job = self._calls.send(fields, files)
        try:
            told = self._wait(job, progress)
            if told["state"] != "done":
                raise AffuseError(_here(told["error"], path, words, name))
            content = self._calls.json("GET", f"v1/jobs/{job}/result")
        finally:
            # Nobody else needs it, and it may be of somebody's face.
            with suppress(AffuseError):
                self._calls.json("DELETE", f"v1/jobs/{job}")
        return _as_here(content, path, beside, words, name)

    def _wait(self, job: str, progress: OnShare) -> Mapping[str, Any]:
        while True:
            told: Mapping[str, Any] = self._calls.json("GET", f"v1/jobs/{job}?wait={_WAIT}")
            progress(told["progress"])
            if told["state"] in ("done", "failed"):
                return told
            time.sleep(_PAUSE)


def connect(url: str, key: str | None = None) -> ServiceClient:
    """A service that answers for clips: `affuse.connect("http://host:8000").predict("talk.mp4")`.

    Args:
        url: where `affuse serve` runs.
        key: for it, if it needs one; by default what the environment's `AFFUSE_KEY` holds.
    """
    return ServiceClient(url, key)


def _require_recording(path: Path) -> None:
    """Raise `InputError` for what need not be sent to be refused."""
    if path.is_dir():
        raise InputError("is a folder", remedy="name a file", source=path)
    if not path.exists():
        raise InputError("no such file", remedy="check the path", source=path)
    if path.is_file() and not path.stat().st_size:
        raise InputError("is empty", remedy="give a recording", source=path)


def _words_of(beside: Beside) -> tuple[Path | str | None, str]:
    """What is sent of a transcript: its file, or its words; and how the file is called there."""
    given = beside.transcript
    if given is None:
        return None, ""
    if given.origin.file is not None:
        file = Path(given.origin.file)
        return file, f"{_WORDS}{file.suffix}"
    if given.timed and given.words:
        remedy = "write it to a file, such as .srt, and give that"
        raise InputError("words with times that are in no file cannot be sent", remedy=remedy)
    return " ".join(word.text for word in given.words), ""


def _as_here(
    content: dict[str, Any], path: Path, beside: Beside, words: Path | str | None, name: str
) -> dict[str, Any]:
    """An answer that names files as they are called here, and tells what was left aside here."""
    if isinstance(words, Path):
        content = _renamed(content, name, str(words))
    content["file"] = str(path)
    content["notices"] = list(dict.fromkeys((*beside.notices, *content["notices"])))
    content["made_from"]["words"] = digest(repr(beside).encode(), 64)
    return content


def _renamed(content: Any, old: str, new: str) -> Any:
    if isinstance(content, dict):
        return {key: _renamed(value, old, new) for key, value in content.items()}
    if isinstance(content, list):
        return [_renamed(value, old, new) for value in content]
    return content.replace(old, new) if isinstance(content, str) else content


def _here(line: str, path: Path, words: Path | str | None, name: str) -> str:
    """An error that names files as they are called here."""
    if line.startswith(f"{path.name}:"):
        line = f"{path}{line.removeprefix(path.name)}"
    return line.replace(name, str(words)) if name else line
