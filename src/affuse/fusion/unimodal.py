"""One modality alone: the row that every fusion result must be held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.batches import Batch
from affuse.errors import unknown_name
from affuse.fusion.encoders import EncoderOptions, Head, encoder_options_for, modality_encoder
from affuse.fusion.model import FusionModel, FusionOutput, register_model


class UnimodalOptions(EncoderOptions):
    """Options of a unimodal model."""

    modality: str | None = Field(None, description="which modality; by default the first")


@register_model("unimodal")
class Unimodal(FusionModel):
    """One modality's encoder and head, the same that HCT-MG uses for it."""

    Options = UnimodalOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: UnimodalOptions) -> None:
        modality = options.modality or next(iter(widths))
        if modality not in widths:
            raise unknown_name("modality", modality, widths, source="unimodal")
        super().__init__({modality: widths[modality]}, outputs, options)
        self.encoder = modality_encoder(widths[modality], modality, options)
        self.head = Head(options.width, outputs, options.dropout)

    options_for = staticmethod(encoder_options_for)

    def parts(self) -> dict[str, Sequence[nn.Module]]:
        (modality,) = self.modalities
        return {f"encoder.{modality}": [self.encoder], f"head.{modality}": [self.head]}

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        encoded = self.encoder(*self.counted(batch, self.modalities[0]))
        prediction: Tensor = self.head(encoded.pooled)
        gate = prediction.new_ones(prediction.shape[0], 1)
        latents = {self.modalities[0]: encoded.stream} if detail else None
        primary = torch.zeros_like(gate[:, 0], dtype=torch.long)
        return FusionOutput(prediction, gate, primary, prediction[:, None], latents=latents)
