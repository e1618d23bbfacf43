"""What single modalities answer, beside what a model answers by all of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from affuse.fusion import FusionModel, FusionOutput


def has_own_heads(model: FusionModel) -> bool:
    """Whether a model that fuses has an encoder and a head for each modality (`parts`)."""
    places = {f"{part}.{m}" for m in model.modalities for part in ("encoder", "head")}
    return len(model.modalities) > 1 and places <= model.parts().keys()


def lead_of(output: FusionOutput) -> Tensor:
    """The primary's own raw outputs `(B, C)`; of members, whose primaries may differ, the mean."""
    if output.members:
        return torch.stack([lead_of(member) for member in output.members]).mean(dim=0)
    assert output.unimodal is not None
    rows = torch.arange(len(output.primary), device=output.primary.device)
    return output.unimodal[rows, output.primary]


def each_modality(losses: Any, unimodal: Tensor, target: Tensor) -> Tensor:
    """Loss `(B, M)` of each modality's own answer `(B, M, C)`."""
    return torch.stack([losses(own, target) for own in unimodal.unbind(dim=1)], dim=1)
