"""Layers that honour masks: padding never changes a real step's value.

Shapes: B samples, T steps, d width, H heads. Masks are bool `(B, T)`, True is real.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affuse.batches import Lengths

_LEAST = torch.finfo(torch.bfloat16).min
"""Of bfloat16, in which training may add it up: float32's own would be infinite there."""


def traced() -> bool:
    """Whether this is a trace for export: it must hold for all sizes, and they are tensors."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def sinusoidal_positions(steps: int, width: int, like: Tensor) -> Tensor:
    """Fixed positional embedding `(steps, width)` (Vaswani et al. 2017, section 3.5)."""
    # What is traced depends on its input and must not be kept.
    make = _positions.__wrapped__ if traced() else _positions
    return make(steps, width, like.device, like.dtype)


@lru_cache(maxsize=256)
def _positions(steps: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    half = (width + 1) // 2
    # Made once, perhaps in inference mode, and used in training afterwards.
    with torch.inference_mode(False):
        rate = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(1e4) / half))
        angles = torch.arange(steps, dtype=torch.float32)[:, None] * rate
        return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width].to(device, dtype)


def dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Dropout whose random numbers cost an eighth on a CPU: one 64-bit draw serves eight values.

    The rate is rounded to a 256th. Drawing is otherwise the dearest part of a small model's step.
    """
    if not training or rate == 0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, rate, training)
    draws = torch.empty(-(-x.numel() // 8), dtype=torch.int64)
    draws.random_(torch.iinfo(torch.int64).min, None)
    limit = round(rate * 256)
    kept = (draws.view(torch.uint8)[: x.numel()] >= limit).view(x.shape)
    return x * kept * (256 / (256 - limit))


class Dropout(nn.Dropout):
    """`dropout` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training)


def zeroed(x: Tensor, mask: Tensor) -> Tensor:
    """`(B, T, D)` with zero where the mask `(B, T)` is False."""
    return x.masked_fill(~mask[..., None], 0.0)


def longest(lengths: Sequence[int]) -> int:
    """The largest length."""
    if traced():
        return cast(int, torch.stack(cast(list[Tensor], lengths)).amax())
    return max(lengths)


class Source(NamedTuple):
    """The steps that attention may read, worked out once for all layers that read them.

    Attributes:
        bias: `(B, S)`, added to the scores: a prior or zero where a step is real, else the least
            finite number. That takes any weight away as -inf does, but where nothing is real it
            leaves equal weights, which can be erased; softmax over nothing is not a number. None
            where there is nothing to add.
        some: `(B, 1)`, whether a sample has a real step, 0 or 1; None where nothing is masked.
    """

    bias: Tensor | None
    some: Tensor | None

    @property
    def full(self) -> bool:
        """Whether nothing is masked."""
        return self.some is None

    def weigh(self, scores: Tensor) -> Tensor:
        """Scores `(B, S, H)` to weights over the steps."""
        return (scores if self.bias is None else scores + self.bias[..., None]).softmax(dim=1)

    def erase(self, result: Tensor) -> Tensor:
        """`(B, ...)` with zeros for a sample without a real step."""
        if self.some is None:
            return result
        return result * self.some.view(-1, *[1] * (result.dim() - 1))


def source(
    mask: Tensor, like: Tensor, prior: Tensor | None = None, lengths: Lengths | None = None
) -> Source:
    """A mask `(B, S)` as attention reads it; `prior` `(B, S)` is a log weight of each step.

    Args:
        lengths: of the mask, where known: what masks nothing, as that of a clip alone, costs
            nothing then.
    """
    if lengths is not None and min(lengths) == mask.shape[1]:
        return Source(prior, None)
    bias = like.new_zeros(mask.shape) if prior is None else prior
    bias = bias.masked_fill(~mask, _LEAST)
    return Source(bias, mask.any(dim=1, keepdim=True).to(like.dtype))


class Attention(nn.Module):
    """Multi-head attention, self or crossmodal: the query is the target, the source the rest.

    The H heads divide the width d. A sample whose source has no real step receives zeros.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, target: Tensor, stream: Tensor, source: Source, weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from target `(B, T, d)` to a stream `(B, S, d)`, as far as `source` allows.

        The result `(B, T, d)` comes with the weights `(B, H, T, S)`, if asked.
        """
        q, k, v = (self._split(x) for x in self._project(target, stream))
        bias = None if source.bias is None else source.bias[:, None, None]
        if weights:
            scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
            attention = source.erase((scores if bias is None else scores + bias).softmax(dim=-1))
            mixed = attention @ v
        else:
            attention = None
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return source.erase(self.out(mixed.transpose(1, 2).flatten(2))), attention

    def _project(self, target: Tensor, stream: Tensor) -> tuple[Tensor, ...]:
        """Query of the target, key and value of the stream; one product where they are the same."""
        weight, bias = self.query_key_value.weight, self.query_key_value.bias
        if target is stream:
            return F.linear(target, weight, bias).chunk(3, dim=-1)
        width = target.shape[-1]
        query = F.linear(target, weight[:width], bias[:width])
        pair = F.linear(stream, weight[width:], bias[width:])
        return query, *pair.chunk(2, dim=-1)

    def _split(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, 2, (self.heads, self.head_width)).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Pre-normalised position-wise network, width d to `ratio` d and back."""

    def __init__(self, width: int, dropout: float, ratio: int = 2) -> None:
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, ratio * width),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(ratio * width, width),
        )


class EncoderLayer(nn.Module):
    """Pre-normalised self-attention and feed-forward, each a residual."""

    def __init__(self, width: int, heads: int, dropout: float, ratio: int = 2) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed_forward = FeedForward(width, dropout, ratio)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, source: Source) -> Tensor:
        normed = self.norm(x)
        x = x + self.drop(self.attention(normed, normed, source)[0])
        out: Tensor = x + self.drop(self.feed_forward(x))
        return out


class AttentionPooling(nn.Module):
    """One vector a sample by a learned score for each step; zeros without a real step."""

    def __init__(self, width: int, heads: int = 1) -> None:
        super().__init__()
        self.shares = heads, width // heads
        self.score = nn.Linear(width, heads)

    def forward(self, x: Tensor, source: Source) -> Tensor:
        """`(B, T, d)` to `(B, d)`: each head pools its own share."""
        weights = source.weigh(self.score(x))
        shares = torch.unflatten(x, 2, self.shares)
        return source.erase((weights[..., None] * shares).sum(dim=1).flatten(1))


class AttentiveStatistics(nn.Module):
    """Mean and deviation over time, of features and of their changes, as several heads see them.

    Attentive statistics pooling (Okabe et al. 2018, "Attentive Statistics Pooling for Deep Speaker
    Embedding", section 3) on the features themselves: what a clip is like on the whole reaches the
    head by a short path, whatever the encoder makes of its order. More than d are first projected.
    """

    def __init__(self, features: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        inner = min(features, width)
        self.reduce = nn.Linear(features, inner) if features > width else nn.Identity()
        self.score = nn.Linear(inner, heads)
        self.out = nn.Sequential(
            nn.LayerNorm(4 * heads * inner), Dropout(dropout), nn.Linear(4 * heads * inner, width)
        )

    def forward(self, x: Tensor, source: Source) -> Tensor:
        """`(B, T, D)`, zero where nothing is real, to `(B, d)`; zeros without a real step."""
        x = self.reduce(x)
        # The change into padding has no weight below.
        change = x.diff(dim=1, prepend=x[:, :1])
        weights = source.weigh(self.score(x)).transpose(1, 2)
        means = weights @ torch.cat([x, change, x * x, change * change], dim=2)
        mean, square = means.chunk(2, dim=2)
        deviation = (square - mean * mean).clamp(min=1e-4).sqrt()
        return source.erase(self.out(torch.cat([mean, deviation], dim=2).flatten(1)))


class TemporalProjection(nn.Module):
    """Features `(B, T, D)` to width d by temporal convolution, and T to ceil(T / stride).

    A stride above one, a power of two, is learned: a stack of convolutions of odd length, each of
    which halves the steps, so that attention does not pay for the frame rate. Padding is zero
    before every convolution, which makes it indistinguishable from the end of the sequence.
    """

    def __init__(self, features: int, width: int, stride: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.stride, self.kernel = stride, kernel
        # A convolution over a handful of channels is faster as one product of the windows, and
        # the steps need not change places with the features for it.
        inputs = [features, *[width] * (stride.bit_length() - 2)]
        self.convolutions = nn.ModuleList(nn.Linear(kernel * n, width) for n in inputs)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in inputs)
        self.drop_in, self.drop = Dropout(dropout), Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, full: bool) -> tuple[Tensor, Tensor]:
        """`(B, T, D)`, zero where masked, and its mask after projection; `full`: masks nothing."""
        x, side = self.drop_in(x), self.kernel // 2
        layers = zip(self.convolutions, self.norms, strict=True)
        for level, (convolution, norm) in enumerate(layers):
            x = F.pad(zeroed(x, mask) if level and not full else x, (0, 0, side, side))
            x = norm(convolution(x.unfold(1, self.kernel, min(self.stride, 2)).flatten(2)))
            if self.stride > 1:
                x = F.gelu(x)
                # Real where one of two steps is.
                mask = mask if full else F.pad(mask, (0, 1)).unfold(1, 2, 2).any(dim=2)
        return self.drop(x), mask.new_ones(x.shape[:2]) if full else mask
