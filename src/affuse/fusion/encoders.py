"""One modality by itself: projection, encoder, pooling and a head that answers alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from affuse.batches import Lengths
from affuse.config import Choice, Options, Range
from affuse.fusion.layers import (
    AttentionPooling,
    AttentiveStatistics,
    Dropout,
    EncoderLayer,
    TemporalProjection,
    sinusoidal_positions,
    source,
    zeroed,
)


class Encoded(NamedTuple):
    """A stream `(B, T', d)`, its mask `(B, T')`, the vector `(B, d)`, and lengths where known."""

    stream: Tensor
    mask: Tensor
    pooled: Tensor
    lengths: Lengths | None = None


class EncoderOptions(Options):
    """What the encoders of every model of this family share, so that rows differ by fusion alone.

    Attributes:
        width: d.
        heads: of self-attention and of pooling.
        encoder_layers: of self-attention, in each modality.
        kernel: length of each temporal convolution, odd.
        strides: modality to the learned stride of its projection, a power of two; 1 if unnamed.
        static: modalities with a single step, such as statistics of a clip: they have no order to
            model, so theirs is a plain layer.
        statistics: whether each encoder also pools mean and deviation of the features.
        dropout: inside all blocks and heads.
        input_dropout: on the features.
    """

    width: Annotated[int, Range(16, 64, multiple_of="heads")] = Field(40, ge=1)
    heads: int = Field(4, ge=1)
    encoder_layers: Annotated[int, Range(1, 2)] = Field(1, ge=0)
    kernel: Annotated[int, Choice(1, 3, 5)] = Field(3, ge=1)
    strides: dict[str, int] = Field(default_factory=dict)
    static: tuple[str, ...] = ()
    statistics: bool = True
    dropout: Annotated[float, Range(0.0, 0.6)] = Field(0.2, ge=0, lt=1)
    input_dropout: Annotated[float, Range(0.0, 0.6)] = Field(0.2, ge=0, lt=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.kernel % 2 == 0:
            raise ValueError("kernel must be odd")
        for modality, stride in self.strides.items():
            if stride < 1 or stride & (stride - 1):
                raise ValueError(f"stride of {modality} must be a power of two")
        return self


STEPS = 64
"""Streams longer than this are compressed before attention."""


def encoder_options_for(lengths: Mapping[str, int]) -> dict[str, Any]:
    """What typical lengths decide: `static`, and `strides` that bring them down to `STEPS`."""
    strides = {m: 2 ** max(0, math.ceil(math.log2(n / STEPS))) for m, n in lengths.items()}
    return {
        "strides": {m: stride for m, stride in strides.items() if stride > 1},
        "static": tuple(m for m, n in lengths.items() if n == 1),
    }


def modality_encoder(features: int, modality: str, options: EncoderOptions) -> nn.Module:
    """The encoder of a modality with D = `features`: `(B, T, D)`, mask, lengths to `Encoded`."""
    if modality in options.static:
        return StaticEncoder(features, options)
    return ModalityEncoder(features, modality, options)


class StaticEncoder(nn.Module):
    """Features without order, or the mean of their steps, to a stream of one step.

    Without layer norm, which would take the magnitude from what is a single step.
    """

    def __init__(self, features: int, options: EncoderOptions) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Dropout(options.input_dropout),
            nn.Linear(features, options.width),
            nn.GELU(),
            Dropout(options.dropout),
        )

    def forward(self, x: Tensor, mask: Tensor, lengths: Lengths | None = None) -> Encoded:
        some = mask.any(dim=1, keepdim=True)
        x = zeroed(x, mask).sum(dim=1)
        pooled = self.layers(x / mask.sum(dim=1, keepdim=True).clamp(min=1)) * some
        lengths = None if lengths is None else tuple(min(n, 1) for n in lengths)
        return Encoded(pooled[:, None], some, pooled, lengths)


class ModalityEncoder(nn.Module):
    """Features `(B, T, D)` of one modality, whose stride is in the options, to a stream."""

    def __init__(self, features: int, modality: str, options: EncoderOptions) -> None:
        super().__init__()
        o, stride = options, options.strides.get(modality, 1)
        self.projection = TemporalProjection(features, o.width, stride, o.kernel, o.input_dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(o.width, o.heads, o.dropout) for _ in range(o.encoder_layers)
        )
        self.norm = nn.LayerNorm(o.width)
        self.pooling = AttentionPooling(o.width, o.heads)
        self.statistics = (
            AttentiveStatistics(features, o.width, o.heads, o.dropout) if o.statistics else None
        )

    def forward(self, x: Tensor, mask: Tensor, lengths: Lengths | None = None) -> Encoded:
        steps = source(mask, x, lengths=lengths)
        x = x if steps.full else zeroed(x, mask)
        overall = None if self.statistics is None else self.statistics(x, steps)
        x, mask = self.projection(x, mask, steps.full)
        x = x + sinusoidal_positions(x.shape[1], x.shape[2], x)
        stride = self.projection.stride
        lengths = None if lengths is None else tuple(-(-n // stride) for n in lengths)
        steps = source(mask, x, lengths=lengths)
        for layer in self.layers:
            x = layer(x, steps)
        x = self.norm(x)
        pooled = self.pooling(x, steps)
        return Encoded(x, mask, pooled if overall is None else pooled + overall, lengths)


class Head(nn.Sequential):
    """A pooled vector `(B, d)`, or `inputs` wide, to raw outputs `(B, C)`."""

    def __init__(self, width: int, outputs: int, dropout: float, inputs: int | None = None) -> None:
        super().__init__(
            nn.Linear(inputs or width, width),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(width, outputs),
        )
