"""MFN, the Memory Fusion Network (Zadeh et al. 2018, arXiv 1802.00927)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.batches import Batch
from affuse.config import Range
from affuse.fusion.layers import Dropout
from affuse.fusion.model import FusionModel, FusionOutput, register_model, require_several
from affuse.fusion.recurrent import AlignmentOptions, align, last_step, leading_modality


class MFNOptions(AlignmentOptions):
    """Options of MFN; the defaults are those of the public code's file for CMU-MOSI.

    Attributes:
        cells: modality to the width of its LSTM; `width` holds for those it does not name.
        memory: width of the memory.
        attention, proposal, gates, hidden: hidden widths of the networks that weigh the cells,
            propose new memory, are its two gates, and answer.
        dropout: in all these networks.
    """

    cells: dict[str, int] = Field({"text": 64, "audio": 16, "vision": 32})
    width: int = Field(32, ge=1)
    memory: Annotated[int, Range(32, 256, step=32)] = Field(128, ge=1)
    attention: Annotated[int, Range(64, 320, step=64)] = Field(256, ge=1)
    proposal: int = Field(64, ge=1)
    gates: int = Field(64, ge=1)
    hidden: Annotated[int, Range(32, 128, step=32)] = Field(64, ge=1)
    dropout: Annotated[float, Range(0.0, 0.7)] = Field(0.5, ge=0, lt=1)


@register_model("mfn")
class MFN(FusionModel):
    """MFN, the Memory Fusion Network: an LSTM a modality, and a memory of what they do together.

    At each step the delta-memory attention (section "Delta-memory Attention Network") weighs the
    cells of all LSTMs at the last step and at this one; what it finds goes to the memory, whose two
    gates say how much of the old to retain and of the new to take in ("Multi-view Gated Memory").
    The last outputs of the LSTMs and the last memory make the answer.

    Needs common steps: see `affuse.fusion.recurrent` for what happens to unaligned sequences. The
    cells of a modality that a sample lacks are zero.
    """

    Options = MFNOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: MFNOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("mfn", widths)
        o = options
        self.reference = leading_modality(o.reference, widths)
        self.cells = nn.ModuleDict(
            {m: nn.LSTMCell(features, o.cells.get(m, o.width)) for m, features in widths.items()}
        )
        total = sum(o.cells.get(m, o.width) for m in widths)
        self.attention = _network(2 * total, o.attention, 2 * total, o.dropout)
        self.proposal = _network(2 * total, o.proposal, o.memory, o.dropout)
        self.retain = _network(2 * total + o.memory, o.gates, o.memory, o.dropout)
        self.update = _network(2 * total + o.memory, o.gates, o.memory, o.dropout)
        self.head = _network(total + o.memory, o.hidden, outputs, o.dropout)

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        sequences = {m: self.take(batch, m) for m in self.modalities}
        aligned, mask = align(sequences, self.reference, self.options.steps, batch.lengths)
        present = self.presence(batch).unbind(dim=1)
        each = [
            [states * some[:, None, None] for states in _unroll(cell, aligned[modality])]
            for (modality, cell), some in zip(self.cells.items(), present, strict=True)
        ]
        memory = self._remember(torch.cat([cells for _, cells in each], dim=2))
        last = last_step(torch.cat([*(hidden for hidden, _ in each), memory], dim=2), mask)
        latents = {"memory": memory * mask[..., None]} if detail else None
        return FusionOutput(self.head(last), *self.even_gate(batch), latents=latents)

    def _remember(self, cells: Tensor) -> Tensor:
        """The cells `(B, T, H)` of all LSTMs to the memory `(B, T, memory)` after each step."""
        delta = torch.cat([F.pad(cells[:, :-1], (0, 0, 1, 0)), cells], dim=2)
        attended = self.attention(delta).softmax(dim=2) * delta
        proposed = self.proposal(attended).tanh()
        memory = proposed.new_zeros(proposed.shape[0], self.options.memory)
        memories = []
        # All else is done for all steps at once; the gates read what the step before left.
        for seen, new in zip(attended.unbind(dim=1), proposed.unbind(dim=1), strict=True):
            both = torch.cat([seen, memory], dim=1)
            memory = self.retain(both).sigmoid() * memory + self.update(both).sigmoid() * new
            memories.append(memory)
        return torch.stack(memories, dim=1)


def _unroll(cell: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and cells `(B, T, h)` for `(B, T, D)`: `nn.LSTM` would give the last cell alone."""
    state, states = None, []
    for step in x.unbind(dim=1):
        state = cell(step, state)
        states.append(state)
    hidden, cells = (torch.stack(each, dim=1) for each in zip(*states, strict=True))
    return hidden, cells


def _network(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), Dropout(dropout), nn.Linear(hidden, outputs)
    )
