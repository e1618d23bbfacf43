"""What training gets of a corpus: nothing in it, however deep, is a test target."""

from __future__ import annotations

import gc
import types
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affuse.harness.leaks import TrainingView, content_of, training_view
from affuse.harness.request import Job, Request
from affuse.harness.workers import run_job
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Regression
from affuse.training import fit as fitting

COUNT = 12
SETTINGS = {"width": 8, "heads": 2, "members": 1, "epochs": 1}


def secrets(values: Any) -> int:
    """How many numbers are test targets: those alone are in [2, 3) and odd multiples of 1/2048."""
    known = np.asarray(values, np.float64)
    return int(((known >= 2) & (known < 3) & (known * 1024 % 1 == 0.5)).sum())


def part(name: str, low: float) -> list[Sample]:
    """Samples over one array, as many a reader has them: the label beside the features."""
    rng = np.random.default_rng(len(name))
    table = rng.normal(100, 1, (COUNT, 5)).astype(np.float32)
    table[:, 4] = low + (2 * np.arange(COUNT) + 1) / 2048
    return [
        Sample(
            f"{name} {label}",
            {"text": row[None, :2], "audio": row[None, 2:4]},
            table[number, 4:],
            group=str(number % 3),
            text=f"says {label}",
            truth={"answer": table[:, 4]},
        )
        for number, (row, label) in enumerate(zip(table, table[:, 4], strict=True))
    ]


@pytest.fixture
def corpus() -> Corpus:
    """All that can hold test targets holds them."""
    test = part("test", 2.0)
    split = Split(part("train", 0.0), part("valid", 1.0), test)
    hints = {"answers": [float(s.target[0]) for s in test if s.target is not None]}
    other = Split(test, part("valid", 1.0), part("train", 0.0))
    return Corpus("small", Regression(), {"text": 2, "audio": 2}, (other, split), hints, hints)


def reachable(*roots: Any) -> Iterator[Any]:
    """Everything that the garbage collector reaches, short of programs."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, types.ModuleType | type | types.CodeType):
            continue
        seen.add(id(found))
        yield found
        if isinstance(found, types.FunctionType):
            waiting += [found.__closure__, found.__defaults__, found.__kwdefaults__]
            continue
        waiting += gc.get_referents(found)
        if isinstance(found, np.ndarray):
            waiting.append(found.base)


def told(*roots: Any) -> int:
    """How many test targets are reachable, or names and texts that tell one."""
    count = 0
    for each in reachable(*roots):
        values: Any = each
        if isinstance(each, torch.Tensor):
            values = each.detach().numpy()
        if isinstance(values, np.ndarray):
            count += secrets(values) if values.dtype.kind == "f" else 0
        elif isinstance(values, float):
            count += secrets(values)
        elif isinstance(values, str):
            count += " 2.0" in values
    return count


def test_a_sealed_corpus_reaches_no_test_target(corpus: Corpus) -> None:
    assert told(corpus) > 10 * COUNT
    sealed = training_view(corpus, 1)
    assert told(sealed) == 0
    # What it must have is there: the walk sees it.
    arrays = [x for x in reachable(sealed) if isinstance(x, np.ndarray)]
    for sample in (*corpus.folds[1].train, *corpus.folds[1].test):
        assert any(np.array_equal(sample.sequences["audio"], x) for x in arrays)
    for sample in corpus.folds[1].train:
        assert any(np.array_equal(sample.target, x) for x in arrays if sample.target is not None)


def test_the_arguments_of_fit_reach_no_test_target(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    fit = fitting.fit

    def watched(*arguments: Any, **named: Any) -> Any:
        seen.append((arguments, named))
        return fit(*arguments, **named)

    monkeypatch.setattr(fitting, "fit", watched)
    request = Request("controlled", models=("concat",), settings=SETTINGS)
    answered = run_job(
        request, Job("concat", 1, 0), training_view(corpus, 1), tmp_path, lambda _: None
    )
    assert len(seen) == 1
    # An output may be like one by chance.
    assert told(*seen) + told(answered) <= 2
    kinds = {type(x).__name__ for x in reachable(*seen)}
    assert {"Sample", "TrainOptions", "Regression", "partial"} <= kinds
    assert "Corpus" not in kinds


def test_a_sealed_corpus_is_plain(corpus: Corpus) -> None:
    class Spy(Regression):
        """A task that remembers."""

    sealed = training_view(replace(corpus, task=Spy(-3.0, 3.0)), 0)
    assert type(sealed.task) is Regression
    assert type(sealed) is TrainingView
    assert (sealed.options, sealed.features) == ({}, {})
    for sample in sealed.folds[0].test:
        assert (sample.target, sample.text, dict(sample.truth), dict(sample.times)) == (
            *(None, None),
            *({}, {}),
        )


def test_a_run_is_known_by_the_corpus_that_was_sealed(corpus: Corpus) -> None:
    sealed = training_view(corpus, 1)
    assert sealed.fingerprint() == corpus.fingerprint()
    assert sealed.name == corpus.name
    train = [s.id for s in sealed.folds[1].train]
    assert train == [s.id for s in corpus.folds[1].train]
    # The other fold trains on what this one tests.
    assert all(fold is sealed.folds[1] for fold in sealed.folds)


def test_content_covers_features_targets_and_groups(corpus: Corpus) -> None:
    content = content_of(corpus)
    assert content_of(replace(corpus, options={}, name="other")) == content
    fold = corpus.folds[0]
    first = fold.train[0]
    assert first.target is not None
    for changed in (
        replace(first, group="g"),
        replace(first, target=first.target - 1),
        first.with_sequences({**first.sequences, "text": first.sequences["text"] + 1}),
    ):
        split = Split([changed, *fold.train[1:]], fold.valid, fold.test)
        assert content_of(replace(corpus, folds=(split, corpus.folds[1]))) != content


def test_groups_stay_together_without_their_names(corpus: Corpus) -> None:
    original = corpus.folds[1].test
    hidden = training_view(corpus, 1).folds[1].test
    place = {s.sequences["audio"].tobytes(): s.group for s in original}
    pairs = {(place[s.sequences["audio"].tobytes()], s.group) for s in hidden}
    assert len(pairs) == 3
    assert {new for _, new in pairs} == {"group 0", "group 1", "group 2"}
    assert [s.id for s in hidden] == [f"test {n}" for n in range(COUNT)]
    order = [s.sequences["audio"].tobytes() for s in hidden]
    assert order != [s.sequences["audio"].tobytes() for s in original]


def test_what_one_modality_alone_should_say_is_told_of_training_alone(corpus: Corpus) -> None:
    def with_own(part: Sequence[Sample]) -> list[Sample]:
        return [replace(s, unimodal={"text": s.target}) for s in part if s.target is not None]

    folds = [Split(*map(with_own, fold.parts().values())) for fold in corpus.folds]
    whole = replace(corpus, folds=tuple(folds))
    sealed = training_view(whole, 1)
    assert told(sealed) == 0
    own, known = ([s.unimodal["text"].tolist() for s in c.folds[1].train] for c in (sealed, whole))
    assert own == known
    assert content_of(whole) != content_of(corpus)
