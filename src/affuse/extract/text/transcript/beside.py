"""The transcript that lies beside a recording under its name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from affuse.extract.text.transcript.reading import SUFFIXES, read_transcript
from affuse.extract.text.transcript.said import Transcript


class Beside(NamedTuple):
    """What was found beside a recording.

    Attributes:
        transcript: of it, with notices of its own, or None.
        notices: which files were left aside, and why, a line each.
    """

    transcript: Transcript | None
    notices: tuple[str, ...] = ()


def transcript_beside(path: Path) -> Beside:
    """The transcript that lies beside a media file under its name: clip.srt for clip.mp4."""
    places = (path.with_suffix(suffix) for suffix in SUFFIXES)
    found = next((place for place in places if place.is_file() and place != path), None)
    return Beside(None if found is None else read_transcript(found))
