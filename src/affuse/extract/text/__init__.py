"""Text to features of its tokens: what extractors offer, which there are, and whole corpora."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from affuse.config import Options
from affuse.extract.cache import FeatureCache, cache_key, pack, unpack
from affuse.progress import Advance, items_bar, say
from affuse.samples import FloatArray

Layer = Annotated[int, Field(ge=0, le=12)]
TextKind = Literal["minilm8", "minilm", "glove", "e5"]
"""The extractors by name: MiniLM in 8 bits or whole, GloVe, multilingual E5 small."""
_MINILM_LAYERS = 6
E5_LAYERS = (8, 12)
"""Chosen on validation parts: of sentiment in English and Chinese (CMU-MOSI, CH-SIMS), and of
emotion (MELD)."""


@dataclass(frozen=True, slots=True)
class TokenFeatures:
    """The feature sequence of one text."""

    features: FloatArray  # float32 `(T, D)`, T >= 1
    tokens: list[str]  # what each of the T steps stands for
    # For each step the index into `text.split()` of its word; None for the special tokens.
    word_ids: list[int | None]
    cut: bool = False  # whether the text goes on beyond the length that is read


class KnowsWords(Protocol):
    """What tells which words features can be made of."""

    @property
    def languages(self) -> frozenset[str]:
        """Codes of two letters of those that it was made for."""

    def knows(self, word: str) -> bool:
        """Whether a word in lower case means anything to it."""


class TextExtractor(KnowsWords, Protocol):
    """Text to token features. `name` changes whenever the features would."""

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int:
        """D, the width of the features."""

    def encode(
        self, texts: Sequence[str], progress: Advance | None = None
    ) -> list[TokenFeatures]: ...


class TextChoice(Options):
    """Base of options with a `text` and its `layers`: those of E5 are others by default."""

    @model_validator(mode="before")
    @classmethod
    def _own_layers(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("text") == "e5" and "layers" not in values:
            return {**values, "layers": E5_LAYERS}
        return values

    @model_validator(mode="after")
    def _has_layers(self) -> Self:
        chosen = dict(self)
        if chosen["text"] != "e5" and max(chosen["layers"]) > _MINILM_LAYERS:
            raise ValueError(f"layers of {chosen['text']} are 0 to {_MINILM_LAYERS}")
        return self


class TextOptions(TextChoice):
    """Which text features to take: contextual (minilm, minilm8, e5) or static (glove)."""

    text: TextKind = "minilm"
    layers: tuple[Layer, ...] = Field(
        default=(6,),
        min_length=1,
        description="hidden layers, concatenated: 0 (embeddings) to 6, of e5 to 12 (the last); by "
        f"default {'+'.join(map(str, E5_LAYERS))} of e5",
    )

    def extractor(self) -> TextExtractor:
        # They return what is defined here.
        from affuse.extract.text.e5 import E5
        from affuse.extract.text.glove import Glove
        from affuse.extract.text.minilm import MiniLM, PackedMiniLM

        if self.text == "glove":
            return Glove()
        if self.text == "e5":
            return E5(self.layers)
        return (PackedMiniLM if self.text == "minilm8" else MiniLM)(self.layers)


def encode_corpus(
    texts: Sequence[str], extractor: TextExtractor, cache: FeatureCache | None = None
) -> list[FloatArray]:
    """Features `(T, D)` of each text. Equal texts are encoded once and share their array.

    A notice says how many were cut, being longer than is read.
    """
    distinct = list(dict.fromkeys(texts))
    key = cache_key(extractor.name, (text.encode() for text in distinct))

    def compute() -> dict[str, NDArray[Any]]:
        with items_bar("text", "texts", len(distinct)) as advance:
            encoded = extractor.encode(distinct, advance)
        cut = np.array([text.cut for text in encoded])
        return {**pack([text.features for text in encoded]), "cut": cut}

    arrays = (cache or FeatureCache()).arrays(key, compute)
    if count := int(np.sum(arrays.get("cut", 0))):
        read = f"longer than {extractor.name} reads"
        say(f"{count} of {len(distinct)} texts are {read}: their ends are left out")
    found = dict(zip(distinct, unpack(arrays), strict=True))
    return [found[text] for text in texts]
