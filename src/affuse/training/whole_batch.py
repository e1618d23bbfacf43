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


def answers(model: FusionModel, batches: Sequence[Batch]) -> Said:
    """What a model says of the validation samples, those of all processes."""
    outputs = [model(batch) for batch in batches]
    corrects = outputs[0].correction is not None
    columns = {
        "prediction": [o.prediction for o in outputs],
        "gate": [o.gate for o in outputs],
        "target": [b.targets for b in batches],
        "unimodal": [o.unimodal for o in outputs],
        "correction": [o.correction for o in outputs],
        "lead": [lead_of(o) for o in outputs] if corrects else [None],
    }
    there = {k: torch.cat(parts) for k, parts in columns.items() if parts[0] is not None}
    rows = dict(zip(there, all_rows(*there.values()), strict=True))
    return Said(*(rows.get(name) for name in Said._fields))
