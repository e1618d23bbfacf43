"""What recognisers call the parts of a word or a segment in their JSON, and in which units."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from affuse.extract.text.transcript.clock import seconds_of
from affuse.extract.text.transcript.cues import Cue, Piece

Entry = Mapping[str, Any]

# Keys are compared in lower case and without underscores.
_TEXT = (
    *("punctuatedword", "displaytext", "word", "text", "transcript", "display", "value", "w"),
    *("body", "utf8", "alignedword", "content", "token"),
)
_SPEAKER = ("speaker", "speakerlabel", "speakerid", "speakertag", "speakername")
_START = ("start", "starttime", "ts", "from", "begin", "starttimestamp", "s")
_END = ("end", "endtime", "endts", "to", "endtimestamp", "e")
_DURATION = ("duration", "dur", "d")
# What is told in other units than seconds: start, end or None, duration or None, the unit.
_UNITS = (
    ("offsetinticks", None, "durationinticks", 1e-7),
    ("offsetmilliseconds", None, "durationmilliseconds", 1e-3),
    ("tstartms", None, "ddurationms", 1e-3),
    ("startms", "endms", "durationms", 1e-3),
    ("starttimems", "endtimems", "durationms", 1e-3),
)


def values_of(content: str) -> tuple[list[Any], int]:
    """The JSON values of a file, and how many lines are none; `ValueError` if most are."""
    try:
        return [json.loads(content)], 0
    except ValueError:
        pass
    decoder, values, place = json.JSONDecoder(), [], 0
    content = content.strip()
    try:
        while place < len(content):
            value, end = decoder.raw_decode(content, place)
            values.append(value)
            place = end + len(content[end:]) - len(content[end:].lstrip(" \t\r\n,"))
        return values, 0
    except ValueError:
        pass
    lines = [line for line in content.splitlines() if line.strip()]
    values = [value for line in lines if (value := _value(line)) is not None]
    if 2 * len(values) <= len(lines):
        raise ValueError
    return values, len(lines) - len(values)


def _value(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def alike(found: Any) -> Any:
    """JSON content with keys in lower case without underscores, so that dialects are alike."""
    if isinstance(found, Mapping):
        return {
            str(k).replace("_", "").replace("-", "").lower(): alike(v) for k, v in found.items()
        }
    return [alike(each) for each in found] if isinstance(found, list) else found


def text_of(entry: Entry) -> str | None:
    """The words of an entry, None where it has none."""
    return next((entry[n] for n in _TEXT if isinstance(entry.get(n), str)), None)


def speaker_of(entry: Entry) -> str | None:
    """Who speaks, as text."""
    told = next((entry[n] for n in _SPEAKER if entry.get(n) not in (None, "")), None)
    if isinstance(told, Mapping):
        told = told.get("name", told.get("id"))
    return str(told) if isinstance(told, str | int) and not isinstance(told, bool) else None


def times_of(entry: Entry) -> tuple[float | None, float | None]:
    """Start and end in seconds, each None where it is not told, or is no number."""
    for first, last, lasting, unit in _UNITS:
        if (start := seconds_of(entry.get(first))) is not None:
            return _bounds(start, entry.get(last or ""), entry.get(lasting), unit)
    for name, unit in (
        ("timestamp", 1.0),
        ("timestamps", 1.0),
        ("offsets", 1e-3),
        ("offset", 1e-7),
    ):
        told = entry.get(name)
        if name == "offsets" and isinstance(told, Mapping):
            return _bounds(seconds_of(told.get("from")), told.get("to"), None, unit)
        if name != "offsets" and isinstance(told, list) and len(told) == 2:
            return seconds_of(told[0]), seconds_of(told[1])
        if name == "offset" and "duration" in entry and seconds_of(told) is not None:
            # Ticks of 100 ns, unless it is text that names its unit.
            unit = 1.0 if isinstance(told, str) and not told.isdigit() else unit
            return _bounds(seconds_of(told), None, entry["duration"], unit)
    # As numbers, these are places in a text.
    if isinstance(entry.get("startoffset"), str):
        return seconds_of(entry["startoffset"]), seconds_of(entry.get("endoffset"))
    start, end = (_first(entry, names) for names in (_START, _END))
    if start is None and isinstance(end, str) and end.endswith("s"):
        start = 0.0  # which Google leaves out
    return _bounds(seconds_of(start), end, _first(entry, _DURATION), 1.0)


def _first(entry: Entry, names: Sequence[str]) -> Any:
    return next((entry[n] for n in names if entry.get(n) is not None), None)


def _bounds(
    start: float | None, end: Any, lasting: Any, unit: float
) -> tuple[float | None, float | None]:
    last, length = seconds_of(end), seconds_of(lasting)
    if last is None and start is not None and length is not None:
        last = start + length
    return (None if start is None else start * unit, None if last is None else last * unit)


def piece_of(entry: Any) -> Piece | None:
    """A word or a segment as a piece; None for what is no such thing.

    Also `["hello", 0.2, 0.5]`. A number in the place of a word is an error, `ValueError`.
    """
    if isinstance(entry, list):
        if len(entry) < 3 or not isinstance(entry[0], str):
            raise ValueError
        return Piece(entry[0], seconds_of(entry[1]), seconds_of(entry[2]))
    if isinstance(entry, str) or not isinstance(entry, Mapping):
        raise ValueError
    text = text_of(entry)
    return None if text is None else Piece(text, *times_of(entry), speaker_of(entry))


def is_timed(piece: Piece) -> bool:
    return piece.start is not None or piece.end is not None


_SPECIAL = re.compile(r"\[_[^\[\]]*\]|<\|[^|]*\|>")


def joined_tokens(tokens: Sequence[Piece]) -> list[Piece]:
    """Words of pieces of words; a piece that begins a word begins with a space."""
    words: list[Piece] = []
    for token in tokens:
        text = _SPECIAL.sub("", token.text)
        if not text.strip():
            continue
        if words and not text[:1].isspace():
            last = words.pop()
            words.append(last._replace(text=last.text + text, end=token.end))
        else:
            words.append(token._replace(text=text))
    return words


_LONGEST_WORD, _LONGEST_SEGMENT = 20.0, 100.0
"""Whole numbers of words and segments that last longer, by their median, are milliseconds."""


def language_of(found: Any) -> str | None:
    """The language that a recogniser tells, as it does."""
    if not isinstance(found, Mapping):
        return None
    for name in ("language", "languagecode", "lang", "locale", "detectedlanguage"):
        if isinstance(found.get(name), str):
            return str(found[name])
    inner = (found.get(name) for name in ("result", "results", "metadata", "transcription"))
    return next(filter(None, map(language_of, inner)), None)


def in_seconds(cues: Sequence[Cue]) -> Iterator[Cue]:
    """The same in seconds where times are whole numbers and too long for these."""
    words = [(p.start, p.end) for c in cues for p in c.pieces if is_timed(p)]
    bounds = words or [(c.start, c.end) for c in cues]
    lasts = sorted(end - start for start, end in bounds if start is not None and end is not None)
    whole = all(time % 1 == 0 for pair in bounds for time in pair if time is not None)
    longest = _LONGEST_WORD if words else _LONGEST_SEGMENT
    milliseconds = whole and bool(lasts) and lasts[len(lasts) // 2] >= longest
    return _scaled(cues, 1e-3) if milliseconds else iter(cues)


def _scaled(cues: Iterable[Cue], unit: float) -> Iterator[Cue]:
    def scaled(time: float | None) -> float | None:
        return None if time is None else time * unit

    for one in cues:
        pieces = (p._replace(start=scaled(p.start), end=scaled(p.end)) for p in one.pieces)
        yield Cue(scaled(one.start), scaled(one.end), tuple(pieces))
