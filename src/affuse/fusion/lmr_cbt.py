"""LMR-CBT: modality-fused representations with the CB-Transformer (Fu et al. 2021).

arXiv 2112.01697, "Learning Modality-fused Representations with CB-Transformer for Multimodal
Emotion Recognition from Unaligned Multimodal Sequences".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from affuse.batches import Batch, Lengths
from affuse.config import Options, Range
from affuse.fusion.layers import Dropout, EncoderLayer, sinusoidal_positions, source, zeroed
from affuse.fusion.model import FusionModel, FusionOutput, register_model, require_several
from affuse.fusion.recurrent import MaskedLSTM, last_step, leading_modality


class LmrCbtOptions(Options):
    """Options of LMR-CBT; the defaults are the public code's, which are for CMU-MOSEI.

    Attributes:
        primary: modality that the others are fused into; by default text, or else the first.
        width: d, even and a multiple of heads.
        layers: of each encoder. On CMU-MOSI the published size is that of 4.
        kernel: steps that the convolution over each other modality spans.
        dropout: in the encoders.
        input_dropout: on the primary's features and on embedded streams.
        recurrent_dropout: between the two LSTM layers.
        output_dropout: in the output block.
    """

    primary: str | None = None
    width: Annotated[int, Range(16, 64, multiple_of="heads")] = Field(40, ge=2)
    heads: int = Field(8, ge=1)
    layers: Annotated[int, Range(1, 5)] = Field(5, ge=1)
    kernel: int = Field(3, ge=1)
    dropout: Annotated[float, Range(0.0, 0.6)] = Field(0.2, ge=0, lt=1)
    input_dropout: Annotated[float, Range(0.0, 0.6)] = Field(0.3, ge=0, lt=1)
    recurrent_dropout: Annotated[float, Range(0.0, 0.6)] = Field(0.5, ge=0, lt=1)
    output_dropout: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.width % 2:
            raise ValueError(f"width {self.width} is odd; each direction of the LSTM has half")
        return self


@register_model("lmr_cbt")
class LmrCbt(FusionModel):
    """LMR-CBT: one modality is read by an LSTM, and summaries of the others are fused into it.

    1. Features: two bidirectional LSTM layers for the primary (text in the paper), a convolution
       for each of the others.
    2. Local temporal learning: a transformer encoder over each of the others, whose last step
       summarises it.
    3. Cross-modal fusion: for each summary h in turn, every step x of the primary's stream becomes
       softmax(tanh(W x + V h)), over the features; the stream itself is added to the result.
    4. Global self-attention: an encoder over that stream. Its last step, beside the summaries,
       enters two layers and the output.

    Where the paper leaves the fusion open, the public code decides. What differs from it: padding
    is masked and the last *real* step is read; convolutions pad at both ends; layer norm takes the
    place of batch norm, which would see padding and neighbours; encoders are those of
    `affuse.fusion.layers` (GELU, one dropout). A modality that a sample lacks is not fused, and its
    summary is zero.
    """

    Options = LmrCbtOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: LmrCbtOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("lmr_cbt", widths)
        o = options
        self.primary = leading_modality(o.primary, widths)
        others = [m for m in widths if m != self.primary]
        self.reader = _Reader(widths[self.primary], o)
        self.streams = nn.ModuleDict({m: _Stream(widths[m], o) for m in others})
        self.encoders = nn.ModuleDict({m: _Encoder(o) for m in widths})
        self.fusions = nn.ModuleDict({m: _Fusion(o.width) for m in others})
        combined = o.width * len(widths)
        self.head = nn.Sequential(
            nn.Linear(combined, combined),
            nn.ReLU(),
            Dropout(o.output_dropout),
            nn.Linear(combined, combined),
            nn.Linear(combined, outputs),
        )

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        latents, summaries = {}, {}
        for modality, stream in self.streams.items():
            x, mask, lengths = self.counted(batch, modality)
            latents[modality] = self.encoders[modality](stream(x, mask), mask, lengths)
            summaries[modality] = last_step(latents[modality], mask)
        x, mask, lengths = self.counted(batch, self.primary)
        own = self.reader(x, mask)
        fused = own + self._fuse(own, summaries, self.presence(batch))
        latents |= {"fusion.before": own, "fusion.after": fused}
        latents[self.primary] = self.encoders[self.primary](fused, mask, lengths)
        summaries[self.primary] = last_step(latents[self.primary], mask)
        prediction = self.head(torch.cat([summaries[m] for m in self.modalities], dim=1))
        return FusionOutput(prediction, *self.even_gate(batch), latents=latents if detail else None)

    def _fuse(self, stream: Tensor, summaries: dict[str, Tensor], present: Tensor) -> Tensor:
        """The primary's stream `(B, T, d)` with all summaries in it; zeros where there are none."""
        fused, any_yet = stream, torch.zeros_like(present[:, 0])
        for modality, summary in summaries.items():
            some = present[:, self.modalities.index(modality)]
            mixed = self.fusions[modality](fused, summary)
            fused = torch.where(some[:, None, None], mixed, fused)
            any_yet = any_yet | some
        return fused * any_yet[:, None, None]


class _Reader(nn.Module):
    """The primary's features to its stream `(B, T, d)`."""

    def __init__(self, features: int, options: LmrCbtOptions) -> None:
        super().__init__()
        self.drop = Dropout(options.input_dropout)
        self.lower = MaskedLSTM(features, options.width // 2, bidirectional=True)
        self.between = Dropout(options.recurrent_dropout)
        self.upper = MaskedLSTM(options.width, options.width // 2, bidirectional=True)
        self.norm = nn.LayerNorm(options.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        states = self.between(self.lower(self.drop(x), mask)[0])
        stream: Tensor = self.norm(self.upper(states, mask)[0])
        return stream


class _Stream(nn.Module):
    """Another modality's features to its stream `(B, T, d)`."""

    def __init__(self, features: int, options: LmrCbtOptions) -> None:
        super().__init__()
        width, kernel = options.width, options.kernel
        self.convolution = nn.Conv1d(features, width, kernel, padding="same", bias=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        convolved = self.convolution(zeroed(x, mask).transpose(1, 2)).transpose(1, 2)
        stream: Tensor = self.norm(convolved)
        return stream


class _Encoder(nn.Module):
    """Transformer encoder over a stream with its positions, as in MulT."""

    def __init__(self, options: LmrCbtOptions) -> None:
        super().__init__()
        self.drop = Dropout(options.input_dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(options.width, options.heads, options.dropout, ratio=4)
            for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(options.width)

    def forward(self, x: Tensor, mask: Tensor, lengths: Lengths | None) -> Tensor:
        steps, width = x.shape[1:]
        x = self.drop(math.sqrt(width) * x + sinusoidal_positions(steps, width, x))
        readable = source(mask, x, lengths=lengths)
        for layer in self.layers:
            x = layer(x, readable)
        encoded: Tensor = self.norm(x)
        return encoded


class _Fusion(nn.Module):
    """A cross-modal block: every step of a stream `(B, T, d)` with a summary `(B, d)` in it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stream = nn.Linear(width, width)
        self.summary = nn.Linear(width, width, bias=False)

    def forward(self, stream: Tensor, summary: Tensor) -> Tensor:
        mixed: Tensor = self.stream(stream) + self.summary(summary)[:, None]
        return mixed.tanh().softmax(dim=2)
