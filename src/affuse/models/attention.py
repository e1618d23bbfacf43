"""Attention with dropout on its weights, in bounded memory on processors too.

On a processor, torch keeps three copies of the weights of every layer for the way back: 53 GB for
MulT as published on a batch of 128 of unaligned CMU-MOSI. Here layers keep what goes into them and
make the rest again on the way back, and attention works on as many samples at a time as a cache
holds. Values, gradients and random numbers are those of torch. Without dropout torch's own kernel
keeps no weights, and on graphics cards neither.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

# Weights of a layer that are no trouble; that are worked on at once; that are kept on the way back.
_FEW, _AT_ONCE, _KEPT = 1 << 20, 1 << 22, 1 << 25


def attend(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor, rate: float) -> Tensor:
    """Scaled dot-product attention with dropout.

    Args:
        q: queries `(B, H, T, d)`.
        k: keys `(B, H, S, d)`.
        v: values `(B, H, S, d)`.
        allowed: bool `(B, 1, T or 1, S)`, which source steps a target step sees; one at the least.
        rate: of dropout on the weights.

    Returns:
        `(B, H, T, d)`.
    """
    weights = q.shape[1] * q.shape[2] * k.shape[2]
    if not _is_heavy(q, len(q) * weights, rate):
        return scaled_dot_product_attention(q, k, v, allowed, rate)
    samples = max(1, _AT_ONCE // weights)
    pieces = zip(*(torch.split(x, samples) for x in (q, k, v, allowed)), strict=True)
    run: Callable[..., Tensor] = scaled_dot_product_attention
    if len(q) * weights > _KEPT:
        run = partial(checkpoint, run, use_reentrant=False)
    return torch.cat([run(*piece, rate) for piece in pieces])


def recomputed(layer: nn.Module, weights: int, rate: float, target: Tensor, *others: Any) -> Tensor:
    """`layer(target, *others)`, made again on the way back where its weights are many.

    Args:
        layer: with attention inside, and without effect but what it returns.
        weights: of that attention, over all samples and heads.
        rate: of dropout on them.
        target: its first argument.
    """
    if layer.training and _is_heavy(target, weights, rate):
        again: Tensor = checkpoint(layer, target, *others, use_reentrant=False)
        return again
    made: Tensor = layer(target, *others)
    return made


def _is_heavy(x: Tensor, weights: int, rate: float) -> bool:
    return rate > 0 and weights >= _FEW and x.device.type == "cpu" and torch.is_grad_enabled()
