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
from affuse.extract.text.transcript.languages import ENGLISH
from affuse.progress import Advance
from affuse.samples import FloatArray

NAME = "glove 100d words"
VERSION = 2
WIDTH = 100
UNKNOWN = "<unknown>"
"""The token of the one zero step that stands for a text without any known word."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
# English words of one letter, which the table has no vectors for.
_LETTERS = frozenset("ai")


class Glove:
    """Text to one vector a known word; unknown words and figures are skipped.

    Letter case is ignored. Contractions are read as their words: "didn't" is "did", "not". As
    transcripts often lack the apostrophe, "didnt" is so too, but not what is a word of its own:
    "here", "well", "its", "lets". The table has no one-letter words: "I" and "a" are skipped.
    """

    languages = frozenset({ENGLISH})

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

    def knows(self, word: str) -> bool:
        return knows_english(word)


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


def knows_english(word: str) -> bool:
    """Whether a word in lower case is one of English, as far as the table has them."""
    return word in _LETTERS or bool(known_parts(word))


def known_parts(word: str) -> list[str]:
    """The words with vectors of a word in lower case: of "didn't" "did" and "not"."""
    known = _table().rows
    return [part for part in _parts(word) if part in known]


def _parts(word: str) -> list[str]:
    if "'" in word:
        return _apart(word)
    # A contraction without its apostrophe is one only where it is no other word.
    return _WITHOUT_APOSTROPHE[word].split() if word in _WITHOUT_APOSTROPHE else [word]


def _apart(word: str) -> list[str]:
    """The words of one with apostrophes: "wouldn't've" is "would", "not", "have"."""
    if word in _IRREGULAR:
        return _IRREGULAR[word].split()
    host, _, ending = word.rpartition("'")
    if ending == "t" and host.endswith("n"):
        return [_NOT.get(host, host[:-1]), "not"]
    if ending in _ENDINGS:
        return [*(_apart(host) if "'" in host else [host]), _ENDINGS[ending]]
    if ending == "s":
        return [host, "is"] if host in _BEFORE_IS else [host]
    # What is left is a name ("O'Brien").
    return word.split("'")


_ENDINGS = {"ll": "will", "d": "would", "re": "are", "ve": "have", "m": "am"}
_NOT = {"can": "can", "won": "will", "shan": "shall", "ain": "is"}
_IRREGULAR = {"let's": "let us", "y'all": "you all", "ma'am": "madam"}
# With 's, others are possessives more often than not.
_BEFORE_IS = frozenset(
    "he she it that there this what who where here how when why everything something".split()
)
_WITHOUT_APOSTROPHE = {
    **{
        f"{verb}nt": f"{verb} not"
        for verb in (
            *("do", "does", "did", "is", "are", "was", "were", "has", "have", "had"),
            *("would", "could", "should", "might", "must", "need"),
        )
    },
    **{f"{verb}ve": f"{verb} have" for verb in ("would", "could", "should", "might", "must")},
    **{f"{who}ve": f"{who} have" for who in ("i", "you", "we", "they")},
    **{f"{who}ll": f"{who} will" for who in ("you", "it", "they", "that", "there", "who")},
    **{f"{who}d": f"{who} would" for who in ("you", "it", "they")},
    **{f"{who}re": f"{who} are" for who in ("you", "they")},
    **{f"{who}s": f"{who} is" for who in ("he", "she", "that", "there", "what", "who")},
    **{f"{who}s": f"{who} is" for who in ("where", "here", "how")},
    # As nouns these two are so rare that who writes them has lost an apostrophe.
    "cant": "can not",
    "wont": "will not",
    "aint": "is not",
    "im": "i am",
    "yall": "you all",
}
