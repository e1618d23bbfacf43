"""Which clips tell a model most once they are labelled: where it wavers, or contradicts itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from affuse.annotation.scheme import Scheme
from affuse.annotation.shelf import Shelf, Shelved
from affuse.extract.features import ClipFeatures
from affuse.extract.store import StoredClip
from affuse.extract.takes import extract_takes
from affuse.progress import items_bar
from affuse.readers.clips.spoken import Said, said_in
from affuse.runtime.answers import Answer, WindowAnswer
from affuse.runtime.checkpoints import shipped
from affuse.runtime.mean_answers import mean_answer
from affuse.runtime.predictor import Predictor
from affuse.samples import Sample


class Usefulness(NamedTuple):
    """Of one clip; both in [0, 1].

    Attributes:
        doubt: how evenly the probabilities lie over the classes: their entropy, 1 where all are
            the same; 0 of values.
        conflict: how far its modalities contradict each other.
    """

    doubt: float
    conflict: float

    @property
    def total(self) -> float:
        return self.doubt + self.conflict

    def __str__(self) -> str:
        return f"doubt {self.doubt:.2f}, conflict {self.conflict:.2f}"


def fitting(scheme: Scheme) -> str | None:
    """The checkpoint of those that come with affuse that knows these labels, if one does."""
    name = "sentiment" if scheme.numbers else "emotion"
    if name not in shipped():
        return None
    if scheme.numbers:
        return name if scheme.low < 0 < scheme.high else None
    return name if {n.lower() for n in scheme.classes} <= known_classes(name) else None


def known_classes(name: str) -> set[str]:
    """The classes of a checkpoint, in lower case."""
    sessions = Predictor.from_pretrained(name).sessions
    return {str(label).lower() for s in sessions for label in s.config.task.get("labels", ())}


def usefulness(
    shelf: Shelf, clips: Sequence[Shelved], predictor: Predictor, jobs: int | None = None
) -> list[Usefulness | None]:
    """How useful the label of each clip would be; None where it cannot be read.

    Voice and face are read on all cores, with a bar, and kept in the cache.
    """
    extractor = predictor.extractor()
    taken = extract_takes([clip.take for clip in clips], extractor.settings, jobs=jobs)
    found: list[Usefulness | None] = []
    with items_bar("predict", "clips", len(clips)) as advance:
        for clip, outcome in zip(clips, taken, strict=True):
            advance(1)
            if outcome.clip is None:
                found.append(None)
                continue
            features, seconds = extractor.features, outcome.clip.duration
            said = said_in(clip.row, clip.take, seconds, shelf.places, features.text)
            answer = _answer(predictor, features, clip, outcome.clip, said)
            found.append(_useful(answer))
    return found


def _answer(
    predictor: Predictor, features: ClipFeatures, clip: Shelved, stored: StoredClip, said: Said
) -> Answer:
    begin = clip.take.segment.start
    answered = []
    for window in stored.windows:
        middles = [(word, begin + (word.start + word.end) / 2) for word in said.words]
        words = tuple(word for word, middle in middles if window.start <= middle < window.end)
        silent = np.zeros(0, np.float32)
        of_text = features.sample_of("", 0.0, silent, [], words, understood=said.understood)
        sequences = {**of_text.sequences, **window.sample.sequences}
        modalities = {m for session in predictor.sessions for m in session.modalities}
        sample = Sample(clip.name, sequences).keep(modalities)
        known = bool(sample.sequences)
        answer = predictor.predict_sample(sample) if known else Answer(None, None, {})
        answered.append(WindowAnswer(window.start, window.end, answer, words))
    return mean_answer(answered)


def _useful(answer: Answer) -> Usefulness:
    doubt = 0.0
    if answer.emotion and len(answer.emotion) > 1:
        shares = np.array(list(answer.emotion.values()), np.float64)
        shares = np.clip(shares / max(shares.sum(), 1e-9), 1e-12, 1)
        doubt = float(-(shares * np.log(shares)).sum() / np.log(len(shares)))
    conflicts = [trust.conflict for trust in answer.trust.values() if trust.conflict is not None]
    return Usefulness(doubt, max(conflicts, default=0.0))
