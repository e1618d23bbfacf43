"""Windows that follow speech: a stretch from pause to pause, and between them what is silent."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

import numpy as np

from affuse.extract.media.frames import Sound
from affuse.extract.media.windows import SHORTEST_LAST, Bounds
from affuse.extract.text.transcript import Word
from affuse.extract.voice.recognise import SPEECH, STEP, SpeechDetector
from affuse.samples import FloatArray

SHORTEST, LONGEST = 1.0, 12.0
"""Seconds of an utterance."""
# A pause of that length ends an utterance; of the longer one, silence is a window of its own.
_PAUSE, _SILENCE = 0.4, 2.0
# Of a long silence, so much stays with what is said before and after it.
_KEPT = 0.5
_SILENT_WINDOW = 10.0
# Speech that is shorter than that is a noise.
_CLICK = 0.1
# So far behind the pictures, sound is no longer waited for.
_LATE = 1.0
# Those of Chinese and Japanese, Hindi, Arabic and Urdu come after the others.
_SENTENCE_ENDS = tuple(".!?\u2026\u3002\uff01\uff1f\u0964\u061f\u06d4")


def turns(words: Iterable[Word]) -> list[float]:
    """The seconds at which a sentence ends or another speaker begins, of words with times."""
    found, before = set[float](), None
    for word in words:
        if before is not None and word.speaker != before:
            found.add(word.start)
        if word.text.rstrip("\"')]\u201d\u2019").endswith(_SENTENCE_ENDS):
            found.add(word.end)
        before = word.speaker
    return sorted(found)


class Utterances(Bounds):
    """Tells which utterances are complete, of 1 to 12 s.

    One ends in a pause of 0.4 s, where a sentence of the transcript ends or another speaker begins,
    or else after 12 s where speech is least likely. A silence of 2 s or more is cut into windows of
    10 s at most; what is shorter belongs to the utterances beside it.

    Args:
        ends: seconds at which sentences end or speakers change, rising.
    """

    def __init__(self, ends: list[float]) -> None:
        self._ends, self._detector = ends, SpeechDetector()
        self._start = 0.0  # of the window that is not yet complete
        self._chances = np.zeros(0, np.float32)  # from `_from` on, a step of 32 ms each
        self._from = 0.0
        self._seen = 0.0

    @property
    def needed(self) -> float:
        return max(0.0, self._start - SHORTEST_LAST)

    def hear(self, sound: Sound) -> None:
        self._chances = np.concatenate([self._chances, self._detector.add(sound)])

    def complete(self, until: float) -> Iterator[tuple[float, float]]:
        if until - self._heard > _LATE:
            missing = int((until - self._heard) / STEP)
            self._chances = np.concatenate([self._chances, np.zeros(missing, np.float32)])
        known = min(until, self._heard)
        # There is news a few times a second, not with every picture.
        if known - self._seen >= 0.2:
            self._seen = known
            yield from self._cut(known, ended=False)

    def last(self, end: float) -> Iterator[tuple[float, float]]:
        yield from self._cut(end, ended=True)
        if end - self._start > 1e-3 or end == 0.0:
            yield max(0.0, min(self._start, end - SHORTEST_LAST)), end

    @property
    def _heard(self) -> float:
        return self._from + len(self._chances) * STEP

    def _cut(self, known: float, *, ended: bool) -> Iterator[tuple[float, float]]:
        while (end := self._next(known, ended=ended)) is not None:
            yield self._start, end
            self._start = end
            passed = int((end - self._from) / STEP)
            self._chances, self._from = self._chances[passed:], self._from + passed * STEP

    def _next(self, known: float, *, ended: bool) -> float | None:
        """Where the window that has begun ends; None where that is not yet known."""
        left = known - self._start
        steps = max(0, int((known - self._from) / STEP))
        spoken = _islands(self._chances[:steps])
        if not spoken:
            return self._start + _SILENT_WINDOW if left > _SILENT_WINDOW + SHORTEST_LAST else None
        begins = [self._from + first * STEP for first, _ in spoken]
        ends = [self._from + end * STEP for _, end in spoken]
        if begins[0] - self._start >= _SILENCE:
            return min(begins[0] - _KEPT, self._start + _SILENT_WINDOW)
        latest = min(known, self._start + LONGEST)
        for end, following in zip(ends, [*begins[1:], None], strict=True):
            if (turn := self._turn(min(end, latest))) is not None:
                return turn
            if end > latest:
                break
            pause = (known if following is None else following) - end
            if pause >= _SILENCE:
                return min(end + _KEPT, self._start + LONGEST)
            cut = end + pause / 2
            if following is not None and pause >= _PAUSE and cut - self._start >= SHORTEST:
                return cut
        # A rest that the recording ends with may be a little longer.
        if left < LONGEST or (ended and left < LONGEST + SHORTEST):
            return None
        return self._start + self._least_likely()

    def _turn(self, until: float) -> float | None:
        """The first sentence that ends long enough after the window's start, if by `until`."""
        place = bisect_left(self._ends, self._start + SHORTEST)
        found = self._ends[place] if place < len(self._ends) else until
        return found if found < until - SHORTEST / 2 else None

    def _least_likely(self) -> float:
        """Seconds after the window's start: where speech is least likely in its second half."""
        first = int((self._start + LONGEST / 2 - self._from) / STEP)
        after = self._chances[first : first + int(LONGEST / 2 / STEP)]
        smooth = np.convolve(after, np.ones(5) / 5, mode="same")
        return LONGEST / 2 + int(smooth.argmin()) * STEP


def _islands(chances: FloatArray) -> list[tuple[int, int]]:
    """Where there is speech, first step and the one after the last; short noises are none."""
    there = np.diff(np.concatenate([[0], chances >= SPEECH, [0]]).astype(np.int8))
    pairs = zip(np.flatnonzero(there > 0), np.flatnonzero(there < 0), strict=True)
    return [(int(a), int(b)) for a, b in pairs if (b - a) * STEP >= _CLICK]
