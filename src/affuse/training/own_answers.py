"""What single modalities answer, beside what a model answers by all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from affuse.batches import Batch
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
    """Loss `(B, M)` of each modality's own answer `(B, M, C)`.

    Args:
        target: `(B, K)`, or `(B, M, K)` where each has its own.
    """
    answers = unimodal.unbind(dim=1)
    targets = target.unbind(dim=1) if target.dim() == 3 else [target] * len(answers)
    return torch.stack([*map(losses, answers, targets)], dim=1)


def targets_alone(batch: Batch, targets: Tensor, modalities: Sequence[str]) -> Tensor:
    """What each modality alone should say, `(B, M, K)`: where nobody told, what all should."""
    told = [batch.unimodal.get(m, targets) for m in modalities]
    return torch.stack([torch.where(own.isnan(), targets, own) for own in told], dim=1)
