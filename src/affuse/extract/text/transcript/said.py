"""What is said in a recording: words with their times, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

# Chinese and Japanese part clauses by marks, not words by spaces.
_WORD = re.compile(r"[^\s。！？，、；]+[。！？，、；」』”’）]*|[。！？，、；」』”’）]+")


def words_in(text: str) -> Iterator[re.Match[str]]:
    """The words of a text: between white space and, where there is none, after clauses' marks."""
    return _WORD.finditer(text)


class Word(NamedTuple):
    """A word, the seconds at which it starts and ends in the recording, and who says it."""

    text: str
    start: float
    end: float
    speaker: str | None = None  # as the file names them


@dataclass(frozen=True, slots=True)
class TranscriptOrigin:
    """What a transcript was read from."""

    file: str | None = None  # None where the words were given as such
    format: str = "text"  # in lower case, as its usual suffix says it: srt, vtt, json, text, ...
    language: str | None = None  # as the file or its name tells it, such as "en"
    encoding: str | None = None  # of the file, as Python calls it
    cues: int = 0  # subtitles, segments or rows with words in them; 0 where there are none such
    skipped: int = 0  # those that could not be read


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of a recording, subtitle by subtitle where there are such, in order of their start.

    Subtitles that overlap, as of several speakers, are not mixed: a word may start before the one
    that precedes it. Where words are not `timed`, start and end are 0; they are spread over the
    recording when read. `notices` say, a line each, what was left out or is odd.
    """

    words: tuple[Word, ...]
    timed: bool = True
    origin: TranscriptOrigin = TranscriptOrigin()
    notices: tuple[str, ...] = ()

    @classmethod
    def of_text(cls, text: str) -> Transcript:
        """A transcript without times, split at white space and after clauses without any."""
        return cls(tuple(Word(word[0], 0.0, 0.0) for word in words_in(text)), timed=False)

    def spread(self, duration: float, start: float = 0.0) -> Transcript:
        """The same words with times: spread over a recording, or over what lasts so long in it.

        Each has time by its letters.
        """
        times = spread([word.text for word in self.words], start, start + duration)
        words = (
            word._replace(start=begin, end=end)
            for word, (begin, end) in zip(self.words, times, strict=True)
        )
        return replace(self, words=tuple(words), timed=True)


def spread(words: Sequence[str], start: float, end: float) -> Iterator[tuple[float, float]]:
    """Starts and ends of words one after the other, each as long as its share of letters."""
    total = sum(map(len, words))
    before = 0
    for word in words:
        after = before + len(word)
        low, high = (start + (end - start) * part / total for part in (before, after))
        yield low, high
        before = after
