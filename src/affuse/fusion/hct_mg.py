"""HCT-MG: the Hierarchical Crossmodal Transformer with Modality Gating (arXiv 2305.13583).

The wiring is the paper's where its sources tell it (crossmodal attention from a primary modality,
a self-attention encoder over the weighted streams); contribution, hierarchy, residual entry and
granularity are ours, each a switch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.batches import Batch, Lengths
from affuse.config import Range
from affuse.fusion import gating
from affuse.fusion.encoders import (
    Encoded,
    EncoderOptions,
    Head,
    encoder_options_for,
    modality_encoder,
)
from affuse.fusion.layers import (
    Attention,
    AttentionPooling,
    Dropout,
    EncoderLayer,
    FeedForward,
    Source,
    source,
)
from affuse.fusion.model import FusionModel, FusionOutput, register_model, require_several
from affuse.fusion.ranking import (
    FusionStream,
    SampleRanking,
    SharedRanking,
    Used,
    choose_used,
    ranking_of,
)
from affuse.tasks import Task, Values


class HctMgOptions(EncoderOptions):
    """Options of HCT-MG, beside those of its encoders.

    Attributes:
        joint_layers: of the self-attention encoder over all streams.
        gate: one of `affuse.fusion.gating.GATES`.
        granularity: of the contribution gate: one primary for the task, for each training batch or
            for each sample.
        temperature: of the contribution gate.
        modality_dropout: share of modalities hidden from fusion in training.
        values: whether several raw outputs are values, not logits; by the task.
    """

    joint_layers: Annotated[int, Range(0, 2)] = Field(1, ge=0)
    gate: str = "contribution"
    granularity: gating.Granularity = "task"
    temperature: Annotated[float, Range(0.05, 1.0, log=True)] = Field(0.15, gt=0)
    modality_dropout: Annotated[float, Range(0.0, 0.3)] = Field(0.1, ge=0, lt=1)
    values: bool = False


@register_model("hct_mg")
class HctMg(FusionModel):
    """Hierarchical crossmodal transformer with modality gating.

    Each modality is encoded and answers alone. The gate ranks them; the first leads, and the others
    enter its stream by crossmodal attention in the order of their weight, each by a gated residual
    that starts near zero. A self-attention encoder reads all streams, weighed by the gate; what it
    pools, beside each modality's own vector by its weight, corrects what the answers of all say
    together:

        prediction = own(primary) + trusted * (together - own(primary) + correction)

    Of values (a single raw output, or several where the task says so), `together` is the mean of
    the own answers by gate weight. Of logits it is their sum, each by its weight relative to the
    primary's: the product of experts. The contribution gate's weights are not trained: on the
    samples it learns from, a modality that overfits would seem to need no other. The agreement
    gate's are, and are judged by `trusted` like all of fusion.
    `trusted`, in [0, 1], is fitted on validation after every epoch: where the auxiliaries only add
    noise it falls to zero, and fusion answers as its best modality does.
    """

    Options = HctMgOptions
    trusted: Tensor
    gated = True

    def __init__(self, widths: Mapping[str, int], outputs: int, options: HctMgOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("hct_mg", widths)
        o = options
        self.network = HierarchicalNetwork(widths, outputs, o)
        how = o.granularity, o.temperature, o.width
        values = self.network.values
        self.gate = gating.make_gate(o.gate, self.modalities, *how, values=values)
        self.register_buffer("trusted", torch.ones(()))

    def parts(self) -> dict[str, Sequence[nn.Module]]:
        encoders = {f"encoder.{m}": [e] for m, e in self.network.encoders.items()}
        heads = {f"head.{m}": [h] for m, h in self.network.heads.items()}
        return {**encoders, **heads, type(self).__name__: [self.network]}

    def track(self, losses: Tensor) -> None:
        self.gate.track(losses)

    def trust(self, share: float) -> None:
        self.trusted.fill_(share)

    def gate_loss(self, gate: Tensor, losses: Tensor) -> Tensor | None:
        return self.gate.loss(gate, losses)

    options_for = staticmethod(encoder_options_for)

    @classmethod
    def options_for_task(cls, task: Task) -> dict[str, Any]:
        return {"values": isinstance(task, Values)}

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        inputs = [self.counted(batch, m) for m in self.modalities]
        # Nobody reads the estimates where the whole task has one gate.
        estimate = self.training or self.gate.expects
        own: OwnAnswers = self.network(inputs, estimate)
        lengths = [lengths for *_, lengths in inputs]
        rate = self.options.modality_dropout
        used = choose_used(self.presence(batch), lengths, rate, self.training)
        heard = [(e.stream, e.mask) for e in own.encoded]
        gate, louder = self.gate(
            gating.Heard(own.unimodal, own.expected_loss, heard), used.modalities
        )
        ranked = ranking_of(gate, used.modalities)
        trace: _Detail | None = ({}, {}) if detail else None
        lead, added = self.network.fuse(own, gate, louder, ranked, used, trace)
        # Training sees the whole correction; afterwards, as much as validation found to help.
        prediction = lead + (added if self.training else self.trusted * added)
        said = own.unimodal, own.expected_loss
        output = FusionOutput(prediction, gate, ranked.order[:, 0], *said, added)
        if trace is None:
            return output
        streams = {m: e.stream for m, e in zip(self.modalities, own.encoded, strict=True)}
        return output._replace(attention=trace[0], latents={**streams, **trace[1]})


# Attention and latents, collected where an explanation asks for them: see `FusionOutput`.
_Detail = tuple[dict[str, Tensor], dict[str, Tensor]]


class OwnAnswers(NamedTuple):
    """What each of M modalities says alone: see `FusionOutput`."""

    encoded: list[Encoded]
    unimodal: Tensor
    expected_loss: Tensor | None


class HierarchicalNetwork(nn.Module):
    """Encoders with heads of their own, and the fusion of what they encoded under a given gate."""

    def __init__(self, widths: Mapping[str, int], outputs: int, options: HctMgOptions) -> None:
        super().__init__()
        o, d, count = options, options.width, len(widths)
        self.values = outputs == 1 or o.values
        self.encoders = nn.ModuleDict(
            {m: modality_encoder(features, m, o) for m, features in widths.items()}
        )
        self.heads = nn.ModuleDict({m: Head(d, outputs, o.dropout) for m in widths})
        self.reliability = nn.ModuleDict({m: Head(d + outputs, 1, 0.0) for m in widths})
        self.marks = nn.Parameter(torch.randn(count, d) * 0.02)
        self.levels = nn.ModuleList(_CrossLevel(d, o.heads, o.dropout) for _ in range(count - 1))
        self.joint = nn.ModuleList(
            EncoderLayer(d, o.heads, o.dropout) for _ in range(o.joint_layers)
        )
        self.joint_norm = nn.LayerNorm(d)
        self.pooling = AttentionPooling(d, o.heads)
        self.correction = Head(d, outputs, o.dropout, inputs=(count + 1) * d)
        for parameter in self.correction[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, inputs: Sequence[tuple[Tensor, Tensor, Lengths | None]], estimate: bool
    ) -> OwnAnswers:
        """Of each, features `(B, T, D)`, mask `(B, T)` and lengths to what it says alone."""
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
        louder: Tensor | None,
        ranking: SharedRanking | SampleRanking,
        used: Used,
        trace: _Detail | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The primary's own raw outputs `(B, C)` and what fusion adds to them, `(B, C)`.

        From what `forward` returned, under a gate `(B, M)` with weight zero for what is not used;
        `louder` `(B, 1)` amplifies what the own answers say together.
        """
        encoded, unimodal, _ = own
        streams = [
            FusionStream(e.stream + mark, e.mask & some[:, None], used.steps(place, e.lengths))
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
        shares = gate if self.values else relative
        together = (shares[..., None] * unimodal).sum(dim=1)
        together = together if louder is None else louder * together
        return primary, together - primary + correction

    def _enrich(
        self, ranked: Sequence[FusionStream], weights: Tensor, trace: _Detail | None
    ) -> Tensor:
        """The primary's stream `(B, T, d)` after the others entered it by weight, `(B, M)`."""
        lead = ranked[0].steps
        for rank, level in enumerate(self.levels, start=1):
            other, mask, lengths = ranked[rank]
            readable, before = source(mask, other, lengths=lengths), lead
            lead, attention = level(lead, other, readable, weights[:, rank], trace is not None)
            if trace is not None:
                trace[0][f"level{rank}"] = attention
                trace[1].update({f"level{rank}.before": before, f"level{rank}.after": lead})
        return lead

    def _join(
        self, steps: Sequence[Tensor], streams: Sequence[FusionStream], relative: Tensor
    ) -> Tensor:
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
        whole = len(known) == len(streams)
        lengths = tuple(map(sum, zip(*known, strict=True))) if whole else None
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
