"""Words that say something, and words that only hold sentences together."""

from __future__ import annotations

import numpy as np
import pytest
from media_files import tone

from affuse.extract import features
from affuse.extract.features import ClipFeatures, ClipSettings
from affuse.extract.text.glove import Glove
from affuse.extract.text.meaning import say_something
from affuse.extract.text.transcript import Word


def words(text: str) -> tuple[Word, ...]:
    return tuple(Word(word, n / 2, n / 2 + 0.4) for n, word in enumerate(text.split()))


@pytest.mark.parametrize(
    "text", ["", "la la la", "it was this, and of that", "qzxv wkrtp", "It's…"]
)
def test_words_that_say_nothing(text: str) -> None:
    assert not say_something(words(text), Glove())


@pytest.mark.parametrize("text", ["no", "oh", "I am here to help", "yes", "don't", "not this"])
def test_words_that_say_something(text: str) -> None:
    assert say_something(words(text), Glove())


def test_beside_a_voice_words_that_say_nothing_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "speech_probabilities", lambda _: np.ones(9, np.float32))
    steps = np.zeros((1, 9), np.float32), np.zeros(1, np.float32)
    monkeypatch.setattr(ClipFeatures, "voice_steps", lambda *_: steps)
    reader, voice = ClipFeatures(ClipSettings()), tone(1.0)
    for text, known in (("of the and", {"audio"}), ("of the war", {"audio", "text"})):
        sample = reader.sample_of("a", 0.0, voice, [], words(text))
        assert sample.sequences.keys() == known
    alone = reader.sample_of("a", 0.0, voice[:0], [], words("of the and"))
    assert alone.sequences.keys() == {"text"}
