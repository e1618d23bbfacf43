"""The encoders of words and voices as ONNX, from the weights that two packages carry.

`scripts/make_models.py` calls this. all-MiniLM-L6-v2 (Reimers and Gurevych 2019, Apache License
2.0) reads words: its products of matrices are rounded to 8 bits. The encoder of Whisper tiny.en
(Radford et al. 2023, MIT licence), up to the last layer that is read, hears voices: its weights
stay as they were published, in 16 bits, and are widened when they are loaded.
"""

from __future__ import annotations

import io
import logging
import struct
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load
from torch import Tensor, nn

from affuse.extract.text.minilm import PACKED_LAYERS, WIDTH, EncoderGraph
from affuse.extract.voice.whisper import LAYERS

_HEADS = 6
# The numbers by which CTranslate2 names the types of its variables.
_TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def text_encoder(weights: bytes) -> bytes:
    """`ids` int64 `(B, S)` to `hidden` float32 `(B, S, 384 * layers)`, as `EncoderGraph`."""
    graph, tensors = EncoderGraph(PACKED_LAYERS), load(weights)
    model = onnx.load_from_string(graph.model)
    for proto in model.graph.initializer:
        if proto.name in tensors:
            proto.CopyFrom(onnx.numpy_helper.from_array(tensors[proto.name], proto.name))
    with tempfile.TemporaryDirectory() as folder:
        whole, packed = Path(folder) / "whole.onnx", Path(folder) / "packed.onnx"
        onnx.save(_ready(model), whole)
        # It advises, through the root logger, to simplify a graph that is simple.
        logging.disable(logging.WARNING)
        quantize_dynamic(whole, packed, weight_type=QuantType.QInt8, per_channel=True)
        logging.disable(logging.NOTSET)
        return packed.read_bytes()


def _ready(model: onnx.ModelProto) -> onnx.ModelProto:
    """With each weight transposed beforehand: only constant matrices are quantised."""
    values = {proto.name: proto for proto in model.graph.initializer}
    for node in [n for n in model.graph.node if n.op_type == "Transpose"]:
        if node.input[0] in values:
            turned = onnx.numpy_helper.to_array(values[node.input[0]]).T.copy()
            model.graph.initializer.append(onnx.numpy_helper.from_array(turned, node.output[0]))
            model.graph.initializer.remove(values[node.input[0]])
            model.graph.node.remove(node)
    return model


class VoiceEncoder(nn.Module):
    """Log-mel bands `(1, 80, 2 T)` to the states of chosen layers, `(1, T, 384 * layers)`.

    T is up to 1500. Layers count from 1, and are taken before the last normalisation.
    """

    def __init__(self, weights: dict[str, Tensor], layers: Sequence[int]) -> None:
        super().__init__()
        self.w, self.layers = weights, tuple(layers)

    def forward(self, bands: Tensor) -> Tensor:
        x, states = self._heard(bands), []
        for layer in range(max(self.layers)):
            x = self.block(x, layer)
            states.append(x)
        return torch.cat([states[layer - 1] for layer in self.layers], dim=-1)

    def _heard(self, bands: Tensor) -> Tensor:
        for name, stride in (("encoder/conv1", 1), ("encoder/conv2", 2)):
            weight, bias = self.w[f"{name}/weight"], self.w[f"{name}/bias"]
            bands = F.gelu(F.conv1d(bands, weight, bias, stride, padding=1))
        x = bands.transpose(1, 2)
        return x + self.w["encoder/position_encodings/encodings"][: x.shape[1]]

    def block(self, x: Tensor, layer: int) -> Tensor:
        """States `(1, T, 384)` after one layer more, the first is 0."""
        prefix = f"encoder/layer_{layer}"
        x = x + self._attended(self._normed(x, f"{prefix}/self_attention/layer_norm"), prefix)
        inner = self._normed(x, f"{prefix}/ffn/layer_norm")
        inner = F.gelu(self._linear(inner, f"{prefix}/ffn/linear_0"))
        return x + self._linear(inner, f"{prefix}/ffn/linear_1")

    def end(self, x: Tensor) -> Tensor:
        """What the decoder reads of the last layer's states."""
        return self._normed(x, "encoder/layer_norm")

    def _attended(self, x: Tensor, prefix: str) -> Tensor:
        parts = self._linear(x, f"{prefix}/self_attention/linear_0").chunk(3, dim=-1)
        query, key, value = (p.unflatten(-1, (_HEADS, -1)).transpose(1, 2) for p in parts)
        scores = query @ key.transpose(-1, -2) / (WIDTH / _HEADS) ** 0.5
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).flatten(-2)
        return self._linear(mixed, f"{prefix}/self_attention/linear_1")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.w[f"{name}/weight"].T + self.w[f"{name}/bias"]

    def _normed(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (WIDTH,), self.w[f"{name}/gamma"], self.w[f"{name}/beta"])


def voice_weights(content: bytes) -> dict[str, Tensor]:
    """The encoder's variables in a CTranslate2 model, float32, by name."""
    return {
        name: torch.tensor(array.astype(np.float32))
        for name, array in ctranslate2_arrays(content)
        if name.startswith("encoder/")
    }


def voice_encoder(weights: bytes) -> bytes:
    """`bands` float32 `(1, 80, 2 T)` to `states` float32 `(1, T, 384 * layers)`."""
    model, buffer = VoiceEncoder(voice_weights(weights), LAYERS), io.BytesIO()
    torch.onnx.export(
        model,
        (torch.zeros(1, 80, 200),),
        buffer,
        input_names=["bands"],
        output_names=["states"],
        dynamic_axes={"bands": {2: "frames"}, "states": {1: "steps"}},
        opset_version=20,
        dynamo=False,
    )
    return _halved(onnx.load_from_string(buffer.getvalue())).SerializeToString(deterministic=True)


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """With large constants in 16 bits, and what widens them again."""
    large = [n for n in model.graph.node if n.op_type == "Constant" and n.ByteSize() > 4096]
    for node in large:
        value = onnx.numpy_helper.to_array(node.attribute[0].t)
        if value.dtype == np.float32:
            name = f"{node.output[0]}_half"
            half = onnx.numpy_helper.from_array(value.astype(np.float16), name)
            model.graph.initializer.append(half)
            model.graph.node.insert(
                0,
                onnx.helper.make_node("Cast", [name], [node.output[0]], to=onnx.TensorProto.FLOAT),
            )
            model.graph.node.remove(node)
    for proto in list(model.graph.initializer):
        if proto.data_type == onnx.TensorProto.FLOAT and proto.ByteSize() > 4096:
            value, name = onnx.numpy_helper.to_array(proto), f"{proto.name}_half"
            half = onnx.numpy_helper.from_array(value.astype(np.float16), name)
            cast = onnx.helper.make_node("Cast", [name], [proto.name], to=onnx.TensorProto.FLOAT)
            model.graph.initializer.remove(proto)
            model.graph.initializer.append(half)
            model.graph.node.insert(0, cast)
    return model


def ctranslate2_arrays(content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """The variables of a CTranslate2 model, by name."""
    at = 0

    def number(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{form}", content, at)
        at += struct.calcsize(f"<{form}")
        return int(value)

    def name() -> str:
        nonlocal at
        length = number("H")
        at += length
        return content[at - length : at - 1].decode()

    number("I"), name(), number("I")  # version, specification, revision
    for _ in range(number("I")):
        called, rank = name(), number("B")
        shape = [number("I") for _ in range(rank)]
        kind, size = _TYPES[number("B")], number("I")
        yield called, np.frombuffer(content[at : at + size], kind).reshape(shape)
        at += size
