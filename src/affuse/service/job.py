"""What is asked of the service for one clip, and what has become of it."""

from __future__ import annotations

import re
import secrets
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from affuse.errors import InputError, unknown_name

_ID = re.compile(r"[0-9a-f]{32}")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_LONGEST_NAME = 255


class State(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (State.DONE, State.FAILED)


class Sent(BaseModel):
    """A file that was sent: its name is shown, and never a place on disk.

    Where a form is told by the suffix of a name, that is kept: a dot, letters and digits.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, max_length=_LONGEST_NAME)

    @property
    def suffix(self) -> str:
        found = Path(self.name).suffix
        return found.lower() if _SUFFIX.fullmatch(found) else ""


class Request(BaseModel):
    """What is asked, as it is kept until the answer is there."""

    model_config = ConfigDict(frozen=True)

    clip: Sent
    transcript: Sent | None = None
    text: str | None = None
    language: str | None = None  # of the transcript, in two letters
    checkpoint: str | None = None  # None for all that come with affuse
    recognise: bool = False
    audio_track: int | None = None
    video_track: int | None = None
    window: float | None = None  # seconds of windows; None where they follow speech
    adapt: Literal["recording", "speaker", "none"] = "recording"
    faces: Literal["one", "all"] = "one"
    url: str | None = None  # where the clip is to be fetched
    callback: str | None = None  # who is told of the end


class ClipTask(NamedTuple):
    """A job as a worker is given it."""

    request: Request
    clip: Path
    transcript: Path | None
    checkpoint: str | None  # a name that comes with affuse, or a folder
    longest: float | None  # seconds of a recording that are read, at most

    @property
    def source(self) -> str:
        """What errors name."""
        return str(self.clip)


class PlayTask(NamedTuple):
    """A clip that a browser could not play, as a worker is given it."""

    clip: Path
    folder: Path  # of what is made of it

    @property
    def source(self) -> str:
        """What errors name."""
        return str(self.clip)


class Job(NamedTuple):
    """A job, without its answer."""

    id: str
    owner: str  # the name of a key, or nothing
    state: State
    request: Request
    made: float  # seconds since 1970
    started: float | None
    ended: float | None
    error: str | None
    starts: int  # how often it was begun

    def to_dict(self, progress: float) -> dict[str, Any]:
        """What its owner is told."""
        told = {} if self.error is None else {"error": self.error}
        return {
            "id": self.id,
            "state": str(self.state),
            "progress": round(progress, 3),
            "file": self.request.clip.name,
            "made": round(self.made, 3),
            "started": self.started and round(self.started, 3),
            "ended": self.ended and round(self.ended, 3),
            **told,
        }


class Places:
    """Where the files of jobs lie: a folder each, of names that nobody outside chose."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, job: str) -> Path:
        """The folder of a job.

        Raises:
            InputError: what is no id.
        """
        if not is_id(job):
            raise InputError("no such job", remedy="give the id that the service answered")
        return self.folder / job

    def clip(self, job: str, sent: Sent) -> Path:
        return self.of(job) / f"clip{sent.suffix}"

    def played(self, job: str) -> Path:
        """The folder of what is made of a clip for browsers."""
        return self.of(job) / "played"

    def transcript(self, job: str, sent: Sent) -> Path:
        """Not beside the clip, where it would be found under that name."""
        return self.of(job) / "words" / f"transcript{sent.suffix}"

    def remove(self, job: str) -> None:
        """Delete a job's files, if there are any."""
        shutil.rmtree(self.of(job), ignore_errors=True)


def new_id() -> str:
    """A name for a job that nobody can guess."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Whether a text could be such a name."""
    return _ID.fullmatch(text) is not None


def shown_name(name: str | None) -> str:
    """The last part of a name as a browser or program sent it, fit to be shown on one line."""
    last = re.split(r"[/\\]", name or "")[-1]
    visible = "".join(letter if letter.isprintable() else "_" for letter in last).strip()
    return visible[-_LONGEST_NAME:] if visible not in ("", ".", "..") else "clip"


def known_language(code: str | None) -> str | None:
    """The two letters of a language; `InputError` for what is none."""
    if code is None or code == "":
        return None
    # Imported here, since a service should answer before it reads transcripts.
    from affuse.extract.text.transcript.languages import language_code

    known = language_code(code)
    if known is None:
        raise unknown_name("language", code[:40], ("en", "de", "fr", "es", "it", "zh", "ja"))
    return known
