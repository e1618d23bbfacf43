"""Predictions for samples, in the order given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affuse.batches import collate
from affuse.models import FusionModel, FusionOutput
from affuse.samples import Sample

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Predictions:
    """Arrays over N samples: raw outputs `(N, C)`, gate `(N, M)` and primary index `(N,)`."""

    prediction: Array
    gate: Array
    primary: NDArray[np.integer[Any]]


def predict(model: FusionModel, samples: Sequence[Sample], batch_size: int = 64) -> Predictions:
    """Run a model on prepared samples.

    Samples of similar length are batched together and put back in order, so that little is spent
    on padding; a model's answer does not depend on its batch.
    """
    model.eval()
    lengths = [sum(map(len, s.sequences.values())) for s in samples]
    order = np.argsort(lengths, kind="stable")
    with torch.inference_mode():
        outputs = list(_run(model, [samples[i] for i in order], batch_size))
    back = np.argsort(order)
    prediction, gate, primary = (
        torch.cat([getattr(o, name) for o in outputs]).double().numpy()[back]
        for name in ("prediction", "gate", "primary")
    )
    return Predictions(prediction, gate, primary.astype(np.int64))


def _run(model: FusionModel, samples: list[Sample], size: int) -> Iterator[FusionOutput]:
    for start in range(0, len(samples), size):
        yield model(collate(samples[start : start + size], model.modalities))
