"""Stretches of a recording that somebody marked, each cut into windows, in one pass over it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from affuse.errors import InputError
from affuse.extract.media.windows import SHORTEST_LAST, Bounds
from affuse.extract.text.transcript.clock import seconds_of

_SLACK = 1e-3


class Segment(NamedTuple):
    """From which second to which a clip lasts; without an end, to that of the recording."""

    start: float = 0.0
    end: float | None = None

    @property
    def label(self) -> str:
        """Beside the name of a recording, what tells its segments apart; nothing of the whole."""
        if self == Segment():
            return ""
        return f"[{self.start:g}-{'' if self.end is None else f'{self.end:g}'}]"


def segment_between(start: Any, end: Any, source: str) -> Segment:
    """The segment that cells of a table mean, in any usual form of time; empty ones leave it open.

    Raises:
        InputError: no times, or an end that is not after the start; it names `source`.
    """
    found: list[float | None] = []
    for kind, cell in (("start", start), ("end", end)):
        empty = cell is None or str(cell).strip().lower() in ("", "nan")
        second = None if empty else seconds_of(cell)
        if not empty and (second is None or not math.isfinite(second) or second < 0):
            remedy = "give seconds, or hours, minutes and seconds as 00:01:02.5"
            raise InputError(f"has the {kind} '{str(cell)[:40]}'", remedy=remedy, source=source)
        found.append(second)
    first, last = found[0] or 0.0, found[1]
    if last is not None and last <= first:
        problem, remedy = f"ends at {last:g} s, but starts at {first:g} s", "give a later end"
        raise InputError(problem, remedy=remedy, source=source)
    return Segment(first, last)


class Segments(Bounds):
    """Tells which windows of segments are complete; what lies in none of them is not needed.

    Attributes:
        taken: of each segment the windows that it was cut into, start and end in seconds. None lie
            beyond the end of the recording, and windows that two segments share are one.
    """

    def __init__(self, segments: Sequence[Segment], length: float) -> None:
        self._segments, self._length = tuple(segments), length
        self.taken: list[list[tuple[float, float]]] = [[] for _ in segments]
        self._reached = [segment.start for segment in segments]
        self._given: set[tuple[float, float]] = set()

    @property
    def finished(self) -> bool:
        return all(self._done(number) for number in range(len(self._segments)))

    @property
    def needed(self) -> float:
        left = [
            max(self._segments[number].start, reached - SHORTEST_LAST)
            for number, reached in enumerate(self._reached)
            if not self._done(number)
        ]
        return min(left, default=float("inf"))

    def wants(self, time: float) -> bool:
        return any(
            segment.start <= time and (segment.end is None or time < segment.end)
            for segment in self._segments
        )

    def complete(self, until: float) -> Iterator[tuple[float, float]]:
        yield from self._cut(until, ended=False)

    def last(self, end: float) -> Iterator[tuple[float, float]]:
        yield from self._cut(end, ended=True)

    def _done(self, number: int) -> bool:
        end = self._segments[number].end
        return end is not None and self._reached[number] >= end - _SLACK

    def _cut(self, until: float, *, ended: bool) -> Iterator[tuple[float, float]]:
        for number, segment in enumerate(self._segments):
            whole = until if segment.end is None else min(segment.end, until)
            closes = ended or (segment.end is not None and segment.end <= until + 1e-6)
            while (start := self._reached[number]) < whole - _SLACK:
                end = start + self._length
                if end > whole + _SLACK:
                    if not closes:
                        break
                    # A rest that is too short for a window of its own reaches back.
                    start, end = max(segment.start, min(start, whole - SHORTEST_LAST)), whole
                self._reached[number] = end
                piece = start, min(end, whole)
                self.taken[number].append(piece)
                if piece not in self._given:
                    self._given.add(piece)
                    yield piece
