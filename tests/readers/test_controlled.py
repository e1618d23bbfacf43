"""What the controlled corpus plants is there, and can be read by who knows where to look."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.readers.controlled import LEAST_CONFLICT, ControlledOptions, read_controlled
from affuse.readers.planting import directions
from affuse.readers.registry import load_corpus
from affuse.samples import MODALITIES, PARTS, Corpus, Sample

Floats = NDArray[np.float64]


def _make(**options: Any) -> Corpus:
    return read_controlled(None, ControlledOptions(**options))


@cache
def _large(truth: str, incongruent: float = 0.0, seed: int = 0) -> Corpus:
    return _make(truth=truth, incongruent=incongruent, seed=seed, train=600, valid=1, test=1500)


def _samples(corpus: Corpus) -> list[Sample]:
    return [s for samples in corpus.folds[0].parts().values() for s in samples]


def _inside(sample: Sample, modality: str) -> NDArray[np.bool_]:
    inside = np.zeros(len(sample.sequences[modality]), dtype=bool)
    for begin, end in sample.truth["spans"][modality]:
        inside[begin:end] = True
    return inside


def _oracle(samples: list[Sample], seed: int = 0) -> tuple[Floats, Floats]:
    """Read values and roughness `(N, 3)` by matched filters on the planted spans."""
    axes = directions(seed)
    values, roughness = np.empty((2, len(samples), 3))
    for row, sample in enumerate(samples):
        for column, m in enumerate(MODALITIES):
            frames = sample.sequences[m][_inside(sample, m)].astype(np.float64)
            value, marker = frames @ axes[m].value, frames @ axes[m].marker
            rest = frames - np.outer(value, axes[m].value) - np.outer(marker, axes[m].marker)
            values[row, column] = value.mean()
            roughness[row, column] = np.sqrt((rest**2).mean())
    return values, roughness


def _targets(samples: list[Sample]) -> Floats:
    return np.array([s.target[0] for s in samples if s.target is not None], dtype=np.float64)


def _mae(read: Floats, target: Floats) -> float:
    return float(np.abs(read - target).mean())


def _linear(train: Floats, target: Floats, test: Floats, penalty: float = 0.0) -> Floats:
    x, z = (np.column_stack([a, np.ones(len(a))]) for a in (train, test))
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ target)
    return np.asarray(z @ weights)


def test_the_same_seed_gives_the_same_bits() -> None:
    first, second = _make(seed=3, train=20), _make(seed=3, train=20)
    assert first.fingerprint() == second.fingerprint()
    for a, b in zip(_samples(first), _samples(second), strict=True):
        assert a.truth == b.truth
        for m in MODALITIES:
            assert a.sequences[m].tobytes() == b.sequences[m].tobytes()
            assert a.times[m].tobytes() == b.times[m].tobytes()


def test_other_seeds_give_other_data_and_directions() -> None:
    first, second = (_samples(_make(seed=seed)) for seed in (0, 1))
    assert not set(_targets(first)) & set(_targets(second))
    for m in MODALITIES:
        assert abs(directions(0)[m].marker @ directions(1)[m].marker) < 0.95


def test_parts_are_drawn_apart() -> None:
    parts = _make(train=100, valid=100, test=100).folds[0].parts()
    targets = {part: set(_targets(list(samples))) for part, samples in parts.items()}
    assert sum(map(len, targets.values())) == len(set.union(*targets.values())) == 300
    # The streams of random numbers are told apart by their keys, first frames included.
    first = {float(s.sequences[m][0, 0]) for p in parts.values() for s in p for m in MODALITIES}
    assert len(first) == 900


def test_sizes_name_and_features() -> None:
    corpus = load_corpus("controlled", options={"train": 7, "valid": 2, "test": 3, "seed": 5})
    assert {p: len(s) for p, s in corpus.folds[0].parts().items()} == {
        "train": 7,
        "valid": 2,
        "test": 3,
    }
    assert corpus.name == "controlled[truth=text,seed=5,train=7,valid=2,test=3]"
    assert list(corpus.widths.items()) == [("text", 16), ("audio", 12), ("vision", 10)]
    assert corpus.features["audio"] == "controlled-12"
    assert corpus.options["incongruent"] == 0.2
    assert len({s.id for s in _samples(corpus)}) == 12


@pytest.mark.parametrize("length", [1.0, 2.5])
def test_modalities_are_not_aligned_but_cover_the_same_time(length: float) -> None:
    bounds = {"text": (6, 14), "audio": (40, 90), "vision": (25, 60)}
    samples = _samples(_make(length=length))
    for m, (low, high) in bounds.items():
        steps = [len(s.sequences[m]) for s in samples]
        assert low * length <= min(steps) + 1
        assert max(steps) <= high * length
        assert len(set(steps)) > 5
    for s in samples:
        for m in MODALITIES:
            times = s.times[m]
            assert times.shape == s.sequences[m].shape[:1]
            assert times[0] == 0
            assert (np.diff(times) > 0).all()
        # Each ends within a step of the others.
        ends = [s.times[m][-1] + s.times[m][-1] / (len(s.times[m]) - 1) for m in MODALITIES]
        assert max(ends) - min(ends) < 0.15 * max(ends)


def test_targets_spread_as_sentiment_does() -> None:
    targets = _targets(_samples(_large("text")))
    assert np.abs(targets).max() <= 3
    assert abs(targets.mean()) < 0.15
    assert 1.35 < targets.std() < 1.65


def test_planted_spans_show_the_marker_and_nothing_else_does() -> None:
    samples, axes = _samples(_make()), directions(0)
    for m in MODALITIES:
        along = [s.sequences[m] @ axes[m].marker for s in samples]
        masks = [_inside(s, m) for s in samples]
        inside = np.concatenate([a[k] for a, k in zip(along, masks, strict=True)])
        outside = np.concatenate([a[~k] for a, k in zip(along, masks, strict=True)])
        assert inside.mean() > 1.7
        assert abs(outside.mean()) < 0.1
        assert outside.std() < 0.6
        assert all(1 <= len(s.truth["spans"][m]) <= 3 for s in samples)
        assert 0.08 < np.mean([k.mean() for k in masks]) < 0.35


def test_nuisance_moves_along_the_value_and_has_decoys() -> None:
    samples, axes = _samples(_make()), directions(0)
    for m in MODALITIES:
        outside = np.concatenate([s.sequences[m][~_inside(s, m)] for s in samples])
        assert (outside @ axes[m].value).std() > 1.2
        assert ((outside @ axes[m].decoy) > 2.2).mean() > 0.1


@pytest.mark.parametrize("truth", MODALITIES)
def test_an_oracle_reads_the_true_modality_best_and_gains_from_the_others(truth: str) -> None:
    fold = _large(truth).folds[0]
    train, test = list(fold.train), list(fold.test)
    target = _targets(test)
    values, roughness = _oracle(test)
    errors = {m: _mae(values[:, k], target) for k, m in enumerate(MODALITIES)}
    assert 0.25 < errors[truth] < 0.35
    assert all(0.9 < errors[m] < 1.15 for m in MODALITIES if m != truth)
    known, _ = _oracle(train)
    column = [MODALITIES.index(truth)]
    alone = _mae(_linear(known[:, column], _targets(train), values[:, column]), target)
    fused = _mae(_linear(known, _targets(train), values), target)
    assert 0.85 * alone < fused < 0.97 * alone
    assert {MODALITIES[k] for k in roughness.argmin(axis=1)} == {truth}


@pytest.mark.parametrize("truth", MODALITIES)
def test_errors_are_independent_between_modalities(truth: str) -> None:
    test = list(_large(truth).folds[0].test)
    carried = np.array([[s.truth["carried"][m] for m in MODALITIES] for s in test])
    correlation = np.corrcoef((carried - _targets(test)[:, None]).T)
    assert np.abs(correlation - np.eye(3)).max() < 0.1


def test_what_spans_show_is_what_truth_says_they_carry() -> None:
    test = list(_large("text").folds[0].test)
    values, _ = _oracle(test)
    carried = np.array([[s.truth["carried"][m] for m in MODALITIES] for s in test])
    assert _mae(values, carried) < 0.3


@pytest.mark.parametrize("incongruent", [0.0, 0.5])
def test_mixed_truth_is_told_by_how_clean_the_spans_are(incongruent: float) -> None:
    test = list(_large("mixed", incongruent).folds[0].test)
    target, (values, roughness) = _targets(test), _oracle(test)
    primary = np.array([MODALITIES.index(s.truth["primary"]) for s in test])
    assert np.bincount(primary).min() > 400
    picked = roughness.argmin(axis=1)
    assert (picked == primary).mean() >= 0.97
    assert _mae(values[np.arange(len(test)), picked], target) < 0.35
    assert all(_mae(values[:, k], target) > 1.1 for k in range(3))


@pytest.mark.parametrize("truth", [*MODALITIES, "mixed"])
def test_the_average_over_time_says_little(truth: str) -> None:
    fold = _large(truth).folds[0]

    def means(samples: Any) -> Floats:
        rows = [np.concatenate([s.sequences[m].mean(axis=0) for m in MODALITIES]) for s in samples]
        return np.array(rows, dtype=np.float64)

    target = _targets(list(fold.test))
    known = _targets(list(fold.train))
    ridge = _mae(_linear(means(fold.train), known, means(fold.test), penalty=10.0), target)
    constant = _mae(np.full(len(target), known.mean()), target)
    assert 0.65 * constant < ridge


@pytest.mark.parametrize("truth", ["audio", "mixed"])
@pytest.mark.parametrize("share", [0.0, 0.13, 1.0])
def test_the_share_of_contradictions_is_exact_and_their_sign_opposite(
    truth: str, share: float
) -> None:
    parts = _make(truth=truth, incongruent=share, train=200, valid=51, test=100).folds[0].parts()
    for samples in parts.values():
        conflicts = [s for s in samples if s.truth["conflict"]]
        assert len(conflicts) == round(share * len(samples))
        for s in samples:
            if not s.truth["conflict"]:
                assert s.truth["conflicting"] is None
        for s in conflicts:
            assert s.target is not None
            against = s.truth["carried"][s.truth["conflicting"]]
            assert s.truth["conflicting"] != s.truth["primary"]
            assert LEAST_CONFLICT <= abs(s.target[0]) <= 3
            assert against * s.target[0] < 0
            assert abs(against - s.target[0]) > 0.89


def test_incongruence_changes_only_the_samples_that_conflict() -> None:
    plain, some = (_samples(_make(incongruent=share)) for share in (0.0, 0.3))
    changed = [
        any(a.sequences[m].tobytes() != b.sequences[m].tobytes() for m in MODALITIES)
        for a, b in zip(plain, some, strict=True)
    ]
    assert changed == [s.truth["conflict"] for s in some]


def test_without_noise_every_modality_tells_all() -> None:
    test = list(_make(noise=0, incongruent=0).folds[0].test)
    values, roughness = _oracle(test)
    assert _mae(values, _targets(test)[:, None]) < 0.06
    assert roughness.max() < 0.15


@settings(max_examples=40, deadline=None)
@given(
    options=st.fixed_dictionaries(
        {
            "seed": st.integers(0, 2**70),
            "train": st.integers(1, 4),
            "valid": st.integers(1, 2),
            "test": st.integers(1, 2),
            "truth": st.sampled_from([*MODALITIES, "mixed"]),
            "noise": st.floats(0, 10),
            "incongruent": st.floats(0, 1),
            "length": st.floats(1, 4),
        }
    )
)
def test_any_options_give_a_sound_corpus(options: dict[str, Any]) -> None:
    corpus = load_corpus("controlled", options=options)
    for part in PARTS:
        assert len(getattr(corpus.folds[0], part)) == options[part]
    for sample in _samples(corpus):
        assert sample.target is not None
        assert abs(sample.target[0]) <= 3
        for m in MODALITIES:
            assert np.isfinite(sample.sequences[m]).all()
            spans = sample.truth["spans"][m]
            edges = [0, *(edge for span in spans for edge in span), len(sample.sequences[m])]
            assert edges == sorted(edges)
            assert all(begin < end for begin, end in spans)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"truth": "smell"}, "'truth' = 'smell'"),
        ({"train": 0}, "'train' = 0"),
        ({"noise": -1}, "'noise' = -1"),
        ({"noise": float("nan")}, "'noise' = nan"),
        ({"incongruent": 1.5}, "'incongruent' = 1.5"),
        ({"length": 0.5}, "'length' = 0.5"),
        ({"seed": -1}, "'seed' = -1"),
        ({"incongruence": 0.2}, "did you mean 'incongruent'"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_corpus("controlled", options=options)


def test_a_path_is_refused(tmp_path: Any) -> None:
    with pytest.raises(InputError, match="generated and reads no data"):
        load_corpus("controlled", tmp_path)
