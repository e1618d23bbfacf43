"""OGM-GE: encoders of modalities that run ahead are slowed, so that the others learn too.

On-the-fly Gradient Modulation with Generalisation Enhancement (Peng et al. 2022, "Balanced
Multimodal Learning via On-the-fly Gradient Modulation", CVPR). A modality's score is the sum over
the batch of exp(-loss of its own answer), for classes the probability of the right one. Where its
ratio r to the mean of the others' is above 1, the gradient of its encoder is scaled by
1 - tanh(alpha * r). The noise that this takes from training is given back: every encoder's gradient
gets normal noise of its own deviation, parameter by parameter. The paper has two modalities, and
parts its fusing layer for answers; here a model needs answers of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from affuse.errors import InputError
from affuse.fusion import FusionModel
from affuse.training.own_answers import has_own_heads

_LEAST_SCORE = 1e-6


def require_own_answers(model: FusionModel, name: str) -> None:
    """Raise `InputError` for a model that fuses, but without an answer of each modality."""
    if len(model.modalities) > 1 and not has_own_heads(model):
        raise InputError(
            f"ogm_ge compares what each modality answers by itself, and {name} has no such answers",
            remedy="set it for models that do: hct_mg.ogm_ge=0.3, or concat.ogm_ge=0.3 with "
            "concat.own_heads=true",
        )


def gradient_scales(losses: Tensor, present: Tensor, alpha: float) -> Tensor:
    """By what to scale each encoder's gradient, `(M,)`.

    Args:
        losses: of each modality's own answers, `(B, M)`.
        present: bool `(B, M)`; what a sample lacks has no score.
    """
    scores = (torch.exp(-losses) * present).sum(dim=0)
    others = (scores.sum() - scores) / max(len(scores) - 1, 1)
    ratio = scores / others.clamp(min=_LEAST_SCORE)
    return torch.where(ratio > 1, 1 - torch.tanh(alpha * ratio), 1.0)


def modulate(model: FusionModel, scales: Tensor, generator: torch.Generator | None = None) -> None:
    """Scale the gradients of the encoders of M modalities and add noise to them.

    Args:
        generator: of the noise; torch's global one by default.
    """
    parts = model.parts()
    for modality, scale in zip(model.modalities, scales, strict=True):
        for module in parts[f"encoder.{modality}"]:
            for parameter in module.parameters():
                if (gradient := parameter.grad) is not None:
                    drawn = torch.empty_like(gradient).normal_(generator=generator)
                    noise = drawn * gradient.std(correction=0)
                    gradient.mul_(scale).add_(noise)
