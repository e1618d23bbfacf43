"""A training run: what it may see, what it writes and when it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import pytest
import torch

from affuse import __version__
from affuse.errors import InputError
from affuse.samples import Corpus, Sample, Split
from affuse.training.checkpoint import CONFIG, WEIGHTS
from affuse.training.session import RUN, identity, train_run, typical_lengths


class Locked(Sequence[Sample]):
    """Samples that nobody may look at once `locked`."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples, self.locked = samples, False

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: Any) -> Any:
        assert not self.locked, "the test part was looked at"
        return self.samples[index]

    def __len__(self) -> int:
        assert not self.locked, "the test part was counted"
        return len(self.samples)


def with_test(corpus: Corpus, test: Sequence[Sample]) -> Corpus:
    fold = corpus.folds[0]
    return replace(corpus, folds=(Split(fold.train, fold.valid, test),))


@pytest.mark.parametrize("normalise", ["train", "none"])
def test_the_test_part_stays_closed(corpus, small_plan, tmp_path: Path, normalise: str) -> None:
    closed = Locked(corpus.folds[0].test)
    guarded = with_test(corpus, closed)
    guarded.fingerprint()
    closed.locked = True
    train_run(guarded, small_plan(epochs=1, normalise=normalise), seed=0, folder=tmp_path / "run")
    with pytest.raises(AssertionError):
        next(iter(closed))


def test_test_targets_and_features_change_no_weight(corpus, small_plan, tmp_path: Path) -> None:
    test = corpus.folds[0].test
    flipped = [
        replace(s.with_sequences({m: x + 1 for m, x in s.sequences.items()}), target=-s.target)
        for s in test
    ]
    for name, read in (("a", corpus), ("b", with_test(corpus, flipped))):
        train_run(read, small_plan(epochs=2), seed=0, folder=tmp_path / name)
    first, second = ((tmp_path / name / WEIGHTS).read_bytes() for name in ("a", "b"))
    assert first == second


def test_it_leaves_a_checkpoint_that_says_how_it_was_made(corpus, small_plan, tmp_path) -> None:
    seen: list[int] = []
    planned = small_plan("unimodal:audio", epochs=2)
    made = train_run(
        corpus, planned, seed=5, folder=tmp_path / "run", on_epoch=lambda e, _: seen.append(e)
    )
    assert seen == [0, 1]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [CONFIG, WEIGHTS, RUN]
    assert (made.name, made.model.modalities) == ("unimodal", ("audio",))
    assert made.corpus["fingerprint"] == corpus.fingerprint()
    assert made.corpus["options"] == dict(corpus.options)
    assert made.training["seed"] == 5
    assert made.training["options"] == planned.train.model_dump()
    assert [r["epoch"] for r in made.training["history"]] == [0.0, 1.0]


def test_the_identity_tells_apart_whatever_changes_a_run(corpus, small_plan) -> None:
    base = {"seed": 0, "fold": 0}
    plain = identity(corpus, small_plan(), **base)
    assert identity(corpus, small_plan(), **base) == plain
    # Another version may train otherwise.
    assert plain["affuse"] == __version__
    others = [
        identity(corpus, small_plan(), seed=1, fold=0),
        identity(corpus, small_plan("concat"), **base),
        identity(corpus, small_plan(epochs=4), **base),
        identity(corpus, small_plan(temperature=0.5), **base),
        identity(with_test(corpus, corpus.folds[0].test[1:]), small_plan(), **base),
    ]
    assert all(other != plain for other in others)
    # A default that is written out is the default.
    written = small_plan(modality_dropout=plain["options"]["modality_dropout"])
    assert identity(corpus, written, **base) == plain


def test_a_folder_is_trained_in_once(corpus, small_plan, tmp_path: Path) -> None:
    planned, folder = small_plan("concat", epochs=1), tmp_path / "run"
    train_run(corpus, planned, seed=0, folder=folder)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(InputError, match="holds a run already; add --resume"):
        train_run(corpus, planned, seed=0, folder=folder)
    with pytest.raises(InputError, match="made with another seed;"):
        train_run(corpus, planned, seed=1, folder=folder, resume=True)
    with pytest.raises(InputError, match=r"made with another train\.epochs;"):
        train_run(corpus, small_plan("concat", epochs=2), seed=0, folder=folder, resume=True)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def _unlabelled(corpus: Corpus) -> Corpus:
    fold = corpus.folds[0]
    train = [*fold.train[:-1], fold.train[-1].without_target()]
    return replace(corpus, folds=(Split(train, fold.valid, fold.test),))


def _not_finite(corpus: Corpus) -> Corpus:
    fold = corpus.folds[0]
    broken = fold.valid[3]
    text = np.full_like(broken.sequences["text"], np.inf)
    valid = [broken.with_sequences({**broken.sequences, "text": text}), *fold.valid]
    return replace(corpus, folds=(Split(fold.train, valid, fold.test),))


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (_unlabelled, {}, "sample 'train/39' has no target to learn from"),
        (_not_finite, {}, "sample 'valid/3' has text with values that are not finite"),
        (replace, {"normalise": "speaker"}, "has no group to normalise by"),
        (replace, {"gate": "fixed:smell"}, "unknown modality 'smell'"),
        (replace, {"shift": {"vison": 0.1}}, "shift: unknown modality 'vison'; did you mean 'vi"),
        (replace, {"strides": {"smell": 2}}, "option strides: unknown modality 'smell'"),
    ],
)
def test_what_cannot_be_trained_leaves_no_trace(
    corpus, small_plan, tmp_path: Path, change, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train_run(change(corpus), small_plan(**settings), seed=0, folder=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_typical_lengths_are_medians_of_what_is_there() -> None:
    def sample(**steps: int) -> Sample:
        return Sample("s", {m: np.zeros((n, 2), np.float32) for m, n in steps.items()})

    samples = [sample(text=1, audio=10), sample(text=3), sample(text=8, audio=20)]
    assert typical_lengths(samples) == {"text": 3, "audio": 15}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
