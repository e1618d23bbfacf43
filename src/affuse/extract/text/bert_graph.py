"""The graph of a small BERT (Devlin et al. 2019) in ONNX: 384 wide, 12 heads, post-norm.

MiniLM and multilingual E5 small are both of this shape; they differ in how many layers they have,
in how tokens become vectors and in how their matrices are kept. Weights are bound when a session
is made: the graph names them, in the names that BERT's own code gives them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.optional import require

WIDTH, HEADS, INNER, POSITIONS = 384, 12, 1536, 512
_EPSILON = 1e-12


class BertGraph(ABC):
    """Builds the graph from tokens to `hidden`, float32 `(B, S, 384 * layers)`.

    There is no attention mask: a batch holds texts of one length.

    Attributes:
        weights: name to shape of each tensor that the session must be given.
        model: the serialised ONNX model.
    """

    extra: str
    """The optional dependencies by which the package `onnx` is installed."""
    domains: tuple[str, ...] = ("",)
    """Whose operators the graph has: ONNX's own, and others."""

    def __init__(self, layers: Sequence[int]) -> None:
        self._onnx = require("onnx", extra=self.extra)
        self._nodes: list[Any] = []
        self._initialisers: list[Any] = []
        self.weights: dict[str, tuple[int, ...]] = {}
        self.model = self._build(layers)

    @abstractmethod
    def _input(self) -> Any:
        """The graph's input, of B texts of S tokens."""

    @abstractmethod
    def _words(self) -> str:
        """The vectors of the input's tokens, `(B, S, 384)`."""

    @abstractmethod
    def _product(self, x: str, prefix: str, inputs: int, outputs: int) -> str:
        """`x` `(B, S, inputs)` times the matrix of `prefix`, `(B, S, outputs)`."""

    def _build(self, layers: Sequence[int]) -> bytes:
        self._constant("heads", np.array([0, 0, HEADS, WIDTH // HEADS]))
        self._constant("joined", np.array([0, 0, WIDTH]))
        self._constant("scale", np.array(1 / math.sqrt(WIDTH // HEADS), np.float32))
        hidden = [self._embed()]
        for layer in range(max(layers)):
            hidden.append(self._layer(hidden[-1], f"encoder.layer.{layer}"))
        chosen = [hidden[layer] for layer in layers]
        self._nodes.append(self._onnx.helper.make_node("Concat", chosen, ["hidden"], axis=-1))
        return self._serialise(WIDTH * len(layers))

    def _embed(self) -> str:
        words = self._words()
        start = self._constant("start", np.array([0]))
        length = self._node("Shape", [words], start=1, end=2)
        table = self._weight("embeddings.position_embeddings.weight", POSITIONS, WIDTH)
        positions = self._node("Slice", [table, start, length, start])
        # One text at a time is encoded, so every token is of segment 0.
        table = self._weight("embeddings.token_type_embeddings.weight", 2, WIDTH)
        segment = self._node("Gather", [table, self._constant("segment", np.array(0))])
        placed = self._node("Add", [words, positions])
        return self._norm(self._node("Add", [placed, segment]), "embeddings.LayerNorm")

    def _layer(self, x: str, prefix: str) -> str:
        attended = self._attention(x, f"{prefix}.attention.self")
        out = self._linear(attended, f"{prefix}.attention.output.dense", WIDTH, WIDTH)
        x = self._norm(self._node("Add", [out, x]), f"{prefix}.attention.output.LayerNorm")
        inner = self._node("Gelu", [self._linear(x, f"{prefix}.intermediate.dense", WIDTH, INNER)])
        out = self._linear(inner, f"{prefix}.output.dense", INNER, WIDTH)
        return self._norm(self._node("Add", [out, x]), f"{prefix}.output.LayerNorm")

    def _attention(self, x: str, prefix: str) -> str:
        query = self._heads(x, f"{prefix}.query", (0, 2, 1, 3))
        key = self._heads(x, f"{prefix}.key", (0, 2, 3, 1))
        value = self._heads(x, f"{prefix}.value", (0, 2, 1, 3))
        scores = self._node("Mul", [self._node("MatMul", [query, key]), "scale"])
        mixed = self._node("MatMul", [self._node("Softmax", [scores], axis=-1), value])
        side_by_side = self._node("Transpose", [mixed], perm=(0, 2, 1, 3))
        return self._node("Reshape", [side_by_side, "joined"])

    def _heads(self, x: str, prefix: str, order: tuple[int, ...]) -> str:
        split = self._node("Reshape", [self._linear(x, prefix, WIDTH, WIDTH), "heads"])
        return self._node("Transpose", [split], perm=order)

    def _linear(self, x: str, prefix: str, inputs: int, outputs: int) -> str:
        product = self._product(x, prefix, inputs, outputs)
        return self._node("Add", [product, self._weight(f"{prefix}.bias", outputs)])

    def _norm(self, x: str, prefix: str) -> str:
        weight, bias = (self._weight(f"{prefix}.{part}", WIDTH) for part in ("weight", "bias"))
        return self._node("LayerNormalization", [x, weight, bias], axis=-1, epsilon=_EPSILON)

    def _node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        output = f"{operator}_{len(self._nodes)}"
        node = self._onnx.helper.make_node(operator, inputs, [output], **attributes)
        self._nodes.append(node)
        return output

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self._initialisers.append(self._onnx.numpy_helper.from_array(value, name))
        return name

    def _weight(self, name: str, *shape: int, dtype: type[np.generic] = np.float32) -> str:
        proto = self._onnx.TensorProto
        element = np.dtype(dtype)
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(element)
        tensor = proto(name=name, dims=shape, data_type=kind, data_location=proto.EXTERNAL)
        # The format demands a place; the session takes the values from memory instead.
        size = element.itemsize * math.prod(shape)
        for key, value in (("location", "memory"), ("offset", "0"), ("length", str(size))):
            tensor.external_data.add(key=key, value=value)
        self._initialisers.append(tensor)
        self.weights[name] = shape
        return name

    def _serialise(self, width: int) -> bytes:
        helper, tensor = self._onnx.helper, self._onnx.TensorProto
        out = helper.make_tensor_value_info("hidden", tensor.FLOAT, ["batch", "steps", width])
        graph = helper.make_graph(
            self._nodes, "encoder", [self._input()], [out], self._initialisers
        )
        # Gelu and LayerNormalization as single operators need opset 20.
        opsets = [helper.make_opsetid(name, 1 if name else 20) for name in self.domains]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        return bytes(model.SerializeToString())
