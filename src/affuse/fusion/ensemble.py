"""Members: several networks of one kind, trained side by side, that answer by their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from affuse.batches import Batch
from affuse.fusion.model import FusionModel, FusionOutput, Members

AVERAGED = ("prediction", "gate", "unimodal", "expected_loss", "correction", "regulariser")
"""Of `FusionOutput`, what is the mean of what the members say."""


class Ensemble(FusionModel):
    """Networks that differ by their first weights and by what dropout hides from them.

    Each learns by its own loss and its own gradient norm (`affuse.training.module`), as if it were
    alone; validation judges their mean. Attention and latents are those of the first: the latents
    of two networks have nothing in common that could be averaged.

    Args:
        build: makes one network.
        options: of the networks, with their number.
    """

    def __init__(self, build: Callable[[], FusionModel], options: Members) -> None:
        networks = [build() for _ in range(options.members)]
        first = networks[0]
        super().__init__(first.widths, first.outputs, options)
        self.gated = first.gated
        self.members = nn.ModuleList(networks)

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        said: list[FusionOutput] = [
            network(batch, detail=detail and not place)
            for place, network in enumerate(members_of(self))
        ]
        mean: dict[str, Any] = {name: _mean([getattr(s, name) for s in said]) for name in AVERAGED}
        # Members with a gate of their own may differ: whom they trust most together leads.
        primary = mean["gate"].argmax(dim=1)
        return said[0]._replace(**mean, primary=primary, members=tuple(said))

    def parts(self) -> dict[str, Sequence[nn.Module]]:
        places: dict[str, list[nn.Module]] = {}
        for network in members_of(self):
            for name, modules in network.parts().items():
                places.setdefault(name, []).extend(modules)
        return dict(places)

    def track(self, losses: Tensor) -> None:
        for network in members_of(self):
            network.track(losses)

    def trust(self, share: float) -> None:
        for network in members_of(self):
            network.trust(share)


def members_of(model: FusionModel) -> Sequence[FusionModel]:
    """The networks of a model, each of which learns by itself: its members, or it alone."""
    return cast("Sequence[FusionModel]", model.members) if isinstance(model, Ensemble) else [model]


def each_of(output: FusionOutput) -> Sequence[FusionOutput]:
    """What each network of a model said: its members, or the model itself."""
    return output.members or (output,)


def _mean(values: Sequence[Tensor | None]) -> Tensor | None:
    known = [value for value in values if value is not None]
    return torch.stack(known).mean(dim=0) if known else None
