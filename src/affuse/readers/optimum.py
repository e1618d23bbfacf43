"""The best possible reader of the controlled corpus: Bayes' rule on what was planted.

It is told where the spans are, in which direction they show a value, and how noisy each modality
is, and knows how samples are drawn; what is left is chance. No model can have a smaller expected
absolute error, and one that must find spans and noise for itself has a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affuse.readers.planting import AFFECT, Bools, Floats, affect_density

# Values of y between which the reader chooses: finer than its surest answer is wide.
_GRID = np.linspace(-AFFECT, AFFECT, 301)
_LEAST_DENSITY = 1e-12
_ROOT = np.sqrt(2 * np.pi)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What M modalities of N samples show, and what their generator says of it.

    Attributes:
        shown: the mean value of the salient steps, `(N, M)`.
        spread: standard deviation of `shown` about what it tells, `(N, M)`.
        blur: the part of it that the steps add, which a contradiction has too, `(N, M)`.
        tells: whether a modality tells y, else another draw of it, `(N, M)`.
        suspects: whether it may be the one that contradicts, `(N, M)`.
        incongruent: share of samples in which one of the suspects does.
        least: how strong y is at least where one contradicts it.
        against: how many times y a contradiction says, at least and at most.
    """

    shown: Floats
    spread: Floats
    blur: Floats
    tells: Bools
    suspects: Bools
    incongruent: float
    least: float
    against: tuple[float, float]


def best_reading(evidence: Evidence) -> Floats:
    """The median of y given all that is shown, `(N,)`: no answer errs less, in the mean."""
    agrees = _log_normal(evidence.shown, evidence.spread)
    unrelated = _log(_blurred_affect(evidence.shown, evidence.blur))
    follows = np.where(evidence.tells[:, :, None], agrees, unrelated[:, :, None])
    together = follows.sum(axis=1)
    share = evidence.incongruent / evidence.suspects.sum(axis=1, keepdims=True)
    parts = [_log(1 - evidence.incongruent) + _log(affect_density(_GRID)) + together]
    # Or one of the suspects, whichever it is, opposes what the others tell.
    opposed = together[:, None] - follows + _log(_opposing(evidence))
    opposed += _log(evidence.suspects * share)[:, :, None] + _log(_strong_density(evidence.least))
    return _median(np.logaddexp.reduce([*parts, *np.moveaxis(opposed, 1, 0)]))


def _opposing(evidence: Evidence) -> Floats:
    """p(shown | y) where the modality says -y times a factor drawn evenly, `(N, M, G)`."""
    from scipy.special import ndtr

    low, high = evidence.against
    strength = np.maximum(np.abs(_GRID), _GRID[1] - _GRID[0])
    along, blur = evidence.shown[:, :, None] * np.sign(_GRID), evidence.blur[:, :, None]
    within = ndtr((along + high * strength) / blur) - ndtr((along + low * strength) / blur)
    return np.asarray(within / ((high - low) * strength))


def _blurred_affect(shown: Floats, blur: Floats) -> Floats:
    """p(shown) where a modality tells another draw of affect, by Gauss and Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    density = affect_density(shown[..., None] + blur[..., None] * nodes)
    return np.asarray(density @ weights / weights.sum())


def _strong_density(least: float) -> Floats:
    """p(y) where a modality contradicts y, `(G,)`: pushed away from zero, linearly."""
    shrunk = (np.abs(_GRID) - least) / (1 - least / AFFECT)
    return np.where(shrunk >= 0, affect_density(shrunk) / (1 - least / AFFECT), 0.0)


def _log_normal(shown: Floats, spread: Floats) -> Floats:
    """Log density of what is shown, `(N, M)`, about each candidate, `(N, M, G)`."""
    scale = spread[:, :, None]
    return np.asarray(-0.5 * ((shown[:, :, None] - _GRID) / scale) ** 2 - np.log(scale * _ROOT))


def _log(density: Floats | float) -> Floats:
    return np.asarray(np.log(np.maximum(density, _LEAST_DENSITY)))


def _median(log_posterior: Floats) -> Floats:
    """Where half of a posterior `(N, G)` over the grid lies below."""
    mass = np.exp(log_posterior - log_posterior.max(axis=1, keepdims=True))
    below = np.cumsum(mass, axis=1) - mass / 2
    half = mass.sum(axis=1) / 2
    after = np.clip((below < half[:, None]).sum(axis=1), 1, len(_GRID) - 1)
    rows = np.arange(len(mass))
    low, high = below[rows, after - 1], below[rows, after]
    share = np.clip((half - low) / np.maximum(high - low, _LEAST_DENSITY), 0, 1)
    return np.asarray(_GRID[after - 1] + share * (_GRID[after] - _GRID[after - 1]))
