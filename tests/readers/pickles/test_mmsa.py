"""The reader of MMSA pickles, value by value."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.extract.text.glove import Glove
from affuse.readers.pickles.mmsa import SENTIMENTS, MmsaOptions, read_mmsa
from affuse.readers.registry import load_corpus, resolve
from affuse.tasks import Classification, Regression

COUNTS = {"train": 4, "valid": 2, "test": 3}
# File to widths and steps of text, audio and vision, as published.
FILES: dict[str, tuple[dict[str, int], tuple[int, int, int]]] = {
    "mosi aligned_50": ({"text": 768, "audio": 5, "vision": 20}, (50, 50, 50)),
    "mosi unaligned_50": ({"text": 768, "audio": 5, "vision": 20}, (50, 375, 500)),
    "mosei aligned_50": ({"text": 768, "audio": 74, "vision": 35}, (50, 50, 50)),
    "mosei unaligned_50": ({"text": 768, "audio": 74, "vision": 35}, (50, 500, 500)),
    "sims unaligned_39": ({"text": 768, "audio": 33, "vision": 709}, (39, 400, 55)),
}
ANNOTATIONS = np.array(["Negative", "Neutral", "Positive"])


@dataclass
class Written:
    """A file and what was put into it: split to sequences before padding."""

    path: Path
    data: dict[str, Any]
    sequences: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def _write_part(written: Written, name: str, part: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths, most = FILES[name]
    steps, count = dict(zip(widths, most, strict=True)), COUNTS[part]
    aligned, sims = "unaligned" not in name, name.startswith("sims")
    lengths = {m: rng.integers(2, t, count) for m, t in steps.items()}
    if aligned:
        lengths = dict.fromkeys(steps, lengths["text"])
    arrays = {m: np.zeros((count, steps[m], d), np.float32) for m, d in widths.items()}
    tokens = np.zeros((count, 3, steps["text"]), np.int64)
    written.sequences[part] = []
    for row in range(count):
        sequences = {m: rng.normal(size=(lengths[m][row], d)) for m, d in widths.items()}
        sequences = {m: sequence.astype(np.float32) for m, sequence in sequences.items()}
        # A face that was not found: a zero step at the very end that counts.
        sequences["vision"][-1] = 0
        for m, sequence in sequences.items():
            arrays[m][row, : len(sequence)] = sequence
        # BERT has features for its padding too.
        arrays["text"][row, len(sequences["text"]) :] = 0.25
        tokens[row, 0, : len(sequences["text"])] = rng.integers(1000, 30000, len(sequences["text"]))
        tokens[row, 1, : len(sequences["text"])] = 1
        written.sequences[part].append(sequences)
    bound = 1 if sims else 3
    labels = rng.uniform(-bound, bound, count).astype(np.float32)
    labels[0] = bound
    classes = (np.sign(labels) + 1).astype(int)
    written.data[part] = {
        "raw_text": np.array([f"a good {part} film {row}" for row in range(count)]),
        **{m: arrays[m] for m in ("audio", "vision")},
        "id": [f"{part}vid{row // 2}$_${row % 2:04d}" for row in range(count)],
        "text": arrays["text"],
        "text_bert": tokens,
        "annotations": ANNOTATIONS[classes].tolist(),
        "classification_labels": classes.astype(np.float64),
        "regression_labels": labels,
    }
    if not aligned:
        for m in ("audio", "vision"):
            written.data[part][f"{m}_lengths"] = lengths[m].tolist()
    if sims:
        for letter in "TAV":
            written.data[part][f"regression_labels_{letter}"] = rng.uniform(-1, 1, count)


def _write(tmp_path: Path, name: str) -> Written:
    written = Written(tmp_path / f"{name.partition(' ')[2]}.pkl", {})
    for seed, part in enumerate(COUNTS):
        _write_part(written, name, part, seed)
    written.path.write_bytes(pickle.dumps(written.data, 4))
    return written


@pytest.mark.parametrize("name", FILES)
def test_reads_every_value(tmp_path: Path, name: str) -> None:
    written = _write(tmp_path, name)
    read = load_corpus(str(written.path))
    widths, _ = FILES[name]
    assert (dict(read.widths), list(read.widths)) == (widths, list(widths))
    assert read.name == f"mmsa[data={written.path.stem}]"
    assert read.task == (Regression(-1, 1) if name.startswith("sims") else Regression(-3, 3))
    assert read.features["text"] == "bert-768"
    for part, samples in read.folds[0].parts().items():
        content = written.data[part]
        assert [s.id for s in samples] == content["id"]
        assert [s.group for s in samples] == [i.partition("$_$")[0] for i in content["id"]]
        assert [s.text for s in samples] == content["raw_text"].tolist()
        targets = np.concatenate([s.target for s in samples])
        np.testing.assert_array_equal(targets, content["regression_labels"])
        for sample, sequences in zip(samples, written.sequences[part], strict=True):
            assert sample.modalities == ("text", "audio", "vision")
            for modality, sequence in sequences.items():
                np.testing.assert_array_equal(sample.sequences[modality], sequence)


def test_the_path_alone_is_recognised(tmp_path: Path) -> None:
    assert resolve(str(_write(tmp_path, "mosi aligned_50").path))[0].name == "mmsa"


def test_classes(tmp_path: Path) -> None:
    written = _write(tmp_path, "mosi aligned_50")
    read = load_corpus(str(written.path), options={"label": "classification"})
    assert read.task == Classification(SENTIMENTS)
    assert read.name == "mmsa[data=aligned_50,label=classification]"
    train = read.folds[0].train
    named = [SENTIMENTS[int(s.target[0])].capitalize() for s in train]
    assert named == written.data["train"]["annotations"]


@pytest.mark.parametrize("modality", ["text", "audio", "vision"])
def test_labels_of_single_modalities(tmp_path: Path, modality: str) -> None:
    written = _write(tmp_path, "sims unaligned_39")
    read = load_corpus(str(written.path), options={"label": modality})
    expected = written.data["test"][f"regression_labels_{modality[0].upper()}"]
    found = np.concatenate([s.target for s in read.folds[0].test])
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_labels_of_single_modalities_beside_those_of_the_whole(tmp_path: Path) -> None:
    written = _write(tmp_path, "sims unaligned_39")
    read = load_corpus(str(written.path), options={"unimodal": True})
    for part, samples in read.folds[0].parts().items():
        content = written.data[part]
        targets = np.concatenate([s.target for s in samples])
        np.testing.assert_array_equal(targets, content["regression_labels"])
        for modality in ("text", "audio", "vision"):
            expected = content[f"regression_labels_{modality[0].upper()}"].astype(np.float32)
            found = np.concatenate([s.unimodal[modality] for s in samples])
            np.testing.assert_array_equal(found, expected)
    with pytest.raises(InputError, match="unimodal goes with the labels of the whole"):
        load_corpus(str(written.path), options={"unimodal": True, "label": "audio"})
    other = _write(tmp_path, "mosi aligned_50")
    with pytest.raises(InputError, match="has no 'regression_labels_T'"):
        load_corpus(str(other.path), options={"unimodal": True})


def test_transcripts_can_stand_in_for_features_of_text(tmp_path: Path) -> None:
    written = _write(tmp_path, "mosi unaligned_50")
    for part in written.data.values():
        del part["text"]
    written.path.write_bytes(pickle.dumps(written.data, 4))
    with pytest.raises(InputError, match="no features of text, only BERT's token ids"):
        load_corpus(str(written.path))
    read = load_corpus(str(written.path), options={"text": "glove"})
    assert read.features["text"] == Glove().name
    assert list(read.widths) == ["text", "audio", "vision"]
    for part, samples in read.folds[0].parts().items():
        encoded = Glove().encode(written.data[part]["raw_text"].tolist())
        for sample, expected in zip(samples, encoded, strict=True):
            np.testing.assert_array_equal(sample.sequences["text"], expected.features)
    read = load_corpus(str(written.path), options={"text": "none"})
    assert read.modalities == ("audio", "vision")


@pytest.mark.parametrize("key", ["text_bert", "text"])
def test_token_ids_are_not_taken_for_features(tmp_path: Path, key: str) -> None:
    written = _write(tmp_path, "mosi aligned_50")
    for part in written.data.values():
        part["text"] = part["text_bert"].astype(np.float32)
    written.path.write_bytes(pickle.dumps(written.data, 4))
    with pytest.raises(InputError, match="only BERT's token ids"):
        load_corpus(str(written.path), options={"text": key})


def _part(rows: int = 2, **changes: Any) -> dict[str, Any]:
    part = {
        "text": np.ones((rows, 3, 2), np.float32),
        "audio": np.ones((rows, 4, 3), np.float32),
        "vision": np.ones((rows, 5, 1), np.float32),
        "regression_labels": np.linspace(-1, 2, rows).astype(np.float32),
    }
    return {**part, **changes}


def _small(tmp_path: Path, train: dict[str, Any]) -> Path:
    path = tmp_path / "small.pkl"
    path.write_bytes(pickle.dumps({"train": train, "valid": _part(), "test": _part()}))
    return path


def _train(tmp_path: Path, **changes: Any) -> Any:
    return read_mmsa(_small(tmp_path, _part(**changes)), MmsaOptions()).folds[0].train


def test_the_least_that_a_file_has(tmp_path: Path) -> None:
    train = _train(tmp_path)
    assert [s.id for s in train] == ["train/0", "train/1"]
    assert [(s.group, s.text) for s in train] == [(None, None)] * 2
    assert [s.target.tolist() for s in train] == [[-1.0], [2.0]]


def test_a_length_that_stops_at_an_inner_zero_loses_nothing(tmp_path: Path) -> None:
    audio = np.ones((2, 4, 3), np.float32)
    audio[0, 1] = 0
    audio[1, 0] = 0
    audio[1, 3] = 0
    first, second = _train(tmp_path, audio=audio, audio_lengths=[1, 1])
    np.testing.assert_array_equal(first.sequences["audio"], audio[0])
    np.testing.assert_array_equal(second.sequences["audio"], audio[1, :3])


def test_a_modality_of_zeros_is_absent_whatever_its_length(tmp_path: Path) -> None:
    vision = np.ones((2, 5, 1), np.float32)
    vision[1] = 0
    train = _train(tmp_path, vision=vision, vision_lengths=np.array([5, 1]))
    assert [s.modalities for s in train] == [("text", "audio", "vision"), ("text", "audio")]


def test_values_that_are_not_finite_become_zero(tmp_path: Path) -> None:
    audio = np.ones((2, 4, 3))
    audio[0, 1] = [-np.inf, np.nan, 1e300]
    np.testing.assert_array_equal(_train(tmp_path, audio=audio)[0].sequences["audio"][1], [0, 0, 0])


def test_a_bound_can_be_given(tmp_path: Path) -> None:
    path = _small(tmp_path, _part())
    assert read_mmsa(path, MmsaOptions(bound=2)).task == Regression(-2.0, 2.0)
    with pytest.raises(InputError, match=r"train: label 1 is 2, outside \[-1, 1\]"):
        read_mmsa(path, MmsaOptions(bound=1))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no labels": ({"regression_labels": None}, "has no 'regression_labels'"),
    "labels in pairs": ({"regression_labels": np.zeros((2, 2))}, "has shape (2, 2)"),
    "labels of text": ({"regression_labels": ["a", "b"]}, "'regression_labels' is an array"),
    "a label that is no number": ({"regression_labels": [0.0, np.nan]}, "label 1 is not finite"),
    "too few labels": ({"regression_labels": [0.5]}, "2 of text, 2 of audio, 2 of vision, 1 of"),
    "too few lengths": ({"audio_lengths": [1]}, "'audio_lengths' is an array of shape (1,)"),
    "lengths of text": ({"vision_lengths": "ab"}, "'vision_lengths' is a str"),
    "too few texts": ({"raw_text": ["a"]}, "'raw_text' is a list, not 2 texts"),
    "too few ids": ({"id": ["a"]}, "'id' has 1 rows for 2 samples"),
    "deep features": ({"vision": np.ones((2, 1, 1, 5))}, "'vision' has shape (2, 1, 1, 5)"),
    "text of texts": ({"text": np.full((2, 3, 4), "a")}, "'text' is an array of shape (2, 3, 4)"),
    "text in lists": ({"text": [[1.0]]}, "different numbers of samples: 1 of text, 2 of"),
    "another width": ({"audio": np.ones((2, 4, 9))}, "'valid' has audio of width 3, 'train' of 9"),
    "an empty split": (_part(0), "the split is empty"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_give_one_error(tmp_path: Path, name: str) -> None:
    changes, expected = WRONG[name]
    path = _small(tmp_path, {k: v for k, v in _part(**changes).items() if v is not None})
    with pytest.raises(InputError) as caught:
        read_mmsa(path, MmsaOptions())
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"text": "text_glove"}, "has no 'text_glove', only text, audio"),
        ({"text": "minilm"}, "has no 'raw_text'"),
        ({"label": "vision"}, "has no 'regression_labels_V'; choose label=regression"),
        ({"label": "sentiment"}, "option 'label'"),
        ({"bound": 0}, "option 'bound'"),
    ],
)
def test_options_that_the_file_cannot_serve(
    tmp_path: Path, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        load_corpus("mmsa", _small(tmp_path, _part()), options)
    assert expected in str(caught.value)


def test_only_audio_and_vision_are_optional(tmp_path: Path) -> None:
    parts = {name: {k: v for k, v in _part().items() if k != "vision"} for name in COUNTS}
    path = tmp_path / "two.pkl"
    path.write_bytes(pickle.dumps(parts))
    assert read_mmsa(path, MmsaOptions()).modalities == ("text", "audio")
    for part in parts.values():
        del part["audio"]
    path.write_bytes(pickle.dumps(parts))
    with pytest.raises(InputError, match="has neither audio nor vision"):
        read_mmsa(path, MmsaOptions(text="none"))
