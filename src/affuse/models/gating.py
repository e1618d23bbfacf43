"""Which modality leads: the gate of HCT-MG and its granularity.

The contribution gate reads what each modality alone achieves on the task, instead of waiting for
a gradient that argmax does not pass (arXiv 2305.13583 trains one weight a modality; those weights
barely move from their equal start).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Granularity = Literal["task", "batch", "sample"]


class ContributionGate(nn.Module):
    """Weights from the loss of each modality's own head: the lower, the more it contributes.

    w = softmax(-loss / (temperature * mean loss)) over the modalities that are present, where the
    loss is tracked over validations (task), or expected by the model, averaged over the training
    batch (batch) or for the sample (sample). The batch average exists in training only; at
    inference it would let a sample's neighbours change its answer, so the tracked loss decides.

    Args:
        modalities: M.
        granularity: task, batch or sample.
        temperature: relative difference in loss that makes one modality e times another's weight.
        momentum: share of the old value at each update of the tracked loss.
    """

    tracked: Tensor
    updates: Tensor

    def __init__(
        self, modalities: int, granularity: Granularity, temperature: float, momentum: float = 0.5
    ) -> None:
        super().__init__()
        self.granularity, self.temperature, self.momentum = granularity, temperature, momentum
        self.register_buffer("tracked", torch.ones(modalities))
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def track(self, losses: Tensor) -> None:
        """Take in the mean validation loss `(M,)` of each head; NaN keeps the old value."""
        with torch.no_grad():
            losses = losses.to(self.tracked)
            known = torch.isfinite(losses)
            momentum = self.momentum if self.updates > 0 else 0.0
            mixed = momentum * self.tracked + (1 - momentum) * losses
            self.tracked.copy_(torch.where(known, mixed, self.tracked))
            self.updates += 1

    def forward(self, expected_loss: Tensor | None, present: Tensor) -> Tensor:
        """Expected losses `(B, M)`, where there are any, and presence `(B, M)` to weights."""
        batch = self.granularity == "batch" and self.training
        if expected_loss is None or not (batch or self.granularity == "sample"):
            loss = self.tracked
        elif batch:
            loss = (expected_loss * present).sum(dim=0) / present.sum(dim=0).clamp(min=1)
        else:
            loss = expected_loss
        # Measured, not trained by the fused loss: no gradient.
        loss = loss.detach().expand(present.shape)
        count = present.sum(dim=1, keepdim=True).clamp(min=1)
        scale = (loss * present).sum(dim=1, keepdim=True) / count
        logits = -loss / (self.temperature * scale.clamp(min=1e-6))
        return masked_softmax(logits, present)


class PaperGate(nn.Module):
    """The paper's gate: one trainable weight a modality, equal at first, softmax over them."""

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(modalities))

    def track(self, losses: Tensor) -> None:
        """Nothing: this gate learns only through the scaling of the streams."""

    def forward(self, _: Tensor | None, present: Tensor) -> Tensor:
        return masked_softmax(self.weights.expand(present.shape), present)


class FixedGate(nn.Module):
    """A chosen primary; the others share what is left."""

    preference: Tensor

    def __init__(self, modalities: int, primary: int) -> None:
        super().__init__()
        preference = torch.zeros(modalities)
        preference[primary] = 1.0
        self.register_buffer("preference", preference, persistent=False)

    def track(self, losses: Tensor) -> None:
        """Nothing: the choice is fixed."""

    def forward(self, _: Tensor | None, present: Tensor) -> Tensor:
        return masked_softmax(self.preference.expand(present.shape), present)


Gate = ContributionGate | PaperGate | FixedGate


def masked_softmax(logits: Tensor, present: Tensor) -> Tensor:
    """Softmax over the last dimension among what is present; the rest is exactly zero."""
    return logits.masked_fill(~present, torch.finfo(logits.dtype).min).softmax(dim=-1) * present
