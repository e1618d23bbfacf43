"""The reader of MultiBench's pickles, value by value."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.readers.pickles.multibench import CLASSES, UNNAMED, MultibenchOptions, read_multibench
from affuse.readers.registry import load_corpus, resolve
from affuse.tasks import Classification

COUNTS = {"train": 5, "valid": 3, "test": 4}
WIDTHS = {"text": 300, "audio": 81, "vision": 371}


def _files(seed: int, steps: int, labels: tuple[int, int], ids: bool) -> tuple[Any, Any]:
    """The content of a file, and the sequences before padding in front."""
    rng = np.random.default_rng(seed)
    data: dict[str, Any] = {}
    sequences: dict[str, Any] = {}
    for part, count in COUNTS.items():
        arrays = {m: np.zeros((count, steps, d)) for m, d in WIDTHS.items()}
        sequences[part] = []
        for row in range(count):
            length = int(rng.integers(2, steps + 1))
            own = {m: rng.normal(size=(length, d)).astype(np.float32) for m, d in WIDTHS.items()}
            for m, sequence in own.items():
                arrays[m][row, steps - length :] = sequence
            sequences[part].append(own)
        flags = np.arange(count) % 2
        names = np.array([f"1_{row}" for row in range(count)]) if ids else None
        data[part] = {
            **arrays,
            "labels": np.array(labels)[flags].reshape(count, 1, 1 if ids else -1),
            "id": np.arange(1_234_567, 1_234_567 + count)[:, None] if names is None else names,
        }
        sequences[part] = (sequences[part], flags)
    return data, sequences


@pytest.mark.parametrize(
    ("file", "kind", "steps", "labels"),
    [("humor.pkl", "humor", 20, (0, 1)), ("sarcasm.pkl", "sarcasm", 50, (-1, 1))],
)
def test_reads_every_value(
    tmp_path: Path, file: str, kind: str, steps: int, labels: tuple[int, int]
) -> None:
    data, written = _files(3, steps, labels, ids=kind == "sarcasm")
    path = tmp_path / file
    path.write_bytes(pickle.dumps(data))
    assert resolve(str(path))[0].name == "multibench"
    read = load_corpus(str(path))
    assert read.name == f"multibench[data={kind}]"
    assert read.task == Classification(CLASSES[kind])
    assert (dict(read.widths), list(read.widths)) == (WIDTHS, list(WIDTHS))
    assert read.features["vision"] == "openface-371"
    for part, samples in read.folds[0].parts().items():
        sequences, flags = written[part]
        assert [s.target.tolist() for s in samples] == [[float(flag)] for flag in flags]
        first = "1_0" if kind == "sarcasm" else "1234567"
        assert samples[0].id == first + {"train": "", "valid": "#2", "test": "#3"}[part]
        for sample, own in zip(samples, sequences, strict=True):
            assert sample.modalities == ("text", "audio", "vision")
            for modality, sequence in own.items():
                np.testing.assert_array_equal(sample.sequences[modality], sequence)


def test_what_the_labels_tell_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(_files(0, 4, (0, 1), ids=True)[0]))
    assert load_corpus(str(path)).task == Classification(UNNAMED)
    read = load_corpus(str(path), options={"labels": "sarcasm"})
    assert read.task == Classification(CLASSES["sarcasm"])
    assert read.name == "multibench[data=data,labels=sarcasm]"


def test_a_sample_without_text_is_kept(tmp_path: Path) -> None:
    data, _ = _files(0, 4, (0, 1), ids=True)
    data["train"]["text"][1] = 0
    data["train"]["audio"][2, -1, 3] = -np.inf
    path = tmp_path / "humor.pkl"
    path.write_bytes(pickle.dumps(data))
    train = load_corpus(str(path)).folds[0].train
    assert train[1].modalities == ("audio", "vision")
    assert train[2].sequences["audio"][-1, 3] == 0


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([0.0, 2.5, 1, 0, 0]), "train: label 1 is 2.5"),
        (np.array([0.0, np.nan, 1, 0, 0]), "train: label 1 is nan"),
        (np.zeros((5, 2)), "'labels' has shape (5, 2)"),
        (np.zeros(3), "5 of text, 5 of audio, 5 of vision, 3 of labels"),
        (["yes"] * 5, "'labels' is an array"),
    ],
)
def test_wrong_labels_give_one_error(tmp_path: Path, labels: Any, expected: str) -> None:
    data, _ = _files(0, 4, (0, 1), ids=True)
    data["train"]["labels"] = labels
    path = tmp_path / "humor.pkl"
    path.write_bytes(pickle.dumps(data))
    with pytest.raises(InputError) as caught:
        read_multibench(path, MultibenchOptions())
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "labels",
    [np.zeros((5, 1, 1)), np.array([0.5, 0, 1, 0, 1]), np.tile([[1, 0]], (5, 4, 1))],
    ids=["one value", "other values", "pairs"],
)
def test_other_labels_are_not_recognised(tmp_path: Path, labels: Any) -> None:
    data, _ = _files(0, 4, (0, 1), ids=True)
    data["train"]["labels"] = labels
    path = tmp_path / "humor.pkl"
    path.write_bytes(pickle.dumps(data))
    assert resolve(str(path))[0].name == "mult"


def test_a_file_that_changes_is_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "data.pkl"
    path.write_bytes(b"no pickle")
    assert resolve(str(path))[0].name == "mult"
    path.write_bytes(pickle.dumps(_files(0, 4, (0, 1), ids=True)[0]))
    assert resolve(str(path))[0].name == "multibench"
