"""What readers find: cues, which are subtitles, segments or rows, and the pieces of their text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# What shows nothing and would split or glue words: marks of width zero, of direction, of order.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
_BREAKS = re.compile("[\u2028\u2029\u0085\v\f\u00a0\u2007\u202f\u3000]|[\x00-\x08\x0e-\x1f\x7f]")

_TAG = re.compile(r"</?(?:[biu]|font\b[^<>]*|br ?/?)>", re.IGNORECASE)
# Seconds of silence after which words are of another cue.
_PAUSE = 1.0


class Piece(NamedTuple):
    """A part of a cue's text, with the seconds between which it is said and by whom, if told."""

    text: str
    start: float | None = None
    end: float | None = None
    speaker: str | None = None


class Cue(NamedTuple):
    """What is shown or said from one second to another, where that is known.

    The texts of the pieces, one after the other, are its text; it may have lines.
    """

    start: float | None
    end: float | None
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader found in a file."""

    format: str
    cues: tuple[Cue, ...]
    language: str | None = None
    skipped: int = 0  # cues that could not be read
    subtitles: bool = True  # made to be read: sounds are described, and lines may be shown twice


def cue(start: float | None, end: float | None, text: str, speaker: str | None = None) -> Cue:
    """A cue of one piece of plain text."""
    return Cue(start, end, (Piece(text, speaker=speaker),))


def cue_of_words(
    words: Iterable[Piece], start: float | None = None, end: float | None = None
) -> Cue:
    """A cue of words, each with times of its own if it has any."""
    parted = tuple(word._replace(text=f"{word.text.strip()} ") for word in words)
    return Cue(start, end, parted)


def runs(words: Iterable[Piece]) -> list[Cue]:
    """Words of one speaker that follow each other, without a long pause, to a cue each."""
    found: list[list[Piece]] = []
    for word in words:
        if not found or not _goes_on(found[-1], word):
            found.append([])
        found[-1].append(word)
    return [cue_of_words(run, _first(run), run[-1].end) for run in found]


def _first(run: Iterable[Piece]) -> float | None:
    return next((word.start for word in run if word.start is not None), None)


def _goes_on(run: Sequence[Piece], word: Piece) -> bool:
    last = next((w.end or w.start for w in reversed(run) if w.start is not None), None)
    if run[-1].speaker != word.speaker:
        return False
    if last is None or word.start is None:
        return True
    begun = next(w.start for w in reversed(run) if w.start is not None)
    return begun is not None and begun <= word.start <= last + _PAUSE


def visible(text: str) -> str:
    """The text without what shows nothing; breaks of lines that are not usual are spaces."""
    return _BREAKS.sub(" ", _INVISIBLE.sub("", text))


def plain(text: str) -> str:
    """Text of a subtitle without entities, and twice escaped ones, and tags among them."""
    if "&" not in text:
        return text
    return _TAG.sub("", html.unescape(html.unescape(text)))
