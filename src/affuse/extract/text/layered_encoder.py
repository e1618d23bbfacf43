"""What encoders of words share: hidden layers that are chosen, batches of one length, a session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.extract.text import TokenFeatures
from affuse.extract.text.bert_graph import WIDTH, BertGraph
from affuse.onnx_devices import chosen_device, open_session
from affuse.progress import Advance
from affuse.samples import FloatArray


class LayeredEncoder(ABC):
    """Text to one feature vector a token: chosen hidden layers, concatenated.

    0 is the embeddings' output. Threads are onnxruntime's. Nothing is loaded before the first
    `encode`.
    """

    _called: ClassVar[str]
    _version: ClassVar[int]
    _there: ClassVar[tuple[int, ...]]
    """The layers to choose from."""
    _batch: ClassVar[int] = 32
    """Texts that are run together, at most."""
    _before: ClassVar[tuple[str, ...]] = ()
    """Words that every text begins with; their steps are left out."""

    def __init__(self, layers: Sequence[int], threads: int | None = None) -> None:
        if not layers or not set(layers) <= set(self._there):
            remedy = f"choose from {', '.join(map(str, self._there))}; at least one"
            raise InputError(f"layers {list(layers)} of {self._called}", remedy=remedy)
        self.layers = tuple(layers)
        self._threads = threads

    @property
    def name(self) -> str:
        numbers = "+".join(str(layer) for layer in self.layers)
        return f"{self._called}, layer {numbers}, v{self._version}"

    @property
    def width(self) -> int:
        return WIDTH * len(self.layers)

    def encode(self, texts: Sequence[str], progress: Advance | None = None) -> list[TokenFeatures]:
        """Features of each text, float32 `(T, 384 * layers)` with T >= 2.

        The first and the last step are special tokens, all that an empty text has; one that is too
        long is cut. Texts of equal length are run together without padding, so a text's features
        do not depend on its neighbours.
        """
        words = [[*self._before, *self._words(text)] for text in texts]
        encodings = self._tokenizer.encode_batch(words, is_pretokenized=True)
        by_length: dict[int, list[int]] = {}
        for number, encoding in enumerate(encodings):
            by_length.setdefault(len(encoding.ids), []).append(number)
        found: dict[int, TokenFeatures] = {}
        for numbers in by_length.values():
            for start in range(0, len(numbers), self._batch):
                chunk = numbers[start : start + self._batch]
                ids = np.array([encodings[n].ids for n in chunk], dtype=np.int64)
                for number, features in zip(chunk, self._hidden(ids), strict=True):
                    found[number] = self._steps(features, encodings[number])
                if progress is not None:
                    progress(len(chunk))
        return [found[number] for number in range(len(texts))]

    def _steps(self, features: FloatArray, encoding: Any) -> TokenFeatures:
        before = len(self._before)
        words = [None if word is None else word - before for word in encoding.word_ids]
        kept = [step for step, word in enumerate(words) if word is None or word >= 0]
        return TokenFeatures(
            features if len(kept) == len(words) else features[kept],
            [encoding.tokens[step] for step in kept],
            [words[step] for step in kept],
            cut=bool(encoding.overflowing),
        )

    def _words(self, text: str) -> list[str]:
        """The words of `text.split()`, each as the tokenizer takes it."""
        return text.split()

    @property
    @abstractmethod
    def _tokenizer(self) -> Any:
        """Of the package `tokenizers`, with truncation and without padding."""

    @abstractmethod
    def _hidden(self, ids: NDArray[np.int64]) -> FloatArray:
        """The chosen layers of tokens `(B, S)`, `(B, S, 384 * layers)`."""


class OwnSession(LayeredEncoder):
    """One whose network is made of weights that a package carries."""

    @abstractmethod
    def _network(self) -> tuple[BertGraph, Mapping[str, NDArray[Any]]]:
        """The graph, and its weights by name."""

    def _run(self, name: str, values: NDArray[Any]) -> FloatArray:
        (hidden,) = self._session.run(["hidden"], {name: values})
        return np.asarray(hidden)

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        graph, tensors = self._network()
        options = onnxruntime.SessionOptions()
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensors[name]) for name in graph.weights]
        options.add_external_initializers(list(graph.weights), values)
        return open_session(graph.model, options, chosen_device())
