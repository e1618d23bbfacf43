"""Training batches that are changed at random, so that a model sees more than there is."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from affuse.batches import Batch
from affuse.fusion.layers import zeroed
from affuse.training.presets import TrainOptions


def augment(batch: Batch, options: TrainOptions) -> Batch:
    """A changed copy of a training batch, drawn from torch's global generator."""
    sequences = dict(batch.sequences)
    for m in (m for m in options.shift if m in sequences):
        sequences[m] = _shift(sequences[m], options.shift[m])
    for m in (m for m in options.noise if m in sequences):
        sequences[m] = sequences[m] + options.noise[m] * torch.randn_like(sequences[m])
    for m in (m for m in options.time_mask if m in sequences):
        hidden = _spans(batch.masks[m], options.time_mask[m])
        sequences[m] = zeroed(sequences[m], ~hidden)
    # Padding may now hold values: every layer masks it.
    return replace(batch, sequences=sequences)


def _shift(x: Tensor, deviation: float) -> Tensor:
    """One offset, and half as strong a gain, for each sample and feature."""
    shape = (x.shape[0], 1, x.shape[2])
    gain = 1 + 0.5 * deviation * torch.randn(shape, device=x.device)
    return x * gain + deviation * torch.randn(shape, device=x.device)


def _spans(mask: Tensor, share: float) -> Tensor:
    """Bool `(B, T)`: two random spans a sample, each up to `share` of its length."""
    length = mask.sum(dim=1)[:, None, None]
    start, size = torch.rand(2, mask.shape[0], 2, 1, device=mask.device)
    step = torch.arange(mask.shape[1], device=mask.device)
    begin = start * length
    inside: Tensor = ((step >= begin) & (step < begin + size * share * length)).any(dim=1)
    return inside
