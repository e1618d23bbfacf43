"""Pickles as people save them: the same corpus in many guises, read alike by whoever asks."""

from __future__ import annotations

import collections
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.doctor import examine
from affuse.errors import InputError
from affuse.readers.pickles.ragged import to_arrays
from affuse.readers.registry import load_corpus
from affuse.samples import PARTS, Corpus
from affuse.tasks import BinaryLabels, Classification, Regression
from affuse.training.presets import corpus_options

WIDTHS = {"text": 6, "audio": 3, "vision": 4}
COUNTS = {"train": 12, "valid": 8, "test": 8}
Data = dict[str, dict[str, Any]]


def _part(name: str, steps: int = 5) -> dict[str, Any]:
    rng, count = np.random.default_rng(len(name)), COUNTS[name]
    arrays = {m: rng.normal(size=(count, steps, w)).astype(np.float32) for m, w in WIDTHS.items()}
    labels = rng.uniform(-2.9, 2.9, (count, 1, 1)).astype(np.float32)
    ids = np.array([[f"{name}{row // 3}", str(row), str(row + 1)] for row in range(count)])
    return {**arrays, "labels": labels, "id": ids}


def _data() -> Data:
    return {name: _part(name) for name in PARTS}


def _each(change: Callable[[dict[str, Any]], Any]) -> Callable[[Data], Any]:
    """A change of every part."""

    def apply(data: Data) -> Any:
        return {name: change(part) or part for name, part in data.items()}

    return apply


def _features(convert: Callable[[Any], Any]) -> Callable[[Data], Any]:
    return _each(lambda part: {**part, **{m: convert(part[m]) for m in WIDTHS}})


def _renamed(**names: str) -> Callable[[Data], Any]:
    return lambda data: {names.get(name, name): part for name, part in data.items()}


def _objects(rows: Any) -> Any:
    made = np.empty(len(rows), object)
    made[:] = list(rows)
    return made


# Guises in which nothing of the corpus changes.
SAME: dict[str, Callable[[Data], Any]] = {
    "lists of arrays": _features(list),
    "tuples of arrays": _features(tuple),
    "nested lists": _features(lambda x: x.astype(float).tolist()),
    "object arrays": _features(_objects),
    "lists of (1, T, D)": _features(lambda x: [row[None] for row in x]),
    "big-endian": _features(lambda x: x.astype(">f4")),
    "double precision": _features(lambda x: x.astype(np.float64)),
    "Fortran order": _features(np.asfortranarray),
    "OrderedDict": lambda d: collections.OrderedDict(
        (name, collections.OrderedDict(part)) for name, part in d.items()
    ),
    "defaultdict": lambda d: collections.defaultdict(
        dict, {name: collections.defaultdict(list, part) for name, part in d.items()}
    ),
    "dev": _renamed(valid="dev"),
    "val": _renamed(valid="val"),
    "Validation": _renamed(valid="Validation"),
    "training, eval, testing": _renamed(train="training", valid="eval", test="testing"),
    "train, dev, eval": _renamed(valid="dev", test="eval"),
    "another order": lambda d: {name: d[name] for name in reversed(d)},
    "keys in bytes": lambda d: {name.encode(): part for name, part in d.items()},
    "keys of splits in bytes": _each(lambda p: {key.encode(): value for key, value in p.items()}),
    "visual, acoustic": _each(
        lambda p: {{"vision": "visual", "audio": "acoustic"}.get(k, k): v for k, v in p.items()}
    ),
    "label, ids": _each(
        lambda p: {{"labels": "label", "id": "ids"}.get(k, k): v for k, v in p.items()}
    ),
    "labels (N,)": _each(lambda p: {**p, "labels": p["labels"].ravel()}),
    "labels (N, 1)": _each(lambda p: {**p, "labels": p["labels"][:, 0]}),
    "labels in a list": _each(lambda p: {**p, "labels": p["labels"].ravel().tolist()}),
    "labels in a list of arrays": _each(lambda p: {**p, "labels": list(p["labels"])}),
    "labels in strings": _each(lambda p: {**p, "labels": p["labels"].astype(str)}),
    "a dictionary a sample": _each(
        lambda p: [{k: v[row] for k, v in p.items()} for row in range(len(p["id"]))]
    ),
    "other entries": _each(lambda p: {**p, "note": "mine", "lengths": None, "extra": {1: [2]}}),
    "a further split": lambda d: {**d, "challenge": {"text": None}},
}


def _write(folder: Path, data: Any, protocol: int = 4) -> Path:
    path = folder / "mine.pkl"
    path.write_bytes(pickle.dumps(data, protocol))
    return path


def _read(folder: Path, data: Any, **options: Any) -> Corpus:
    return load_corpus(str(_write(folder, data)), options=options)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return _read(tmp_path_factory.mktemp("plain"), _data())


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("guise", SAME)
def test_a_guise_changes_nothing(tmp_path: Path, plain: Corpus, guise: str, protocol: int) -> None:
    path = _write(tmp_path, SAME[guise](_data()), protocol)
    found = examine(str(path))
    assert (found.kind, found.corpus is not None) == ("mult", True)
    assert found.corpus is not None
    assert found.corpus.fingerprint() == plain.fingerprint()
    groups = [[s.group for s in part] for part in found.corpus.folds[0].parts().values()]
    assert groups == [[s.group for s in part] for part in plain.folds[0].parts().values()]
    # What training reads is what was examined.
    options = corpus_options(str(path), {"epochs": 1})
    assert load_corpus(str(path), options=options).fingerprint() == plain.fingerprint()


def test_what_stands_otherwise_is_told(tmp_path: Path) -> None:
    data = {{"valid": "dev"}.get(name, name): part for name, part in _data().items()}
    for part in data.values():
        part["visual"] = part.pop("vision")
    path = _write(tmp_path, data)
    told = ("the split 'dev' is read as valid", "'visual' is read as vision")
    assert load_corpus(str(path)).notices == told
    said = [f.detail for f in examine(str(path)).findings if f.code == "read-as"]
    assert sorted(said) == sorted(told)


def test_a_split_that_is_not_there_is_refused_with_what_is(tmp_path: Path) -> None:
    data = {{"valid": "holdout"}.get(name, name): part for name, part in _data().items()}
    with pytest.raises(InputError, match="has no 'valid', only train, test, holdout"):
        _read(tmp_path, data)
    assert [f.code for f in examine(str(tmp_path / "mine.pkl")).findings][:1] == ["empty-split"]


@pytest.mark.parametrize("kept", [("text",), ("audio",), ("text", "vision"), ("audio", "vision")])
def test_any_modalities_will_do(tmp_path: Path, kept: tuple[str, ...]) -> None:
    data = _data()
    for part in data.values():
        for modality in set(WIDTHS) - set(kept):
            part[modality] = None
    assert _read(tmp_path, data).modalities == kept


def test_none_empty_and_nan_are_missing_samples(tmp_path: Path) -> None:
    data = _data()
    for modality in WIDTHS:
        data["train"][modality] = list(data["train"][modality])
    data["train"]["vision"][2] = None
    data["train"]["audio"][3] = np.zeros((0, 3))
    data["train"]["text"][4] = np.full((2, 6), np.nan)
    data["train"]["text"][5] = float("nan")
    data["train"]["text"][6] = []
    train = _read(tmp_path, data).folds[0].train
    absent = [sorted(set(WIDTHS) - set(s.modalities)) for s in train[2:7]]
    assert absent == [["vision"], ["audio"], ["text"], ["text"], ["text"]]


def test_as_many_steps_as_a_known_width_are_not_swapped_axes(tmp_path: Path) -> None:
    path = _write(tmp_path, {name: _part(name, steps=20) for name in PARTS})
    assert [f.code for f in examine(str(path)).findings] == []


def test_one_vector_a_sample_is_one_step(tmp_path: Path) -> None:
    data = _data()
    for part in data.values():
        part["audio"] = part["audio"].mean(axis=1)
    corpus = _read(tmp_path, data)
    assert {len(s.sequences["audio"]) for s in corpus.folds[0].samples()} == {1}
    assert corpus.notices == ("audio of shape (samples, features) is one step a sample",)


def test_unlike_lengths_do_not_pass_for_aligned(tmp_path: Path) -> None:
    data = _data()
    for part in data.values():
        part["text"] = [x[: 2 + row % 4] for row, x in enumerate(part["text"])]
        part["audio"] = [x[: 5 - row % 4] for row, x in enumerate(part["audio"])]
        del part["vision"]
    for row, sample in enumerate(_read(tmp_path, data).folds[0].train):
        assert len(sample.sequences["text"]) == 2 + row % 4
        assert len(sample.sequences["audio"]) == 5 - row % 4


def test_ragged_sequences_that_are_aligned_stay_so(tmp_path: Path) -> None:
    data = _data()
    for part in data.values():
        for modality in WIDTHS:
            part[modality] = [x[: 2 + row % 4].copy() for row, x in enumerate(part[modality])]
        part["vision"][1][0] = 0
    sample = _read(tmp_path, data).folds[0].train[1]
    assert {len(x) for x in sample.sequences.values()} == {3}
    assert not sample.sequences["vision"][0].any()


def test_what_training_lacks_is_left_out_everywhere_and_told(tmp_path: Path) -> None:
    data = _data()
    data["train"]["text"][:] = 0
    path = _write(tmp_path, data)
    for corpus in (load_corpus(str(path)), examine(str(path)).corpus):
        assert corpus is not None
        assert corpus.modalities == ("audio", "vision")
        assert all("text" not in s.sequences for s in corpus.folds[0].samples())
        assert corpus.notices == ("text left out: no sample of the training part has it",)


def test_samples_of_nothing_have_a_zero_step_of_what_training_has(tmp_path: Path) -> None:
    data = _data()
    data["train"]["text"][:] = 0
    for part in data.values():
        for modality in WIDTHS:
            part[modality][0] = 0
    corpus = _read(tmp_path, data)
    for samples in corpus.folds[0].parts().values():
        assert samples[0].modalities == ("audio",)
        np.testing.assert_array_equal(samples[0].sequences["audio"], np.zeros((1, 3)))


@pytest.mark.parametrize("part", ["valid", "test"])
def test_what_another_part_lacks_stays(tmp_path: Path, part: str) -> None:
    data = _data()
    del data[part]["text"]
    corpus = _read(tmp_path, data)
    assert corpus.modalities == ("text", "audio", "vision")
    assert not corpus.notices


def _labelled(labels: Callable[[int], Any]) -> Data:
    data = _data()
    for part in data.values():
        part["labels"] = labels(len(part["labels"]))
    return data


def _targets(corpus: Corpus) -> list[list[float]]:
    return [[] if s.target is None else s.target.tolist() for s in corpus.folds[0].train[:5]]


def test_integers_from_zero_are_classes_and_told(tmp_path: Path) -> None:
    corpus = _read(tmp_path, _labelled(lambda n: np.arange(n) % 3))
    assert corpus.task == Classification(("0", "1", "2"))
    assert _targets(corpus) == [[0.0], [1.0], [2.0], [0.0], [1.0]]
    (told,) = corpus.notices
    assert "whole numbers from 0 to 2, read as classes" in told
    values = _read(tmp_path, _labelled(lambda n: np.arange(n) % 3), labels="sentiment")
    assert values.task == Regression()


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_whole_numbers_that_may_be_values_are_told(tmp_path: Path, dtype: type) -> None:
    corpus = _read(tmp_path, _labelled(lambda n: (np.arange(n) % 3 - 1).astype(dtype)))
    assert corpus.task == Regression()
    assert "if they are classes, give labels=classes" in corpus.notices[0]
    asked = _read(
        tmp_path, _labelled(lambda n: (np.arange(n) % 3 - 1).astype(dtype)), labels="classes"
    )
    assert asked.task == Classification(("-1", "0", "1"))
    assert _targets(asked) == [[0.0], [1.0], [2.0], [0.0], [1.0]]


def test_names_are_classes(tmp_path: Path) -> None:
    names = np.array(["sad", "glad", "calm"])
    for kind in (names, names.astype("S"), names.astype(object)):
        corpus = _read(tmp_path, _labelled(lambda n, kind=kind: kind[np.arange(n) % 3]))
        assert corpus.task == Classification(("calm", "glad", "sad"))
        assert corpus.notices == ("labels are names, read as 3 classes",)
        assert _targets(corpus)[:3] == [[2.0], [1.0], [0.0]]


def test_names_that_are_no_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'labels' is a list, not an array"):
        _read(tmp_path, _labelled(lambda n: ["glad", *range(n - 1)]))
    data = {name: {"text": np.ones((40, 2, 2))} for name in PARTS}
    for name, part in data.items():
        part["labels"] = np.array([f"{name}{row}" for row in range(40)])
    with pytest.raises(InputError, match="labels are 120 texts"):
        _read(tmp_path, data)
    bytes_of_no_text = np.array([b"\xff", b"a"])
    read = _read(tmp_path, _labelled(lambda n: bytes_of_no_text[np.arange(n) % 2]))
    assert read.task == Classification(("a", "\ufffd"))


def test_what_no_sample_has_is_told(tmp_path: Path) -> None:
    data = _data()
    for part in data.values():
        part["audio"][:] = np.nan
    assert _read(tmp_path, data).notices == ("audio left out: no sample has it",)


def test_yes_and_no(tmp_path: Path) -> None:
    corpus = _read(tmp_path, _labelled(lambda n: np.arange(n) % 2 == 0))
    assert corpus.task == Classification(("0", "1"))


def test_samples_by_name(tmp_path: Path) -> None:
    data = {
        name: {
            f"{name}-{row}": {m: part[m][row] for m in (*WIDTHS, "labels")}
            for row in range(len(part["id"]))
        }
        for name, part in _data().items()
    }
    del data["train"]["train-3"]["vision"]
    train = _read(tmp_path, data).folds[0].train
    assert [s.id for s in train[:2]] == ["train-0", "train-1"]
    assert train[3].modalities == ("text", "audio")


def test_one_hot_rows_and_flags(tmp_path: Path) -> None:
    one_hot = _read(tmp_path, _labelled(lambda n: np.eye(5)[np.arange(n) % 5]))
    assert one_hot.task == Classification(tuple("01234"))
    flags = _read(tmp_path, _labelled(lambda n: np.ones((n, 3), int)))
    assert flags.task == BinaryLabels(("label 0", "label 1", "label 2"))


def test_of_several_values_one_is_read(tmp_path: Path) -> None:
    def several(count: int) -> Any:
        return np.abs(np.random.default_rng(1).normal(size=(count, 7)).clip(-1, 1)) * [
            [-1] + [1] * 6
        ]

    first = _read(tmp_path, _labelled(several))
    assert "of 7 labels a sample the first is read, as sentiment" in first.notices[0]
    third = _read(tmp_path, _labelled(several), column=2)
    assert not third.notices
    assert _targets(third) == np.float32(several(12)[:5, [2]]).tolist()
    with pytest.raises(InputError, match="give column from 0 to 6"):
        _read(tmp_path, _labelled(several), column=7)


def test_labels_beyond_the_range_are_clipped_where_asked(tmp_path: Path) -> None:
    data = _data()
    data["train"]["labels"][3], data["test"]["labels"][0] = 5, -3.4
    with pytest.raises(InputError, match=r"label 3 is 5, outside \[-3, 3\].*--set clip=true"):
        _read(tmp_path, data)
    (found,) = [f for f in examine(str(tmp_path / "mine.pkl")).findings if f.where.startswith("tr")]
    assert "clip=true" in found.treatment
    corpus = _read(tmp_path, data, clip=True)
    assert _targets(corpus)[3] == [3.0]
    assert corpus.notices == ("2 labels beyond [-3, 3] are clipped",)
    assert corpus.name == "mult[data=mine,clip=true]"
    assert examine(str(tmp_path / "mine.pkl"), options={"clip": True}).corpus is not None


def test_stars_are_refused_with_what_reads_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="outside"):
        _read(tmp_path, _labelled(lambda n: np.arange(n) % 5 + 1))
    corpus = _read(tmp_path, _labelled(lambda n: np.arange(n) % 5 + 1), labels="classes")
    assert corpus.task == Classification(tuple("12345"))


def test_tensors_are_read_without_torch(tmp_path: Path, plain: Corpus) -> None:
    torch = pytest.importorskip("torch")
    data = _features(torch.from_numpy)(_data())
    for part in data.values():
        part["labels"] = torch.from_numpy(part["labels"])
    assert _read(tmp_path, data).fingerprint() == plain.fingerprint()


def test_a_folder_with_a_pickle_for_each_split(tmp_path: Path, plain: Corpus) -> None:
    for name, part in _data().items():
        file = {"valid": "mine_dev.pkl"}.get(name, f"mine_{name}.pickle")
        (tmp_path / file).write_bytes(pickle.dumps(part))
    (tmp_path / "README.md").write_text("mine")
    found = examine(str(tmp_path))
    assert found.corpus is not None
    assert found.corpus.fingerprint() == plain.fingerprint()
    assert len(found.file or {}) == 3


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder of no known format; name the corpus"):
        load_corpus(str(tmp_path))


def test_a_reader_that_was_named_wrongly_names_the_right_one(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        {name: {**p, "labels": np.arange(len(p["id"])) % 2} for name, p in _data().items()},
    )
    with pytest.raises(InputError, match="it is of the format multibench: give its path in place"):
        load_corpus("mosi", path)


def test_one_very_long_sequence_does_not_fill_the_memory() -> None:
    long = np.broadcast_to(np.float32(1), (10**7, 50))
    rows = [np.ones((1, 50), np.float32)] * 40 + [long]
    with pytest.raises(InputError, match="one sequence of 10000000 steps, and 76 GB if padded"):
        to_arrays({"audio": rows}, "mine")


_ROWS = st.one_of(
    st.none(),
    st.just([]),
    st.integers(1, 4).map(lambda steps: np.full((steps, 2), steps, np.float32)),
    st.integers(1, 4).map(lambda steps: [[float(steps)] * 2] * steps),
)


@settings(deadline=None)
@given(st.lists(_ROWS, min_size=1, max_size=8))
def test_every_list_becomes_an_array_that_holds_its_sequences(rows: list[Any]) -> None:
    found = to_arrays({"text": rows}, "mine").get("text")
    lengths = [0 if row is None else len(row) for row in rows]
    if not any(lengths):
        assert found is None
        return
    assert found is not None
    assert found.shape == (len(rows), max(lengths), 2)
    assert [int((row != 0).any(axis=1).sum()) for row in found] == lengths
    assert all((row[:n] == n).all() for row, n in zip(found, lengths, strict=True))
