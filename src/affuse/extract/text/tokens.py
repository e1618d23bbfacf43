"""What every text extractor returns and offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from affuse.progress import Advance
from affuse.samples import FloatArray


@dataclass(frozen=True, slots=True)
class TokenFeatures:
    """The feature sequence of one text.

    Attributes:
        features: float32 `(T, D)`, T >= 1.
        tokens: T strings, what each step stands for.
        word_ids: for each step the index into `text.split()` of the word it belongs to; None
            where it belongs to none, as the special tokens.
    """

    features: FloatArray
    tokens: list[str]
    word_ids: list[int | None]


class TextExtractor(Protocol):
    """Text to token features. `name` changes whenever the features would."""

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int:
        """D, the width of the features."""
        ...

    def encode(
        self, texts: Sequence[str], progress: Advance | None = None
    ) -> list[TokenFeatures]: ...
