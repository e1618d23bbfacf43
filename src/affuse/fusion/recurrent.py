"""LSTM layers that honour masks, and the last real step of a sequence.

Shapes: B samples, T steps, D features. Masks are bool `(B, T)`, True for the first real steps of a
sample and False for the padding after them, as `collate` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.batches import Lengths
from affuse.config import Options
from affuse.errors import unknown_name
from affuse.fusion.layers import zeroed


class MaskedLSTM(nn.Module):
    """One LSTM layer of width h over the real steps, forwards or in both directions.

    Forwards, padding comes after all that is read; backwards, each sequence is reversed in its own
    length. That is four times faster on long sequences than packing, whose slices are slow to
    differentiate. The parameters are those of `nn.LSTM`.
    """

    def __init__(self, features: int, width: int, bidirectional: bool = False) -> None:
        super().__init__()
        self.forwards = nn.LSTM(features, width, batch_first=True)
        self.backwards = nn.LSTM(features, width, batch_first=True) if bidirectional else None

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, T, D)` to the states `(B, T, h or 2h)` and the last `(B, h or 2h)`; 0 where masked.

        The last state of the backward direction is that of the first step.
        """
        x = zeroed(x, mask)
        states = _states(self.forwards, x)
        last = last_step(states, mask)
        if self.backwards is not None:
            reverse = _states(self.backwards, _reversed(x, mask))
            last = torch.cat([last, last_step(reverse, mask)], dim=1)
            states = torch.cat([states, _reversed(reverse, mask)], dim=2)
        return states * mask[..., None], last


def _states(network: nn.LSTM, x: Tensor) -> Tensor:
    """The states of an LSTM, which counts in float32 where the rest may be in bfloat16.

    What it adds up over hundreds of steps would lose too much, and processors cannot do it.
    """
    kind = x.device.type
    states: Tensor
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        with torch.autocast(kind, enabled=False):
            states, _ = network(x.float())
    else:
        states, _ = network(x)
    return states


def last_step(x: Tensor, mask: Tensor) -> Tensor:
    """The last real step `(B, D)` of `(B, T, D)`; zeros where there is none."""
    last = (mask.sum(dim=1) - 1).clamp(min=0)
    rows = torch.arange(x.shape[0], device=x.device)
    return x[rows, last] * mask.any(dim=1, keepdim=True)


def _reversed(x: Tensor, mask: Tensor) -> Tensor:
    """The real steps of `(B, T, D)` in reverse order; padding stays where it is."""
    steps = torch.arange(x.shape[1], device=x.device)
    order = torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - steps, steps)
    return x.gather(1, order[..., None].expand_as(x))


class AlignmentOptions(Options):
    """Options of models that need common steps."""

    reference: str | None = Field(
        None, description="modality whose steps the others are brought to; see `leading_modality`"
    )
    steps: int = Field(50, ge=1, description="most steps of a sample; 50 are usual for CMU-MOSI")


def leading_modality(name: str | None, widths: Mapping[str, int]) -> str:
    """`name`, or text where there is such a modality, or the first.

    Raises:
        InputError: a name that is not among the modalities.
    """
    if name is None:
        return "text" if "text" in widths else next(iter(widths))
    if name not in widths:
        raise unknown_name("modality", name, widths)
    return name


def align(
    sequences: Mapping[str, tuple[Tensor, Tensor]],
    reference: str,
    most: int,
    known: Mapping[str, Lengths] | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Bring the modalities of each sample to as many steps as its reference has.

    A sample without the reference gets as many steps as its longest modality has, and none gets
    more than `most`.

    Args:
        sequences: modality to features `(B, T_m, D_m)` and mask `(B, T_m)`.
        known: `Batch.lengths`. Without them there are `most` steps, of which too many are masked.

    Returns:
        Each modality's features, zero where a sample lacks it, and the mask `(B, T)` of all.
    """
    lengths = {m: mask.sum(dim=1) for m, (_, mask) in sequences.items()}
    longest = torch.stack(list(lengths.values())).amax(dim=0)
    own = lengths[reference]
    common = torch.where(own > 0, own, longest).clamp(max=most)
    steps = most if known is None else _most_steps(known, reference, most)
    target = torch.arange(steps, device=common.device) < common[:, None]
    return {m: interval_means(x, mask, target) for m, (x, mask) in sequences.items()}, target


def _most_steps(known: Mapping[str, Lengths], reference: str, most: int) -> int:
    """Of the sample with the most, by the rule of `align`."""
    longest = np.max(list(known.values()), axis=0)
    own = np.array(known.get(reference, np.zeros_like(longest)))
    return min(most, int(np.where(own > 0, own, longest).max()))


def interval_means(x: Tensor, mask: Tensor, target: Tensor) -> Tensor:
    """Resample the real steps of each sample to its number of target steps.

    With n real and t target steps, target step j is the mean over [j n/t, (j + 1) n/t) of the
    sequence as a step function, so that each real step counts by the share of it that lies within.
    `(B, S, D)` with mask `(B, S)` becomes `(B, T, D)`, zero outside the mask `target` `(B, T)`.
    """
    real, wanted = mask.sum(dim=1), target.sum(dim=1)
    length = (real / wanted.clamp(min=1))[:, None, None]
    step = torch.arange(target.shape[1], device=x.device)[:, None]
    source = torch.arange(x.shape[1], device=x.device)
    inside = torch.minimum((step + 1) * length, source + 1) - torch.maximum(step * length, source)
    weights = inside.clamp(min=0) / length.clamp(min=1e-6) * target[..., None]
    return weights.to(x.dtype) @ zeroed(x, mask)
