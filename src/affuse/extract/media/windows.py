"""Which windows of a recording are complete, and its sound, kept until they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator

import numpy as np

from affuse.extract.media.frames import Sound
from affuse.extract.voice import RATE
from affuse.samples import FloatArray

SHORTEST_LAST = 1.0
"""A recording's last window reaches back until it is that long, in seconds."""


class SoundBuffer:
    """The latest sound, at its place in the recording."""

    def __init__(self) -> None:
        self._pieces: deque[Sound] = deque()
        self.end = 0.0

    def add(self, sound: Sound) -> None:
        self._pieces.append(sound)
        self.end = max(self.end, sound.start + len(sound.samples) / RATE)

    def forget(self, before: float) -> None:
        while self._pieces and _end(self._pieces[0]) <= before:
            self._pieces.popleft()

    def between(self, start: float, end: float) -> FloatArray:
        """The sound of a window, silent where there is none; empty where there is none at all."""
        inside = [p for p in self._pieces if p.start < end and _end(p) > start]
        if not inside:
            return np.zeros(0, np.float32)
        signal = np.zeros(round((min(end, self.end) - start) * RATE), np.float32)
        for piece in inside:
            at = round((piece.start - start) * RATE)
            source = piece.samples[max(0, -at) : max(0, len(signal) - at)]
            signal[max(0, at) : max(0, at) + len(source)] = source
        return signal


class Bounds(ABC):
    """Tells which windows of a recording are complete, and which of it they need."""

    @property
    def finished(self) -> bool:
        """Whether nothing of what follows is needed."""
        return False

    @property
    @abstractmethod
    def needed(self) -> float:
        """The second from which on sound and faces are still needed."""

    @abstractmethod
    def complete(self, until: float) -> Iterator[tuple[float, float]]:
        """Start and end of the windows that end at `until` or before."""

    @abstractmethod
    def last(self, end: float) -> Iterator[tuple[float, float]]:
        """Start and end of the windows that a recording ends with, if any are left."""

    def hear(self, sound: Sound) -> None:
        """Take notice of sound, in its order."""
        del sound

    def wants(self, time: float) -> bool:
        """Whether a picture at that second lies in any window."""
        del time
        return True


class Windows(Bounds):
    """One window ends every `step` seconds and reaches `length` back."""

    def __init__(self, length: float, step: float) -> None:
        self._length, self._step = length, step
        self._count = 1

    @property
    def needed(self) -> float:
        return max(0.0, min(self._end - self._length, self._end - self._step - SHORTEST_LAST))

    def complete(self, until: float) -> Iterator[tuple[float, float]]:
        while self._end <= until + 1e-6:
            yield max(0.0, self._end - self._length), self._end
            self._count += 1

    def last(self, end: float) -> Iterator[tuple[float, float]]:
        if end > self._end - self._step + 1e-3 or self._count == 1:
            yield max(0.0, min(self._end - self._length, end - SHORTEST_LAST)), end

    @property
    def _end(self) -> float:
        # By multiplication, so that hours of steps do not add up their rounding.
        return self._count * self._step


class Reached:
    """Up to which second a recording is read, by what its streams have brought.

    Args:
        kinds: of streams.
        skew: a stream that is so many seconds behind the other is no longer waited for.
    """

    def __init__(self, kinds: list[str], skew: float) -> None:
        self._skew = skew
        self._reached = dict.fromkeys(kinds, 0.0)

    def advance(self, kind: str, time: float) -> None:
        self._reached[kind] = max(self._reached[kind], time)

    @property
    def end(self) -> float:
        """The second that the stream ahead has reached."""
        return max(self._reached.values())

    @property
    def complete(self) -> float:
        """The second that all streams have reached, but for one far behind."""
        return max(min(self._reached.values()), self.end - self._skew)


def _end(piece: Sound) -> float:
    return piece.start + len(piece.samples) / RATE
