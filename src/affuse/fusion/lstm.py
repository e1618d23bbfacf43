"""EF-LSTM and LF-LSTM: the recurrent baselines of MulT's tables (Tsai et al. 2019, section 4).

Early fusion puts the modalities side by side at every step and reads them with one LSTM; late
fusion reads each with its own and puts the last states side by side. The papers that quote them
give no layer sizes. Here each LSTM has one layer, as in the EF-LSTM of MFN's public code (Zadeh et
al. 2018), whose head this is too, and the one width at which both published sizes, 0.56M and 1.22M
at CMU-MOSEI's widths (text 300, audio 74, vision 35; LMR-CBT's public table), come out within 2%.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from affuse.batches import Batch
from affuse.config import Options, Range
from affuse.fusion.layers import Dropout
from affuse.fusion.model import FusionModel, FusionOutput, register_model, require_several
from affuse.fusion.recurrent import AlignmentOptions, MaskedLSTM, align, leading_modality


class LateLSTMOptions(Options):
    """Options of LF-LSTM; the dropout is the MMSA toolkit's for EF-LSTM on CMU-MOSEI."""

    width: Annotated[int, Range(32, 320, step=2)] = Field(
        206, ge=1, description="width of each LSTM"
    )
    dropout: Annotated[float, Range(0.0, 0.6)] = Field(
        0.4, ge=0, lt=1, description="on the last states and in the head"
    )


class EarlyLSTMOptions(LateLSTMOptions, AlignmentOptions):
    """Options of EF-LSTM."""


@register_model("ef_lstm")
class EarlyLSTM(FusionModel):
    """EF-LSTM: early fusion, one LSTM over the modalities side by side at each step.

    Needs common steps: see `affuse.fusion.recurrent` for what happens to unaligned sequences. A
    modality that a sample lacks enters as zeros, the mean of normalised features.
    """

    Options = EarlyLSTMOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: EarlyLSTMOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("ef_lstm", widths)
        self.reference = leading_modality(options.reference, widths)
        self.lstm = MaskedLSTM(sum(widths.values()), options.width)
        self.head = _head(options.width, outputs, options.dropout)

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        sequences = {m: self.take(batch, m) for m in self.modalities}
        aligned, mask = align(sequences, self.reference, self.options.steps, batch.lengths)
        states, last = self.lstm(torch.cat(list(aligned.values()), dim=2), mask)
        latents = {"joint": states} if detail else None
        return FusionOutput(self.head(last), *self.even_gate(batch), latents=latents)


@register_model("lf_lstm")
class LateLSTM(FusionModel):
    """LF-LSTM: late fusion, one LSTM a modality, their last states side by side.

    The last state of a modality that a sample lacks is zero.
    """

    Options = LateLSTMOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: LateLSTMOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("lf_lstm", widths)
        self.lstms = nn.ModuleDict(
            {m: MaskedLSTM(features, options.width) for m, features in widths.items()}
        )
        self.head = _head(options.width * len(widths), outputs, options.dropout)

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        read = {m: lstm(*self.take(batch, m)) for m, lstm in self.lstms.items()}
        prediction = self.head(torch.cat([last for _, last in read.values()], dim=1))
        latents = {m: states for m, (states, _) in read.items()} if detail else None
        return FusionOutput(prediction, *self.even_gate(batch), latents=latents)


def _head(width: int, outputs: int, dropout: float) -> nn.Module:
    return nn.Sequential(
        Dropout(dropout),
        nn.Linear(width, width),
        nn.ReLU(),
        Dropout(dropout),
        nn.Linear(width, outputs),
    )
