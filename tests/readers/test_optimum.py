"""The best possible reader: nobody does better, and only chance is left."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from affuse.readers.controlled import AGAINST, LEAST_CONFLICT, ControlledOptions, read_controlled
from affuse.readers.optimum import Evidence, best_reading
from affuse.readers.planting import Floats, affect_density, draw_affect, generator
from affuse.samples import MODALITIES, Sample

OPTIONS = [("text", 0.2), ("mixed", 0.3), ("shared", 0.0), ("shared", 0.3), ("shared", 1.0)]


@cache
def _test_part(truth: str, incongruent: float) -> list[Sample]:
    options = {"truth": truth, "incongruent": incongruent, "train": 1, "valid": 1, "test": 2000}
    return list(read_controlled(None, ControlledOptions(**options)).folds[0].test)


def _told(samples: list[Sample], key: str) -> Floats:
    return np.array([[s.truth[key][m] for m in MODALITIES] for s in samples])


def _answers(samples: list[Sample]) -> tuple[Floats, Floats]:
    target = np.concatenate([s.target for s in samples if s.target is not None]).astype(float)
    return target, np.array([s.truth["best"][0] for s in samples])


@pytest.mark.parametrize(("truth", "incongruent"), OPTIONS)
def test_rules_that_know_the_noise_do_no_better(truth: str, incongruent: float) -> None:
    samples = _test_part(truth, incongruent)
    target, best = _answers(samples)
    carried, noise = _told(samples, "carried"), _told(samples, "noise")
    surest = carried[np.arange(len(samples)), noise.argmin(axis=1)]
    weighed = (carried / noise**2).sum(axis=1) / (1 / noise**2).sum(axis=1)
    rules = [surest, np.median(carried, axis=1), weighed] if truth != "mixed" else [surest]
    errors = [np.abs(np.clip(rule, -3, 3) - target).mean() for rule in rules]
    # What is carried is told to these rules, but only shown to the reader, which costs it little.
    assert np.abs(best - target).mean() < 1.02 * min(errors)


def test_where_all_share_the_truth_contradictions_are_seen_by_disagreement() -> None:
    samples = _test_part("shared", 0.3)
    target, best = _answers(samples)
    carried, noise = _told(samples, "carried"), _told(samples, "noise")
    weighed = (carried / noise**2).sum(axis=1) / (1 / noise**2).sum(axis=1)
    assert np.abs(best - target).mean() < 0.75 * np.abs(weighed - target).mean()
    # Any modality contradicts, and none is always the surest.
    against = [s.truth["conflicting"] for s in samples if s.truth["conflict"]]
    assert min(against.count(m) for m in MODALITIES) > 160
    assert np.bincount(noise.argmin(axis=1)).min() > 600


@pytest.mark.parametrize(("truth", "incongruent"), OPTIONS)
def test_its_answer_cannot_be_corrected(truth: str, incongruent: float) -> None:
    # As often above the truth as below, whatever it says: a median of the right distribution.
    target, best = _answers(_test_part(truth, incongruent))
    for chosen in np.array_split(np.argsort(best), 4):
        assert abs((target[chosen] > best[chosen]).mean() - 0.5) < 0.07


def test_two_that_agree_outvote_one() -> None:
    shown = np.array([[2.0, 2.1, -2.0], [2.0, -1.9, -2.1], [0.1, 0.0, -0.1]])
    all_alike = np.ones(shown.shape, dtype=bool)
    spread, blur = np.full(shown.shape, 0.3), np.full(shown.shape, 0.1)
    evidence = Evidence(shown, spread, blur, all_alike, all_alike, 0.2, LEAST_CONFLICT, AGAINST)
    best = best_reading(evidence)
    assert best[0] == pytest.approx(2, abs=0.15)
    assert best[1] == pytest.approx(-2, abs=0.15)
    assert best[2] == pytest.approx(0, abs=0.1)


def test_the_density_is_that_of_what_is_drawn() -> None:
    drawn = draw_affect(generator(0, 1), 200_000)
    counts, edges = np.histogram(drawn, 30, range=(-3, 3), density=True)
    assert np.abs(counts - affect_density((edges[1:] + edges[:-1]) / 2)).max() < 0.015
    assert affect_density(np.array([-3.5, 3.5])).tolist() == [0, 0]
