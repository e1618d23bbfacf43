"""Which modality leads: the gate of HCT-MG and its granularity.

The contribution gate reads what each modality alone achieves on the task, instead of waiting for
a gradient that argmax does not pass (arXiv 2305.13583 trains one weight a modality; those weights
barely move from their equal start).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from affuse.batches import Lengths
from affuse.fusion.layers import longest, traced

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


class Stream(NamedTuple):
    """Steps `(B, T, d)`, their mask `(B, T)`, and its lengths where the host knows them."""

    steps: Tensor
    mask: Tensor
    lengths: Lengths | None = None


Places = NDArray[np.int64]
"""An order of the modalities `(B, M)` in the host's memory."""


class SharedRanking:
    """One order of the modalities.

    Args:
        order: the same row of modalities by falling weight for each sample, `(B, M)`.
    """

    def __init__(self, order: Tensor) -> None:
        self.order = order
        self.places: list[int] = order[0].tolist()

    def ranked(self, streams: Sequence[Stream]) -> list[Stream]:
        """M streams, the primary modality's first."""
        return [streams[modality] for modality in self.places]

    def primary(self, values: Tensor) -> Tensor:
        """Of values `(B, M, C)`, the primary modality's `(B, C)`."""
        return values[:, self.places[0]]

    def replaced(self, streams: Sequence[Stream], lead: Tensor) -> list[Tensor]:
        """The steps of M streams with `lead` in place of the primary modality's."""
        return [lead if m == self.places[0] else stream.steps for m, stream in enumerate(streams)]


class SampleRanking:
    """An order of the modalities for each sample.

    Args:
        order: modalities by falling weight, `(B, M)`.
        places: the same, where the host knows it.
    """

    def __init__(self, order: Tensor, places: Places | None = None) -> None:
        self.order, self.places = order, places
        # One flat index: far cheaper than indexing by rows and columns.
        rows = torch.arange(order.shape[0], device=order.device)[:, None]
        self.flat = rows * order.shape[1] + order

    def ranked(self, streams: Sequence[Stream]) -> list[Stream]:
        """M streams padded to the longest, each sample's primary modality first."""
        size = longest([stream.mask.shape[1] for stream in streams])
        missing = [size - stream.mask.shape[1] for stream in streams]
        pairs = list(zip(streams, missing, strict=True))
        steps = torch.stack([pad(stream.steps, (0, 0, 0, more)) for stream, more in pairs], dim=1)
        masks = torch.stack([pad(stream.mask, (0, more)) for stream, more in pairs], dim=1)
        chosen = self.flat.flatten()
        both = (x.flatten(0, 1).index_select(0, chosen).view(x.shape) for x in (steps, masks))
        return list(map(Stream, *(x.unbind(dim=1) for x in both), self._lengths(streams)))

    def _lengths(self, streams: Sequence[Stream]) -> Sequence[Lengths | None]:
        """Of each rank."""
        known = [stream.lengths for stream in streams if stream.lengths is not None]
        if self.places is None or len(known) < len(streams):
            return [None] * len(streams)
        return list(np.take_along_axis(np.stack(known, axis=1), self.places, axis=1).T)

    def primary(self, values: Tensor) -> Tensor:
        """Of values `(B, M, C)`, each sample's primary modality's `(B, C)`."""
        return values.flatten(0, 1).index_select(0, self.flat[:, 0])

    def replaced(self, streams: Sequence[Stream], lead: Tensor) -> list[Tensor]:
        """The steps of M streams with `lead`, as long as the longest, where a sample's leads."""
        first, leads = self.order[:, 0, None, None], []
        for modality, (steps, *_) in enumerate(streams):
            leads.append(lead[:, : steps.shape[1]].where(first == modality, steps))
        return leads


def ranking(weights: Tensor, used: Tensor) -> SharedRanking | SampleRanking:
    """Modalities by falling weight `(B, M)`; those not `used` `(B, M)` are last."""
    order = weights.masked_fill(~used, -1.0).argsort(dim=1, descending=True, stable=True)
    # An accelerator would have to be waited for, and what is exported must hold for any order.
    if order.device.type != "cpu" or traced():
        return SampleRanking(order)
    places = order.numpy()
    alike = (places == places[:1]).all()
    return SharedRanking(order) if alike else SampleRanking(order, places)
