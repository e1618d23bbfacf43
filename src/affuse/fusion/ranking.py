"""The order of the modalities under a gate, what of them is used, and streams in that order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from affuse.batches import Lengths
from affuse.fusion.layers import longest, traced
from affuse.tasks import Ints


class Used(NamedTuple):
    """Which modalities fusion uses, `(B, M)`.

    `spared` says of each modality in which samples it is not hidden; None where all of it is used.
    """

    modalities: Tensor
    spared: Sequence[Sequence[bool]] | None = None

    def steps(self, place: int, lengths: Lengths | None) -> Lengths | None:
        """The real steps of a modality that are used, where the host knows."""
        if lengths is None or self.spared is None:
            return lengths
        return tuple(n * used for n, used in zip(lengths, self.spared[place], strict=True))


def choose_used(
    present: Tensor, lengths: Sequence[Lengths | None], rate: float, training: bool
) -> Used:
    """Of what is `present` `(B, M)`, hide a share in training at random, never a sample's last."""
    if not training or rate == 0:
        return Used(present)
    # Drawn by the host, which then knows without waiting for an accelerator.
    spared = torch.rand(present.shape) >= rate
    used = spare(present, spared.to(present.device, non_blocking=True))
    counts = [count for count in lengths if count is not None]
    if len(counts) < len(lengths):
        return Used(used)
    return Used(used, spare(np.array(counts).T > 0, spared.numpy()).T.tolist())


def spare(present: Any, spared: Any) -> Any:
    """What is present and spared `(B, M)`, or all that is present where a sample keeps nothing."""
    kept = present & spared
    return kept | present & ~kept.any(1)[:, None]


class FusionStream(NamedTuple):
    """Steps `(B, T, d)`, their mask `(B, T)`, and its lengths where the host knows them."""

    steps: Tensor
    mask: Tensor
    lengths: Lengths | None = None


class SharedRanking:
    """One order of the modalities: `order` `(B, M)` has the same row for each sample."""

    def __init__(self, order: Tensor) -> None:
        self.order = order
        self.places: list[int] = order[0].tolist()

    def ranked(self, streams: Sequence[FusionStream]) -> list[FusionStream]:
        """M streams, the primary modality's first."""
        return [streams[modality] for modality in self.places]

    def primary(self, values: Tensor) -> Tensor:
        """Of values `(B, M, C)`, the primary modality's `(B, C)`."""
        return values[:, self.places[0]]

    def replaced(self, streams: Sequence[FusionStream], lead: Tensor) -> list[Tensor]:
        """The steps of M streams with `lead` in place of the primary modality's."""
        return [lead if m == self.places[0] else stream.steps for m, stream in enumerate(streams)]


class SampleRanking:
    """An order `(B, M)` for each sample; `places` is the same where the host knows it."""

    def __init__(self, order: Tensor, places: Ints | None = None) -> None:
        self.order, self.places = order, places
        # One flat index: far cheaper than indexing by rows and columns.
        rows = torch.arange(order.shape[0], device=order.device)[:, None]
        self.flat = rows * order.shape[1] + order

    def ranked(self, streams: Sequence[FusionStream]) -> list[FusionStream]:
        """M streams padded to the longest, each sample's primary modality first."""
        size = longest([stream.mask.shape[1] for stream in streams])
        missing = [size - stream.mask.shape[1] for stream in streams]
        pairs = list(zip(streams, missing, strict=True))
        steps = torch.stack([pad(stream.steps, (0, 0, 0, more)) for stream, more in pairs], dim=1)
        masks = torch.stack([pad(stream.mask, (0, more)) for stream, more in pairs], dim=1)
        chosen = self.flat.flatten()
        both = (x.flatten(0, 1).index_select(0, chosen).view(x.shape) for x in (steps, masks))
        return list(map(FusionStream, *(x.unbind(dim=1) for x in both), self._lengths(streams)))

    def _lengths(self, streams: Sequence[FusionStream]) -> Sequence[Lengths | None]:
        """Of each rank."""
        known = [stream.lengths for stream in streams if stream.lengths is not None]
        if self.places is None or len(known) < len(streams):
            return [None] * len(streams)
        ranked = np.take_along_axis(np.stack(known, axis=1), self.places, axis=1)
        return [tuple(lengths) for lengths in ranked.T.tolist()]

    def primary(self, values: Tensor) -> Tensor:
        """Of values `(B, M, C)`, each sample's primary modality's `(B, C)`."""
        return values.flatten(0, 1).index_select(0, self.flat[:, 0])

    def replaced(self, streams: Sequence[FusionStream], lead: Tensor) -> list[Tensor]:
        """The steps of M streams with `lead`, as long as the longest, where a sample's leads."""
        first = self.order[:, 0, None, None]
        return [
            lead[:, : steps.shape[1]].where(first == modality, steps)
            for modality, (steps, *_) in enumerate(streams)
        ]


def ranking_of(weights: Tensor, used: Tensor) -> SharedRanking | SampleRanking:
    """Modalities by falling weight `(B, M)`; those not `used` `(B, M)` are last."""
    order = weights.masked_fill(~used, -1.0).argsort(dim=1, descending=True, stable=True)
    # An accelerator would have to be waited for, and what is exported must hold for any order.
    if order.device.type != "cpu" or traced():
        return SampleRanking(order)
    places = order.numpy()
    return SharedRanking(order) if (places == places[:1]).all() else SampleRanking(order, places)
