"""A TensorFlow Lite network of convolutions as ONNX: what MediaPipe's face models need, no more.

TensorFlow Lite keeps channels last, ONNX first. Tensors of rank 4 are kept channels first from the
input on, and turned back where a reshape or an output looks at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tflite
from onnx import TensorProto, checker, helper, numpy_helper

_OPSET, _IR_VERSION = 13, 8
_TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if name.isupper()}
_SAME = tflite.Padding.SAME
_RELU = tflite.ActivationFunctionType.RELU


class Conversion:
    """One network. `model` is the ONNX model; outputs are called `output0`, `output1`, ...

    Args:
        content: the .tflite file.
        scale: the input is bytes, `uint8 (1, height, width, 3)`, of which the network takes
            `value * scale + offset`.
        offset: see there.
    """

    def __init__(self, content: bytes, *, scale: float, offset: float) -> None:
        network = tflite.Model.GetRootAsModel(content, 0)
        self._network, self._graph = network, network.Subgraphs(0)
        self._nodes: list[Any] = []
        self._initialisers: list[Any] = []
        self._constants = {}
        for index in range(self._graph.TensorsLength()):
            buffer = network.Buffers(self._graph.Tensors(index).Buffer())
            if buffer.DataLength():
                dtype = _TYPES[self._graph.Tensors(index).Type()]
                value = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype)
                self._constants[index] = value.reshape(self._shape(index))
        inputs = self._input(scale, offset)
        for index in range(self._graph.OperatorsLength()):
            self._convert(self._graph.Operators(index))
        outputs = [self._output(number) for number in range(self._graph.OutputsLength())]
        graph = helper.make_graph(self._nodes, "face", [inputs], outputs, self._initialisers)
        opset = [helper.make_opsetid("", _OPSET)]
        self.model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
        checker.check_model(self.model, full_check=True)

    def _input(self, scale: float, offset: float) -> Any:
        index = self._graph.Inputs(0)
        values = self._node("Cast", ["image"], to=TensorProto.FLOAT)
        values = self._node("Mul", [values, self._constant(np.float32(scale))])
        values = self._node("Add", [values, self._constant(np.float32(offset))])
        self._node("Transpose", [values], _name(index), perm=(0, 3, 1, 2))
        return helper.make_tensor_value_info("image", TensorProto.UINT8, self._shape(index))

    def _output(self, number: int) -> Any:
        index = self._graph.Outputs(number)
        self._node("Identity", [self._channels_last(index)], f"output{number}")
        shape = self._shape(index)
        return helper.make_tensor_value_info(f"output{number}", TensorProto.FLOAT, shape)

    def _convert(self, operator: Any) -> None:
        code = self._network.OperatorCodes(operator.OpcodeIndex())
        name = _NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = [operator.Inputs(i) for i in range(operator.InputsLength())]
        getattr(self, f"_{name.lower()}")(operator, inputs, operator.Outputs(0))

    def _dequantize(self, _: Any, inputs: Sequence[int], output: int) -> None:
        self._constants[output] = self._constants[inputs[0]].astype(np.float32)

    def _conv_2d(self, operator: Any, inputs: Sequence[int], output: int) -> None:
        kernel = self._constants[inputs[1]].transpose(0, 3, 1, 2)
        self._convolve(_options(operator, tflite.Conv2DOptions), kernel, 1, inputs, output)

    def _depthwise_conv_2d(self, operator: Any, inputs: Sequence[int], output: int) -> None:
        kernel = self._constants[inputs[1]].transpose(3, 0, 1, 2)
        options = _options(operator, tflite.DepthwiseConv2DOptions)
        self._convolve(options, kernel, len(kernel), inputs, output)

    def _convolve(
        self, options: Any, kernel: np.ndarray, group: int, inputs: Sequence[int], output: int
    ) -> None:
        parts = [kernel, self._constants[inputs[2]]]
        operands = [_name(inputs[0]), *(self._constant(part) for part in parts)]
        place = self._place(options, kernel.shape[2:], inputs[0], output)
        self._activated(options, self._node("Conv", operands, group=group, **place), output)

    def _max_pool_2d(self, operator: Any, inputs: Sequence[int], output: int) -> None:
        options = _options(operator, tflite.Pool2DOptions)
        size = options.FilterHeight(), options.FilterWidth()
        place = self._place(options, size, inputs[0], output)
        self._activated(options, self._node("MaxPool", [_name(inputs[0])], **place), output)

    def _add(self, operator: Any, inputs: Sequence[int], output: int) -> None:
        total = self._node("Add", [_name(index) for index in inputs])
        self._activated(_options(operator, tflite.AddOptions), total, output)

    def _relu(self, _: Any, inputs: Sequence[int], output: int) -> None:
        self._node("Relu", [_name(inputs[0])], _name(output))

    def _prelu(self, _: Any, inputs: Sequence[int], output: int) -> None:
        # a x + (1 - a) relu(x), the products as convolutions of one value a channel: onnxruntime
        # keeps its fast layout for those but leaves it at a PRelu, which costs three times as much.
        slope = self._constants[inputs[1]].reshape(-1, 1, 1, 1)
        positive = self._node("Relu", [_name(inputs[0])])
        parts = [
            self._node("Conv", [value, self._constant(weight)], group=len(slope))
            for value, weight in ((_name(inputs[0]), slope), (positive, 1 - slope))
        ]
        self._node("Add", parts, _name(output))

    def _pad(self, _: Any, inputs: Sequence[int], output: int) -> None:
        amounts = self._constants[inputs[1]][[0, 3, 1, 2]].T.astype(np.int64).ravel()
        self._node("Pad", [_name(inputs[0]), self._constant(amounts)], _name(output))

    def _reshape(self, _: Any, inputs: Sequence[int], output: int) -> None:
        shape = self._constant(np.array(self._shape(output), np.int64))
        self._node("Reshape", [self._channels_last(inputs[0]), shape], _name(output))

    def _concatenation(self, operator: Any, inputs: Sequence[int], output: int) -> None:
        axis = _options(operator, tflite.ConcatenationOptions).Axis()
        parts = [self._channels_last(index) for index in inputs]
        self._node("Concat", parts, _name(output), axis=axis)

    def _place(
        self, options: Any, size: Sequence[int], source: int, output: int
    ) -> dict[str, Sequence[int]]:
        """Kernel size, strides and padding as ONNX takes them."""
        strides = options.StrideH(), options.StrideW()
        before, after = [0, 0], [0, 0]
        if options.Padding() == _SAME:
            steps = self._shape(output)[1:3]
            lengths = self._shape(source)[1:3]
            for axis in range(2):
                reach = (steps[axis] - 1) * strides[axis] + size[axis]
                missing = max(0, reach - lengths[axis])
                before[axis], after[axis] = missing // 2, missing - missing // 2
        return {"kernel_shape": tuple(size), "strides": strides, "pads": (*before, *after)}

    def _activated(self, options: Any, value: str, output: int) -> None:
        operator = "Relu" if options.FusedActivationFunction() == _RELU else "Identity"
        self._node(operator, [value], _name(output))

    def _channels_last(self, index: int) -> str:
        if len(self._shape(index)) != 4:
            return _name(index)
        return self._node("Transpose", [_name(index)], perm=(0, 2, 3, 1))

    def _shape(self, index: int) -> tuple[int, ...]:
        tensor = self._graph.Tensors(index)
        return tuple(tensor.Shape(axis) for axis in range(tensor.ShapeLength()))

    def _constant(self, value: Any) -> str:
        name = f"constant{len(self._initialisers)}"
        self._initialisers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _node(
        self, operator: str, inputs: Sequence[str], output: str | None = None, **attributes: Any
    ) -> str:
        output = output or f"{operator.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


def _name(index: int) -> str:
    return f"tensor{index}"


def _options(operator: Any, kind: type) -> Any:
    options, table = kind(), operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options
