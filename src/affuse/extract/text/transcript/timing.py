"""Seconds for words that lack them, from what is around: by their letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# Of speech that nothing else is known of: a second has some 13 letters.
_SECONDS_A_LETTER = 0.075
# A cue without an end lasts until the next one begins, but not longer than slow speech does.
_SLOW = 3.0


class Span(NamedTuple):
    """A word's letters, and its seconds as far as they are known."""

    letters: int
    start: float | None
    end: float | None


def filled(
    spans: Sequence[Span], start: float, end: float | None, following: float | None = None
) -> list[tuple[float, float]]:
    """Starts and ends of the words of a cue, whose own bounds are `start` and `end`.

    What lacks lies between what is known before and after it, by letters. Where the cue has no
    end, or ends as it starts, it ends as the next one begins, at `following`.
    """
    places, times = _nodes(spans)
    known = [time for time in times if time is not None]
    if end is None or end <= start:
        end = _natural_end(spans, max([start, *known]) if known else start, following)
    total = places[-1]
    anchors = [(place, time) for place, time in zip(places, times, strict=True) if time is not None]
    # The bounds of the cue hold where its words do not contradict them.
    if not anchors or anchors[0][0] > 0:
        anchors.insert(0, (0, min([start, *known])))
    if anchors[-1][0] < total or times[-1] is None:
        anchors.append((total, max([end, *known])))
    found = _interpolated(places, times, anchors)
    return [(low, max(low, high)) for low, high in zip(found[::2], found[1::2], strict=True)]


def _nodes(spans: Sequence[Span]) -> tuple[list[int], list[float | None]]:
    """The letters before each start and end, and its time."""
    places: list[int] = []
    times: list[float | None] = []
    before = 0
    for span in spans:
        places += (before, before + span.letters)
        times += (span.start, span.end)
        before += span.letters
    return places, times


def _natural_end(spans: Sequence[Span], start: float, following: float | None) -> float:
    natural = _SECONDS_A_LETTER * sum(span.letters for span in spans)
    if following is None or following <= start:
        return start + natural
    return min(following, start + _SLOW * natural)


def _interpolated(
    places: Sequence[int], times: Sequence[float | None], anchors: Sequence[tuple[int, float]]
) -> list[float]:
    found, number = [], 0
    for place, time in zip(places, times, strict=True):
        while number + 1 < len(anchors) - 1 and anchors[number + 1][0] <= place:
            number += 1
        if time is not None:
            found.append(time)
            continue
        (low, before), (high, after) = anchors[number], anchors[min(number + 1, len(anchors) - 1)]
        share = 0.0 if high == low else min(max((place - low) / (high - low), 0.0), 1.0)
        found.append(before + share * (after - before))
    return found
