"""The network of HCT-MG: encoders with answers of their own, hierarchy, correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affuse.batches import Lengths
from affuse.fusion.encoders import Encoded, EncoderOptions, Head, modality_encoder
from affuse.fusion.hct_mg.gating import SampleRanking, SharedRanking, Stream
from affuse.fusion.layers import (
    Attention,
    AttentionPooling,
    Dropout,
    EncoderLayer,
    FeedForward,
    Source,
    source,
)


class OwnAnswers(NamedTuple):
    """What each modality says alone.

    Attributes:
        encoded: M encoded streams.
        unimodal: raw outputs `(B, M, C)`.
        expected_loss: the estimate `(B, M)` of what each answer will cost, where wanted.
    """

    encoded: list[Encoded]
    unimodal: Tensor
    expected_loss: Tensor | None


class Used(NamedTuple):
    """Which modalities fusion uses.

    Attributes:
        modalities: bool `(B, M)`.
        known: the same in the host's memory, where the host knows.
    """

    modalities: Tensor
    known: NDArray[np.bool_] | None

    def steps(self, place: int, lengths: Lengths | None) -> Lengths | None:
        """The real steps `(B,)` of a modality that are used, where the host knows."""
        if lengths is None or self.known is None:
            return None
        return lengths * self.known[:, place]


class Trace(NamedTuple):
    """Collected where an explanation asks for it: see `FusionOutput`."""

    attention: dict[str, Tensor]
    latents: dict[str, Tensor]


class HierarchicalNetwork(nn.Module):
    """Encoders with heads of their own, and the fusion of what they encoded under a given gate.

    Args:
        widths: features D of each modality.
        outputs: C.
        options: of the encoders; width and dropout hold for all.
        joint_layers: of the self-attention encoder over all streams.
    """

    def __init__(
        self, widths: Mapping[str, int], outputs: int, options: EncoderOptions, joint_layers: int
    ) -> None:
        super().__init__()
        o, d, count = options, options.width, len(widths)
        self.encoders = nn.ModuleDict(
            {m: modality_encoder(features, m, o) for m, features in widths.items()}
        )
        self.heads = nn.ModuleDict({m: Head(d, outputs, o.dropout) for m in widths})
        self.reliability = nn.ModuleDict({m: Head(d + outputs, 1, 0.0) for m in widths})
        self.marks = nn.Parameter(torch.randn(count, d) * 0.02)
        self.levels = nn.ModuleList(_CrossLevel(d, o.heads, o.dropout) for _ in range(count - 1))
        self.joint = nn.ModuleList(EncoderLayer(d, o.heads, o.dropout) for _ in range(joint_layers))
        self.joint_norm = nn.LayerNorm(d)
        self.pooling = AttentionPooling(d, o.heads)
        self.correction = Head(d, outputs, o.dropout, inputs=(count + 1) * d)
        self.correction.start_at_zero()

    def forward(
        self, inputs: Sequence[tuple[Tensor, Tensor, Lengths | None]], estimate: bool
    ) -> OwnAnswers:
        """What each modality says alone.

        Args:
            inputs: of each, features `(B, T, D)`, mask `(B, T)` and its lengths, where known.
            estimate: whether expected losses are wanted.
        """
        encoded = [e(*x) for e, x in zip(self.encoders.values(), inputs, strict=True)]
        answers = [h(e.pooled) for h, e in zip(self.heads.values(), encoded, strict=True)]
        unimodal = torch.stack(answers, dim=1)
        if not estimate:
            return OwnAnswers(encoded, unimodal, None)
        # By the looks of an answer, without a say in it.
        expected = [
            head(torch.cat([e.pooled, answer], dim=1).detach())
            for head, e, answer in zip(self.reliability.values(), encoded, answers, strict=True)
        ]
        return OwnAnswers(encoded, unimodal, nn.functional.softplus(torch.cat(expected, dim=1)))

    def fuse(
        self,
        own: OwnAnswers,
        gate: Tensor,
        ranking: SharedRanking | SampleRanking,
        used: Used,
        trace: Trace | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The primary's own raw outputs `(B, C)` and what fusion adds to them, `(B, C)`.

        Args:
            own: what `forward` returned.
            gate: weights `(B, M)`.
            ranking: modalities by falling weight.
            used: what is not has weight zero.
            trace: where blocks leave what an explanation needs.
        """
        encoded, unimodal, _ = own
        streams = [
            Stream(e.stream + mark, e.mask & some[:, None], used.steps(place, e.lengths))
            for place, (e, mark, some) in enumerate(
                zip(encoded, self.marks, used.modalities.unbind(dim=1), strict=True)
            )
        ]
        # Relative to the primary, so that the leader enters unscaled however many follow.
        relative = gate / gate.amax(dim=1, keepdim=True).clamp(min=1e-6)
        weights = relative.gather(1, ranking.order)
        lead = self._enrich(ranking.ranked(streams), weights, trace)
        joint = self._join(ranking.replaced(streams, lead), streams, relative)
        vectors = torch.stack([e.pooled for e in encoded], dim=1) * relative[..., None]
        correction = self.correction(torch.cat([joint, vectors.flatten(1)], dim=1))
        primary = ranking.primary(unimodal)
        shares = gate if unimodal.shape[2] == 1 else relative
        together = (shares[..., None] * unimodal).sum(dim=1)
        return primary, together - primary + correction

    def _enrich(self, ranked: Sequence[Stream], weights: Tensor, trace: Trace | None) -> Tensor:
        """The primary's stream `(B, T, d)` after the others entered it in the order of the gate.

        Args:
            ranked: the streams in that order.
            weights: theirs, `(B, M)`.
            trace: where blocks leave what an explanation needs.
        """
        lead = ranked[0].steps
        for rank, level in enumerate(self.levels, start=1):
            other, mask, lengths = ranked[rank]
            if trace is not None:
                trace.latents[f"level{rank}.before"] = lead
            readable = source(mask, other, lengths=lengths)
            lead, attention = level(lead, other, readable, weights[:, rank], trace is not None)
            if trace is not None and attention is not None:
                trace.attention[f"level{rank}"] = attention
                trace.latents[f"level{rank}.after"] = lead
        return lead

    def _join(self, steps: Sequence[Tensor], streams: Sequence[Stream], relative: Tensor) -> Tensor:
        """The steps `(B, T, d)` of M streams, read together and pooled to `(B, d)`."""
        masks = [stream.mask for stream in streams]
        # A layer norm would undo a stream that is merely scaled, so the gate weighs attention.
        # Divided by its length: a stream counts by its weight, not by its number of steps.
        steps_each = torch.stack([mask.sum(dim=1) for mask in masks], dim=1).clamp(min=1)
        shares = (relative / steps_each).clamp(min=1e-6).log().unbind(dim=1)
        prior = [
            share[:, None].expand(mask.shape) for share, mask in zip(shares, masks, strict=True)
        ]
        tokens, mask = torch.cat(list(steps), dim=1), torch.cat(masks, dim=1)
        known = [stream.lengths for stream in streams if stream.lengths is not None]
        lengths = np.sum(known, axis=0) if len(known) == len(streams) else None
        allowed = source(mask, tokens, torch.cat(prior, dim=1), lengths)
        for layer in self.joint:
            tokens = layer(tokens, allowed)
        pooled: Tensor = self.pooling(self.joint_norm(tokens), allowed)
        return pooled


class _CrossLevel(nn.Module):
    """One step of the hierarchy: an auxiliary enters by a gated residual that starts near zero."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_target, self.norm_source = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed_forward = FeedForward(width, dropout)
        self.drop = Dropout(dropout)
        self.entry = nn.Parameter(torch.full((width,), 0.1))

    def forward(
        self, lead: Tensor, other: Tensor, allowed: Source, weight: Tensor, detail: bool
    ) -> tuple[Tensor, Tensor | None]:
        """The primary's stream `(B, T, d)` with another `(B, S, d)` in it, and attention."""
        target, other = self.norm_target(lead), self.norm_source(other)
        mixed, attention = self.attention(target, other, allowed, weights=detail)
        lead = lead + self.drop(mixed) * self.entry * weight[:, None, None]
        return lead + self.drop(self.feed_forward(lead)) * self.entry, attention
