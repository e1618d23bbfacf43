"""What losses and validation are computed from: the rows of all processes, where there are more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from affuse.batches import Batch
from affuse.fusion import FusionModel, FusionOutput
from affuse.fusion.across import all_rows
from affuse.training.own_answers import lead_of


class Known(NamedTuple):
    """What of a batch of N samples over M modalities losses are computed from beside answers."""

    targets: Tensor  # `(N, K)`
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


def of_all(output: FusionOutput) -> FusionOutput:
    """What was said of a whole batch, in float32, where processes have divided it."""
    there = {name: getattr(output, name) for name in _ROWS if getattr(output, name) is not None}
    rows = all_rows(*(x.float() for x in there.values()))
    return output._replace(**dict(zip(there, rows, strict=True)))


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
    rows = dict(zip(there, all_rows(*there.values()), strict=True))
    return Said(*(rows.get(name) for name in Said._fields))
