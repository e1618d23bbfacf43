"""Captions that show a line again while the next one comes: which words were shown before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

# Cues follow each other if no more than this lies between them, in seconds.
_GAP = 0.25
# What is shown for less than this was not said anew in it.
_GLIMPSE = 0.1
# So many words in a row are not shown again by chance.
_MANY = 3
_LONGEST = 200


class Shown(NamedTuple):
    """The seconds of a cue and the words of its lines."""

    start: float
    end: float
    lines: Sequence[Sequence[str]]


class _Overlap(NamedTuple):
    """How many words of a cue the one before ended with."""

    number: int
    whole: bool  # whether these are lines, all that was shown, or many
    all: bool  # the cue shows nothing else
    at_once: bool  # the cue follows the other without a pause
    same: bool  # the same between the same seconds


def repeated(cues: Sequence[Shown]) -> Iterator[int]:
    """How many words at the start of each cue, in order of their start, were shown before.

    Each is the number of words with which it begins and the cue before it ends. People do say
    things twice, so that it counts only where captions roll, as most cues begin with what the one
    before ended with and go on; where a cue shows the same for a glimpse; or where the same is
    there twice between the same seconds.
    """
    overlaps = [_overlap(before, now) for before, now in pairwise(cues)]
    rolls = _rolls(overlaps, cues[1:])
    if cues:
        yield 0
    for now, found in zip(cues[1:], overlaps, strict=True):
        again = found.at_once and (_is_glimpse(now, found) or (rolls and found.whole))
        yield found.number if again or found.same else 0


def _rolls(overlaps: Sequence[_Overlap], cues: Sequence[Shown]) -> bool:
    told = [
        found.number if found.whole and not found.all else 0
        for found, now in zip(overlaps, cues, strict=True)
        if found.at_once and not _is_glimpse(now, found) and not found.same
    ]
    return sum(told) >= _MANY and 2 * sum(map(bool, told)) >= len(told)


def _is_glimpse(now: Shown, found: _Overlap) -> bool:
    return found.all and now.end - now.start <= _GLIMPSE


def _overlap(before: Shown, now: Shown) -> _Overlap:
    old = [word for line in before.lines for word in line]
    new = [word for line in now.lines for word in line]
    longest = min(len(old), len(new), _LONGEST)
    count = next((n for n in range(longest, 0, -1) if old[-n:] == new[:n]), 0)
    lines = set(accumulate(map(len, now.lines)))
    whole = count > 0 and (count in lines or count == len(old) or count >= _MANY)
    same = before[:2] == now[:2] and count == len(new) == len(old)
    at_once = now.start - before.end <= _GAP
    return _Overlap(count, whole, count == len(new), at_once, same)
