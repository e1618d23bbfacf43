"""A corpus that hands out its test labels is refused, one that does not is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.harness.leaks import plain, require_closed, without_shared
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import BinaryLabels, Classification, Regression, Task, Values

MOSI, CLASSES = Regression(), Classification(("sad", "glad", "calm"))
LABELS = BinaryLabels(("happy", "angry"))
VALUES = Values(("valence", "arousal"), -3, 3)
COUNT = 40
Spoil = Callable[[list[Sample]], list[Sample]]


def targets(task: Task, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    if isinstance(task, Regression):
        return rng.normal(0, 1, (count, 1)).clip(-3, 3).astype(np.float32)
    if isinstance(task, Values):
        values = rng.normal(0, 1, (count, 2)).clip(-3, 3).astype(np.float32)
        values[::4, 1] = np.nan  # that nobody told
        return values
    kinds = task.outputs if isinstance(task, Classification) else 2
    return rng.integers(0, kinds, (count, task.target_width)).astype(np.float32)


def samples(task: Task, part: str, count: int = COUNT) -> list[Sample]:
    rng = np.random.default_rng(len(part))
    labels = targets(task, rng, count)
    return [
        Sample(
            f"{part}/{row}",
            {
                "text": rng.normal(size=(rng.integers(3, 9), 4)).astype(np.float32),
                "audio": rng.normal(size=(rng.integers(3, 9), 6)).astype(np.float32),
            },
            labels[row],
            group=f"speaker {row % 5}",
        )
        for row in range(count)
    ]


def corpus(task: Task, **changes: Sequence[Sample]) -> Corpus:
    parts = {part: samples(task, part) for part in ("train", "valid", "test")}
    return Corpus("small", task, {"text": 4, "audio": 6}, (Split(**{**parts, **changes}),))


def column(value: Callable[[NDArray[Any]], float], steps: Any = slice(None)) -> Spoil:
    """Test samples whose audio says something of the label in one column."""

    def spoil(test: list[Sample]) -> list[Sample]:
        found = []
        for sample in test:
            assert sample.target is not None
            audio = sample.sequences["audio"].copy()
            audio[steps, 3] = value(sample.target)
            found.append(sample.with_sequences({**sample.sequences, "audio": audio}))
        return found

    return spoil


def length(test: list[Sample]) -> list[Sample]:
    return [
        s.with_sequences({**s.sequences, "text": np.ones((int(s.target[0]) + 2, 4), np.float32)})
        for s in test
        if s.target is not None
    ]


def missing(test: list[Sample]) -> list[Sample]:
    return [s if s.target is not None and s.target[0] else s.keep(["text"]) for s in test]


def grouped(test: list[Sample]) -> list[Sample]:
    return [replace(s, group=f"g{s.target}") for s in test]


@pytest.mark.parametrize("task", [MOSI, CLASSES, LABELS, VALUES], ids=lambda task: task.kind)
def test_a_corpus_that_tells_nothing_passes(task: Task) -> None:
    require_closed(corpus(task))


@pytest.mark.parametrize("part", ["train", "valid"])
@pytest.mark.parametrize("rename", [False, True])
def test_test_samples_in_training_are_refused(part: str, rename: bool) -> None:
    test = samples(MOSI, "test")
    smuggled = (
        replace(test[7], id="innocent") if rename else replace(test[7], target=test[8].target)
    )
    spoiled = corpus(MOSI, **{part: [*samples(MOSI, part), smuggled]})
    with pytest.raises(InputError, match=f"1 samples of {part} are test samples too") as caught:
        require_closed(spoiled)
    assert smuggled.id in str(caught.value)
    assert "--drop-shared" in str(caught.value)
    cleaned, count = without_shared(spoiled)
    assert count == 1
    require_closed(cleaned)
    assert cleaned.fingerprint() == corpus(MOSI).fingerprint()


def test_the_fold_is_named() -> None:
    good, other = corpus(MOSI).folds[0], samples(MOSI, "test")
    folds = (good, Split([*good.train, other[0]], good.valid, other))
    with pytest.raises(InputError, match="small fold 1: "):
        require_closed(replace(corpus(MOSI), folds=folds))


@pytest.mark.parametrize(
    ("task", "spoil", "says"),
    [
        (MOSI, column(lambda y: y[0]), "the first step of audio, column 3,"),
        (MOSI, column(lambda y: 7 - 100 * y[0]), "the first step of audio, column 3,"),
        (MOSI, column(lambda y: np.exp(3 * y[0])), "the first step of audio, column 3,"),
        (MOSI, column(lambda y: y[0], steps=-1), "the last step of audio, column 3,"),
        (MOSI, column(lambda y: y[0] + 50, steps=1), "the greatest of audio, column 3,"),
        (CLASSES, column(lambda y: y[0] == 2), "the first step of audio, column 3,"),
        # Names of classes that are in no order.
        (CLASSES, column(lambda y: [5.0, -1.0, 2.5][int(y[0])]), "the first step of audio,"),
        (CLASSES, length, "the length of text"),
        (CLASSES, grouped, "the group"),
        (LABELS, column(lambda y: -y[1]), "the first step of audio, column 3,"),
        (LABELS, missing, "the presence of audio"),
        (VALUES, column(lambda y: np.nan_to_num(-y[1])), "the first step of audio, column 3,"),
        (VALUES, column(lambda y: np.exp(y[0])), "the first step of audio, column 3,"),
    ],
)
def test_labels_among_the_features_are_refused(task: Task, spoil: Spoil, says: str) -> None:
    spoiled = corpus(task, test=spoil(samples(task, "test")))
    with pytest.raises(InputError, match="tells the test labels; leave it out") as caught:
        require_closed(spoiled)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("task", "spoil"),
    [
        # A feature that knows a lot, speakers with one class each, and clips with a group each.
        (MOSI, column(lambda y: y[0] + 0.2 * np.sin(1e4 * y[0]))),
        (
            CLASSES,
            lambda test: [replace(s, group=f"{s.target}{n % 2}") for n, s in enumerate(test)],
        ),
        (CLASSES, lambda test: [replace(s, group=s.id) for s in test]),
        (MOSI, lambda test: [replace(s, target=None) for s in test]),
        (VALUES, column(lambda y: y[0] + np.nan_to_num(y[1]))),
        # A file in the order of its labels.
        (
            MOSI,
            lambda test: [
                replace(s, group=s.id) for s in sorted(test, key=lambda s: float(s.target[0]))
            ],
        ),
    ],
)
def test_what_is_only_related_passes(task: Task, spoil: Spoil) -> None:
    require_closed(corpus(task, test=spoil(samples(task, "test"))))


def test_equal_text_and_empty_samples_are_no_copies() -> None:
    train, test = samples(MOSI, "train"), samples(MOSI, "test")
    said = {**train[0].sequences, "text": test[0].sequences["text"]}
    nothing = {"text": np.zeros((2, 4), np.float32)}
    require_closed(
        corpus(
            MOSI,
            train=[train[0].with_sequences(said), train[1].with_sequences(nothing), *train[2:]],
            test=[test[0], test[1].with_sequences(nothing), *test[2:]],
        )
    )


def test_few_samples_tell_nothing_by_chance() -> None:
    test = column(lambda y: y[0])(samples(CLASSES, "test", 10))
    require_closed(corpus(CLASSES, test=test))


def test_features_that_are_not_finite_name_their_sample() -> None:
    test = samples(MOSI, "test")
    test[3].sequences["text"][0, 0] = np.inf
    with pytest.raises(InputError, match="'test/3' has text with values that are not finite"):
        require_closed(corpus(MOSI, test=test))


class Clever(Sample):
    """A sample that keeps its target when asked to forget it."""

    def without_target(self) -> Sample:
        return self


class Watching(np.ndarray):
    """An array that may do as it likes."""


class Recalling(dict):  # type: ignore[type-arg]
    """Sequences that may be others when they are asked for again."""


class Changing(list):  # type: ignore[type-arg]
    """Samples that are others when they are asked for again."""

    def __init__(self, honest: list[Sample], later: list[Sample]) -> None:
        super().__init__(honest)
        self.later, self.asked = later, 0

    def __iter__(self) -> Any:
        self.asked += 1
        return iter(self.later) if self.asked > 3 else super().__iter__()


@pytest.mark.parametrize("what", ["sample", "sequences", "sequence", "target", "alone"])
def test_types_of_ones_own_are_refused(what: str) -> None:
    test = samples(MOSI, "test")
    first = test[0]
    assert first.target is not None
    test[0] = {
        "sample": Clever(first.id, first.sequences, first.target),
        "sequences": first.with_sequences(Recalling(first.sequences)),
        "sequence": first.with_sequences({"text": first.sequences["text"].view(Watching)}),
        "target": replace(first, target=first.target.view(Watching)),
        "alone": replace(first, unimodal={"text": first.target.view(Watching)}),
    }[what]
    with pytest.raises(InputError, match="sample 'test/0' is not a plain one; a reader must"):
        plain(corpus(MOSI, test=test))


def test_parts_are_asked_once() -> None:
    honest = samples(MOSI, "test")
    spoiled = column(lambda y: y[0])(honest)
    part = Changing(honest, spoiled)
    fixed = plain(corpus(MOSI, test=part))
    for _ in range(5):
        assert list(fixed.folds[0].test) == honest
    assert list(part) == spoiled
