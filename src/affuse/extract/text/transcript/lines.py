"""Transcripts in which each line, or a line above, has one time or two: lyrics and old subtitles.

MicroDVD `{25}{50}`, MPL2 `[10][25]`, TMPlayer `00:00:01:`, LRC `[00:01.50]`, and what people copy
from pages: `0:01` with the words behind or below it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from affuse.errors import InputError
from affuse.extract.text.transcript.clock import clock, clock_seconds
from affuse.extract.text.transcript.cues import Cue, Found, Piece, cue, plain

_MICRODVD = re.compile(r"\s*\{(\d+)\}\{(\d*)\}(.*)")
_MPL2 = re.compile(r"\s*\[(\d+)\]\[(\d*)\](.*)")
_TMPLAYER = re.compile(r"\s*(\d{1,2}):(\d\d):(\d\d)(?:,\d+)?[:=](.*)")
_CODES = re.compile(r"\{[a-zA-Z]:[^{}]*\}|\{\\[^{}]*\}|</?[a-zA-Z][^<>]*>|(?<=\|)/|^\s*/")
_LRC = re.compile(rf"\s*(?:\[{clock('')}\]\s*)+")
_LRC_TIME = re.compile(rf"\[{clock('')}\]")
_LRC_WORD = re.compile(rf"<{clock('')}>")
_LRC_TAG = re.compile(r"\s*\[(?P<key>[a-zA-Z#]\w*)\s*:(?P<value>[^\]]*)\]\s*")
_STAMP = re.compile(
    rf"\s*(?P<who>[^\W\d][\w .'’&-]{{0,40}}?[\s:,]+)?[\[(]?{clock('')}[\])]?\s*(?:[-–—:|]\s)?"
    r"(?P<said>.*)"
)
_FPS = re.compile(r"\s*(\d{2,3}(?:[.,]\d+)?)\s*")


def read_lines(content: str, file: str) -> Found | None:
    """The cues of a file of one of these forms; None for another.

    Raises:
        InputError: MicroDVD, which counts pictures, without how many there are in a second.
    """
    lines = [line for line in re.split(r"\r\n|\n|\r", content) if line.strip()]
    if not lines:
        return None
    if _most(lines, _MICRODVD.match):
        return _microdvd(lines, file)
    if _most(lines, _MPL2.match):
        return _two_numbers("mpl2", _MPL2, lines, 0.1)
    if any(map(_LRC.match, lines)) and _most(
        lines, lambda s: _LRC.match(s) or _LRC_TAG.fullmatch(s)
    ):
        return _lyrics(lines)
    if _most(lines, _TMPLAYER.match):
        return _tmplayer(lines)
    return _stamped(lines)


def _most(lines: Sequence[str], matches: Callable[[str], object]) -> bool:
    return 2 * sum(bool(matches(line)) for line in lines) > len(lines)


def _microdvd(lines: Sequence[str], file: str) -> Found:
    first = _MICRODVD.match(lines[0])
    rate = _FPS.fullmatch(first[3]) if first and first[1] in ("0", "1") else None
    if rate is None:
        problem = "counts pictures (MicroDVD), and does not say how many are in a second"
        remedy = "put a line such as {1}{1}25 first, or convert it to .srt"
        raise InputError(problem, remedy=remedy, source=file)
    return _two_numbers("microdvd", _MICRODVD, lines[1:], 1 / float(rate[1].replace(",", ".")))


def _two_numbers(name: str, form: re.Pattern[str], lines: Sequence[str], unit: float) -> Found:
    found = [match for line in lines if (match := form.match(line))]
    cues = (cue(int(m[1]) * unit, int(m[2]) * unit if m[2] else None, _old(m[3])) for m in found)
    return Found(name, tuple(cues), skipped=len(lines) - len(found))


def _tmplayer(lines: Sequence[str]) -> Found:
    found = [match for line in lines if (match := _TMPLAYER.match(line))]
    times = (3600 * int(m[1]) + 60 * int(m[2]) + int(m[3]) for m in found)
    cues = (cue(time, None, _old(m[4])) for time, m in zip(times, found, strict=True))
    return Found("tmplayer", tuple(cues), skipped=len(lines) - len(found))


def _old(text: str) -> str:
    return plain(_CODES.sub("", text).replace("|", "\n"))


def _lyrics(lines: Sequence[str]) -> Found:
    tags = {
        m["key"].lower(): m["value"].strip() for line in lines if (m := _LRC_TAG.fullmatch(line))
    }
    # A positive offset makes everything come sooner.
    try:
        offset = -float(tags.get("offset", 0)) / 1000
    except ValueError:
        offset = 0.0
    cues, skipped = [], 0
    for line in lines:
        match = _LRC.match(line)
        if match is None:
            skipped += _LRC_TAG.fullmatch(line) is None
            continue
        for time in _LRC_TIME.finditer(match[0]):
            start = offset + clock_seconds(time.groupdict(), "")
            cues.append(Cue(start, None, tuple(_lyric_pieces(line[match.end() :], offset))))
    return Found("lrc", tuple(cues), tags.get("la"), skipped)


def _lyric_pieces(text: str, offset: float) -> Iterator[Piece]:
    start, place = None, 0
    for match in [*_LRC_WORD.finditer(text), None]:
        said = text[place : match.start() if match else None]
        if said:
            yield Piece(plain(said), start)
        if match:
            start, place = offset + clock_seconds(match.groupdict(), ""), match.end()


def _stamped(lines: Sequence[str]) -> Found | None:
    """Text with a time at the start of lines, or of every line that begins a paragraph."""
    stamps = [
        match if (match := _STAMP.match(line)) and _is_stamp(match) else None for line in lines
    ]
    if stamps[0] is None or sum(map(bool, stamps)) < 2:
        return None
    times = [clock_seconds(m.groupdict(), "") for m in stamps if m]
    if sorted(times) != times:
        return None
    cues: list[Cue] = []
    for line, match in zip(lines, stamps, strict=True):
        if match is None:
            last = cues.pop()
            cues.append(
                Cue(
                    last.start,
                    None,
                    (*last.pieces, Piece(f"\n{line}", None, None, last.pieces[0].speaker)),
                )
            )
        else:
            who = (match["who"] or "").strip(" :,\t") or None
            cues.append(cue(clock_seconds(match.groupdict(), ""), None, match["said"], who))
    return Found("stamped text", tuple(cues), subtitles=False)


def _is_stamp(match: re.Match[str]) -> bool:
    # "At 10:30 we left": who is named before a time has nothing but the time behind.
    return not (match["who"] and match["said"].strip())
