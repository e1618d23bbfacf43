"""The order in which modalities enter: one that all samples share, or for each sample its own.

Where all share it, as under a gate for the task, streams are taken as they are. Where they do not,
streams are padded to the longest, so that each sample may choose among them.

Shapes: B samples, M modalities, T steps, d width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from affuse.models.layers import longest, traced


class Stream(NamedTuple):
    """Steps `(B, T, d)` and their mask `(B, T)`."""

    steps: Tensor
    mask: Tensor


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
    """

    def __init__(self, order: Tensor) -> None:
        self.order = order
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
        return list(map(Stream, *(x.unbind(dim=1) for x in both)))

    def primary(self, values: Tensor) -> Tensor:
        """Of values `(B, M, C)`, each sample's primary modality's `(B, C)`."""
        return values.flatten(0, 1).index_select(0, self.flat[:, 0])

    def replaced(self, streams: Sequence[Stream], lead: Tensor) -> list[Tensor]:
        """The steps of M streams with `lead`, as long as the longest, where a sample's leads."""
        first, leads = self.order[:, 0, None, None], []
        for modality, (steps, _) in enumerate(streams):
            leads.append(lead[:, : steps.shape[1]].where(first == modality, steps))
        return leads


def ranking(weights: Tensor, used: Tensor) -> SharedRanking | SampleRanking:
    """Modalities by falling weight `(B, M)`; those not `used` `(B, M)` are last."""
    order = weights.masked_fill(~used, -1.0).argsort(dim=1, descending=True, stable=True)
    # An accelerator would have to be waited for, and what is exported must hold for any order.
    if order.device.type != "cpu" or traced() or not bool((order == order[:1]).all()):
        return SampleRanking(order)
    return SharedRanking(order)
