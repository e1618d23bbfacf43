"""What every model returns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FusionOutput(NamedTuple):
    """The answer for a batch of B samples over M modalities, in the order of `model.modalities`.

    Attributes:
        prediction: raw outputs `(B, C)`; `Task.decode` makes values or probabilities of them.
        gate: weights `(B, M)`, each row sums to one; a missing modality has weight zero.
        primary: index `(B,)` of the modality that leads.
        unimodal: each modality's own raw outputs `(B, M, C)`, where the model has such heads.
        expected_loss: the model's estimate `(B, M)` of the task loss of each row of `unimodal`,
            where it makes one: in training, and where the gate reads it.
        correction: what fusion adds `(B, C)` to the primary's own raw outputs, where the model is
            built that way; validation decides how much of it is trusted.
        regulariser: a model's own loss in training, one number that is added to the task's.
        members: what each of several networks says whose mean this is; each has the task's loss.
        attention: name of a crossmodal block to weights `(B, H, T_target, T_source)`; on request.
        latents: name of a stream to `(B, T, d)`; on request.
    """

    prediction: Tensor
    gate: Tensor
    primary: Tensor
    unimodal: Tensor | None = None
    expected_loss: Tensor | None = None
    correction: Tensor | None = None
    regulariser: Tensor | None = None
    members: tuple[FusionOutput, ...] = ()
    attention: dict[str, Tensor] | None = None
    latents: dict[str, Tensor] | None = None
