"""Summaries of corpora, counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from affuse.doctor.summary import ModalitySummary, SharedGroups, summarise_corpus
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import BinaryLabels, Classification, Regression, Task, Values


def _sample(name: str, target: Sequence[float] | None, group: str | None, **steps: int) -> Sample:
    sequences = {m: np.ones((t, 2), np.float32) for m, t in steps.items()}
    known = None if target is None else np.array(target, np.float32)
    return Sample(name, sequences, known, group=group)


def _corpus(task: Task, *folds: Split) -> Corpus:
    return Corpus("small", task, {"text": 2, "audio": 2}, folds, features={"text": "glove"})


def test_counts_lengths_labels_and_missing_modalities() -> None:
    a = _sample("a", [-1.0], "x", text=1, audio=4)
    b = _sample("b", [2.0], "y", text=5)
    c = _sample("c", [0.5], None, text=2)
    d = _sample("d", None, None, text=3)
    corpus = _corpus(Regression(), Split([a, b], [c], [d]))
    summary = summarise_corpus(corpus)
    assert (summary.name, summary.task, summary.samples) == ("small", "regression", 4)
    assert summary.fingerprint == corpus.fingerprint()
    rows = [(p.fold, p.part, p.samples, p.groups, p.labels) for p in summary.parts]
    assert rows == [
        (0, "train", 2, 2, {"min": -1.0, "mean": 0.5, "max": 2.0}),
        (0, "valid", 1, 0, {"min": 0.5, "mean": 0.5, "max": 0.5}),
        (0, "test", 1, 0, {}),
    ]
    assert [p.distribution for p in summary.parts] == [{"-1": 1, "2": 1}, {"0": 1}, {}]
    assert summary.modalities == {
        "text": ModalitySummary("glove", 2, 1, 2.5, 5, 0.0),
        "audio": ModalitySummary("", 2, 4, 4.0, 4, 0.75),
    }
    assert summary.shared_groups == ()


def test_groups_that_parts_share_are_named_for_each_fold() -> None:
    x, y, z, w = (_sample(n, [0.0], n[0], text=1) for n in ("x1", "y1", "z1", "x2"))
    summary = summarise_corpus(_corpus(Regression(), Split([x], [y], [z]), Split([x, y], [z], [w])))
    assert summary.shared_groups == (SharedGroups(1, ("train", "test"), ("x",)),)
    assert summary.samples == 4
    assert len(summary.parts) == 6


def test_a_modality_that_no_sample_has() -> None:
    a, b, c = (_sample(n, [0.0], None, text=1) for n in "abc")
    summary = summarise_corpus(_corpus(Regression(), Split([a], [b], [c])))
    assert summary.modalities["audio"] == ModalitySummary("", 2, 0, 0.0, 0, 1.0)


@pytest.mark.parametrize(
    ("task", "targets", "counts"),
    [
        (
            Classification(("sad", "glad", "calm")),
            ([1], [1], [0]),
            {"sad": 1, "glad": 2, "calm": 0},
        ),
        (BinaryLabels(("sad", "glad")), ([1, 1], [0, 1], [0, 0]), {"sad": 1, "glad": 2}),
        (
            Values(("v", "a")),
            ([1, 0], [0, np.nan], [-1, np.nan]),
            {"v min": -1, "v mean": 0, "v max": 1, "a min": 0, "a mean": 0, "a max": 0},
        ),
    ],
)
def test_classes_are_counted(
    task: Task, targets: tuple[list[float], ...], counts: dict[str, float]
) -> None:
    train = [_sample(str(i), target, None, text=1) for i, target in enumerate(targets)]
    other = [_sample("o", targets[0], None, text=1)]
    part = summarise_corpus(_corpus(task, Split(train, other, other))).parts[0]
    assert (part.labels, part.distribution) == (counts, {})
