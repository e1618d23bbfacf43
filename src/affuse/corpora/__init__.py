"""Readers of corpora. Importing this package registers all of them."""

from affuse.corpora import (
    composed,
    controlled,
    csd,
    mmsa,
    mosi,
    mult,
    multibench,
    rated,
    ravdess,
    stored,
)
from affuse.corpora.corpus import Corpus, Split
from affuse.corpora.normalise import Normaliser
from affuse.corpora.registry import corpora, load_corpus

__all__ = [
    "Corpus",
    "Normaliser",
    "Split",
    "composed",
    "controlled",
    "corpora",
    "csd",
    "load_corpus",
    "mmsa",
    "mosi",
    "mult",
    "multibench",
    "rated",
    "ravdess",
    "stored",
]
