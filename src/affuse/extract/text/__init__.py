"""Text to features of its tokens: what extractors offer, which there are, and whole corpora."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import Field

from affuse.config import Options
from affuse.extract.cache import FeatureCache, cache_key, pack, unpack
from affuse.progress import Advance, items_bar
from affuse.samples import FloatArray

Layer = Annotated[int, Field(ge=0, le=6)]


@dataclass(frozen=True, slots=True)
class TokenFeatures:
    """The feature sequence of one text."""

    features: FloatArray  # float32 `(T, D)`, T >= 1
    tokens: list[str]  # what each of the T steps stands for
    # For each step the index into `text.split()` of its word; None for the special tokens.
    word_ids: list[int | None]


class TextExtractor(Protocol):
    """Text to token features. `name` changes whenever the features would."""

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int:
        """D, the width of the features."""

    def encode(
        self, texts: Sequence[str], progress: Advance | None = None
    ) -> list[TokenFeatures]: ...


class TextOptions(Options):
    """Which text features to take: contextual (minilm, whole or in 8 bits) or static (glove)."""

    text: Literal["minilm", "minilm8", "glove"] = "minilm"
    layers: tuple[Layer, ...] = Field(
        default=(6,),
        min_length=1,
        description="MiniLM's hidden layers, concatenated: 0 (embeddings) to 6 (the last)",
    )

    def extractor(self) -> TextExtractor:
        # They return what is defined here.
        from affuse.extract.text.glove import Glove
        from affuse.extract.text.minilm import MiniLM, PackedMiniLM

        if self.text == "glove":
            return Glove()
        return (PackedMiniLM if self.text == "minilm8" else MiniLM)(self.layers)


def encode_corpus(
    texts: Sequence[str], extractor: TextExtractor, cache: FeatureCache | None = None
) -> list[FloatArray]:
    """Features `(T, D)` of each text. Equal texts are encoded once and share their array."""
    distinct = list(dict.fromkeys(texts))
    key = cache_key(extractor.name, (text.encode() for text in distinct))

    def compute() -> dict[str, FloatArray]:
        with items_bar("text", "texts", len(distinct)) as advance:
            return pack([t.features for t in extractor.encode(distinct, advance)])

    found = dict(zip(distinct, unpack((cache or FeatureCache()).arrays(key, compute)), strict=True))
    return [found[text] for text in texts]
