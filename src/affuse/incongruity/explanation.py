"""What an explanation holds: dataclasses, and their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from affuse.incongruity.cases import Case
from affuse.incongruity.conflict import Conflict, ConflictTruth
from affuse.incongruity.hard import HardSamples
from affuse.incongruity.latent import LatentIncongruity
from affuse.incongruity.robustness import Robustness
from affuse.metrics.calibration import Reliability
from affuse.shown import Shown
from affuse.tasks import Floats, Task


@dataclass(frozen=True)
class Gate:
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
        name: as registered.
        parameters: trainable ones.
        scores: slice of the test part (`all`, `hard`, `other`) to metric to score.
        gate: None of a model without one.
        latent: None of a model without crossmodal blocks.
        robustness: under spoilt input.
        reliability: its answers against the labels.
    """

    name: str
    parameters: int
    scores: Mapping[str, Mapping[str, float]]
    gate: Gate | None
    latent: LatentIncongruity | None
    robustness: Robustness
    reliability: Reliability


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """A trained model on the N labelled samples of a test part.

    Attributes:
        corpus: its name.
        task: what is predicted.
        samples: N.
        trained_on_this: whether the model was trained on this very data.
        model: that is explained.
        against: another one beside it.
        trivial: metric to what the best constant scores.
        conflicts: one for each sample.
        truth: the scores against planted conflicts, where these are known.
        reliability: the conflict scores against planted conflicts, or where these are not known,
            against what the readers conclude once the labels are told.
        hard: the hard samples.
        labels: of each sample, in words.
        answers: of the model to each sample, in words.
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
        return [
            {"label": label, "answer": answer, **conflict.to_json()}
            for label, answer, conflict in zip(
                self.labels, self.answers, self.conflicts, strict=True
            )
        ]

    @property
    def models(self) -> tuple[ModelFacts, ...]:
        return (self.model,) if self.against is None else (self.model, self.against)

    def to_json(self) -> dict[str, Any]:
        """All but the attention maps and the gate of each sample."""
        known = {} if self.truth is None else {"conflict_auroc": self.truth.auroc}
        return {
            "corpus": self.corpus,
            "task": self.task.to_config(),
            "samples": self.samples,
            **known,
            "conflict_truth": None if self.truth is None else self.truth.to_json(),
            "conflict_reliability": asdict(self.reliability),
            "trivial": dict(self.trivial),
            "models": [self._model(facts) for facts in self.models],
            "hard": self.hard.to_json(),
            "conflicts": [conflict.to_json() for conflict in self.conflicts],
            "cases": [{"id": case.id, "why": case.why} for case in self.cases],
        }

    def _model(self, facts: ModelFacts) -> dict[str, Any]:
        gate, latent = facts.gate, facts.latent
        return {
            "name": facts.name,
            "parameters": facts.parameters,
            "scores": {name: dict(scores) for name, scores in facts.scores.items()},
            "gate": gate and {"mean": gate.mean, "led": gate.led, "history": gate.history},
            "latent": latent and latent.to_json(),
            "latent_hard": latent and latent.to_json(self.hard.mask),
            "robustness": facts.robustness.to_json(),
            "reliability": asdict(facts.reliability),
        }
