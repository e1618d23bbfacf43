"""What is said in a recording: words with their times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Word(NamedTuple):
    """A word and the seconds at which it starts and ends in the recording."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of a recording, in the order in which they are spoken.

    Attributes:
        words: with `timed` false, start and end are 0 and mean nothing.
        timed: whether the times are known; else the words are spread evenly over the recording.
    """

    words: tuple[Word, ...]
    timed: bool = True

    @classmethod
    def of_text(cls, text: str) -> Transcript:
        """A transcript without times, split at white space."""
        return cls(tuple(Word(word, 0.0, 0.0) for word in text.split()), timed=False)
