"""From the cues that a reader found to the words of a transcript, and what is to be told of it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

from affuse.extract.text.transcript.cues import Cue, Found
from affuse.extract.text.transcript.rolling import Shown, repeated
from affuse.extract.text.transcript.said import Transcript, TranscriptOrigin, Word, words_in
from affuse.extract.text.transcript.speakers import labels
from affuse.extract.text.transcript.timing import Span, filled
from affuse.extract.text.transcript.unspoken import blanked

# Marks alone are no word: a dash, dots, a bullet.
_NO_WORD = re.compile(
    r"[#\s\-‐-―_.,:;!?…·•*~|/\\^\"'`´‘’“”„«»‹›()\[\]{}<>=¡¿。、，．：；！？「」『』—]+"
)


class _Token(NamedTuple):
    """A word of a cue before it has times: the number of its piece, and who says it."""

    text: str
    piece: int
    speaker: str | None


class _Spoken(NamedTuple):
    """What is said in a cue, line by line, and what else stood there."""

    cue: Cue
    start: float
    lines: list[list[_Token]]
    unspoken: list[str]

    @property
    def tokens(self) -> list[_Token]:
        return [token for line in self.lines for token in line]


def assembled(found: Found, file: str, encoding: str | None) -> Transcript:
    """The transcript that a reader's cues make; its notices name `file`."""
    timed = any(cue.start is not None for cue in found.cues)
    spoken = sorted(_spoken(found), key=lambda one: one.start)
    said = [one for one in spoken if one.lines]
    kept = _unrolled(said) if found.subtitles and timed else [one.tokens for one in said]
    starts = sorted({one.start for one in spoken})
    words: list[Word] = []
    for one, tokens in zip(said, kept, strict=True):
        if tokens:
            words += _timed(one, tokens, starts) if timed else _untimed(tokens)
    cues = len(said) if timed else 0
    origin = TranscriptOrigin(file, found.format, found.language, encoding, cues, found.skipped)
    return Transcript(tuple(words), timed, origin, tuple(_notices(found, spoken, file)))


def _spoken(found: Found) -> Iterator[_Spoken]:
    last, speaker = 0.0, None
    for cue in found.cues:
        start = last if cue.start is None else cue.start
        last = start if cue.end is None else cue.end
        if cue.start is not None and cue.end is not None:
            start = min(cue.start, cue.end)
        text, unspoken = blanked(cue.text, subtitles=found.subtitles)
        # Where nothing but line breaks parts what people say, a name holds until the next one.
        lines, said_by = _lines(cue, text, None if found.subtitles else speaker)
        speaker = said_by
        yield _Spoken(cue, start, lines, unspoken)


def _lines(cue: Cue, text: str, speaker: str | None) -> tuple[list[list[_Token]], str | None]:
    """The words of each line of a cue that has words, and who speaks at its end."""
    ends = list(accumulate(len(piece.text) for piece in cue.pieces))
    marks = {label.start: label for label in labels(text)}
    lines, start = [], 0
    for line in text.split("\n"):
        begin = start
        if (label := marks.get(start)) is not None:
            speaker = label.speaker if label.speaker or label.marked else speaker
            begin = label.end
        tokens = []
        for match in words_in(text[begin : start + len(line)]):
            if not _NO_WORD.fullmatch(match[0]):
                piece = bisect_right(ends, begin + match.start())
                told = cue.pieces[min(piece, len(ends) - 1)].speaker
                tokens.append(_Token(match[0], piece, told or speaker))
        lines += [tokens] if tokens else []
        start += len(line) + 1
    return lines, speaker


def _unrolled(spoken: Sequence[_Spoken]) -> list[list[_Token]]:
    """The words of each cue without those that the cue before it showed already."""
    shown = [
        Shown(
            one.start, max(_bounds(one.cue)), [[token.text for token in line] for line in one.lines]
        )
        for one in spoken
    ]
    return [one.tokens[count:] for one, count in zip(spoken, repeated(shown), strict=True)]


def _bounds(cue: Cue) -> list[float]:
    return [time for time in (cue.start, cue.end) if time is not None] or [0.0]


def _timed(one: _Spoken, tokens: Sequence[_Token], starts: Sequence[float]) -> Iterator[Word]:
    """The words of a cue with times: those of its pieces, and what is between by letters."""
    spans: list[Span] = []
    for piece, group in groupby(tokens, key=lambda token: token.piece):
        of_piece = list(group)
        known = one.cue.pieces[min(piece, len(one.cue.pieces) - 1)]
        start, end = known.start, known.end
        if start is not None and end is not None and end < start:
            start, end = end, start
        for number, token in enumerate(of_piece, start=1):
            low = start if number == 1 else None
            high = end if number == len(of_piece) else None
            spans.append(Span(len(token.text), low, high))
    following = bisect_right(starts, one.start)
    after = starts[following] if following < len(starts) else None
    end = None if one.cue.start is None else max(_bounds(one.cue))
    times = filled(spans, one.start, end, after)
    for token, (low, high) in zip(tokens, times, strict=True):
        yield Word(token.text, low, high, token.speaker)


def _untimed(tokens: Sequence[_Token]) -> Iterator[Word]:
    return (Word(token.text, 0.0, 0.0, token.speaker) for token in tokens)


def _notices(found: Found, spoken: Sequence[_Spoken], file: str) -> Iterator[str]:
    if found.skipped:
        total = found.skipped + len(found.cues)
        yield f"{file}: {found.skipped} of {total} subtitles could not be read and are left out"
    unspoken = [what for one in spoken for what in one.unspoken]
    if unspoken:
        times = "once" if len(unspoken) == 1 else f"{len(unspoken)} times"
        such = unspoken[0] if len(unspoken[0]) <= 40 else f"{unspoken[0][:39]}…"
        yield f"{file}: sounds and lyrics are not speech and are left out, {times} (such as {such})"
    backward = sum(_is_backward(one.cue) for one in spoken if one.lines)
    if backward:
        subtitles = "1 subtitle ends" if backward == 1 else f"{backward} subtitles end"
        yield f"{file}: {subtitles} before the start; the times are exchanged"


def _is_backward(cue: Cue) -> bool:
    return cue.start is not None and cue.end is not None and cue.end < cue.start
