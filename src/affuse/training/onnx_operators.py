"""Operators that torch's exporter lacks, or writes as slow loops, in those of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.onnx import (  # type: ignore[attr-defined]
    register_custom_op_symbolic,
    unregister_custom_op_symbolic,
)
from torch.onnx.symbolic_helper import parse_args

OPSET = 20
"""Of the graphs: the first with GELU as one operator."""

_END = 2**62
_NEVER = -1e30
_FLOAT = 1  # in the enumeration of ONNX's TensorProto


@contextmanager
def operators() -> Iterator[None]:
    """Make the operators known to the exporter while the block runs."""
    known: dict[str, Callable[..., Any]] = {
        "aten::argsort": _argsort,
        "aten::diff": _diff,
        "aten::flatten": _flatten,
        "aten::scaled_dot_product_attention": _attention,
        "aten::unflatten": _unflatten,
        "aten::unfold": _unfold,
    }
    for name, symbolic in known.items():
        register_custom_op_symbolic(name, symbolic, OPSET)
    try:
        yield
    finally:
        for name in known:
            unregister_custom_op_symbolic(name, OPSET)


def _constant(g: Any, *values: int) -> Any:
    return g.op("Constant", value_t=torch.tensor(values))


@parse_args("v", "b", "i", "b")
def _argsort(g: Any, x: Any, stable: bool, dim: int, descending: bool) -> Any:  # noqa: ARG001
    # TopK puts equal values in the order of their index, as a stable sort does.
    length = g.op("Gather", g.op("Shape", x), _constant(g, dim))
    return g.op("TopK", x, length, axis_i=dim, largest_i=int(descending), outputs=2)[1]


@parse_args("v", "i", "i", "v", "v")
def _diff(g: Any, x: Any, n: int, dim: int, prepend: Any, append: Any) -> Any:  # noqa: ARG001
    shorter = g.op("Slice", x, _constant(g, 0), _constant(g, -1), _constant(g, dim))
    return g.op("Sub", x, g.op("Concat", prepend, shorter, axis_i=dim))


@parse_args("v", "i", "i")
def _flatten(g: Any, x: Any, start: int, end: int) -> Any:
    places = range(x.type().dim())
    shape = _constant(g, *[0] * places[start], -1)
    if places[end] < places[-1]:
        after = _constant(g, places[end] + 1)
        rest = g.op("Slice", g.op("Shape", x), after, _constant(g, _END))
        shape = g.op("Concat", shape, rest, axis_i=0)
    return g.op("Reshape", x, shape)


@parse_args("v", "i", "v")
def _unflatten(g: Any, x: Any, dim: int, sizes: Any) -> Any:
    before = range(x.type().dim())[dim]
    assert before == x.type().dim() - 1, "only the last dimension"
    shape = g.op("Concat", _constant(g, *[0] * before), sizes, axis_i=0)
    return g.op("Reshape", x, shape)


@parse_args("v", "v", "v", "v", "f", "b", "v", "b")
def _attention(
    g: Any,
    q: Any,
    k: Any,
    v: Any,
    mask: Any,
    dropout: float,
    causal: bool,
    scale: Any,
    shared: bool,
) -> Any:
    plain = not dropout and not causal and not shared and scale.node().mustBeNone()
    assert plain, "only a mask may differ from the defaults"
    width = g.op("Cast", g.op("Shape", q, start_i=-1), to_i=_FLOAT)
    factor = g.op("Reciprocal", g.op("Sqrt", width))
    q, keys = g.op("Mul", q, factor), g.op("Transpose", k, perm_i=[0, 1, 3, 2])
    if mask.node().mustBeNone():
        return g.op("MatMul", g.op("Softmax", g.op("MatMul", q, keys), axis_i=-1), v)
    bias, boolean = mask, mask.type().scalarType() == "Bool"
    if boolean:
        # Finite, so that who may read nothing reads a number; it becomes 0 below, as in torch.
        none, zero = (g.op("Constant", value_t=torch.tensor(x)) for x in (_NEVER, 0.0))
        bias = g.op("Where", mask, zero, none)
    if mask.type().varyingSizes()[2] == 1:
        # The same for all that read: one more feature, which is 1 in each query, adds it within
        # the product. Passes over the scores are what attention spends its time with.
        q = g.op("Pad", q, _constant(g, *[0] * 7, 1), g.op("Constant", value_t=torch.tensor(1.0)))
        heads = g.op("Shape", q, start_i=1, end_i=2)
        shape = g.op("Concat", _constant(g, 1), heads, _constant(g, 1, 1), axis_i=0)
        scores = g.op("MatMul", q, g.op("Concat", keys, g.op("Expand", bias, shape), axis_i=2))
    else:
        scores = g.op("Add", g.op("MatMul", q, keys), bias)
    mixed = g.op("MatMul", g.op("Softmax", scores, axis_i=-1), v)
    if not boolean:
        return mixed
    some = g.op("ReduceMax", g.op("Cast", mask, to_i=_FLOAT), _constant(g, -1), keepdims_i=1)
    return g.op("Mul", mixed, some)


@parse_args("v", "i", "i", "i")
def _unfold(g: Any, x: Any, dim: int, size: int, step: int) -> Any:
    """Windows as `size` strided slices side by side; torch's own is a loop over the windows."""
    parts = []
    for first in range(size):
        last = first - size + 1
        end = _constant(g, last if last < 0 else _END)
        part = g.op("Slice", x, _constant(g, first), end, _constant(g, dim), _constant(g, step))
        parts.append(g.op("Unsqueeze", part, _constant(g, -1)))
    return g.op("Concat", *parts, axis_i=-1)
