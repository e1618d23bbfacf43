"""MISA: modality-invariant and -specific representations (Hazarika 2020, arXiv 2005.03545)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.batches import Batch
from affuse.config import Options, Range
from affuse.fusion.across import all_rows
from affuse.fusion.layers import Dropout
from affuse.fusion.model import FusionModel, FusionOutput, register_model, require_several
from affuse.fusion.recurrent import MaskedLSTM

MOMENTS = 5
"""K of the central moment discrepancy, as in the paper."""


class MISAOptions(Options):
    """Options of MISA; the defaults are those of the public code.

    Attributes:
        width: d, of all representations.
        recurrent: largest width of an LSTM; each is as wide as its features up to it. GloVe's 300
            is the widest in the paper.
        heads: of the fusion transformer.
        feed_forward: inner width of the fusion transformer.
        dropout: in the head.
        transformer_dropout: in the fusion transformer.
        similarity: weight alpha of the similarity loss.
        difference: weight beta of the difference loss.
        reconstruction: weight gamma of the reconstruction loss.
    """

    width: Annotated[int, Range(32, 192, step=16, multiple_of="heads")] = Field(128, ge=1)
    recurrent: int = Field(300, ge=1)
    heads: int = Field(2, ge=1)
    feed_forward: int = Field(2048, ge=1)
    dropout: Annotated[float, Range(0.0, 0.6)] = Field(0.5, ge=0, lt=1)
    transformer_dropout: float = Field(0.1, ge=0, lt=1)
    similarity: Annotated[float, Range(0.1, 1.0)] = Field(1.0, ge=0)
    difference: Annotated[float, Range(0.05, 1.0)] = Field(0.3, ge=0)
    reconstruction: Annotated[float, Range(0.1, 1.0)] = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


@register_model("misa")
class MISA(FusionModel):
    """MISA: each modality in a space that all share and in one of its own, held apart by losses.

    Two bidirectional LSTM layers make one vector u of each modality (section "Utterance-level
    Representations"). A shared encoder makes its invariant and a private one its specific
    representation; self-attention over all of them and a head make the answer ("Modality Fusion").
    In training, `FusionOutput.regulariser` adds the weighted losses of section "Learning": the
    invariant representations of two modalities shall be distributed alike (similarity), invariant
    and specific ones shall not overlap (difference), and together give u back (reconstruction).

    The paper reads text by BERT or, with GloVe, by the LSTMs; here features come from outside, so
    the LSTMs read all modalities. A modality that a sample lacks takes no part in attention or
    losses, and its representations are zero in the head.
    """

    Options = MISAOptions
    options: MISAOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: MISAOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("misa", widths)
        d, count = options.width, len(widths)
        self.extractors = nn.ModuleDict({m: _Extractor(n, options) for m, n in widths.items()})
        self.shared = nn.Sequential(nn.Linear(d, d), nn.Sigmoid())
        self.private = nn.ModuleDict(
            {m: nn.Sequential(nn.Linear(d, d), nn.Sigmoid()) for m in widths}
        )
        self.decoders = nn.ModuleDict({m: nn.Linear(d, d) for m in widths})
        self.attention = nn.TransformerEncoderLayer(
            d, options.heads, options.feed_forward, options.transformer_dropout, batch_first=True
        )
        self.head = nn.Sequential(
            nn.Linear(2 * count * d, count * d),
            Dropout(options.dropout),
            nn.ReLU(),
            nn.Linear(count * d, outputs),
        )

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        present = self.presence(batch)
        vectors = [e(*self.take(batch, m)) for m, e in self.extractors.items()]
        shared = [self.shared(u) for u in vectors]
        private = [self.private[m](u) for m, u in zip(self.modalities, vectors, strict=True)]
        both = present.repeat(1, 2)
        tokens = torch.stack([*private, *shared], dim=1)
        mixed = self.attention(tokens, src_key_padding_mask=~both) * both[..., None]
        loss = self._loss(vectors, shared, private, present) if self.training else None
        names = [f"{m}.{kind}" for kind in ("private", "shared") for m in self.modalities]
        kept = (tokens * both[..., None]).chunk(len(names), dim=1)
        latents = dict(zip(names, kept, strict=True)) if detail else None
        prediction = self.head(mixed.flatten(1))
        return FusionOutput(prediction, *self.even_gate(batch), regulariser=loss, latents=latents)

    def _loss(
        self, vectors: list[Tensor], shared: list[Tensor], private: list[Tensor], present: Tensor
    ) -> Tensor:
        """The weighted losses, from `(B, d)` of each modality and presence `(B, M)`."""
        parts = zip(self.decoders.values(), shared, private, vectors, strict=True)
        errors = [(decoder(s + p) - u).square() for decoder, s, p, u in parts]
        count = len(vectors)
        # Of a batch that processes have divided, they are losses of the whole.
        *rows, present = all_rows(*shared, *private, *errors, present)
        shared, private, errors = rows[:count], rows[count : 2 * count], rows[2 * count :]
        some = present.unbind(dim=1)
        pairs = list(combinations(range(count), 2))
        similarity = torch.stack(
            [moment_discrepancy(shared[a], shared[b], some[a], some[b]) for a, b in pairs]
        ).mean()
        overlap = [overlap_loss(s, p, m) for s, p, m in zip(shared, private, some, strict=True)]
        overlap += [overlap_loss(private[a], private[b], some[a] & some[b]) for a, b in pairs]
        rebuilt = [_mean(error, m) for error, m in zip(errors, some, strict=True)]
        o = self.options
        loss = o.similarity * similarity + o.difference * torch.stack(overlap).sum()
        return loss + o.reconstruction * torch.stack(rebuilt).mean()


def moment_discrepancy(x: Tensor, y: Tensor, x_present: Tensor, y_present: Tensor) -> Tensor:
    """Central moment discrepancy of two distributions in [0, 1], from samples of each.

    The norm of the difference of their means, and of their central moments up to `MOMENTS`
    (Zellinger et al. 2017; MISA's similarity loss), over the rows of `(B, d)` that are present,
    bool `(B,)`; zero where one has none.
    """
    gaps = [a - b for a, b in zip(_moments(x, x_present), _moments(y, y_present), strict=True)]
    distance = torch.stack([torch.linalg.vector_norm(gap) for gap in gaps]).sum()
    return distance * (x_present.any() & y_present.any())


def overlap_loss(x: Tensor, y: Tensor, present: Tensor) -> Tensor:
    """How far two representations `(B, d)` of the same samples overlap: MISA's difference loss.

    The mean square of the entries of X^T Y, where X and Y are the present rows, centred over the
    batch and then of unit length (the norms as in the public code).
    """
    first, second = (
        F.normalize((rows - _mean(rows, present, dim=0)) * present[:, None], dim=1, eps=1e-6)
        for rows in (x, y)
    )
    return (first.T @ second).square().mean()


def _moments(x: Tensor, present: Tensor) -> list[Tensor]:
    """Mean and central moments `(d,)` of the present rows of `(B, d)`."""
    mean = _mean(x, present, dim=0)
    return [mean, *(_mean((x - mean) ** k, present, dim=0) for k in range(2, MOMENTS + 1))]


def _mean(x: Tensor, present: Tensor, dim: int | None = None) -> Tensor:
    """Mean of the present rows of `(B, d)` over them (dim 0) or altogether; zero without any."""
    rows = (x * present[:, None]).sum(dim=0) / present.sum().clamp(min=1)
    return rows if dim == 0 else rows.mean()


class _Extractor(nn.Module):
    """Features of one modality to its vector u `(B, d)`: the last states of two LSTM layers."""

    def __init__(self, features: int, options: MISAOptions) -> None:
        super().__init__()
        width = min(features, options.recurrent)
        self.lower = MaskedLSTM(features, width, bidirectional=True)
        self.norm = nn.LayerNorm(2 * width)
        self.upper = MaskedLSTM(2 * width, width, bidirectional=True)
        self.project = nn.Sequential(
            nn.Linear(4 * width, options.width), nn.ReLU(), nn.LayerNorm(options.width)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        states, first = self.lower(x, mask)
        second = self.upper(self.norm(states), mask)[1]
        vector: Tensor = self.project(torch.cat([first, second], dim=1))
        return vector
