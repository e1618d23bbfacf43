"""One GloVe vector a word, so that what is aligned to words stays so."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from affuse.extract.text.glove import Glove
from affuse.samples import FloatArray


def word_vectors(words: Iterable[str]) -> FloatArray:
    """`(words, 100)`: of contractions the mean of their parts, of unknown words zeros."""
    vectors = [tokens.features.mean(axis=0) for tokens in Glove().encode(list(words))]
    return np.stack(vectors) if vectors else np.zeros((0, Glove().width), np.float32)
