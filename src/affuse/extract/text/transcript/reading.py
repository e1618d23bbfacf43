"""Transcripts from files, whatever their form: it is told by what they hold, not by their name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from affuse.errors import InputError
from affuse.extract.text.transcript.assembling import assembled
from affuse.extract.text.transcript.columns import read_columns
from affuse.extract.text.transcript.cues import Found, cue, visible
from affuse.extract.text.transcript.decoding import decoded
from affuse.extract.text.transcript.lines import read_lines
from affuse.extract.text.transcript.markup import read_markup
from affuse.extract.text.transcript.recognisers import read_json
from affuse.extract.text.transcript.said import Transcript
from affuse.extract.text.transcript.styled import read_styled
from affuse.extract.text.transcript.textgrid import read_textgrid
from affuse.extract.text.transcript.timelines import read_timelines
from affuse.files import read_at_most

SUBTITLES = (
    ".srt",
    ".vtt",
    ".sbv",
    ".ass",
    ".ssa",
    ".sub",
    ".smi",
    ".sami",
    ".ttml",
    ".dfxp",
    ".lrc",
)
TIMED = (*SUBTITLES, ".json", ".jsonl", ".tsv", ".csv", ".textgrid", ".ctm", ".xml")
"""What transcripts with times are called; the first is looked for first beside a recording."""
SUFFIXES = (*TIMED, ".txt")
_LARGEST = 1 << 26
_LONGEST_NAME = 400
# As no subtitles begin.
_JSON = re.compile(r'\s*(?:\{\s*["}]|\[\s*[\[{"\]])')
_NO_TEXT = {
    b"%PDF": "a PDF",
    b"{\\rtf": "a document (RTF)",
    b"PK\x03\x04": "a document or an archive (zip)",
    b"\xd0\xcf\x11\xe0": "a document (Office)",
}
_PAGE = re.compile(r"\s*(?:<!doctype html|<html\b)", re.IGNORECASE)


def read_transcript(path: Path, encoding: str | None = None) -> Transcript:
    """Read a transcript from a file; which form it has is told by its content.

    | form | files |
    |---|---|
    | subtitles | SubRip, WebVTT, SBV, SubStation, TTML, SAMI, MicroDVD, MPL2, TMPlayer, LRC |
    | JSON of speech recognisers | as `affuse.extract.text.transcript.recognisers` knows it |
    | tables | with a heading (tsv, csv); labels of Audacity; a word a line; ctm; TextGrid |
    | text | with times at the start of lines, or without any |

    Words without times of their own lie between those that have some, by their letters. What is
    not speech is left out, and what cannot be read is counted; notices say so.

    Args:
        path: of the file.
        encoding: of it, as Python calls it; by default what it is in.

    Raises:
        InputError: none of these, damaged, or in an encoding that cannot be told.
    """
    content = read_at_most(path, _LARGEST, "transcript")
    file = str(path)
    kind = next((kind for start, kind in _NO_TEXT.items() if content.startswith(start)), None)
    if kind is not None:
        raise InputError(f"is {kind}", remedy="save it as plain text", source=path)
    text, used, broken = decoded(content, file, encoding)
    transcript = assembled(_found(visible(text), path), file, used)
    if broken:
        problem = f"{file}: {broken} letters could not be read; is it whole?"
        return replace(transcript, notices=(*transcript.notices, problem))
    return transcript


def as_transcript(given: Transcript | Path | str) -> Transcript:
    """A transcript as it is; a `Path` as the file there; a `str` as the words themselves.

    But a `str` that names a file which is there, or is called as transcripts with times are, is
    that file: "talk.srt" is nothing that people say.

    Raises:
        InputError: a file that cannot be read as a transcript.
    """
    if isinstance(given, Transcript):
        return given
    if isinstance(given, Path) or _names_file(given):
        return read_transcript(Path(given))
    return Transcript.of_text(given)


def _names_file(text: str) -> bool:
    text = text.strip()
    if not text or len(text) > _LONGEST_NAME or "\n" in text:
        return False
    path = Path(text)
    suffix = path.suffix.lower()
    called_so = suffix in TIMED or (suffix in SUFFIXES and not re.search(r"\s", text))
    return called_so or (bool(suffix or path.parent.name) and path.is_file())


def _found(text: str, path: Path) -> Found:
    """What the first reader that knows the form makes of a text."""
    file, suffix = str(path), path.suffix.lower()
    if not text.strip():
        if suffix in (".json", ".jsonl"):
            raise InputError("is empty", remedy="give a transcript", source=path)
        return Found(suffix.lstrip(".") if suffix in TIMED else "text", ())
    if _PAGE.match(text):
        raise InputError("is a web page", remedy="save its text as plain text", source=path)
    if _JSON.match(text):
        return read_json(text, file)
    found = (
        read_markup(text, file)
        or read_styled(text)
        or read_textgrid(text)
        or read_timelines(text)
        or read_columns(text, file)
        or read_lines(text, file)
    )
    if found is not None:
        return found
    if suffix in (".json", ".jsonl"):
        return read_json(text, file)
    if suffix in TIMED:
        remedy = "give lines such as 00:00:01,000 --> 00:00:02,000, or name it .txt"
        raise InputError("has no subtitles", remedy=remedy, source=path)
    return Found("text", (cue(None, None, text),), subtitles=False)
