"""The conflict score against what was planted in the controlled corpus."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.incongruity.conflict import (
    ConflictScorer,
    contradictions,
    fit_conflict,
    known_conflicts,
    told_conflicts,
)
from affuse.incongruity.planted import evaluate_conflicts
from affuse.incongruity.readings import Readers, fit_readers
from affuse.samples import Sample, Split
from affuse.tasks import Classification, Regression


@pytest.mark.slow
def test_finds_what_was_planted(split: Split, scorer: ConflictScorer) -> None:
    found = evaluate_conflicts(scorer.score(split.test), split.test)
    assert found is not None
    assert (found.samples, found.conflicts) == (300, 90)
    assert found.auroc >= 0.95
    assert found.pair_accuracy >= 0.9
    assert found.span_overlap >= 0.5
    # A perfectly calibrated score of 300 samples has 0.04 by chance alone.
    assert found.calibration_error < 0.08


def test_scores_are_probabilities_with_a_pair_and_its_seconds(
    split: Split, scorer: ConflictScorer
) -> None:
    for conflict, sample in zip(scorer.score(split.test[:20]), split.test, strict=False):
        assert 0 <= conflict.score <= 1
        assert conflict.pair is not None
        assert set(conflict.spans) == set(conflict.pair)
        assert set(conflict.values) == set(sample.modalities)
        for modality, spans in conflict.spans.items():
            assert all(0 <= s.first < s.last <= len(sample.sequences[modality]) for s in spans)
            assert all(s.start is not None and s.end is not None for s in spans)
        json.dumps(conflict.to_dict(), allow_nan=False)


def test_neighbours_change_nothing(split: Split, scorer: ConflictScorer) -> None:
    together = scorer.score(split.test[:30])
    (alone,) = scorer.score(split.test[7:8])
    assert alone.score == pytest.approx(together[7].score, abs=1e-4)
    assert (alone.pair, alone.spans) == (together[7].pair, together[7].spans)


def test_a_missing_modality_is_never_named(split: Split, scorer: ConflictScorer) -> None:
    kept = [s.keep(["text", "audio"]) for s in split.test]
    found = scorer.score(kept)
    assert {frozenset(c.pair or ()) for c in found} == {frozenset({"text", "audio"})}
    truth = np.array([s.truth["conflicting"] == "audio" for s in kept])
    scores = np.array([c.score for c in found])
    assert scores[truth].mean() > 0.6 > 0.3 > scores[~truth].mean()


def test_one_modality_contradicts_nothing(split: Split, scorer: ConflictScorer) -> None:
    (alone,) = scorer.score([split.test[0].keep(["audio"])])
    assert (alone.score, alone.pair, alone.spans) == (0.0, None, {})


def test_hypotheses_sum_to_one(split: Split, readers: Readers) -> None:
    shares = contradictions(readers.read(split.test))
    assert shares.shape == (300, 4)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_told_the_label_the_readers_agree_with_the_truth(split: Split, readers: Readers) -> None:
    targets = np.stack([s.target for s in split.valid if s.target is not None])
    told = told_conflicts(readers.read(split.valid), targets)
    assert (told == known_conflicts(split.valid)).mean() > 0.85


def test_is_calibrated_without_known_conflicts(split: Split, readers: Readers) -> None:
    unaware = [replace(sample, truth={}) for sample in split.valid]
    assert known_conflicts(unaware) is None
    found = evaluate_conflicts(fit_conflict(readers, unaware).score(split.test), split.test)
    assert found is not None
    assert found.auroc >= 0.95
    assert found.calibration_error < 0.12
    assert evaluate_conflicts([], unaware[:0] or unaware[:1]) is None


def test_refuses_what_it_cannot_calibrate_on(split: Split, readers: Readers) -> None:
    unaware = [replace(s, truth={}, target=None) for s in split.valid]
    with pytest.raises(InputError, match="neither a target nor a known conflict"):
        fit_conflict(readers, unaware)


def test_refuses_a_single_modality(split: Split, readers: Readers) -> None:
    only = replace(readers, probes={"text": readers.probes["text"]})
    with pytest.raises(InputError, match="two modalities"):
        fit_conflict(only, split.valid)


def test_refuses_training_samples_without_a_target(split: Split) -> None:
    with pytest.raises(InputError, match="without a target"):
        fit_readers(Regression(), [s.without_target() for s in split.train], split.valid)


@pytest.mark.slow
def test_classes_that_two_modalities_tell_apart() -> None:
    """Voice and face tell three classes; the voice of some is of another class."""
    task = Classification(("calm", "glad", "sad"))

    def samples(count: int, seed: int, share: float) -> list[Sample]:
        rng = np.random.default_rng(seed)
        made = []
        for row in range(count):
            label = int(rng.integers(3))
            conflict = bool(rng.random() < share)
            heard = (label + int(rng.integers(1, 3))) % 3 if conflict else label
            voice, face = (
                (2.5 * np.eye(3)[k] + rng.normal(size=(1, 3))).astype(np.float32)
                for k in (heard, label)
            )
            noise = rng.normal(size=(3, 2)).astype(np.float32)
            truth = {"conflict": conflict, "conflicting": "voice", "primary": "face"}
            made.append(
                Sample(
                    str(row),
                    {"noise": noise, "voice": voice, "face": face},
                    np.array([label], dtype=np.float32),
                    truth=truth,
                )
            )
        return made

    train, valid, test = samples(300, 0, 0.0), samples(150, 1, 0.3), samples(300, 2, 0.3)
    # What says nothing of the label must not be named.
    scorer = fit_conflict(fit_readers(task, train, valid), valid)
    found = evaluate_conflicts(scorer.score(test), test)
    assert found is not None
    assert found.auroc > 0.9
    assert found.pair_accuracy > 0.85
    assert found.calibration_error < 0.08
    assert np.isnan(found.span_overlap)
