"""Late fusion: each modality encoded alone, the pooled vectors side by side, one head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from affuse.batches import Batch
from affuse.fusion.encoders import EncoderOptions, Head, encoder_options_for, modality_encoder
from affuse.fusion.model import FusionModel, FusionOutput, register_model, require_several


class ConcatOptions(EncoderOptions):
    """Options of late fusion, beside those of its encoders.

    Attributes:
        own_heads: whether each modality also answers by itself, with a loss of its own in training.
    """

    own_heads: bool = False


@register_model("concat")
class Concat(FusionModel):
    """Late fusion by concatenation of pooled encoders."""

    Options = ConcatOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: ConcatOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("concat", widths)
        self.encoders = nn.ModuleDict(
            {m: modality_encoder(features, m, options) for m, features in widths.items()}
        )
        self.head = nn.Sequential(
            nn.Linear(options.width * len(widths), options.width),
            Head(options.width, outputs, options.dropout),
        )
        own = widths if options.own_heads else ()
        self.heads = nn.ModuleDict({m: Head(options.width, outputs, options.dropout) for m in own})

    options_for = staticmethod(encoder_options_for)

    def parts(self) -> dict[str, Sequence[nn.Module]]:
        encoders = {f"encoder.{m}": [e] for m, e in self.encoders.items()}
        return encoders | {f"head.{m}": [h] for m, h in self.heads.items()} | super().parts()

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        encoded = {m: encoder(*self.counted(batch, m)) for m, encoder in self.encoders.items()}
        prediction = self.head(torch.cat([e.pooled for e in encoded.values()], dim=1))
        gate, primary = self.even_gate(batch)
        own = [head(encoded[m].pooled) for m, head in self.heads.items()]
        unimodal = torch.stack(own, dim=1) if own else None
        latents = {m: e.stream for m, e in encoded.items()} if detail else None
        return FusionOutput(prediction, gate, primary, unimodal, latents=latents)
