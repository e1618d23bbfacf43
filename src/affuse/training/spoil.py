"""Training batches in which a modality is spoilt or hidden, as it may be where a model is used.

What is drawn for a sample is drawn by the host, which so knows what is left of it without waiting
for an accelerator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from affuse.batches import Batch, Lengths
from affuse.fusion.layers import zeroed
from affuse.fusion.ranking import spare
from affuse.training.presets import TrainOptions

MOST_NOISE = 4.0
"""Standard deviations of the features, which are normalised."""
MOST_DROPPED = 0.9
_NOISE, _MISSING, _SWAPPED, _LOST = range(4)


def spoil(batch: Batch, options: TrainOptions, modalities: Sequence[str]) -> tuple[Batch, Tensor]:
    """A batch as `options` spoil and hide it, drawn from torch's global generator.

    Args:
        modalities: the M that a model reads.

    Returns:
        The batch, and where a modality is there but spoilt, bool `(B, M)`: its own answer cannot be
        held to the label.
    """
    spoilt = torch.zeros(batch.size, len(modalities), dtype=torch.bool)
    columns = {m: column for column, m in enumerate(modalities) if m in batch.sequences}
    if options.spoil:
        batch, found = _spoil(batch, options.spoil, list(columns))
        spoilt[:, list(columns.values())] = found
    if options.modality_dropout:
        batch = _hide(batch, options.modality_dropout, list(columns))
    device = next(iter(batch.masks.values())).device
    return batch, spoilt.to(device, non_blocking=True)


def _spoil(batch: Batch, share: float, names: Sequence[str]) -> tuple[Batch, Tensor]:
    """In a share of the samples, one of their modalities in one of four ways.

    A sample's only one is neither swapped nor lost.
    """
    present = _presence(batch, names)
    chosen = torch.rand(present.shape).masked_fill(~present, -1).argmax(dim=1)
    asked = (torch.rand(batch.size) < share) & present.any(dim=1)
    kind, amount = torch.randint(4, (batch.size,)), torch.rand(batch.size)
    kind = torch.where(present.sum(dim=1) > 1, kind, kind % 2)
    spoilt = torch.zeros_like(present)
    for column, name in enumerate(names):
        here = asked & (chosen == column)
        batch, swapped = _swap(batch, name, here & (kind == _SWAPPED), present[:, column])
        batch = _add_noise(batch, name, MOST_NOISE * amount * (here & (kind == _NOISE)))
        batch = _drop_steps(batch, name, MOST_DROPPED * amount * (here & (kind == _MISSING)))
        batch = _without(batch, name, here & (kind == _LOST))
        spoilt[:, column] = swapped | (here & (kind < _SWAPPED))
    return batch, spoilt


def _hide(batch: Batch, rate: float, names: Sequence[str]) -> Batch:
    """Without a share of the modalities, each drawn by itself; a sample keeps one at least."""
    present = _presence(batch, names)
    kept = spare(present, torch.rand(present.shape) >= rate)
    for column, name in enumerate(names):
        batch = _without(batch, name, ~kept[:, column])
    return batch


def _presence(batch: Batch, names: Sequence[str]) -> Tensor:
    """Bool `(B, M)` on the host."""
    assert batch.lengths is not None
    lengths = batch.lengths
    return torch.from_numpy(np.array([lengths[name] for name in names]).T > 0)


def _swap(batch: Batch, name: str, asked: Tensor, having: Tensor) -> tuple[Batch, Tensor]:
    """A modality from the next sample in a circle of chance; and which `(B,)` have another's."""
    assert batch.lengths is not None
    circle = having.nonzero()[:, 0]
    circle = circle[torch.randperm(len(circle))]
    source = torch.arange(batch.size)
    source[circle] = circle.roll(1)
    source = torch.where(asked, source, torch.arange(batch.size))
    lengths = tuple(batch.lengths[name][place] for place in source.tolist())
    rows = source.to(batch.masks[name].device, non_blocking=True)
    changed = _changed(batch, name, batch.sequences[name][rows], batch.masks[name][rows], lengths)
    return changed, source != torch.arange(batch.size)


def _add_noise(batch: Batch, name: str, deviations: Tensor) -> Batch:
    """Normal noise of so many deviations, `(B,)`."""
    x = batch.sequences[name]
    noise = deviations.to(x.device, non_blocking=True)[:, None, None] * torch.randn_like(x)
    return _changed(batch, name, x + noise)


def _drop_steps(batch: Batch, name: str, rates: Tensor) -> Batch:
    """At rates `(B,)` steps become zero; of a single step, its values."""
    x, mask = batch.sequences[name], batch.masks[name]
    single = mask.sum(dim=1)[:, None, None] == 1
    drawn = torch.where(
        single,
        torch.rand(x.shape[0], 1, x.shape[2], device=x.device),
        torch.rand(*x.shape[:2], 1, device=x.device),
    )
    kept = drawn >= rates.to(x.device, non_blocking=True)[:, None, None]
    return _changed(batch, name, torch.where(kept, x, 0.0))


def _without(batch: Batch, name: str, lost: Tensor) -> Batch:
    """Samples `(B,)` lack a modality."""
    assert batch.lengths is not None
    lengths = tuple(
        0 if gone else n for n, gone in zip(batch.lengths[name], lost.tolist(), strict=True)
    )
    mask = batch.masks[name] & ~lost.to(batch.masks[name].device, non_blocking=True)[:, None]
    return _changed(batch, name, zeroed(batch.sequences[name], mask), mask, lengths)


def _changed(
    batch: Batch, name: str, x: Tensor, mask: Tensor | None = None, lengths: Lengths | None = None
) -> Batch:
    assert batch.lengths is not None
    masks = batch.masks if mask is None else {**batch.masks, name: mask}
    known = batch.lengths if lengths is None else {**batch.lengths, name: lengths}
    return replace(batch, sequences={**batch.sequences, name: x}, masks=masks, lengths=known)
