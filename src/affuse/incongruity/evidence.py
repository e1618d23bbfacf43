"""What a modality's reading says of the label: agreement, or contradiction.

A modality agrees with the label, give or take its noise, or contradicts it. For a sample with
readings r_1..r_M and the candidate answers y of a question,

    p(y, contradicting) ~ p(y) prod_m p(r_m | y, agrees or contradicts)

where at most one modality contradicts. `Evidence` is one modality's factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from affuse.incongruity.tendency import answers
from affuse.tasks import Continuous, Floats, Task

# Candidate values of a regression.
_GRID = 121
# How often a modality contradicts, before anything is known and at the least.
_RARELY = 0.01
_RARELY_LOGIT = float(np.log(_RARELY / (1 - _RARELY)))
# Weight of what is assumed before, in samples over samples: it decides where the data do not.
_ASSUMED = 1e-3
_BANDWIDTH = 0.05
# The least spread of readings about what they follow.
_FINEST = 1e-3


@dataclass(frozen=True)
class ValueEvidence:
    """p(r | y) of a value: (1 - q) N(r; a y + c, s) + q N(r; -a' y + c', s').

    All values are about the neutral one.

    Attributes:
        share: q, how often the modality contradicts.
        slope, shift, spread: a, c, s and a', c', s', each `(2,)`.
    """

    task: Continuous
    share: float
    slope: tuple[float, float]
    shift: tuple[float, float]
    spread: tuple[float, float]

    def __call__(self, outputs: Floats) -> Floats:
        """Readings `(N, 1)` to factors, see `Evidence`."""
        y = (candidates(self.task) - self.task.middle)[:, None]
        r = (outputs - self.task.middle)[..., None]
        share, spread = np.array([1 - self.share, self.share]), np.array(self.spread)
        apart = (r - np.array(self.slope) * y - np.array(self.shift)) / spread
        return np.asarray(np.log(share) - np.log(spread) - 0.5 * apart**2)[:, None]


@dataclass(frozen=True)
class SeveralEvidence:
    """Of several values, each by itself."""

    each: tuple[ValueEvidence, ...]

    def __call__(self, outputs: Floats) -> Floats:
        """Readings `(N, K)` to factors, see `Evidence`."""
        found = [one(outputs[:, k : k + 1]) for k, one in enumerate(self.each)]
        return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class ChoiceEvidence:
    """p(r | y) / p(r) of classes or labels: the reading's probabilities, or what they leave over.

    With p_y the probability that the reading gives to y, and pi_y how often y is true, a modality
    that agrees has p_y / pi_y. One that contradicts says any other answer, each as often as it is
    true, which makes (1 - p_y) / (1 - pi_y). A reading that says nothing has 1 for both.

    Attributes:
        share: q, how often the modality contradicts.
        sharpness: what its logits are multiplied by, since a probe is too sure of itself.
        prior: pi, `(Q, G)`.
    """

    task: Task
    share: float
    sharpness: float
    prior: Floats

    def __call__(self, outputs: Floats) -> Floats:
        """Readings `(N, C)` to factors, see `Evidence`."""
        logits = torch.from_numpy(outputs.astype(np.float64))
        prior = torch.from_numpy(self.prior)
        factors = _choice_factors(self.task, prior, logits, self.sharpness, self.share)
        return np.asarray(factors.numpy())


Evidence = ValueEvidence | SeveralEvidence | ChoiceEvidence
"""How the readings of a modality follow from the label; fitted.

Called with N readings it gives log factors `(N, Q, G, 2)`, up to a constant for each sample: of the
G candidate answers to Q questions, with which it agrees, or which it opposes.
"""


def candidates(task: Continuous) -> Floats:
    """The values `(G,)` between which each question of values is asked to choose."""
    return np.linspace(task.low, task.high, _GRID)


def label_prior(task: Task, targets: Floats) -> Floats:
    """How often each candidate answer is true, `(Q, G)`, from targets `(N, K)`."""
    if isinstance(task, Continuous):
        values, width = candidates(task)[:, None], _BANDWIDTH * (task.high - task.low)
        told = [column[np.isfinite(column)] for column in targets.T]
        # What nobody told may be anything.
        known = [column if len(column) else values[:, 0] for column in told]
        near = [np.exp(-0.5 * ((values - column) / width) ** 2).mean(axis=1) for column in known]
        prior = np.stack(near)
    else:
        count, choices = answers(task)
        prior = (targets[..., None] == np.arange(choices)).mean(axis=0).reshape(count, choices)
    prior = np.maximum(prior, 1e-3 * prior.max())
    return np.asarray(prior / prior.sum(axis=1, keepdims=True))


def contrary_prior(task: Task, prior: Floats) -> Floats:
    """How often each candidate is true where a modality contradicts it, `(Q, G)`.

    Nothing contradicts a neutral value: each counts by its distance from it.
    """
    if not isinstance(task, Continuous):
        return prior
    strength = np.abs(candidates(task) - task.middle)
    weighed = prior * np.maximum(strength, 1e-3 * strength.max())
    return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))


def fit_evidence(task: Task, prior: Floats, outputs: Floats, targets: Floats) -> Evidence:
    """By maximum likelihood, from readings `(N, C)`, labels `(N, K)` and their prior `(Q, G)`."""
    r, y = (torch.from_numpy(np.asarray(a, dtype=np.float64)) for a in (outputs, targets))
    if isinstance(task, Continuous):
        fitted = [
            _fit_values(task, r[told, k : k + 1] - task.middle, y[told, k : k + 1] - task.middle)
            for k, told in enumerate(y.isfinite().T)
        ]
        return fitted[0] if len(fitted) == 1 else SeveralEvidence(tuple(fitted))
    chosen, often = y.long()[..., None], torch.from_numpy(prior)

    def loss(p: Tensor) -> Tensor:
        factors = _choice_factors(task, often, r, p[0].exp(), p[1].sigmoid())
        log = (factors.logsumexp(dim=3) + often.log()).log_softmax(dim=2)
        assumed = p[0].square() + (p[1] - _RARELY_LOGIT).square()
        return -log.gather(2, chosen).mean() + _ASSUMED * assumed

    p = _minimise(loss, [0.0, _RARELY_LOGIT])
    return ChoiceEvidence(task, _share(float(p[1])), float(p[0].exp()), prior)


def _choice_factors(
    task: Task, prior: Tensor, logits: Tensor, sharpness: float | Tensor, share: float | Tensor
) -> Tensor:
    """Log factors `(N, Q, G, 2)` of answers with which a reading agrees, or which it opposes."""
    p = (logits.view(-1, *answers(task)) * sharpness).softmax(dim=2).clamp(1e-6, 1 - 1e-6)
    q = torch.as_tensor(share, dtype=torch.float64)
    agrees = (1 - q).log() + p.log() - prior.log()
    opposes = q.log() + (1 - p).log() - (1 - prior).log()
    return torch.stack([agrees, opposes], dim=3)


def _fit_values(task: Continuous, r: Tensor, y: Tensor) -> ValueEvidence:
    """Of readings and labels `(N, 1)` about the middle; without any, what tells nothing."""
    if len(r) < 2:
        return ValueEvidence(task, _RARELY, (0.0, 0.0), (0.0, 0.0), (1.0, 1.0))
    spread = float(r.std().clamp(min=_FINEST).log())
    p, loss = _fit_mixture(r, y, [-2.0, 0.5, 0.0, spread, 0.5, 0.0, spread], opposed=True)
    _, same = _fit_mixture(r, y, p, opposed=False)
    # Noise that is not normal makes a second part too, one that follows the label as the first
    # does. A contradiction must explain more than that, by Schwarz' criterion.
    found = (same - loss) * len(r) > 0.5 * np.log(len(r))
    share = _share(p[0]) if found else _RARELY
    # Two or three readings are told without error by either part.
    scales = max(float(np.exp(p[3])), _FINEST), max(float(np.exp(p[6])), _FINEST)
    return ValueEvidence(task, share, (p[1], p[4]), (p[2], p[5]), scales)


def _share(logit: float) -> float:
    """How often a modality contradicts: never quite never, and never quite always."""
    return float(np.clip(1 / (1 + np.exp(-logit)), _RARELY, 1 - _RARELY))


def _fit_mixture(
    r: Tensor, y: Tensor, start: list[float], *, opposed: bool
) -> tuple[list[float], float]:
    """Parameters and loss: q as a logit, then slope, shift and log spread of both parts.

    Where `opposed`, the second part's slope is below zero; else it is that of the first.
    """
    spread = float(r.std().clamp(min=_FINEST).log())

    def second(p: Tensor) -> Tensor:
        return -p[4].abs() if opposed else p[1]

    def loss(p: Tensor) -> Tensor:
        agrees = -p[3] - 0.5 * ((r - p[1] * y - p[2]) / p[3].exp()) ** 2
        opposes = -p[6] - 0.5 * ((r - second(p) * y - p[5]) / p[6].exp()) ** 2
        both = torch.logaddexp(logsigmoid(-p[0]) + agrees, logsigmoid(p[0]) + opposes)
        # A component must not collapse onto a few readings, nor a contradiction be had for free.
        assumed = (p[3] - spread) ** 2 + (p[6] - spread) ** 2 + (p[0] - _RARELY_LOGIT) ** 2
        return -both.mean() + _ASSUMED * assumed

    p = _minimise(loss, start)
    found = float(loss(p))
    p[4] = second(p)
    return p.tolist(), found


def _minimise(loss: Callable[[Tensor], Tensor], start: list[float]) -> Tensor:
    p = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([p], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(p)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return p.detach()
