"""What is said in clips: from the table, a file that it names, or one beside the recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.extract.cache import FeatureCache, cache_key, pack, unpack
from affuse.extract.features import ClipFeatures, joined, words_of_steps
from affuse.extract.media.segments import Segment
from affuse.extract.takes import Take
from affuse.extract.text import KnowsWords
from affuse.extract.text.glove import UNKNOWN
from affuse.extract.text.transcript import Transcript, Word, read_transcript, transcript_beside
from affuse.extract.text.transcript.reading import SUFFIXES
from affuse.extract.text.understood import understanding
from affuse.progress import items_bar
from affuse.readers.clips.metadata import Row
from affuse.readers.clips.places import Places
from affuse.samples import FloatArray


class Said(NamedTuple):
    """The words of a clip, in seconds from its start, and what is told of them."""

    words: tuple[Word, ...] = ()
    understood: bool = True  # whether the features know their language
    notice: str = ""  # without a name, so that those of many clips can be counted

    @property
    def text(self) -> str | None:
        return " ".join(word.text for word in self.words) or None


def said_in(
    row: Row, take: Take, seconds: float, places: Places, features: KnowsWords | None = None
) -> Said:
    """What is said in a clip that lasts so many seconds.

    Args:
        features: those that the words become; without any, all languages are understood.

    Raises:
        InputError: a transcript that the row names is not there, or cannot be read.
    """
    told = row.known.get("text", "")
    transcript, notice = (_told(told, row, places), "") if told else _beside(take)
    if transcript is None or not transcript.words:
        return Said(notice=notice)
    if language := row.known.get("language"):
        transcript = replace(transcript, origin=replace(transcript.origin, language=language))
    start, end = take.segment.start, take.segment.start + seconds
    if not transcript.timed:
        transcript, start = transcript.spread(seconds), 0.0
        end = seconds
    within = (w for w in transcript.words if start <= (w.start + w.end) / 2 < end + 1e-6)
    words = tuple(w._replace(start=w.start - start, end=w.end - start) for w in within)
    found = None if features is None else understanding(transcript, features)
    foreign = found is not None and found.absent
    if found is not None and foreign:
        notice = f"text is in {found.language}, as it seems, and is left out: its features "
        notice += "know English alone; text=e5 knows more" if found.english else "do not know it"
    elif not words:
        notice = "no word of its transcript lies within it"
    return Said(words, not foreign, notice)


def _told(text: str, row: Row, places: Places) -> Transcript:
    """Words, or the file that is named as a transcript is."""
    names_file = "\n" not in text and text.lower().endswith(SUFFIXES) and len(text) < 400
    found = places.find(text, row.base) if names_file else None
    if found is not None and found.path is not None:
        return read_transcript(found.path)
    if found is not None and not any(mark in text for mark in " \t"):
        remedy = "give the words themselves, or a file in the folder"
        raise InputError(f"transcript '{text}' {found.wrong}", remedy=remedy, source=row.place)
    return Transcript.of_text(text)


def _beside(take: Take) -> tuple[Transcript | None, str]:
    found = transcript_beside(take.path)
    # Words without times are of the whole recording, not of a part.
    partial = take.segment != Segment() and found.transcript and not found.transcript.timed
    if partial:
        return None, "the text beside its recording has no times, so that none of it is its own"
    return found.transcript, "a file beside it is no transcript" if found.notices else ""


TextSteps = tuple[FloatArray, FloatArray]


def encode_said(said: Sequence[Said], features: ClipFeatures) -> list[TextSteps | None]:
    """Features `(T, D)` of what is said in each clip, and the second of each step; None without.

    As `ClipFeatures.sample_of` makes them; kept in the cache.
    """
    known = [each for each in said if each.words and each.understood]
    texts = list(dict.fromkeys(joined(each.words) for each in known))
    if not texts:
        return [None] * len(said)

    def compute() -> dict[str, NDArray[np.generic]]:
        with items_bar("text", "texts", len(texts)) as advance:
            encoded = features.text.encode(texts, advance)
        numbers = [np.array(words_of_steps(each), np.int64) for each in encoded]
        empty = np.array([each.tokens == [UNKNOWN] for each in encoded])
        return {
            **pack([e.features for e in encoded]),
            "words": np.concatenate(numbers),
            "empty": empty,
        }

    key = cache_key(f"{features.text.name}, by words", (text.encode() for text in texts))
    arrays = FeatureCache().arrays(key, compute)
    steps = unpack(arrays)
    numbers = np.split(arrays["words"], np.cumsum(arrays["lengths"])[:-1])
    found = {
        text: None if empty else (each, of)
        for text, each, of, empty in zip(texts, steps, numbers, arrays["empty"], strict=True)
    }

    def timed(each: Said) -> TextSteps | None:
        encoded = found.get(joined(each.words)) if each.words and each.understood else None
        if encoded is None:
            return None
        starts = np.array([word.start for word in each.words], np.float32)
        return encoded[0], starts[encoded[1]]

    return [timed(each) for each in said]


def counted_notices(told: Sequence[tuple[str, str]]) -> Iterator[str]:
    """One line for each notice, of how many clips it is; given by the clips' names."""
    counts = Counter(notice for _, notice in told if notice)
    for notice, count in counts.items():
        first = next(name for name, other in told if other == notice)
        clips = f"{count} clips, the first {first}" if count > 1 else first
        yield f"{clips}: {notice}"
