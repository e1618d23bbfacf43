"""Robustness: how a model's score falls as one modality of its input is spoilt.

Every spoiling is deterministic: it follows from the seed, the sample's id and the modality, so
that all models meet the same inputs. A stronger level adds more of the same noise, or drops the
steps that a weaker one drops and more.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from affuse.evaluation.held_out import run_model
from affuse.evaluation.statistics import Summary, summarise
from affuse.fusion import FusionModel
from affuse.incongruity.readings import spread
from affuse.incongruity.tendency import Estimate, estimates, label_tendency, right, tendency
from affuse.samples import FloatArray, Sample, targets_of
from affuse.tasks import BinaryLabels, Continuous, Floats, Task, Values
from affuse.training.devices import AUTO

MOST_SAMPLES = 200


@dataclass(frozen=True)
class Spoiling:
    """A way to spoil a modality, and how strongly it is tried: rising levels in a unit."""

    name: str
    levels: tuple[float, ...]
    unit: str


SPOILINGS = (
    Spoiling("noise", (0.5, 1.0, 2.0), "standard deviations of each feature"),
    Spoiling("shift", (0.1, 0.25, 0.5), "share of the sequence, wrapped around"),
    Spoiling("drop", (0.25, 0.5, 0.75), "share of the steps"),
    Spoiling("missing", (1.0,), "the modality is absent"),
    Spoiling("swap", (1.0,), "the modality of another sample"),
)


@dataclass(frozen=True)
class RobustnessCurve:
    """One way to spoil one modality, at rising levels.

    Attributes:
        scores: mean score at each level, with its interval over samples.
        changes: score less that of the same samples unspoilt, at each level.
    """

    spoiling: str
    modality: str
    levels: tuple[float, ...]
    scores: tuple[Estimate, ...]
    changes: tuple[Estimate, ...]


@dataclass(frozen=True)
class Robustness:
    """How a model stands what may happen to its input.

    Attributes:
        metric: `mae` (lower is better), `accuracy` or `accuracy_mean`.
        samples: how many were tried.
        clean: the score of the input as it is.
        curves: one for each spoiling and modality.
    """

    model: str
    metric: str
    samples: int
    clean: Estimate
    curves: tuple[RobustnessCurve, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def robustness(
    name: str,
    model: FusionModel,
    task: Task,
    samples: Sequence[Sample],
    spoilings: Sequence[Spoiling] = SPOILINGS,
    most: int = MOST_SAMPLES,
    seed: int = 0,
    *,
    device: str = AUTO,
) -> Robustness:
    """Score a model on samples with each modality spoilt in each way.

    Args:
        samples: prepared, with targets.
        most: of more samples than this, as many are tried.
        device: on which the model works, by name.

    Raises:
        InputError: a sample without a target, or no such device.
    """
    samples = spread(samples, most)
    targets_of(samples, remedy="leave it out: it cannot be scored")
    clean = _scores(model, task, samples, device)
    curves = []
    for spoiling in spoilings:
        for modality in model.modalities:
            levels = [
                _scores(model, task, spoil(samples, modality, spoiling.name, level, seed), device)
                for level in spoiling.levels
            ]
            both = np.stack(levels + [level - clean for level in levels], axis=1)
            found, count = tuple(estimates(both, seed)), len(levels)
            parts = spoiling.levels, found[:count], found[count:]
            curves.append(RobustnessCurve(spoiling.name, modality, *parts))
    (overall,) = estimates(clean[:, None], seed)
    return Robustness(name, metric(task), len(samples), overall, tuple(curves))


def metric(task: Task) -> str:
    """The metric that is a mean over samples, by its name in `affuse.metrics.scores`."""
    if isinstance(task, Continuous):
        return "mae_mean" if isinstance(task, Values) else "mae"
    return "accuracy_mean" if isinstance(task, BinaryLabels) else "accuracy"


def over_runs(runs: Sequence[Robustness]) -> dict[tuple[str, str, float], Summary]:
    """Spoiling, modality and level to the scores of several runs (seeds) with their interval."""
    scores: dict[tuple[str, str, float], list[float]] = {}
    for run in runs:
        for curve in run.curves:
            for level, score in zip(curve.levels, curve.scores, strict=True):
                scores.setdefault((curve.spoiling, curve.modality, level), []).append(score.mean)
    return {key: summarise(values) for key, values in scores.items()}


def spoil(
    samples: Sequence[Sample], modality: str, name: str, level: float, seed: int
) -> list[Sample]:
    """Copies of samples with one modality spoilt; see `SPOILINGS`."""
    if name == "missing":
        return [s.keep([m for m in s.modalities if m != modality]) for s in samples]
    if name == "swap":
        return _swapped(samples, modality, seed)
    having = [s.sequences[modality] for s in samples if modality in s.sequences]
    scale: Any = np.concatenate(having).std(axis=0) if having else None
    change = {"noise": _noisy, "shift": _shifted, "drop": _dropped}[name]

    def spoilt(sample: Sample) -> Sample:
        if modality not in sample.sequences:
            return sample
        rng = np.random.default_rng([seed, zlib.crc32(f"{sample.id} {modality}".encode())])
        x = change(sample.sequences[modality], level, scale, rng).astype(np.float32)
        return sample.with_sequences({**sample.sequences, modality: x})

    return list(map(spoilt, samples))


def _noisy(x: FloatArray, level: float, scale: FloatArray, rng: np.random.Generator) -> FloatArray:
    return np.asarray(x + level * scale * rng.standard_normal(x.shape))


def _shifted(x: FloatArray, level: float, _: FloatArray, __: np.random.Generator) -> FloatArray:
    return np.roll(x, round(level * len(x)), axis=0)


def _dropped(x: FloatArray, level: float, _: FloatArray, rng: np.random.Generator) -> FloatArray:
    kept = max(1, round((1 - level) * len(x)))
    return x[np.sort(rng.permutation(len(x))[:kept])]


def _swapped(samples: Sequence[Sample], modality: str, seed: int) -> list[Sample]:
    """Each sample with the modality of another one, none with its own."""
    having = [row for row, s in enumerate(samples) if modality in s.sequences]
    order = np.random.default_rng(seed).permutation(len(having))
    donor = {having[a]: having[b] for a, b in zip(order, np.roll(order, 1), strict=True)}
    swapped = list(samples)
    for row, other in donor.items():
        given = {modality: samples[other].sequences[modality]}
        swapped[row] = samples[row].with_sequences({**samples[row].sequences, **given})
    return swapped


def _scores(model: FusionModel, task: Task, samples: Sequence[Sample], device: str) -> Floats:
    """Each sample's score `(N,)`; nan for one that has no modality left."""
    usable = np.array([any(m in model.modalities for m in s.modalities) for s in samples])
    scores = np.full(len(samples), np.nan)
    kept = [sample for sample, some in zip(samples, usable, strict=True) if some]
    if not kept:
        return scores
    unaware = [sample.without_target() for sample in kept]
    answered = run_model(model, unaware, device=device).prediction
    targets = targets_of(kept)
    if isinstance(task, Continuous):
        scores[usable] = np.nanmean(np.abs(answered - targets), axis=1)
    else:
        scores[usable] = right(tendency(task, answered), label_tendency(task, targets))
    return scores
