"""Attention with dropout on its weights, and deep stacks of it, in bounded memory on processors.

There, torch keeps three copies of the weights of every layer for the way back: 0.44 GB a sample for
MulT as published on unaligned CMU-MOSI. Here they are made for a few samples at a time, in buffers
that a cache holds, and made again on the way back. On graphics cards, and without dropout, torch's
own kernel keeps none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

# Weights of a layer that are no trouble, and that are worked on at once; values of a stream from
# which on what a layer makes of them is too much to keep.
_FEW, _AT_ONCE, _LARGE = 1 << 20, 1 << 22, 1 << 20


def attend(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor, rate: float) -> Tensor:
    """Scaled dot-product attention with dropout on the weights, `(B, H, T, d)` like the queries.

    Args:
        k, v: `(B, H, S, d)`.
        allowed: bool `(B, 1, T or 1, S)`, which source steps a target step sees; one at the least.
    """
    if not rate or q.device.type != "cpu" or q.shape[:3].numel() * k.shape[2] < _FEW:
        return scaled_dot_product_attention(q, k, v, allowed, rate)
    made: Tensor = _Attention.apply(q, k, v, allowed, rate)  # type: ignore[no-untyped-call]
    return made


def recomputed(layer: nn.Module, target: Tensor, *others: Any) -> Tensor:
    """`layer(target, *others)`, made again on the way back where much would be kept for it."""
    large = target.numel() >= _LARGE and target.device.type == "cpu"
    if large and layer.training and torch.is_grad_enabled():
        again: Tensor = checkpoint(layer, target, *others, use_reentrant=False)
        return again
    made: Tensor = layer(target, *others)
    return made


class _Attention(torch.autograd.Function):
    """`P = softmax(q k^T / sqrt(d))` with dropout, times v; only inputs and output are kept."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, allowed: Tensor, rate: float) -> Tensor:
        ctx.rate, ctx.state = rate, torch.get_rng_state()
        out = v.new_empty(*q.shape[:3], v.shape[3])
        for rows, weights, kept in _weights(q, k, allowed, rate):
            torch.matmul(weights.mul_(kept), v[rows], out=out[rows])
        ctx.save_for_backward(q, k, v, allowed, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, allowed, out = ctx.saved_tensors
        dq, dk, dv = (torch.empty(x.shape, dtype=x.dtype) for x in (q, k, v))
        # Of the softmax: the weights times the gradient of each, summed over the source.
        inner = (grad * out).sum(dim=3, keepdim=True)
        scale = 1 / math.sqrt(q.shape[3])
        with torch.random.fork_rng(devices=()):
            torch.set_rng_state(ctx.state)
            for rows, weights, kept in _weights(q, k, allowed, ctx.rate):
                torch.matmul((weights * kept).mT, grad[rows], out=dv[rows])
                scores = kept.mul_(grad[rows] @ v[rows].mT).sub_(inner[rows]).mul_(weights)
                torch.matmul(scores.mul_(scale), k[rows], out=dq[rows])
                torch.matmul(scores.mT, q[rows], out=dk[rows])
        return dq, dk, dv, None, None


def _weights(
    q: Tensor, k: Tensor, allowed: Tensor, rate: float
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """For a few samples at a time: which, the weights `(n, H, T, S)`, and dropout's factors.

    Both are buffers that come again with the next samples.
    """
    one = (*q.shape[1:3], k.shape[2])
    step = max(1, _AT_ONCE // math.prod(one))
    buffers = [q.new_empty(min(step, len(q)), *one) for _ in range(2)]
    scale = 1 / math.sqrt(q.shape[3])
    for start in range(0, len(q), step):
        rows = slice(start, min(start + step, len(q)))
        scores, weights = (buffer[: rows.stop - start] for buffer in buffers)
        torch.matmul(q[rows] * scale, k[rows].mT, out=scores)
        scores.masked_fill_(~allowed[rows], -torch.inf)
        torch.softmax(scores, dim=3, out=weights)
        yield rows, weights, scores.bernoulli_(1 - rate).div_(1 - rate)
