"""An explanation of a trained model: every analysis of this room, on one test part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

import numpy as np

from affuse.errors import InputError, unknown_name
from affuse.evaluation.held_out import Predictions, run_model
from affuse.evaluation.scorecard import trivial_of
from affuse.fusion import count_parameters, members_of
from affuse.incongruity.cases import Case, case, in_words, label_in_words
from affuse.incongruity.conflict import Conflict, fit_conflict, known_conflicts, told_conflicts
from affuse.incongruity.hard import HardSamples, hard_samples
from affuse.incongruity.hooks import crosses
from affuse.incongruity.latent import LatentIncongruity, latent_incongruity
from affuse.incongruity.planted import ConflictTruth, evaluate_conflicts
from affuse.incongruity.readings import Readers, fit_readers
from affuse.incongruity.robustness import Robustness, robustness
from affuse.incongruity.tendency import answers, tendency
from affuse.metrics.calibration import Reliability, reliability
from affuse.metrics.scores import score_outputs
from affuse.samples import Corpus, Sample, Split, labelled, targets_of
from affuse.shown import Shown
from affuse.tasks import Bools, Continuous, Floats, Task
from affuse.training.answerable import has_any
from affuse.training.checkpoint import Checkpoint
from affuse.training.devices import AUTO


@dataclass(frozen=True)
class GateFacts:
    """Whom a model trusts.

    Attributes:
        history: modality to its mean weight on validation, epoch by epoch.
        best_epoch: the one that was kept.
        weights: modality to its weights `(N,)` on test.
        led: modality to the samples that it led.
    """

    history: Mapping[str, tuple[float, ...]]
    best_epoch: int
    weights: Mapping[str, Floats]
    led: Mapping[str, int]

    @property
    def mean(self) -> dict[str, float]:
        return {m: float(weights.mean()) for m, weights in self.weights.items()}


@dataclass(frozen=True)
class ModelFacts:
    """A model and what was found of it alone.

    Attributes:
        scores: slice of the test part (`all`, `hard`, `other`) to metric to score.
        gate: None of a model without one.
        latent: None of a model without crossmodal blocks; of several members, that of the first.
        reliability: its answers against the labels.
    """

    name: str
    parameters: int
    members: int
    scores: Mapping[str, Mapping[str, float]]
    gate: GateFacts | None
    latent: LatentIncongruity | None
    robustness: Robustness
    reliability: Reliability


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """A trained model on the N labelled samples of a test part.

    Attributes:
        trained_on_this: whether the model was trained on this very data.
        against: another model beside it.
        trivial: metric to what the best constant scores.
        conflicts: one for each sample.
        truth: the scores against planted conflicts, where these are known.
        reliability: the conflict scores against planted conflicts, or where these are not known,
            against what the readers conclude once the labels are told.
        labels, answers: of each sample, in words; the answers are the model's.
        cases: samples that are looked at one by one.
    """

    corpus: str
    task: Task
    samples: int
    trained_on_this: bool
    model: ModelFacts
    against: ModelFacts | None
    trivial: Mapping[str, float]
    conflicts: tuple[Conflict, ...]
    truth: ConflictTruth | None
    reliability: Reliability
    hard: HardSamples
    labels: tuple[str, ...]
    answers: tuple[str, ...]
    cases: tuple[Case, ...]

    def _summary(self) -> str:
        hard, metric = int(self.hard.mask.sum()), self.task.metrics[0]
        score = self.model.scores["all"][metric]
        counts = f"{self.samples} samples, {hard} hard"
        return f"{self.model.name} on {self.corpus}: {counts}, {metric} {score:.3f}"

    def to_records(self) -> list[dict[str, Any]]:
        """A plain row for each sample: its label, the model's answer and its conflict."""
        rows = zip(self.labels, self.answers, self.conflicts, strict=True)
        return [
            {"label": label, "answer": answer, **conflict.to_dict()}
            for label, answer, conflict in rows
        ]

    @property
    def models(self) -> tuple[ModelFacts, ...]:
        return (self.model,) if self.against is None else (self.model, self.against)

    @property
    def ensembles(self) -> tuple[ModelFacts, ...]:
        return tuple(facts for facts in self.models if facts.members > 1)

    def to_dict(self) -> dict[str, Any]:
        """All but the attention maps and the gate of each sample."""
        known = {} if self.truth is None else {"conflict_auroc": self.truth.auroc}
        return {
            "corpus": self.corpus,
            "task": self.task.to_config(),
            "samples": self.samples,
            **known,
            "conflict_truth": None if self.truth is None else self.truth.to_dict(),
            "conflict_reliability": asdict(self.reliability),
            "trivial": dict(self.trivial),
            "models": [self._model(facts) for facts in self.models],
            "hard": self.hard.to_dict(),
            "conflicts": [conflict.to_dict() for conflict in self.conflicts],
            "cases": [{"id": case.id, "why": case.why} for case in self.cases],
        }

    def _model(self, facts: ModelFacts) -> dict[str, Any]:
        gate, latent = facts.gate, facts.latent
        return {
            "name": facts.name,
            "parameters": facts.parameters,
            "members": facts.members,
            "scores": {name: dict(scores) for name, scores in facts.scores.items()},
            "gate": gate and {"mean": gate.mean, "led": gate.led, "history": gate.history},
            "latent": latent and latent.to_dict(),
            "latent_hard": latent and latent.to_dict(self.hard.mask),
            "robustness": facts.robustness.to_dict(),
            "reliability": asdict(facts.reliability),
        }


OnStep = Callable[[int, int, str], None]
"""Told steps done, of how many, and what comes next."""


def explain(
    checkpoint: Checkpoint,
    corpus: Corpus,
    *,
    against: Checkpoint | None = None,
    samples: Sequence[str] = (),
    seed: int = 0,
    on_step: OnStep = lambda *_: None,
    device: str = AUTO,
) -> Explanation:
    """Explain a model on the labelled test samples of the fold that it was trained on.

    Args:
        against: another model to set beside it, of the same task and features.
        samples: ids to look at one by one; by default some that tell most.
        seed: of probes and spoiling.
        on_step: told what is done.
        device: on which models and probes work, by name.

    Raises:
        InputError: labels are missing, fewer than two modalities, an unknown id, or no such device.
    """
    fold, trivial = checkpoint.fold_of(corpus), trivial_of(corpus.task, checkpoint.fold_of(corpus))
    both = (checkpoint, *([] if against is None else [against]))
    for one in both:
        one.check_corpus(corpus, one.folder)
        one.require_unseen(corpus, fold.test, one.folder)
    fold = _answerable(both, fold)
    split = _prepared(checkpoint, fold)
    ids = [sample.id for sample in split.test]
    for name in samples:
        if name not in ids:
            raise unknown_name("sample", name, ids, source=f"{corpus.name}, test part")
    total, done = 3 + 2 * (1 + (against is not None)), count()

    def begin(what: str) -> None:
        on_step(next(done), total, what)

    begin("readers of each modality")
    readers = fit_readers(corpus.task, split.train, split.valid, seed, device=device)
    begin("conflicts and hard samples")
    conflicts = fit_conflict(readers, split.valid).score(split.test)
    hard = hard_samples(readers, split.test)
    said = run_model(checkpoint.model, split.test, device=device)
    facts = _facts(checkpoint, split, said, hard.mask, seed, begin, device)
    other = None
    if against is not None:
        theirs = _prepared(against, fold)
        answered = run_model(against.model, theirs.test, device=device)
        other = _facts(against, theirs, answered, hard.mask, seed, begin, device)
    begin("single samples")
    chosen = _chosen(samples, split.test, conflicts, said, corpus.task)
    model, features = checkpoint.model, corpus.features
    cases = tuple(
        case(model, corpus.task, split.test[row], conflicts[row], features, why, device)
        for row, why in chosen
    )
    begin("done")
    return Explanation(
        corpus.name,
        corpus.task,
        len(ids),
        checkpoint.trained_on(corpus),
        facts,
        other,
        {} if trivial is None else trivial.metrics,
        tuple(conflicts),
        evaluate_conflicts(conflicts, split.test),
        _conflict_reliability(readers, conflicts, split.test),
        hard,
        tuple(label_in_words(corpus.task, target) for target in targets_of(split.test)),
        tuple(in_words(corpus.task, row[None]) for row in said.prediction),
        cases,
    )


def _answerable(checkpoints: Sequence[Checkpoint], fold: Split) -> Split:
    """The fold without what one of the models can say nothing of."""
    reads = [checkpoint.model.modalities for checkpoint in checkpoints]
    parts = {
        name: [s for s in part if all(has_any(s, modalities) for modalities in reads)]
        for name, part in fold.parts().items()
    }
    return Split(**parts)


def _prepared(checkpoint: Checkpoint, fold: Split) -> Split:
    parts = {name: labelled(part) for name, part in fold.parts().items()}
    for name, part in parts.items():
        if not part:
            problem = f"the {name} part has no labels, or nothing that the model reads"
            raise InputError(problem, remedy="explain on a corpus with both")
    return Split(**{name: checkpoint.prepare(part) for name, part in parts.items()})


def _facts(
    checkpoint: Checkpoint,
    split: Split,
    said: Predictions,
    hard: Bools,
    seed: int,
    begin: Callable[[str], None],
    device: str,
) -> ModelFacts:
    name, model, task = checkpoint.name, checkpoint.model, checkpoint.task
    targets = targets_of(split.test).astype(np.float64)
    slices = {"all": np.ones_like(hard), "hard": hard, "other": ~hard}
    begin(f"what crossmodal attention does in {name}")
    latent = None
    if crosses(model, split.test, device):
        latent = latent_incongruity(name, model, task, split, seed, device=device)
    begin(f"{name} on spoilt input")
    return ModelFacts(
        name,
        count_parameters(model),
        len(members_of(model)),
        {
            part: score_outputs(task, said.prediction[rows], targets[rows])
            for part, rows in slices.items()
            if rows.any()
        },
        _gate(checkpoint, said) if model.gated else None,
        latent,
        robustness(name, model, task, split.test, seed=seed, device=device),
        _answer_reliability(task, said.prediction, targets),
    )


def _gate(checkpoint: Checkpoint, said: Predictions) -> GateFacts:
    modalities = checkpoint.model.modalities
    history = checkpoint.training.get("history", [])
    led = Counter(modalities[row] for row in said.primary)
    return GateFacts(
        {m: tuple(float(e.get(f"gate_{m}", np.nan)) for e in history) for m in modalities},
        int(checkpoint.training.get("best_epoch", 0)),
        dict(zip(modalities, said.gate.T, strict=True)),
        {m: led[m] for m in modalities},
    )


def _answer_reliability(task: Task, prediction: Floats, targets: Floats) -> Reliability:
    """Values against labels, or how sure the chosen answers are against how often they are true."""
    if isinstance(task, Continuous):
        told = np.isfinite(targets)
        return reliability(task.decode(prediction)[told], targets[told], task.low, task.high)
    p = task.decode(prediction).reshape(len(prediction), *answers(task)).max(axis=2)
    return reliability(p.ravel(), (tendency(task, prediction) == targets).ravel().astype(float))


def _conflict_reliability(
    readers: Readers, conflicts: Sequence[Conflict], samples: Sequence[Sample]
) -> Reliability:
    truth = known_conflicts(samples)
    if truth is None:
        truth = told_conflicts(readers.read(samples), targets_of(samples))
    scores = np.array([conflict.score for conflict in conflicts])
    return reliability(scores, truth.astype(np.float64))


def _chosen(
    ids: Sequence[str],
    samples: Sequence[Sample],
    conflicts: Sequence[Conflict],
    said: Predictions,
    task: Task,
) -> list[tuple[int, str]]:
    """Rows to look at and why: those asked for, or a few that tell most."""
    if ids:
        rows = {sample.id: row for row, sample in enumerate(samples)}
        return [(rows[name], "asked for") for name in dict.fromkeys(ids)]
    scores = np.array([conflict.score for conflict in conflicts])
    targets = targets_of(samples).astype(np.float64)
    if isinstance(task, Continuous):
        miss = np.nanmean(np.abs(said.prediction - targets), axis=1)
    else:
        miss = (tendency(task, said.prediction) != targets).mean(axis=1) + 0.01 * scores
    proposed = [
        (int(scores.argmax()), "the highest conflict score"),
        (int(miss.argmax()), "the largest error of the model"),
        (int((scores + miss / max(float(miss.max()), 1e-9)).argmin()), "agreement, answered well"),
    ]
    return [(row, why) for n, (row, why) in enumerate(proposed) if row not in dict(proposed[:n])]
