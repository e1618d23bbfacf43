"""Subtitles in which a line of two times begins a cue: SubRip, WebVTT, SBV, programs' output.

The text of a cue runs to the next line of times, without the number or name that belongs to that.
Blank lines within it, missing numbers and odd arrows do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from affuse.extract.text.transcript.clock import clock, clock_seconds
from affuse.extract.text.transcript.cues import Cue, Found, Piece, plain

_ARROW = r"\s*(?:(?:[-‐-―=−]\s?){0,3}(?:[>＞»→⟶]|&gt;)+|→|⟶)\s*"
_OPEN, _CLOSE = r"^[^\w\-−]{0,2}(?:\d+[\s.):]+)??[\[(]?\s*", r"\s*[\])]?"
_TIMES = re.compile(rf"{_OPEN}{clock('a')}{_ARROW}{clock('b')}{_CLOSE}(?P<rest>.*)$")
_BETWEEN = r"\s*(?:[-‐-―~,;]{1,3}|to|\t)\s*"
_BARE = re.compile(rf"{_OPEN}{clock('a')}{_BETWEEN}{clock('b')}{_CLOSE}(?P<rest>)$")
# Times that are written out are no speech, whatever stands between.
_FULL = re.compile(r"\W*\d+:\d\d:\d\d[.,:]\d+\D{1,7}\d+:\d\d:\d\d[.,:]\d+\W*")
_START = re.compile(rf"{_OPEN}{clock('a')}\s*-->(?P<rest>)")
# A digit and an arrow, and hardly a letter before it.
_BROKEN = re.compile(r"^(?=.*\d)(?:[\W\d_]*[^\W\d_]){0,2}[\W\d_]*-->")
_SETTING = re.compile(
    r"\s*(?:(?:vertical|line|position|size|align|region)\s?:|[XY][12]:)\S*", re.IGNORECASE
)
_TAG = re.compile(r"<(?P<tag>/?[a-zA-Z][^<>]*|/|\d[\d:.,]*)>|\{\\[^{}]*\}|\{[a-zA-Z]:[^{}]*\}")
_VOICE = re.compile(r"v(?:\.[^\s>]*)?\s+(?P<name>.+)", re.DOTALL)
_BLOCK = re.compile(r"(?:NOTE(?:\s|$)|(?:STYLE|REGION)\s*$)")
_HEADER = re.compile(r"^\s*(?P<key>[\w-]+)\s*:\s*(?P<value>\S+)")
_IDENTIFIER = re.compile(r"\S+|\d.*|.*\d")


class _Times(NamedTuple):
    """A line of times: seconds, None where they cannot be read, and text behind them."""

    start: float | None
    end: float | None
    rest: str = ""


def read_timelines(content: str) -> Found | None:
    """The cues of a file with lines of times; None for one without."""
    lines = re.split(r"\r\n|\n|\r", content)
    vtt = content.lstrip().startswith("WEBVTT")
    arrows = any("-->" in line or _TIMES.match(line) for line in lines)
    times = {n: found for n, line in enumerate(lines) if (found := _times_of(line, arrows))}
    places = [*times, len(lines)]
    before = lines[: places[0]]
    # Without arrows, two times might be anything that people write down.
    if not vtt and (_none_readable(times) or (not arrows and _lost_before(before))):
        return None
    language = _header(before) if vtt else None
    numbers = _Numbers(vtt)
    lost = _lost_before(numbers.without(before, first=True))
    skipped = 0 if vtt else lost
    cues = []
    for place, following in pairwise(places):
        start, end, rest = times[place]
        text = numbers.without(lines[place + 1 : following], last=following == len(lines))
        text = list(_without_blocks(text)) if vtt else text
        if start is None:
            skipped += 1
        else:
            cues.append(Cue(start, end, tuple(_pieces("\n".join([rest, *text]).strip("\n")))))
    name = "vtt" if vtt else "srt" if arrows else "sbv"
    return Found(name, tuple(cues), language, skipped)


def _times_of(line: str, arrows: bool) -> _Times | None:
    match = _TIMES.match(line)
    if match is None and (not arrows or _FULL.fullmatch(line)):
        match = _BARE.match(line)
    if match is not None:
        said = match.groupdict()
        rest = match["rest"]
        while setting := _SETTING.match(rest):
            rest = rest[setting.end() :]
        return _Times(clock_seconds(said, "a"), clock_seconds(said, "b"), rest.strip())
    if match := _START.match(line):
        return _Times(clock_seconds(match.groupdict(), "a"), None)
    return _Times(None, None) if _BROKEN.match(line) else None


def _none_readable(times: Mapping[int, _Times]) -> bool:
    return all(found.start is None for found in times.values())


def _header(lines: Sequence[str]) -> str | None:
    named = (match for line in lines if (match := _HEADER.match(line)))
    return next((m["value"] for m in named if m["key"].lower() == "language"), None)


def _lost_before(lines: Sequence[str]) -> int:
    """How many cues are lost before the first line of times: words there are such without times."""
    return int(any(re.search(r"[^\W\d_]", line) for line in lines))


class _Numbers:
    """Takes the number or name of the next cue from behind a cue's text.

    A number is one if it stands alone before the line of times, or if it goes on counting.
    """

    def __init__(self, vtt: bool) -> None:
        self._vtt, self._last, self._since = vtt, 0, 0

    def without(
        self, lines: Sequence[str], *, first: bool = False, last: bool = False
    ) -> list[str]:
        """The lines of a cue, or before the `first` one; after the `last` one no times follow."""
        self._since += 1
        filled = [n for n, line in enumerate(lines) if line.strip()]
        if last or not filled:
            return list(lines)
        at = filled[-1]
        line = lines[at].strip().strip("#.")
        direct, alone = at == len(lines) - 1, at == 0 or not lines[at - 1].strip()
        if line.isdecimal() and len(line) < 9:
            number = int(line)
            counts = number - self._last in (self._since, 1) and (direct or at > 0)
            if first or (direct and alone) or counts:
                self._last, self._since = number, 0
                return list(lines[:at])
        named = self._vtt and direct and alone and _IDENTIFIER.fullmatch(line)
        return list(lines[:at]) if named else list(lines)


def _without_blocks(lines: Sequence[str]) -> Iterator[str]:
    """The lines of a cue without notes, styles and regions, which end with a blank line."""
    inside, blank = False, False
    for line in lines:
        inside = bool(line.strip()) and (inside or (blank and _BLOCK.match(line) is not None))
        blank = not line.strip()
        if not inside:
            yield line


def _pieces(text: str) -> Iterator[Piece]:
    """The text of a cue without tags, parted where they tell a time or a voice."""
    said, start, speaker = "", None, None
    place = 0
    for match in _TAG.finditer(text):
        said += text[place : match.start()]
        place = match.end()
        tag = match["tag"] or ""
        voice, time = _VOICE.fullmatch(tag), _inline_time(tag)
        if tag.lower().rstrip("/ ") == "br":
            said += "\n"
        if voice is None and time is None and tag != "/v":
            continue
        if said:
            yield Piece(plain(said), start, None, speaker)
        said = ""
        start = start if time is None else time
        speaker = plain(voice["name"]).strip() if voice else None if tag == "/v" else speaker
    if rest := said + text[place:]:
        yield Piece(plain(rest), start, None, speaker)


_INLINE = re.compile(clock(""))


def _inline_time(tag: str) -> float | None:
    match = _INLINE.fullmatch(tag)
    return None if match is None else clock_seconds(match.groupdict(), "")
