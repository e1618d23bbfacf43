"""HCT-MG: the Hierarchical Crossmodal Transformer with Modality Gating (arXiv 2305.13583).

The wiring is the paper's where its sources tell it (crossmodal attention from a primary modality,
a self-attention encoder over the weighted streams); contribution, hierarchy, residual entry and
granularity are ours, each a switch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.batches import Batch, Lengths
from affuse.config import Range
from affuse.errors import unknown_name
from affuse.fusion.encoders import EncoderOptions, encoder_options_for
from affuse.fusion.hct_mg.gating import ContributionGate, FixedGate, Gate, PaperGate, ranking
from affuse.fusion.hct_mg.hierarchy import HierarchicalNetwork, Trace, Used
from affuse.fusion.model import FusionModel, FusionOutput, register_model, require_several


class HctMgOptions(EncoderOptions):
    """Options of HCT-MG, beside those of its encoders.

    Attributes:
        joint_layers: of the self-attention encoder over all streams.
        gate: `contribution`, `paper` or `fixed:<modality>`; see `affuse.fusion.hct_mg.gating`.
        granularity: of the contribution gate: one primary for the task, for each training batch or
            for each sample.
        temperature: of the contribution gate.
        modality_dropout: share of modalities hidden from fusion in training.
        members: networks that are trained side by side, each on its own loss, and answer by their
            mean under one gate. For small corpora of short inputs: each costs as much as the first.
    """

    joint_layers: Annotated[int, Range(0, 2)] = Field(1, ge=0)
    gate: str = "contribution"
    granularity: Literal["task", "batch", "sample"] = "task"
    temperature: Annotated[float, Range(0.05, 1.0, log=True)] = Field(0.15, gt=0)
    modality_dropout: Annotated[float, Range(0.0, 0.3)] = Field(0.1, ge=0, lt=1)
    members: int = Field(1, ge=1)


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
        self.members = nn.ModuleList(
            HierarchicalNetwork(widths, outputs, options, options.joint_layers)
            for _ in range(options.members)
        )
        self.gate = _gate(options, self.modalities)
        self.register_buffer("trusted", torch.ones(()))

    def parts(self) -> dict[str, Sequence[nn.Module]]:
        members = cast(Sequence[HierarchicalNetwork], self.members)
        encoders = {f"encoder.{m}": [n.encoders[m] for n in members] for m in self.modalities}
        heads = {f"head.{m}": [n.heads[m] for n in members] for m in self.modalities}
        return {**encoders, **heads, type(self).__name__: list(members)}

    def track(self, losses: Tensor) -> None:
        self.gate.track(losses)

    def trust(self, share: float) -> None:
        self.trusted.fill_(share)

    @classmethod
    def options_for(cls, lengths: Mapping[str, int]) -> dict[str, Any]:
        return encoder_options_for(lengths)

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        inputs = [self.counted(batch, m) for m in self.modalities]
        members = cast(Sequence[HierarchicalNetwork], self.members)
        # Nobody reads the estimates where the whole task has one gate.
        estimate = self.training or self.options.granularity == "sample"
        own = [member(inputs, estimate) for member in members]
        expected = _mean([answers.expected_loss for answers in own])
        used = self._drop_modalities(self.presence(batch), [lengths for *_, lengths in inputs])
        gate = self.gate(expected, used.modalities)
        ranked = ranking(gate, used.modalities)
        # Of several members, the first is explained.
        trace = Trace({}, {}) if detail else None
        outputs = []
        for number, (member, answers) in enumerate(zip(members, own, strict=True)):
            lead, added = member.fuse(answers, gate, ranked, used, None if number else trace)
            # Training sees the whole correction; afterwards, as much as validation found to help.
            prediction = lead + (added if self.training else self.trusted * added)
            said = answers.unimodal, answers.expected_loss
            outputs.append(FusionOutput(prediction, gate, ranked.order[:, 0], *said, added))
        output = _together(outputs)
        if trace is None:
            return output
        streams = {m: e.stream for m, e in zip(self.modalities, own[0].encoded, strict=True)}
        return output._replace(attention=trace.attention, latents={**streams, **trace.latents})

    def _drop_modalities(self, present: Tensor, lengths: Sequence[Lengths | None]) -> Used:
        """Hide modalities from fusion at random in training, never a sample's last one.

        Args:
            present: which modalities each sample has, `(B, M)`.
            lengths: of each modality.
        """
        counts = [count for count in lengths if count is not None]
        known = np.stack(counts, axis=1) > 0 if len(counts) == len(lengths) else None
        rate = self.options.modality_dropout
        if not self.training or rate == 0:
            return Used(present, known)
        # Drawn by the host, who then knows without waiting for an accelerator.
        spared = torch.rand(present.shape) >= rate
        known = None if known is None else _spare(known, spared.numpy())
        return Used(_spare(present, spared.to(present.device, non_blocking=True)), known)


def _spare(present: Any, spared: Any) -> Any:
    """What is present and spared, and all that is present where nothing of a sample is.

    Bool `(B, M)`, all tensors or all arrays.
    """
    kept = present & spared
    return kept | present & ~kept.any(1)[:, None]


def _together(members: list[FusionOutput]) -> FusionOutput:
    """The mean of what the members say; each learns by itself."""
    if len(members) == 1:
        return members[0]
    names = ("prediction", "unimodal", "expected_loss", "correction")
    mean: dict[str, Any] = {name: _mean([getattr(m, name) for m in members]) for name in names}
    return members[0]._replace(**mean, members=tuple(members))


def _mean(values: Sequence[Tensor | None]) -> Tensor | None:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return known[0] if known else None
    return torch.stack(known).mean(dim=0)


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
