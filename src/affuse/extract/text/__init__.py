"""The text extractors by name, and their features for a whole corpus, cached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from affuse.config import Options
from affuse.extract.cache import FeatureCache, cache_key, pack, unpack
from affuse.extract.text.glove import Glove
from affuse.extract.text.minilm import MiniLM
from affuse.extract.text.tokens import TextExtractor
from affuse.progress import progress_bar
from affuse.samples import FloatArray

Layer = Annotated[int, Field(ge=0, le=6)]


class TextOptions(Options):
    """Which text features to take: contextual (minilm) or static (glove)."""

    text: Literal["minilm", "glove"] = "minilm"
    layers: tuple[Layer, ...] = Field(
        default=(6,),
        min_length=1,
        description="MiniLM's hidden layers, concatenated: 0 (embeddings) to 6 (the last)",
    )

    def extractor(self) -> TextExtractor:
        return Glove() if self.text == "glove" else MiniLM(self.layers)


def encode_corpus(
    texts: Sequence[str], extractor: TextExtractor, cache: FeatureCache
) -> list[FloatArray]:
    """Features `(T, D)` of each text. Equal texts are encoded once and share their array."""
    distinct = list(dict.fromkeys(texts))
    key = cache_key(extractor.name, (text.encode() for text in distinct))

    def compute() -> dict[str, FloatArray]:
        with progress_bar("text", len(distinct)) as advance:
            return pack([t.features for t in extractor.encode(distinct, advance)])

    found = dict(zip(distinct, unpack(cache.arrays(key, compute)), strict=True))
    return [found[text] for text in texts]
