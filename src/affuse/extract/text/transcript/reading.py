"""Transcripts from files, whatever their form."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from affuse.errors import InputError, file_error
from affuse.extract.text.transcript.said import Transcript, Word, spread

SUFFIXES = (".srt", ".vtt", ".json", ".txt")
_LARGEST = 1 << 26
_TIME = r"(?:(\d{1,5}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_CUE = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}.*$")
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
# The names that transcripts in JSON have for the parts of a word.
_NAMES = ("word", "text", "w"), ("start", "start_time", "s"), ("end", "end_time", "e")


def read_transcript(path: Path) -> Transcript:
    """Read a transcript: .srt or .vtt subtitles, .json with times, or plain text of any other name.

    JSON is a list of words (each with text, start and end in seconds), an object with such a list
    as `words`, or with `segments` that have text, start and end, and may have `words`, as speech
    recognisers write it; or an object with `text` alone. Within a subtitle or a segment without
    words, words are spread by their letters. What is none of these is an `InputError`.
    """
    content = _decoded(path)
    suffix = path.suffix.lower()
    if suffix in (".srt", ".vtt"):
        cues = list(_cues(content))
        if not cues and content.strip().removeprefix("WEBVTT").strip():
            remedy = "give lines such as 00:00:01,000 --> 00:00:02,000"
            raise InputError("has no subtitles", remedy=remedy, source=path)
        return _sorted(word for start, end, text in cues for word in _spread(text, start, end))
    if suffix == ".json":
        return _from_json(content, path)
    return Transcript.of_text(content)


def as_transcript(given: Transcript | Path | str) -> Transcript:
    """A transcript as it is, a `Path` as the file there, a `str` as the words themselves."""
    if isinstance(given, Path):
        return read_transcript(given)
    return Transcript.of_text(given) if isinstance(given, str) else given


def _decoded(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError("is too large for a transcript", remedy="check the path", source=path)
        content = path.read_bytes()
    except OSError as error:
        raise file_error(error, "cannot be read", path) from None
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    # Old subtitles are in a Western code page more often than not, and that reads anything.
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError("is not text", remedy="give a transcript as text in UTF-8", source=path)


def _cues(content: str) -> Iterator[tuple[float, float, list[str]]]:
    """Start, end and words of every subtitle."""
    lines = iter([*content.splitlines(), ""])
    for line in lines:
        match = _CUE.match(line)
        if match is None:
            continue
        start, end = _seconds(match.groups()[:4]), _seconds(match.groups()[4:])
        words: list[str] = []
        for said in lines:
            if not said.strip():
                break
            words += html.unescape(_TAG.sub(" ", said)).split()
        yield min(start, end), max(start, end), words


def _seconds(parts: Iterable[str | None]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds) + float(f"0.{fraction}")


def _spread(words: list[str], start: float, end: float) -> Iterator[Word]:
    for word, (low, high) in zip(words, spread(words, start, end), strict=True):
        yield Word(word, low, high)


def _from_json(content: str, path: Path) -> Transcript:
    try:
        found = json.loads(content)
        words = list(_json_words(found))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        remedy = 'give a list such as [{"word": "hello", "start": 0.2, "end": 0.5}]'
        raise InputError("is not a transcript that is known", remedy=remedy, source=path) from None
    if words:
        return _sorted(words)
    text = found.get("text", "") if isinstance(found, dict) else ""
    return Transcript.of_text(text if isinstance(text, str) else "")


def _json_words(found: Any) -> Iterator[Word]:
    if isinstance(found, dict):
        if "words" in found:
            yield from _json_words(found["words"])
        elif "segments" in found:
            yield from _json_words(found["segments"])
        elif "text" not in found:
            raise ValueError
        return
    for entry in found:
        if isinstance(entry, dict) and entry.get("words"):
            yield from _json_words(entry["words"])
        else:
            yield from _json_entry(entry)


def _json_entry(entry: Any) -> Iterator[Word]:
    if isinstance(entry, dict):
        named = (next((n for n in names if n in entry), names[0]) for names in _NAMES)
        text, start, end = (entry[name] for name in named)
    else:
        text, start, end = entry
    start, end = float(start), float(end)
    if not isinstance(text, str) or not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError
    yield from _spread(text.split(), min(start, end), max(start, end))


def _sorted(words: Iterable[Word]) -> Transcript:
    # Subtitles may be out of order and overlap.
    return Transcript(tuple(sorted(words, key=lambda word: word.start)))
