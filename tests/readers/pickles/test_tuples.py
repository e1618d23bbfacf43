"""Pickles of tuples: words, voice and face of MAG-BERT, MISA and MMIM."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.doctor import examine
from affuse.errors import InputError
from affuse.readers.registry import load_corpus
from affuse.readers.word_vectors import word_vectors
from affuse.samples import Corpus
from affuse.tasks import Classification, Regression
from affuse.training.presets import corpus_options

WORDS = ["the", "film", "was", "not", "bad", "at", "all", "but", "qwxzy", "too", "long"]
COUNTS = {"train": 9, "dev": 5, "test": 6}


def _example(part: str, row: int, *, numbers: bool = False, text: bool = False) -> tuple[Any, ...]:
    rng = np.random.default_rng([len(part), row])
    count = 3 + row % 7
    words: Any = WORDS[:count]
    parts = [
        np.array([WORDS.index(word) for word in words]) if numbers else words,
        rng.normal(size=(count, 47)).astype(np.float32),
        rng.normal(size=(count, 74)),
    ]
    parts += [words] if text else []
    return tuple(parts), np.array([[rng.uniform(-3, 3)]], np.float32), f"{part}{row // 3}[{row}]"


def _data(**options: bool) -> dict[str, list[Any]]:
    return {p: [_example(p, row, **options) for row in range(n)] for p, n in COUNTS.items()}


def _read(folder: Path, data: Any, **options: Any) -> Corpus:
    path = folder / "mosi.pkl"
    path.write_bytes(pickle.dumps(data))
    return load_corpus(str(path), options=options)


def test_words_voice_and_face_are_read_one_step_a_word(tmp_path: Path) -> None:
    corpus = _read(tmp_path, _data())
    assert corpus.task == Regression()
    assert dict(corpus.widths) == {"text": 100, "audio": 74, "vision": 47}
    assert (corpus.name, corpus.preset) == ("tuples[data=mosi]", "mult-mosi")
    assert {p: len(x) for p, x in corpus.folds[0].parts().items()} == {
        "train": 9,
        "valid": 5,
        "test": 6,
    }
    for row, sample in enumerate(corpus.folds[0].train):
        (words, visual, acoustic), label, segment = _example("train", row)
        assert (sample.id, sample.group) == (segment, segment.partition("[")[0])
        assert sample.text == " ".join(words)
        np.testing.assert_array_equal(sample.sequences["vision"], visual)
        np.testing.assert_array_equal(sample.sequences["audio"], acoustic.astype(np.float32))
        np.testing.assert_array_equal(sample.sequences["text"], word_vectors(words))
        np.testing.assert_array_equal(sample.target, label[0])


def test_a_folder_of_three_files_is_the_same(tmp_path: Path) -> None:
    whole = _read(tmp_path, _data())
    folder = tmp_path / "datasets"
    folder.mkdir()
    for part, examples in _data().items():
        (folder / f"{part}.pkl").write_bytes(pickle.dumps(examples))
    assert load_corpus(str(folder)).fingerprint() == whole.fingerprint()
    assert examine(str(folder)).kind == "tuples"
    with pytest.raises(InputError, match="is one part of a corpus; give the folder"):
        load_corpus(str(folder / "train.pkl"))


@pytest.mark.parametrize("kind", ["fourth", "word2id.pkl", "vocab.json", "words.txt"])
def test_numbers_stand_for_words_that_are_told(tmp_path: Path, kind: str) -> None:
    whole = _read(tmp_path, _data())
    folder = tmp_path / "numbers"
    folder.mkdir()
    places = {word: number for number, word in enumerate(WORDS)}
    content = {
        "fourth": b"",
        "word2id.pkl": pickle.dumps(places),
        "vocab.json": json.dumps({str(n): word for word, n in places.items()}).encode(),
        "words.txt": "\n".join(WORDS).encode(),
    }[kind]
    if content:
        (folder / kind).write_bytes(content)
    data = _data(numbers=True, text=kind == "fourth")
    assert _read(folder, data).fingerprint() == whole.fingerprint()


def test_numbers_stand_for_rows_of_a_table(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(len(WORDS), 8)).astype(np.float32)
    np.save(tmp_path / "embeddings.npy", table)
    corpus = _read(tmp_path, _data(numbers=True))
    assert corpus.features["text"] == "vectors of its own table"
    np.testing.assert_array_equal(corpus.folds[0].train[0].sequences["text"], table[:3])
    np.save(tmp_path / "embeddings.npy", table[:4])
    with pytest.raises(InputError, match="beyond the 4 rows of the table"):
        _read(tmp_path, _data(numbers=True))


def test_numbers_that_stand_for_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"words are numbers, and no table.*--set text=none"):
        _read(tmp_path, _data(numbers=True))
    assert _read(tmp_path, _data(numbers=True), text="none").modalities == ("audio", "vision")


def test_other_layouts_of_the_same(tmp_path: Path) -> None:
    whole = _read(tmp_path, _data())
    sentence = {
        p: [((w, v, a, " ".join(w)), y, s) for (w, v, a), y, s in rows]
        for p, rows in _data().items()
    }
    lists = {
        p: [[[np.array(w), v, a], y.ravel(), s.encode()] for (w, v, a), y, s in rows]
        for p, rows in _data().items()
    }
    scalars = {
        p: tuple((parts, float(y[0, 0]), [s]) for parts, y, s in rows)
        for p, rows in _data().items()
    }
    for other in (sentence, lists, scalars):
        assert _read(tmp_path, other).fingerprint() == whole.fingerprint()


def test_seven_labels_are_sentiment_and_emotions(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    data = {
        part: [
            (x, np.hstack([rng.uniform(-3, 3, (1, 1)), rng.uniform(0.1, 3, (1, 6))]), s)
            for x, _, s in rows
        ]
        for part, rows in _data().items()
    }
    corpus = _read(tmp_path, data)
    assert corpus.task == Regression()
    assert "of 7 labels a sample the first is read, as sentiment" in " ".join(corpus.notices)
    one_hot = {
        part: [(x, np.eye(7)[row % 7], s) for row, (x, _, s) in enumerate(rows)]
        for part, rows in _data().items()
    }
    assert _read(tmp_path, one_hot).task == Classification(tuple("0123456"))


def test_a_face_that_is_nowhere_is_absent_and_inner_zeros_are_kept(tmp_path: Path) -> None:
    data = _data()
    data["train"][0][0][1][:] = 0
    data["train"][1][0][1][-1:] = 0
    train = _read(tmp_path, data).folds[0].train
    assert train[0].modalities == ("text", "audio")
    assert len(train[1].sequences["vision"]) == len(train[1].sequences["text"]) == 4


def test_none_is_what_an_example_lacks_and_unknown_words_are_no_text(tmp_path: Path) -> None:
    data = _data()
    words, _, acoustic = data["train"][0][0]
    data["train"][0] = ((words, None, acoustic), *data["train"][0][1:])
    corpus = _read(tmp_path, data)
    assert corpus.folds[0].train[0].modalities == ("text", "audio")
    foreign = {
        part: [((["qwxzy"] * len(w), v, a), y, s) for (w, v, a), y, s in rows]
        for part, rows in _data().items()
    }
    assert "text left out: no sample has it" in _read(tmp_path, foreign).notices


def test_inspect_and_train_read_the_same(tmp_path: Path) -> None:
    whole = _read(tmp_path, _data())
    path = str(tmp_path / "mosi.pkl")
    found = examine(path)
    assert found.corpus is not None
    assert found.corpus.fingerprint() == whole.fingerprint()
    assert load_corpus(path, options=corpus_options(path, {})).fingerprint() == whole.fingerprint()
    assert [f.code for f in found.findings if f.severity == "error"] == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: [*rows[:1], "odd"], "example 1 is laid out otherwise"),
        (
            lambda rows: [(rows[0][0], "happy", "a[0]"), *rows[1:]],
            "label of example 0 is no number",
        ),
        (lambda rows: [(rows[0][0], np.ones(2), "a"), *rows[1:]], "labels have 1 and 2 values"),
    ],
)
def test_wrong_examples_give_one_error(tmp_path: Path, change: Any, expected: str) -> None:
    data = {**_data(), "train": change(_data()["train"])}
    with pytest.raises(InputError, match=expected):
        _read(tmp_path, data)
