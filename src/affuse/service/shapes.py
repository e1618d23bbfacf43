"""The shapes of what is asked and answered, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

_STATE = Literal["queued", "running", "done", "failed"]
_LINES = {
    400: "a damaged body",
    401: "no key that is known",
    404: "no such job",
    408: "an upload that is too slow",
    409: "no answer, yet or at all; state and error say which",
    413: "too large",
    415: "a body of another kind",
    416: "a range beyond the end",
    422: "a field that cannot be used",
    429: "a full queue, or too many jobs a minute; Retry-After says when to ask again",
    503: "the list of jobs cannot be read or written now, or the service ends",
    507: "no room on disk",
}


class Problem(BaseModel):
    """Why something is refused, in one line."""

    error: str


class MadeOne(BaseModel):
    """A job that was made."""

    id: str = Field(description="32 hexadecimal digits, which nobody can guess")
    state: _STATE


class JobMade(MadeOne):
    """The job that was made; of several URLs the first, and all of them."""

    jobs: list[MadeOne]


class JobState(MadeOne):
    """How far a job is."""

    progress: float = Field(ge=0, le=1)
    file: str = Field(description="the name of the clip as it was sent")
    made: float = Field(description="seconds since 1970")
    started: float | None
    ended: float | None
    error: str | None = Field(default=None, description="why there is no answer")


class JobList(BaseModel):
    """Jobs, the latest first."""

    jobs: list[JobState]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What else a request may be answered."""
    return {status: {"model": Problem, "description": _LINES[status]} for status in statuses}


_WINDOW = "seconds of windows; by default they follow speech"
_FIELDS: dict[str, Any] = {
    "text": {"type": "string", "description": "what is said"},
    "checkpoint": {"type": "string", "description": "a name of /v1/checkpoints; else all"},
    "language": {"type": "string", "description": "of the transcript, such as en"},
    "recognise": {"type": "boolean", "description": "recognise speech without a transcript"},
    "audio_track": {"type": "integer", "minimum": 1, "maximum": 1000},
    "video_track": {"type": "integer", "minimum": 1, "maximum": 1000},
    "window": {"type": "number", "minimum": 1, "maximum": 60, "description": _WINDOW},
    "adapt": {"type": "string", "enum": ["recording", "speaker", "none"], "default": "recording"},
    "faces": {"type": "string", "enum": ["one", "all"], "default": "one"},
    "callback": {"type": "string", "description": "a URL that is told of the end"},
}
_FILE = {"type": "string", "format": "binary"}

JOB_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {**_FILE, "description": "the clip"},
                        "transcript": {**_FILE, "description": "a file of what is said"},
                        **_FIELDS,
                    },
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["urls"],
                    "additionalProperties": False,
                    "properties": {
                        "urls": {
                            "type": "array",
                            "items": {"type": "string"},
                            "minItems": 1,
                            "maxItems": 100,
                        },
                        **_FIELDS,
                    },
                }
            },
        },
    }
}
