"""HCT-MG: the Hierarchical Crossmodal Transformer with Modality Gating (arXiv 2305.13583).

The wiring is the paper's where its sources tell it (crossmodal attention from a primary modality,
a self-attention encoder over the weighted streams); contribution, hierarchy, residual entry and
granularity are ours, each a switch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.batches import Batch
from affuse.errors import unknown_name
from affuse.models.encoders import (
    Encoded,
    EncoderOptions,
    Head,
    encoder_options_for,
    modality_encoder,
)
from affuse.models.gating import ContributionGate, FixedGate, Gate, PaperGate
from affuse.models.layers import (
    Attention,
    AttentionPooling,
    Dropout,
    EncoderLayer,
    FeedForward,
)
from affuse.models.outputs import FusionOutput
from affuse.models.registry import FusionModel, register_model, require_several


class HctMgOptions(EncoderOptions):
    """Options of HCT-MG, beside those of its encoders.

    Attributes:
        joint_layers: of the self-attention encoder over all streams.
        gate: `contribution`, `paper` or `fixed:<modality>`; see `affuse.models.gating`.
        granularity: of the contribution gate: one primary for the task, for each training batch or
            for each sample.
        temperature: of the contribution gate.
        modality_dropout: share of modalities hidden from fusion in training.
    """

    joint_layers: int = Field(1, ge=0)
    gate: str = "contribution"
    granularity: Literal["task", "batch", "sample"] = "task"
    temperature: float = Field(0.15, gt=0)
    modality_dropout: float = Field(0.1, ge=0, lt=1)


@register_model("hct_mg")
class HctMg(FusionModel):
    """Hierarchical crossmodal transformer with modality gating.

    Each modality is encoded and answers alone. The gate ranks them; the first leads, and the others
    enter its stream by crossmodal attention in the order of their weight, each by a gated residual
    that starts near zero. A self-attention encoder reads all streams, weighed by the gate; what it
    pools, beside each modality's own vector by its weight, corrects what the answers of all say
    together:

        prediction = own(primary) + trusted * (together - own(primary) + correction)

    A single raw output is a value, and `together` the mean of the own answers by gate weight.
    Several are logits, and `together` their sum, each by its weight relative to the primary's: the
    product of experts. Nothing of it is trained: on the samples it learns from, a modality that
    overfits would seem to need no other.
    `trusted`, in [0, 1], is fitted on validation after every epoch: where the auxiliaries only add
    noise it falls to zero, and fusion answers as its best modality does.
    """

    Options = HctMgOptions
    trusted: Tensor
    gated = True

    def __init__(self, widths: Mapping[str, int], outputs: int, options: HctMgOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("hct_mg", widths)
        o, d, count = options, options.width, len(widths)
        self.encoders = nn.ModuleDict(
            {m: modality_encoder(features, m, o) for m, features in widths.items()}
        )
        self.heads = nn.ModuleDict({m: Head(d, outputs, o.dropout) for m in widths})
        self.reliability = nn.ModuleDict({m: Head(d + outputs, 1, 0.0) for m in widths})
        self.gate = _gate(o, self.modalities)
        self.marks = nn.Parameter(torch.randn(count, d) * 0.02)
        self.levels = nn.ModuleList(_CrossLevel(d, o.heads, o.dropout) for _ in range(count - 1))
        self.joint = nn.ModuleList(
            EncoderLayer(d, o.heads, o.dropout) for _ in range(o.joint_layers)
        )
        self.joint_norm = nn.LayerNorm(d)
        self.pooling = AttentionPooling(d, o.heads)
        self.correction = Head(d, outputs, o.dropout, inputs=(count + 1) * d)
        self.correction.start_at_zero()
        self.register_buffer("trusted", torch.ones(()))

    def track(self, losses: Tensor) -> None:
        self.gate.track(losses)

    def trust(self, share: float) -> None:
        self.trusted.fill_(share)

    @classmethod
    def options_for(cls, lengths: Mapping[str, int]) -> dict[str, Any]:
        return encoder_options_for(lengths)

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        present = self.presence(batch)
        encoded = [e(*self.take(batch, m)) for m, e in self.encoders.items()]
        unimodal = torch.stack(
            [self.heads[m](e.pooled) for m, e in zip(self.modalities, encoded, strict=True)], dim=1
        )
        expected = self._expected_loss(encoded, unimodal)
        used = self._drop_modalities(present)
        gate = self.gate(expected, used)
        order = gate.masked_fill(~used, -1.0).argsort(dim=1, descending=True, stable=True)
        trace = _Trace({}, {}) if detail else None
        lead, correction = self._fuse(encoded, unimodal, gate, order, used, trace)
        # Training sees the whole correction; afterwards, as much as validation found to help.
        prediction = lead + (correction if self.training else self.trusted * correction)
        output = FusionOutput(prediction, gate, order[:, 0], unimodal, expected, correction)
        if trace is None:
            return output
        own = {m: e.stream for m, e in zip(self.modalities, encoded, strict=True)}
        return output._replace(attention=trace.attention, latents={**own, **trace.latents})

    def _expected_loss(self, encoded: list[Encoded], unimodal: Tensor) -> Tensor:
        """What each modality's own answer `(B, M, C)` will cost, `(B, M)`, by its looks."""
        expected = [
            self.reliability[m](torch.cat([e.pooled.detach(), own], dim=1))
            for m, e, own in zip(self.modalities, encoded, unimodal.detach().unbind(1), strict=True)
        ]
        return nn.functional.softplus(torch.cat(expected, dim=1))

    def _drop_modalities(self, present: Tensor) -> Tensor:
        """Hide modalities from fusion at random in training, never a sample's last one."""
        rate = self.options.modality_dropout
        if not self.training or rate == 0:
            return present
        kept = present & (torch.rand(present.shape, device=present.device) >= rate)
        return torch.where(kept.any(dim=1, keepdim=True), kept, present)

    def _fuse(
        self,
        encoded: list[Encoded],
        unimodal: Tensor,
        gate: Tensor,
        order: Tensor,
        used: Tensor,
        trace: _Trace | None,
    ) -> tuple[Tensor, Tensor]:
        """The primary's own raw outputs `(B, C)` and what fusion adds to them, `(B, C)`."""
        streams, masks = _stack(encoded)
        streams = streams + self.marks[:, None]
        masks = masks & used[..., None]
        # Relative to the primary, so that the leader enters unscaled however many follow.
        relative = gate / gate.amax(dim=1, keepdim=True).clamp(min=1e-6)
        lead = self._enrich(streams, masks, relative, order, trace)
        lengths = [e.stream.shape[1] for e in encoded]
        leads = order[:, 0]
        # Back to each stream's own length, so that the joint encoder attends to no padding that
        # only the ranking needed.
        tokens = torch.cat(
            [
                torch.where((leads == i)[:, None, None], lead[:, :steps], streams[:, i, :steps])
                for i, steps in enumerate(lengths)
            ],
            dim=1,
        )
        joint = self._join(tokens, masks, lengths, relative)
        own = torch.stack([e.pooled for e in encoded], dim=1) * relative[..., None]
        correction = self.correction(torch.cat([joint, own.flatten(1)], dim=1))
        primary = unimodal.take_along_dim(leads[:, None, None], dim=1)[:, 0]
        weights = gate if unimodal.shape[2] == 1 else relative
        together = (weights[..., None] * unimodal).sum(dim=1)
        return primary, together - primary + correction

    def _enrich(
        self,
        streams: Tensor,
        masks: Tensor,
        relative: Tensor,
        order: Tensor,
        trace: _Trace | None,
    ) -> Tensor:
        """The primary's stream `(B, T, d)` after the others entered it in the order of the gate."""
        count = len(self.modalities)
        # One flat index: far cheaper than indexing by rows and columns.
        flat = (torch.arange(len(order), device=order.device)[:, None] * count + order).flatten()
        ranked = streams.flatten(0, 1).index_select(0, flat).view(streams.shape)
        ranked_masks = masks.flatten(0, 1).index_select(0, flat).view(masks.shape)
        weights = relative.take_along_dim(order, dim=1)
        lead: Tensor = ranked[:, 0]
        for rank, level in enumerate(self.levels, start=1):
            source = ranked[:, rank], ranked_masks[:, rank], weights[:, rank]
            if trace is not None:
                trace.latents[f"level{rank}.before"] = lead
            lead, attention = level(lead, *source, trace is not None)
            if trace is not None and attention is not None:
                trace.attention[f"level{rank}"] = attention
                trace.latents[f"level{rank}.after"] = lead
        return lead

    def _join(self, tokens: Tensor, masks: Tensor, lengths: list[int], relative: Tensor) -> Tensor:
        """All streams side by side `(B, sum T, d)`, read together and pooled to `(B, d)`."""
        mask = torch.cat([masks[:, i, :steps] for i, steps in enumerate(lengths)], dim=1)
        # A layer norm would undo a stream that is merely scaled, so the gate weighs attention.
        # Divided by its length: a stream counts by its weight, not by its number of steps.
        steps_each = masks.sum(dim=2).clamp(min=1)
        share = (relative / steps_each).clamp(min=1e-6).log()
        prior = torch.cat(
            [one[:, None].expand(-1, n) for one, n in zip(share.unbind(1), lengths, strict=True)],
            dim=1,
        )
        for layer in self.joint:
            tokens = layer(tokens, mask, prior)
        pooled: Tensor = self.pooling(self.joint_norm(tokens), mask, prior)
        return pooled


class _Trace(NamedTuple):
    """Collected where an explanation asks for it: see `FusionOutput`."""

    attention: dict[str, Tensor]
    latents: dict[str, Tensor]


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
        self, lead: Tensor, source: Tensor, mask: Tensor, weight: Tensor, detail: bool
    ) -> tuple[Tensor, Tensor | None]:
        """The stream of the primary `(B, T, d)` with a source `(B, S, d)` in it, and attention."""
        target, source = self.norm_target(lead), self.norm_source(source)
        mixed, attention = self.attention(target, source, mask, weights=detail)
        lead = lead + self.drop(mixed) * self.entry * weight[:, None, None]
        return lead + self.drop(self.feed_forward(lead)) * self.entry, attention


def _stack(encoded: list[Encoded]) -> tuple[Tensor, Tensor]:
    """Streams of unequal length to `(B, M, T, d)` and `(B, M, T)`, padded to the longest."""
    steps = max(e.stream.shape[1] for e in encoded)
    streams = [nn.functional.pad(e.stream, (0, 0, 0, steps - e.stream.shape[1])) for e in encoded]
    masks = [nn.functional.pad(e.mask, (0, steps - e.mask.shape[1])) for e in encoded]
    return torch.stack(streams, dim=1), torch.stack(masks, dim=1)


def _gate(options: HctMgOptions, modalities: tuple[str, ...]) -> Gate:
    kind, _, modality = options.gate.partition(":")
    if kind == "contribution":
        return ContributionGate(len(modalities), options.granularity, options.temperature)
    if kind == "paper":
        return PaperGate(len(modalities))
    if kind == "fixed":
        if modality not in modalities:
            raise unknown_name("modality", modality, modalities, source="gate=fixed")
        return FixedGate(len(modalities), modalities.index(modality))
    raise unknown_name("gate", options.gate, ("contribution", "paper", "fixed:<modality>"))
