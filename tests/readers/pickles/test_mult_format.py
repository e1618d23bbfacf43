"""The reader of MulT pickles, value by value."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.readers.pickles.mult_format import EMOTIONS, MultOptions, read_mult
from affuse.readers.registry import load_corpus
from affuse.samples import MODALITIES
from affuse.tasks import BinaryLabels, Regression

KINDS = [(c, a) for c in ("mosi", "mosei", "iemocap") for a in (True, False)]
Writer = Callable[[str, bool], Any]


def _part(rows: int = 2, **changes: Any) -> dict[str, Any]:
    """A small split of ones, text (rows, 3, 2), audio (rows, 4, 3), vision (rows, 5, 1)."""
    part = {
        "text": np.ones((rows, 3, 2), np.float32),
        "audio": np.ones((rows, 4, 3), np.float32),
        "vision": np.ones((rows, 5, 1), np.float32),
        "labels": np.zeros((rows, 1, 1), np.float32),
    }
    return {**part, **changes}


def _write(tmp_path: Path, train: Any, **others: Any) -> Path:
    path = tmp_path / "small.pkl"
    parts = {"train": train, "valid": _part(), "test": _part(), **others}
    path.write_bytes(pickle.dumps(parts))
    return path


def _train(tmp_path: Path, **changes: Any) -> Any:
    return read_mult(_write(tmp_path, _part(**changes)), MultOptions()).folds[0].train


@pytest.mark.parametrize(("corpus", "aligned"), KINDS)
def test_reads_every_value_of_the_six_files(mult_file: Writer, corpus: str, aligned: bool) -> None:
    file = mult_file(corpus, aligned)
    read = load_corpus(str(file.path))
    widths = {m: file.data["train"][m].shape[2] for m in MODALITIES}
    assert (read.widths, list(read.widths)) == (widths, list(MODALITIES))
    assert read.name == f"mult[data={file.path.stem}]"
    emotions = corpus == "iemocap"
    assert read.task == (BinaryLabels(EMOTIONS) if emotions else Regression(-3.0, 3.0))
    for part, samples in read.folds[0].parts().items():
        assert [s.id for s in samples] == file.names[part]
        np.testing.assert_array_equal(np.stack([s.target for s in samples]), file.targets[part])
        for sample, written in zip(samples, file.sequences[part], strict=True):
            assert sample.modalities == MODALITIES
            for modality, sequence in written.items():
                np.testing.assert_array_equal(sample.sequences[modality], sequence)
            video = sample.id.partition("[")[0]
            assert sample.group == (video if corpus == "mosei" else None)


@pytest.mark.parametrize(
    ("corpus", "features"),
    [
        ("mosi", {"text": "glove-300", "audio": "covarep-5", "vision": "facet-20"}),
        ("mosei", {"text": "glove-300", "audio": "covarep-74", "vision": "facet-35"}),
    ],
)
def test_names_the_features(mult_file: Writer, corpus: str, features: dict[str, str]) -> None:
    assert load_corpus(str(mult_file(corpus, True).path)).features == features


def test_reads_by_name_and_names_unknown_widths(tmp_path: Path) -> None:
    read = load_corpus("mult", _write(tmp_path, _part()))
    assert read.features == {"text": "text-2", "audio": "audio-3", "vision": "vision-1"}
    with pytest.raises(InputError, match="needs its data"):
        load_corpus("mult")


def test_sequences_of_a_large_file_are_views_of_it(tmp_path: Path) -> None:
    audio = np.ones((8, 400, 100), np.float32)
    audio[1, :, 7] = np.inf
    path = _write(
        tmp_path, _part(8, audio=audio), valid=_part(audio=audio[:2]), test=_part(8, audio=audio)
    )
    samples = read_mult(path, MultOptions()).folds[0].train
    owned = [s.sequences["audio"].flags.owndata for s in samples]
    assert owned == [row == 1 for row in range(8)]
    np.testing.assert_array_equal(samples[0].sequences["audio"], audio[0])
    assert not samples[1].sequences["audio"][:, 7].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_becomes_zero(tmp_path: Path, dtype: type) -> None:
    audio = np.ones((2, 4, 3), dtype)
    audio[0, 1] = [-np.inf, np.inf, np.nan]
    audio[1, 3] = -np.inf
    audio.flags.writeable = False
    first, second = _train(tmp_path, audio=audio)
    expected = np.ones((4, 3))
    expected[1] = 0
    np.testing.assert_array_equal(first.sequences["audio"], expected)
    # The step of nothing but -inf is a step of zeros at the end: padding.
    np.testing.assert_array_equal(second.sequences["audio"], np.ones((3, 3)))


def test_what_is_too_large_for_float32_becomes_zero(tmp_path: Path) -> None:
    audio = np.full((2, 4, 3), 1e300)
    audio[:, :, 0] = 2.0
    sequence = _train(tmp_path, audio=audio)[0].sequences["audio"]
    np.testing.assert_array_equal(sequence, np.tile([2.0, 0.0, 0.0], (4, 1)))


def test_padding_is_cut_at_both_ends_and_kept_inside(tmp_path: Path) -> None:
    audio = np.zeros((2, 4, 3), np.float32)
    audio[0, 1, 0] = audio[0, 3, 2] = 1.0
    audio[1, 2, 1] = 1.0
    first, second = _train(tmp_path, audio=audio)
    np.testing.assert_array_equal(first.sequences["audio"], audio[0, 1:4])
    np.testing.assert_array_equal(second.sequences["audio"], audio[1, 2:3])
    assert len(first.sequences["text"]) == 3


def test_aligned_modalities_stay_aligned(tmp_path: Path) -> None:
    text, vision = np.zeros((1, 4, 2), np.float32), np.zeros((1, 4, 1), np.float32)
    text[0, 1:] = 1.0
    vision[0, 2] = 5.0
    part = {"text": text, "audio": np.zeros((1, 4, 3), np.float32), "vision": vision}
    (sample,) = read_mult(_write(tmp_path, _part(1, **part)), MultOptions()).folds[0].train
    assert sample.modalities == ("text", "vision")
    np.testing.assert_array_equal(sample.sequences["vision"], [[0.0], [5.0], [0.0]])
    np.testing.assert_array_equal(sample.sequences["text"], np.ones((3, 2)))


def test_a_missing_modality_is_absent_and_no_sample_is_lost(tmp_path: Path) -> None:
    part = _part()
    part["vision"][0] = 0.0
    for modality in MODALITIES:
        part[modality][1] = 0.0
    train = read_mult(_write(tmp_path, part), MultOptions()).folds[0].train
    assert train[0].modalities == ("text", "audio")
    assert train[1].modalities == ("text",)
    np.testing.assert_array_equal(train[1].sequences["text"], np.zeros((1, 2)))


def test_a_modality_that_no_sample_has_is_not_in_the_corpus(tmp_path: Path) -> None:
    silent = {"vision": np.zeros((2, 5, 1), np.float32)}
    parts = {name: _part(**silent) for name in ("valid", "test")}
    read = read_mult(_write(tmp_path, _part(**silent), **parts), MultOptions())
    assert read.modalities == ("text", "audio")


@pytest.mark.parametrize(
    ("ids", "names", "groups"),
    [
        ([(b"v", b"0.5", b"1"), ("w", 1.5, 2)], ["v[0.5-1]", "w[1.5-2]"], ["v", "w"]),
        (np.array([["v", "0", "1"], ["v", "1", "2"]]), ["v[0-1]", "v[1-2]"], ["v", "v"]),
        (np.array([[b"v", 0.5, np.float32(1)]] * 2, object), ["v[0.5-1]", "v[0.5-1]#2"], ["v"] * 2),
        ([b"one", ["two"]], ["one", "two"], [None, None]),
        ([b"\xe9", "\u00e9"], ["\u00e9", "\u00e9#2"], [None, None]),
        ([b"a", b"a"], ["a", "a#2"], [None, None]),
        (None, ["train/0", "train/1"], [None, None]),
    ],
)
def test_ids(tmp_path: Path, ids: Any, names: list[str], groups: list[str | None]) -> None:
    train = _train(tmp_path, id=ids)
    assert [s.id for s in train] == names
    assert [s.group for s in train] == groups


def test_names_are_unique_over_all_splits(tmp_path: Path) -> None:
    ids = {"id": [b"a", b"a#2"]}
    parts = {name: _part(**ids) for name in ("valid", "test")}
    fold = read_mult(_write(tmp_path, _part(**ids), **parts), MultOptions()).folds[0]
    names = [s.id for part in fold.parts().values() for s in part]
    assert names[:4] == ["a", "a#2", "a#3", "a#2#2"]
    assert len(set(names)) == 6


@pytest.mark.parametrize("shape", [(2, 1, 1), (2, 1), (2,)])
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_sentiment_labels(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    train = _train(tmp_path, labels=np.array([-3, 2], dtype).reshape(shape))
    assert [s.target.tolist() for s in train] == [[-3.0], [2.0]]
    assert train[0].target.dtype == np.float32


def _all(**changes: Any) -> dict[str, Any]:
    return {name: _part(**changes) for name in ("train", "valid", "test")}


EMOTION_PAIRS = np.array([[[1, 0], [0, 1], [1, 0], [0, 1]]] * 2)
NAMED = np.array([["a", "b"]] * 2)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "missing key": ({"train": {"text": 1, b"odd": 2}}, "train: has no 'labels', only text, b'odd'"),
    "split that is a list": ({"train": [1]}, "train: holds no dictionary but a list"),
    "too short a list": ({"train": _part(text=[[1.0]])}, "1 of text, 2 of audio"),
    "words": ({"train": _part(text=["a b", "c"])}, "train: 'text' of sample 0 is no sequence"),
    "lists of unlike widths": (
        {"train": _part(text=[[[1.0]], [[1.0, 2.0]]])},
        "'text' has sequences of 1 and 2 features",
    ),
    "lists of unlike lengths": (
        {"train": _part(text=[[1.0], [1.0, 2.0]])},
        "'text' has rows of 1 to 2 numbers, not sequences",
    ),
    "text in an array": ({"train": _part(text=NAMED)}, "'text' is an array of shape (2, 2)"),
    "objects": ({"valid": _part(audio=np.array([None, 1]))}, "valid: 'audio' of sample 1"),
    "deep features": ({"test": _part(vision=np.ones((2, 1, 1, 5)))}, "has shape (2, 1, 1, 5)"),
    "no steps": ({"test": _part(vision=np.ones((2, 0, 1)))}, "'vision' has shape (2, 0, 1)"),
    "no features": ({"test": _part(vision=np.ones((2, 5, 0)))}, "'vision' has shape (2, 5, 0)"),
    "counts": (
        {"train": _part(audio=np.ones((3, 4, 3)))},
        "2 of text, 3 of audio, 2 of vision, 2 of labels",
    ),
    "label count": ({"train": _part(labels=np.zeros((5, 1, 1)))}, "5 of labels"),
    "empty split": ({"test": _part(0)}, "test: the split is empty"),
    "three emotions": ({"train": _part(labels=np.zeros((2, 3, 2)))}, "has shape (2, 3, 2)"),
    "label pairs": (_all(labels=np.ones((2, 4, 2))), "label 0 has a pair that is not"),
    "label out of range": ({"train": _part(labels=np.array([0.0, 4.0]))}, "label 1 is 4, outside"),
    "label that is no number": ({"train": _part(labels=np.array([0.0, np.nan]))}, "not finite"),
    "label text": ({"train": _part(labels=np.array(["a", "b"]))}, "'valid' has labels of another"),
    "label of nothing": ({"train": _part(labels=[0.0, None])}, "'labels' is a list, not an array"),
    "label scalar": ({"train": _part(labels=np.array(1.0))}, "'labels' is an array of shape ()"),
    "two tasks": ({"valid": _part(labels=EMOTION_PAIRS)}, "'valid' has labels of another kind"),
    "two widths": (
        {"test": _part(audio=np.ones((2, 4, 9)))},
        "'test' has audio of width 9, 'train' of 3",
    ),
    "too few ids": ({"train": _part(id=[b"a"])}, "'id' has 1 rows for 2 samples"),
    "ids that are a number": ({"train": _part(id=np.array(1))}, "'id' has no rows"),
    "pairs of ids": ({"train": _part(id=[("a", "b")] * 2)}, "id 0 is neither a name nor a triple"),
    "ids of nothing": ({"train": _part(id=[("a", "b", None)] * 2)}, "id 0 is neither"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_give_one_error(tmp_path: Path, name: str) -> None:
    parts, expected = WRONG[name]
    path = _write(tmp_path, **{"train": _part(), **parts})
    with pytest.raises(InputError) as caught:
        read_mult(path, MultOptions())
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"train": 1, "test": 2}, "has no 'valid', only train, test"),
        ({}, "has no 'train', only nothing"),
        ([1], "holds no dictionary but a list"),
    ],
)
def test_files_without_splits(tmp_path: Path, data: Any, expected: str) -> None:
    path = tmp_path / "odd.pkl"
    path.write_bytes(pickle.dumps(data))
    with pytest.raises(InputError, match=expected):
        read_mult(path, MultOptions())


def test_a_file_that_is_no_pickle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,label\n")
    with pytest.raises(InputError, match=r"labels\.csv: not a pickle"):
        load_corpus(str(path))


def test_unknown_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown option 'limit'"):
        load_corpus("mult", _write(tmp_path, _part()), {"limit": 3})
