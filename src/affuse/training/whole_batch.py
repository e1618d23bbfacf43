"""What losses and validation are computed from: the rows of all processes, where there are more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from affuse.batches import Batch
from affuse.fusion import FusionModel, FusionOutput
from affuse.fusion.across import all_rows
from affuse.training.own_answers import lead_of, targets_alone


class Known(NamedTuple):
    """What of a batch of N samples over M modalities losses are computed from beside answers."""

    targets: Tensor  # `(N, K)`
    own: Tensor  # `(N, M, K)`: those of each modality alone
    present: Tensor  # bool `(N, M)`
    spoilt: Tensor  # bool `(N, M)`: there, but not to be held to the label
    taught: FusionOutput | None  # what the teacher says


class Said(NamedTuple):
    """What a model says of the N validation samples; what it does not say is None."""

    prediction: Tensor
    gate: Tensor
    target: Tensor
    unimodal: Tensor | None
    correction: Tensor | None
    lead: Tensor | None


_ROWS = ("prediction", "gate", "unimodal", "expected_loss")
"""Of `FusionOutput`, what losses read that has a row for each sample."""


def of_all(
    said: Sequence[FusionOutput],
    batch: Batch,
    model: FusionModel,
    width: int,
    spoilt: Tensor,
    taught: FusionOutput | None,
) -> tuple[Sequence[FusionOutput], Known]:
    """What networks say of a batch, in float32, and what else losses are computed from.

    Where processes have divided a batch, of the whole of it. All comes at once: what processes send
    each other takes as long for little as for much.

    Args:
        model: that said it.
        width: K of targets `(B, K)`. A batch without them counts for nothing.
        spoilt: bool `(B, M)`.
    """
    targets, present = batch.targets, model.presence(batch)
    if targets is None:
        targets = spoilt.new_zeros(batch.size, width, dtype=torch.float32)
    told = [*said, *([] if taught is None else [taught])]
    there = [(o, name) for o in told for name in _ROWS if getattr(o, name) is not None]
    own = targets_alone(batch, targets, model.modalities)
    answers = (getattr(output, name).float() for output, name in there)
    mixed = iter(all_rows(targets, own, present, spoilt, *answers))
    marks = next(mixed), next(mixed), next(mixed), next(mixed)
    found: dict[int, dict[str, Tensor]] = {}
    for (output, name), rows in zip(there, mixed, strict=True):
        found.setdefault(id(output), {})[name] = rows
    whole = [output._replace(**found[id(output)]) for output in told]  # type: ignore[arg-type]
    return whole[: len(said)], Known(*marks, None if taught is None else whole[-1])


def answer(model: FusionModel, batch: Batch) -> Said:
    """What a model says of a batch of labelled samples."""
    assert batch.targets is not None
    said = model(batch)
    lead = None if said.correction is None else lead_of(said)
    return Said(said.prediction, said.gate, batch.targets, said.unimodal, said.correction, lead)


def together(parts: Sequence[Said]) -> Said:
    """What was said of batches, and by all processes, as of one."""
    columns = {name: [getattr(part, name) for part in parts] for name in Said._fields}
    there = {name: torch.cat(found) for name, found in columns.items() if found[0] is not None}
    rows: dict[str, Any] = dict.fromkeys(Said._fields)
    rows |= dict(zip(there, all_rows(*there.values()), strict=True))
    return Said(**rows)
