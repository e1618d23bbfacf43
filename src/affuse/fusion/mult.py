"""MulT, the Multimodal Transformer (Tsai et al. 2019, arXiv 1906.00295): the baseline of the field.

The architecture, layer for layer and parameter for parameter, is that of the paper and its public
code; what differs is stated in `MulT`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from itertools import permutations
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from affuse import config
from affuse.batches import Batch
from affuse.config import Range
from affuse.errors import InputError
from affuse.fusion.attention import attend, recomputed
from affuse.fusion.layers import dropout, sinusoidal_positions, zeroed
from affuse.fusion.model import FusionModel, FusionOutput, register_model, require_several
from affuse.fusion.recurrent import last_step

# The public code gives the self-attention encoders this many layers at the least.
_MIN_MEMORY_LAYERS = 3
# What each layer's attention weights `(B, H, T, S)` are appended to, if they are wanted.
_Trace = list[Tensor] | None


class MulTOptions(config.Options):
    """Options of `MulT`; the defaults are the public code's, except for `causal`."""

    width: Annotated[int, Range(20, 40, multiple_of="heads")] = Field(
        30, ge=1, description="width d of every stream"
    )
    layers: Annotated[int, Range(1, 5)] = Field(5, ge=1, description="layers of each encoder")
    heads: int = Field(5, ge=1, description="attention heads; they must divide the width")
    kernel: int = Field(1, ge=1, description="steps that the input convolution spans")
    attention_dropout: Annotated[float, Range(0.0, 0.4)] = Field(
        0.1, ge=0, lt=1, description="on attention weights"
    )
    relu_dropout: float = Field(0.1, ge=0, lt=1, description="inside the feed-forward blocks")
    residual_dropout: float = Field(0.1, ge=0, lt=1, description="on what each block adds")
    embedding_dropout: Annotated[float, Range(0.0, 0.5)] = Field(
        0.2, ge=0, lt=1, description="on embedded streams, and on the features named text"
    )
    output_dropout: Annotated[float, Range(0.0, 0.5)] = Field(
        0.0, ge=0, lt=1, description="inside the output block"
    )
    causal: bool = Field(
        False,
        description="a target step sees no source step beyond its own plus the difference in "
        "length: on by default in the public code, absent from the paper",
    )


@register_model("mult")
class MulT(FusionModel):
    """MulT (Tsai et al. 2019): crossmodal attention between every pair of modalities.

    For M modalities of width d: M(M-1) crossmodal encoders (paper, section 3.1-3.2), whose
    outputs of width (M-1)d for each target pass a self-attention encoder; the last step of each is
    concatenated and enters a residual output block (section 3.3).

    Differences from the public code, all of which leave the parameters as they are:

    - Padding is masked, and the last *real* step is read instead of the last padded one.
    - A modality that a sample lacks adds nothing: attention to it yields zero, and its own summary
      is zero.
    - One attention dropout instead of one a modality; keys and values share an embedding dropout.
    - Kernels above 1 pad at both ends, so that no sequence is too short, and features that have
      the common width already are projected too.

    MulT has no gate. `FusionOutput.gate` is uniform over the modalities that a sample has, so
    `primary`, the first of them, means nothing.

    With `detail`, attention has a key `target<-source.layer` for each crossmodal layer and latents
    the keys `target<-source.before` and `target<-source.after`: the target's stream as it enters
    and leaves that encoder.

    Raises:
        InputError: fewer than two modalities, a width that the heads do not divide, or (when
            called) a sample without data.
    """

    Options: ClassVar[type[config.Options]] = MulTOptions
    options: MulTOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: MulTOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("mult", widths)
        if options.width % options.heads:
            raise InputError(
                f"{options.heads} heads do not divide width {options.width}",
                remedy="choose a width that is a multiple of heads",
            )
        width, others = options.width, len(widths) - 1
        self.projections = nn.ModuleList(
            nn.Conv1d(features, width, options.kernel, padding="same", bias=False)
            for features in widths.values()
        )
        self.pairs = list(permutations(range(len(widths)), 2))
        layers, deep = options.layers, max(options.layers, _MIN_MEMORY_LAYERS)
        self.crossmodal = nn.ModuleList(_Encoder(width, layers, options) for _ in self.pairs)
        self.memory = nn.ModuleList(_Encoder(others * width, deep, options) for _ in widths)
        combined = len(self.pairs) * width
        self.hidden = nn.Linear(combined, combined)
        self.residual = nn.Linear(combined, combined)
        self.head = nn.Linear(combined, outputs)

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        streams, masks = self._project(batch)
        fused: list[list[Tensor]] = [[] for _ in self.modalities]
        attention: dict[str, Tensor] = {}
        latents: dict[str, Tensor] = {}
        for (target, source), encoder in zip(self.pairs, self.crossmodal, strict=True):
            allowed = _allowed(masks[target], masks[source], self.options.causal)
            trace: _Trace = [] if detail else None
            before, after = encoder(streams[target], streams[source], allowed, trace)
            fused[target].append(after)
            if trace is not None:
                name = f"{self.modalities[target]}<-{self.modalities[source]}"
                attention |= {f"{name}.{layer}": weights for layer, weights in enumerate(trace)}
                latents |= {f"{name}.before": before, f"{name}.after": after}
        summaries = []
        for parts, mask, encoder in zip(fused, masks, self.memory, strict=True):
            allowed = _allowed(mask, mask, self.options.causal)
            _, steps = encoder(torch.cat(parts, dim=2), None, allowed)
            summaries.append(last_step(steps, mask))
        summary = torch.cat(summaries, dim=1)
        inner = dropout(F.relu(self.hidden(summary)), self.options.output_dropout, self.training)
        prediction = self.head(summary + self.residual(inner))
        output = FusionOutput(prediction, *self.even_gate(batch))
        return output._replace(attention=attention, latents=latents) if detail else output

    def _project(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Streams `(B, T, d)` and masks `(B, T)`; one masked step for an absent modality."""
        streams, masks = [], []
        for name, projection in zip(self.modalities, self.projections, strict=True):
            features, mask = self.take(batch, name)
            # A kernel above 1 would carry what is in padded steps into the last real ones.
            features = zeroed(features, mask)
            if name == "text":
                features = dropout(features, self.options.embedding_dropout, self.training)
            streams.append(projection(features.transpose(1, 2)).transpose(1, 2))
            masks.append(mask)
        return streams, masks


class _Encoder(nn.Module):
    """Pre-norm transformer encoder whose source, if any, is embedded once and never updated."""

    def __init__(self, width: int, layers: int, options: MulTOptions) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(width, options) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = options.embedding_dropout

    def forward(
        self, target: Tensor, source: Tensor | None, allowed: Tensor, trace: _Trace = None
    ) -> tuple[Tensor, Tensor]:
        """The target `(B, T, width)` as embedded and as encoded."""
        embedded = self._embed(target)
        source = None if source is None else self._embed(source)
        encoded = embedded
        for layer in self.layers:
            # What is traced must be so once.
            apply = layer if trace is not None else partial(recomputed, layer)
            encoded = apply(encoded, source, allowed, trace)
        return embedded, self.norm(encoded)

    def _embed(self, stream: Tensor) -> Tensor:
        steps, width = stream.shape[1:]
        positions = sinusoidal_positions(steps, width, stream)
        return dropout(math.sqrt(width) * stream + positions, self.dropout, self.training)


class _Layer(nn.Module):
    """Attention, then a feed-forward block of 4 widths, each on a residual path."""

    def __init__(self, width: int, options: MulTOptions) -> None:
        super().__init__()
        self.attention = _Attention(width, options.heads, options.attention_dropout)
        # Target and source share this norm, as in the public code.
        self.attention_norm = nn.LayerNorm(width)
        self.expand = _xavier_linear(width, 4 * width)
        self.contract = _xavier_linear(4 * width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.relu_dropout = options.relu_dropout
        self.residual_dropout = options.residual_dropout

    def forward(
        self, target: Tensor, source: Tensor | None, allowed: Tensor, trace: _Trace
    ) -> Tensor:
        query = self.attention_norm(target)
        memory = query if source is None else self.attention_norm(source)
        attended = self.attention(query, memory, allowed, trace)
        target = target + dropout(attended, self.residual_dropout, self.training)
        inner = F.relu(self.expand(self.feed_forward_norm(target)))
        inner = self.contract(dropout(inner, self.relu_dropout, self.training))
        return target + dropout(inner, self.residual_dropout, self.training)


class _Attention(nn.Module):
    """Multi-head attention with the query, key and value projections packed in one."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.packed = _xavier_linear(width, 3 * width)
        self.out = _xavier_linear(width, width)
        self.heads, self.head_width = heads, width // heads
        self.dropout = dropout

    def forward(self, query: Tensor, memory: Tensor, allowed: Tensor, trace: _Trace) -> Tensor:
        """Attend from `(B, T, d)` to `(B, S, d)` where `allowed`, `(B, 1, T or 1, S)`, is True.

        A step that may see nothing receives zeros.
        """
        width = query.shape[2]
        weight, bias = self.packed.weight, self.packed.bias
        packed = F.linear(memory, weight[width:], bias[width:]).chunk(2, dim=2)
        q, k, v = (
            torch.unflatten(x, 2, (self.heads, self.head_width)).transpose(1, 2)
            for x in (F.linear(query, weight[:width], bias[:width]), *packed)
        )
        seen = allowed.any(dim=3, keepdim=True)
        # Softmax over nothing is NaN: such rows attend to everything and are zeroed afterwards.
        allowed = allowed | ~seen
        rate = self.dropout if self.training else 0.0
        if trace is None:
            mixed = attend(q, k, v, allowed, rate)
        else:
            scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
            weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=3)
            trace.append(weights * seen)
            mixed = F.dropout(weights, rate) @ v
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out * seen[:, 0]


def _allowed(target: Tensor, source: Tensor, causal: bool) -> Tensor:
    """Which source steps a target step may see, `(B, 1, T or 1, S)`, from masks `(B, T)`, `(B, S)`.

    With `causal`, step i sees those up to i + |T' - S'|, where T' and S' are the real lengths.
    """
    allowed = source[:, None, None, :]
    if not causal:
        return allowed
    slack = (target.sum(dim=1) - source.sum(dim=1)).abs()
    steps = torch.arange(target.shape[1], device=target.device)
    horizon = steps[None, :, None] + slack[:, None, None]
    return allowed & (torch.arange(source.shape[1], device=source.device) <= horizon)[:, None]


def _xavier_linear(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
