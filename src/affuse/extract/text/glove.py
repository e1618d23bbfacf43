"""Static word vectors: GloVe, 100 values a word, from a small table that comes with affuse.

Pennington, Socher and Manning (2014), "GloVe: Global Vectors for Word Representation".
`scripts/make_glove_table.py` makes the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.extract import bundled
from affuse.extract.text import TokenFeatures
from affuse.progress import Advance
from affuse.samples import FloatArray

NAME = "glove 100d words"
VERSION = 1
WIDTH = 100
UNKNOWN = "<unknown>"
"""The token of the one zero step that stands for a text without any known word."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


class Glove:
    """Text to one vector a known word; unknown words and figures are skipped.

    Letter case is ignored. Contractions are read as their words with or without the apostrophe,
    as transcripts often lack it: "didn't" and "didnt" are "did", "not". The table has no
    one-letter words, so "I" and "a" are skipped.
    """

    @property
    def name(self) -> str:
        return f"{NAME}, v{VERSION}"

    @property
    def width(self) -> int:
        return WIDTH

    def encode(self, texts: Sequence[str], progress: Advance | None = None) -> list[TokenFeatures]:
        """Features of each text, `(T, 100)`; one step of zeros, `UNKNOWN`, for no known word."""
        found = [_encode(text) for text in texts]
        if progress is not None:
            progress(len(texts))
        return found


class _Table(NamedTuple):
    rows: dict[str, int]
    values: NDArray[np.int8]
    scales: FloatArray


@cache
def _table() -> _Table:
    with np.load(BytesIO(bundled("glove_100d.npz"))) as stored:
        words = stored["words"].tobytes().decode().split("\n")
        rows = {word: row for row, word in enumerate(words)}
        return _Table(rows, stored["values"], stored["scales"])


def _encode(text: str) -> TokenFeatures:
    table = _table()
    found = list(_known_words(text))
    if not found:
        return TokenFeatures(np.zeros((1, WIDTH), np.float32), [UNKNOWN], [None])
    tokens = [token for token, _ in found]
    rows = [table.rows[token] for token in tokens]
    features = table.values[rows] * table.scales[rows, None]
    return TokenFeatures(features, tokens, [word for _, word in found])


def _known_words(text: str) -> Iterator[tuple[str, int]]:
    """The words of `text` that have vectors, each with its index in `text.split()`."""
    for index, chunk in enumerate(text.lower().replace("\u2019", "'").split()):
        for word in _WORD.findall(chunk):
            for part in known_parts(word):
                yield part, index


def known_parts(word: str) -> list[str]:
    """The words with vectors of a word in lower case: of "didn't" "did" and "not"."""
    known = _table().rows
    return [part for part in _parts(word, known) if part in known]


def _parts(word: str, known: dict[str, int]) -> list[str]:
    bare = word.replace("'", "")
    if bare in _CONTRACTIONS and (word != bare or bare not in _ALSO_WORDS):
        return _CONTRACTIONS[bare].split()
    if word in known:
        return [word]
    # What is left is a possessive ("Chandler's") or a name ("O'Brien").
    return word.split("'")


_VERBS = (
    *("do", "does", "did", "is", "are", "was", "were", "has", "have", "had"),
    *("would", "could", "should", "might", "must", "need"),
)
_PRONOUNS = ("i", "you", "he", "she", "it", "we", "they", "there", "that", "this", "what", "who")
_ENDINGS = {"ll": "will", "d": "would", "re": "are", "ve": "have", "s": "is"}
# Contractions without their apostrophe to the words they stand for.
_CONTRACTIONS = {
    **{f"{verb}nt": f"{verb} not" for verb in _VERBS},
    **{f"{verb}ve": f"{verb} have" for verb in ("would", "could", "should", "might", "must")},
    **{p + ending: f"{p} {verb}" for p in _PRONOUNS for ending, verb in _ENDINGS.items()},
    "aint": "is not",
    "cant": "can not",
    "wont": "will not",
    "im": "i am",
    "lets": "let us",
    "heres": "here is",
    "hows": "how is",
    "wheres": "where is",
}
# Without an apostrophe these are words of their own.
_ALSO_WORDS = frozenset(
    ("hell", "id", "ill", "its", "lets", "shed", "shell", "wed", "well", "were", "whore")
)
