"""Texts that people rated for sentiment: films, goods, news and tweets.

Hutto and Gilbert (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text". Twenty people rated each text from -4 to 4; their mean is kept.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affuse.errors import InputError, file_error, unknown_name
from affuse.extract.text import TextOptions, encode_corpus
from affuse.readers.registry import corpus_name, register_corpus
from affuse.samples import PARTS, Corpus, Sample, Split
from affuse.tasks import Regression

ENDING = "_GroundTruth.txt"
_SCALE = 3 / 4  # Theirs ends at 4, that of CMU-MOSI at 3.


@dataclass(frozen=True, slots=True)
class RatedText:
    """A text and its sentiment from -3 to 3."""

    topic: str  # of its file, such as `movieReviewSnippets`
    number: str  # within the file; before an underscore, the number of its document
    value: float
    text: str

    @property
    def id(self) -> str:
        return f"{self.topic}_{self.number}"

    @property
    def document(self) -> str:
        return self.id.rpartition("_")[0] if "_" in self.number else self.id


class RatedOptions(TextOptions):
    """Options of the reader `rated`."""

    topics: tuple[str, ...] = ()


@register_corpus("rated", RatedOptions)
def read_rated(path: Path, options: RatedOptions) -> Corpus:
    """Texts that people rated: sentiment in [-3, 3], one step a token; text is all there is.

    A tenth of the documents validates, another tests; which, follows from their names. A text that
    occurs again is left out. The path is a folder with files `*_GroundTruth.txt`, anywhere below
    it; topics are given by the beginning of their files' names.
    """
    distinct: dict[str, RatedText] = {}
    for text in _of_topics(read_rated_texts(path), options.topics, path):
        distinct.setdefault(text.text, text)
    texts = list(distinct.values())
    extractor = options.extractor()
    encoded = encode_corpus([text.text for text in texts], extractor)
    parts: dict[str, list[Sample]] = {part: [] for part in PARTS}
    for text, features in zip(texts, encoded, strict=True):
        target = np.array([text.value], np.float32)
        sample = Sample(text.id, {"text": features}, target, group=text.document, text=text.text)
        parts[_part(text.document)].append(sample)
    return Corpus(
        name=corpus_name("rated", options),
        task=Regression(-3.0, 3.0),
        widths={"text": encoded[0].shape[1]},
        folds=(Split(**parts),),
        options=options.model_dump(),
        features={"text": extractor.name},
    )


def read_rated_texts(folder: Path) -> list[RatedText]:
    """The lines of all `*_GroundTruth.txt`: number, rating and text, with tabs between."""
    files = sorted(folder.rglob(f"*{ENDING}"))
    if not files:
        raise InputError(f"holds no *{ENDING}", remedy="check the folder", source=folder)
    return [text for file in files for text in _read(file)]


def _read(file: Path) -> list[RatedText]:
    topic, found = file.name.removesuffix(ENDING), []
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise file_error(error, "cannot be read", file) from None
    for line in lines:
        number, rating, text = [*line.split("\t", 2), "", ""][:3]
        try:
            value = _SCALE * float(rating)
        except ValueError:
            problem = f"line '{line[:40]}' has no rating"
            remedy = "give number, rating and text with tabs between"
            raise InputError(problem, remedy=remedy, source=file) from None
        if text.strip():
            found.append(RatedText(topic, number, value, text.strip()))
    return found


def _of_topics(texts: list[RatedText], topics: tuple[str, ...], folder: Path) -> list[RatedText]:
    known = dict.fromkeys(text.topic for text in texts)
    for topic in topics:
        if not any(name.startswith(topic) for name in known):
            raise unknown_name("topic", topic, known, source=str(folder))
    return [text for text in texts if not topics or text.topic.startswith(topics)]


def _part(document: str) -> str:
    return {0: "test", 1: "valid"}.get(zlib.crc32(document.encode()) % 10, "train")
