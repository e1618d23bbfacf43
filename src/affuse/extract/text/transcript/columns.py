"""Transcripts in columns: with a heading, and those of programs that write none.

| rows | from |
|---|---|
| any order, named by a heading; tab, comma, semicolon or bar | recognisers, spreadsheets |
| `start end text`, parted by tabs | labels of audio editors |
| `word start end` or `start end word` | aligners |
| `recording channel start duration word` | NIST's ctm |
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from statistics import median

from affuse.errors import InputError
from affuse.extract.text.transcript.clock import seconds_of
from affuse.extract.text.transcript.cues import Cue, Found, Piece, runs

_NAMES: Mapping[str, Sequence[str]] = {
    "start": (
        "start",
        "starttime",
        "begin",
        "begintime",
        "from",
        "onset",
        "tmin",
        "in",
        "startms",
        "starts",
        "time",
        "timestamp",
    ),
    "end": ("end", "endtime", "to", "offset", "stop", "tmax", "out", "endms", "ends", "finish"),
    "duration": ("duration", "dur", "length", "durationms"),
    "text": (
        "text",
        "word",
        "words",
        "transcript",
        "transcription",
        "utterance",
        "sentence",
        "caption",
        "subtitle",
        "content",
        "value",
        "token",
        "label",
    ),
    "speaker": ("speaker", "speakername", "speakerid", "name", "who"),
}
MARKS = "\t,;|"
"""What may stand between the cells of a table."""
_ANSWER = {"file", "sentiment", "primary", "conflict"}
_MILLISECONDS = 100.0
"""Whole numbers of rows that last as long, by their median, are no seconds."""


def read_columns(content: str, file: str) -> Found | None:
    """The cues of a table with times and text; None for another file.

    Raises:
        InputError: an answer of affuse.
    """
    lines = [line for line in content.splitlines() if line.strip()]
    if not lines:
        return None
    if set(re.findall(r"\w+", lines[0])) >= _ANSWER:
        problem, remedy = "is an answer of affuse and no transcript", "give another file"
        raise InputError(problem, remedy=remedy, source=file)
    try:
        return _with_heading(lines) or _without(lines)
    except csv.Error:
        return None


def _with_heading(lines: Sequence[str]) -> Found | None:
    for mark in MARKS:
        heading = [
            re.sub(r"[^a-z]", "", name.lower())
            for name in next(csv.reader([lines[0]], delimiter=mark))
        ]
        places = {
            kind: next((heading.index(n) for n in names if n in heading), None)
            for kind, names in _NAMES.items()
        }
        if len(heading) > 1 and places["text"] is not None and places["start"] is not None:
            text = io.StringIO("\n".join(lines[1:]))
            rows = list(csv.reader(text, delimiter=mark, quoting=csv.QUOTE_MINIMAL))
            picked = [{k: _at(row, p) for k, p in places.items()} for row in rows]
            inside = any(name.endswith("ms") for name in heading)
            return _found("tsv" if mark == "\t" else "csv", picked, inside)
    return None


def _at(row: Sequence[str], place: int | None) -> str | None:
    return row[place].strip() if place is not None and place < len(row) else None


_NUMBER, _APART = r"\d*\.?\d+", r"[\s,;]+"
_FORMS: Sequence[tuple[str, re.Pattern[str]]] = (
    ("labels", re.compile(r"(?P<start>-?[\d.,:]+)\t(?P<end>-?[\d.,:]+)\t(?P<text>.*)")),
    (
        "words",
        re.compile(rf"(?P<text>\S+){_APART}(?P<start>{_NUMBER}){_APART}(?P<end>{_NUMBER})"),
    ),
    ("words", re.compile(rf"(?P<start>\d*\.\d+){_APART}(?P<end>\d*\.\d+){_APART}(?P<text>\S.*)")),
    (
        "ctm",
        re.compile(
            rf"\S+\s+\S+\s+(?P<start>{_NUMBER})\s+(?P<duration>{_NUMBER})\s+(?P<text>\S+)"
            r"(?:\s+[\d.]+)?(?:\s+\S+){0,3}"
        ),
    ),
)


def _without(lines: Sequence[str]) -> Found | None:
    for name, form in _FORMS:
        found = [
            match.groupdict() if (match := form.fullmatch(line.strip())) else {} for line in lines
        ]
        worded = sum(re.search(r"[^\W\d_]", row["text"]) is not None for row in found if row)
        # A line of prose may look so by chance, but not most of a file; rows of numbers are none.
        if 10 * sum(map(bool, found)) >= 9 * len(lines) and 2 * worded >= len(lines):
            return _found(name, found, False)
    return None


def _found(name: str, rows: Sequence[Mapping[str, str | None]], thousandths: bool) -> Found | None:
    times = [[seconds_of(row.get(kind)) for kind in ("start", "end", "duration")] for row in rows]
    unit = 1e-3 if thousandths or _whole_and_long(rows, times) else 1.0
    pieces: list[Piece] = []
    skipped = 0
    for row, (start, end, lasts) in zip(rows, times, strict=True):
        text = row.get("text")
        if start is None or text is None:
            skipped += any(row.values())
            continue
        if end is None and lasts is not None:
            end = start + lasts
        end = None if end is None else end * unit
        pieces.append(Piece(text, start * unit, end, row.get("speaker") or None))
    if not pieces:
        return None
    words = 5 * sum(len(piece.text.split()) == 1 for piece in pieces) >= 4 * len(pieces)
    cues = (
        runs(pieces)
        if words
        else [Cue(p.start, p.end, (p._replace(start=None, end=None),)) for p in pieces]
    )
    return Found(name, tuple(cues), skipped=skipped, subtitles=False)


def _whole_and_long(
    rows: Sequence[Mapping[str, str | None]], times: Sequence[Sequence[float | None]]
) -> bool:
    """Whether times are whole numbers that last too long for seconds."""
    raw = [row.get(kind) for row in rows for kind in ("start", "end", "duration")]
    if not all(re.fullmatch(r"-?\d+(\.0*)?", text) for text in raw if text):
        return False
    lasts = [
        end - start if end is not None else duration or 0.0
        for start, end, duration in times
        if start is not None
    ]
    return bool(lasts) and median(lasts) >= _MILLISECONDS
