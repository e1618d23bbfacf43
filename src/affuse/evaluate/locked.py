"""The locked test part: opened once a run, by a model that never sees its targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.errors import InputError
from affuse.evaluate.metrics import evaluate
from affuse.evaluate.predict import predict
from affuse.samples import Sample

if TYPE_CHECKING:
    from affuse.train.checkpoint import Checkpoint

Record = dict[str, Any]


def open_test(checkpoint: Checkpoint, samples: Sequence[Sample], *, subsets: bool) -> Record:
    """Score a checkpoint on a test part; the model sees its features without its targets.

    Returns:
        `metrics`; for a gated model `primary` (the modality that led most samples), `led` (samples
        that each modality led) and mean `gate` weights; `subsets` if asked for.
    """
    labelled = [s for s in samples if s.target is not None]
    if not labelled:
        raise InputError("the test part has no labels", remedy="use a corpus with test labels")
    targets = np.stack([s.target for s in labelled if s.target is not None]).astype(np.float64)
    hidden = checkpoint.prepare([s.without_target() for s in labelled])
    answers = predict(checkpoint.model, hidden)
    record: Record = {"metrics": evaluate(checkpoint.task, answers.prediction, targets)}
    modalities = checkpoint.model.modalities
    if checkpoint.model.gated:
        led = Counter(modalities[i] for i in answers.primary)
        record["primary"] = led.most_common(1)[0][0]
        record["led"] = dict(led)
        record["gate"] = dict(zip(modalities, answers.gate.mean(axis=0).tolist(), strict=True))
        known = [s.truth.get("primary") for s in labelled]
        if all(known):
            right = [modalities[i] == k for i, k in zip(answers.primary, known, strict=True)]
            record["metrics"]["primary_accuracy"] = float(np.mean(right))
    if subsets and len(modalities) > 1:
        record["subsets"] = _subsets(checkpoint, hidden, targets)
    return record


def _subsets(checkpoint: Checkpoint, samples: Sequence[Sample], targets: Any) -> Record:
    """Metrics for every non-empty choice of modalities at inference."""
    modalities = checkpoint.model.modalities
    scores: Record = {}
    for size in range(1, len(modalities) + 1):
        for kept in combinations(modalities, size):
            chosen = [s.keep(kept) for s in samples]
            usable = np.array([bool(s.sequences) for s in chosen])
            if not usable.any():
                continue
            answers = predict(checkpoint.model, [s for s in chosen if s.sequences])
            metrics = evaluate(checkpoint.task, answers.prediction, targets[usable])
            scores["+".join(kept)] = metrics
    return scores
