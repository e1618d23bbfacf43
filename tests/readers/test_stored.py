"""affuse's own format: what was stored is read back, mapped, and nothing else is accepted."""

from __future__ import annotations

import json
import mmap
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.batches import collate
from affuse.errors import InputError
from affuse.readers.controlled import ControlledOptions, read_controlled
from affuse.readers.registry import load_corpus, resolve
from affuse.readers.stored import HEADER, StoredOptions, read_stored
from affuse.readers.stored_write import store_corpus
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import BinaryLabels, Classification, Regression, Task, Values
from affuse.training.normalise import normalise


def _sample(name: str, target: list[float] | None, seed: int, **changes: Any) -> Sample:
    rng = np.random.default_rng(seed)
    sequences = {
        m: rng.normal(size=(int(rng.integers(1, 9)), d)).astype(np.float32)
        for m, d in (("text", 3), ("gesture-2", 5))
    }
    goal = None if target is None else np.array(target, np.float32)
    return replace(Sample(name, sequences, goal), **changes)


def _corpus(task: Task, target: list[float]) -> Corpus:
    samples = [
        _sample(f"s{i}", target, i, group=f"g{i}", text="caf\u00e9 \u4f60") for i in range(6)
    ]
    samples[1] = replace(samples[1], sequences={"text": samples[1].sequences["text"]}, group=None)
    samples[2] = replace(samples[2], sequences={}, text=None)
    samples[3] = replace(samples[3], unimodal={"text": np.array(target[::-1], np.float32)})
    samples[5] = replace(samples[5], target=None)
    folds = (
        Split(samples[:2], samples[2:4], samples[4:]),
        Split(samples[3:], samples[2:3], samples[:2]),
    )
    widths = {"text": 3, "gesture-2": 5}
    return Corpus("diary[a=1]", task, widths, folds, {"a": 1}, {"text": "glove-3"})


CORPORA: dict[str, Callable[[], Corpus]] = {
    "regression": lambda: _corpus(Regression(-1.0, 1.0), [0.5]),
    "classes": lambda: _corpus(Classification(("sad", "glad")), [1]),
    "flags": lambda: _corpus(BinaryLabels(("sad", "glad", "angry")), [1, 0, 1]),
    "values": lambda: _corpus(Values(("valence", "arousal")), [0.5, float("nan")]),
    "controlled": lambda: read_controlled(None, ControlledOptions(train=5, valid=2, test=3)),
}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    folder = tmp_path / "stored"
    store_corpus(CORPORA["regression"](), folder)
    return folder


def _assert_equal(found: Sample, expected: Sample) -> None:
    assert (found.id, found.group, found.text) == (expected.id, expected.group, expected.text)
    assert list(found.sequences) == list(expected.sequences)
    for name in ("sequences", "times"):
        for modality, values in getattr(expected, name).items():
            np.testing.assert_array_equal(getattr(found, name)[modality], values)
    assert set(found.times) == set(expected.times)
    if expected.target is None:
        assert found.target is None
    else:
        assert found.target is not None
        np.testing.assert_array_equal(found.target, expected.target)
    assert found.unimodal.keys() == expected.unimodal.keys()
    for modality, target in expected.unimodal.items():
        np.testing.assert_array_equal(found.unimodal[modality], target)
    # JSON has lists for tuples.
    assert found.truth == json.loads(json.dumps(expected.truth))


@pytest.mark.parametrize("name", CORPORA)
def test_reads_back_every_value(tmp_path: Path, name: str) -> None:
    corpus, folder = CORPORA[name](), tmp_path / "out"
    store_corpus(corpus, folder)
    assert resolve(str(folder))[0].name == resolve(str(folder / HEADER))[0].name == "stored"
    for path in (folder, folder / HEADER):
        read = load_corpus(str(path))
        for field in ("name", "task", "options", "features"):
            assert getattr(read, field) == getattr(corpus, field)
        assert list(read.widths.items()) == list(corpus.widths.items())
        assert read.fingerprint() == corpus.fingerprint()
        for before, after in zip(corpus.folds, read.folds, strict=True):
            for part, samples in before.parts().items():
                for expected, found in zip(samples, after.parts()[part], strict=True):
                    _assert_equal(found, expected)


def test_a_sample_of_several_folds_is_stored_once(stored: Path) -> None:
    first, second = read_stored(stored, StoredOptions()).folds
    assert first.train[0] is second.test[0]
    assert len(json.loads((stored / HEADER).read_text())["ids"]) == 6


def test_sequences_are_views_of_mapped_files(stored: Path) -> None:
    sample = read_stored(stored, StoredOptions()).folds[0].train[0]
    for sequence in sample.sequences.values():
        base: Any = sequence
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, mmap.mmap)
        with pytest.raises(ValueError, match="read-only"):
            sequence[0, 0] = 1.0


def test_a_modality_that_no_sample_has(tmp_path: Path) -> None:
    corpus = CORPORA["regression"]()
    store_corpus(replace(corpus, widths={**corpus.widths, "pulse": 2}), tmp_path / "out")
    assert read_stored(tmp_path / "out", StoredOptions()).widths["pulse"] == 2


def test_training_data_on_disk_stays_there(tmp_path: Path) -> None:
    options = ControlledOptions(train=60, valid=30, test=1, length=20)
    store_corpus(read_controlled(None, options), tmp_path / "out")
    size = sum(f.stat().st_size for f in (tmp_path / "out").iterdir())
    tracemalloc.start()
    split, normaliser = normalise(read_stored(tmp_path / "out", StoredOptions()).folds[0], "train")
    for start in range(0, 60, 4):
        collate(split.train[start : start + 4])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 4
    whole, expected = normalise(read_controlled(None, options).folds[0], "train")
    assert normaliser is not None
    assert expected is not None
    for part, samples in whole.parts().items():
        for before, after in zip(samples, split.parts()[part], strict=True):
            for modality, sequence in before.sequences.items():
                np.testing.assert_array_equal(after.sequences[modality], sequence)


def test_what_cannot_be_standardised_is_told_before_training(tmp_path: Path) -> None:
    corpus = CORPORA["regression"]()
    corpus.folds[0].valid[1].sequences["text"][0, 0] = np.inf
    store_corpus(corpus, tmp_path / "out")
    fold = read_stored(tmp_path / "out", StoredOptions()).folds[0]
    with pytest.raises(InputError, match="'s3' has text with values that are not finite"):
        normalise(Split(fold.train, fold.valid, ()), "train")


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == 12
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_corpus(CORPORA["regression"](), tmp_path / "out", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_other_work_is_not_overwritten(tmp_path: Path) -> None:
    corpus = CORPORA["regression"]()
    (tmp_path / "empty").mkdir()
    store_corpus(corpus, tmp_path / "empty")
    (tmp_path / "file").write_text("thesis")
    for name in ("empty", "file"):
        with pytest.raises(InputError, match=f"{name}: exists and holds something else"):
            store_corpus(corpus, tmp_path / name)
    with pytest.raises(InputError, match="modality 'a/b' cannot name a file"):
        store_corpus(replace(corpus, widths={**corpus.widths, "a/b": 2}), tmp_path / "new")
    with pytest.raises(InputError, match="file: cannot be made"):
        store_corpus(corpus, tmp_path / "file" / "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file"]


FILES = (HEADER, "targets.npy", "text.npy", "text.offsets.npy", "gesture-2.npy")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["absent", "empty", "short", "other", "a folder"])
def test_damaged_files_give_one_error(stored: Path, name: str, damage: str) -> None:
    file = stored / name
    content = {"empty": b"", "short": file.read_bytes()[:-5], "other": b"x" * 300}
    file.unlink()
    if damage == "a folder":
        file.mkdir()
    elif damage in content:
        file.write_bytes(content[damage])
    with pytest.raises(InputError) as caught:
        read_stored(stored, StoredOptions())
    assert str(stored) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_truncation_of_an_array_gives_an_error(stored: Path) -> None:
    content = (stored / "text.npy").read_bytes()
    for length in range(len(content)):
        (stored / "text.npy").write_bytes(content[:length])
        with pytest.raises(InputError):
            read_stored(stored, StoredOptions())


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("text.npy", np.ones((9, 3))),
        ("text.npy", np.ones((9, 4), np.float32)),
        ("text.npy", np.ones(9, np.float32)),
        ("text.npy", np.asfortranarray(np.ones((9, 3), np.float32))),
        ("text.npy", np.array([None, "x"], dtype=object)),
        ("text.offsets.npy", np.array([0, 5, 3, 9, 9, 9, 9])),
        ("text.offsets.npy", np.array([-1, 5, 6, 7, 8, 9, 9])),
        ("text.offsets.npy", np.zeros(7, np.int64)),
        ("text.offsets.npy", np.zeros(6, np.int64)),
        ("targets.npy", np.zeros((5, 1), np.float32)),
        ("targets.npy", np.full((6, 1), 7, np.float32)),
    ],
)
def test_arrays_that_do_not_fit_give_one_error(stored: Path, name: str, values: Any) -> None:
    np.save(stored / name, values)
    with pytest.raises(InputError):
        read_stored(stored, StoredOptions())


def test_a_value_that_changed_is_noticed(stored: Path) -> None:
    content = bytearray((stored / "text.npy").read_bytes())
    content[-1] ^= 1
    (stored / "text.npy").write_bytes(content)
    with pytest.raises(InputError, match="its values are not those that were stored"):
        read_stored(stored, StoredOptions())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("task", {"kind": "regresion"}),
        ("task", {"kind": "regression", "upper": 3}),
        ("widths", {"../../secret": 3}),
        ("widths", {"text": 0}),
        ("preset", "../../secret"),
        ("ids", []),
        ("ids", ["a"]),
        ("groups", [1] * 6),
        ("folds", []),
        ("folds", [{"train": [0], "valid": [1], "test": [99]}]),
        ("folds", [{"train": [0], "valid": [-1], "test": [1]}]),
        ("folds", [{"train": [0], "valid": [], "test": [1]}]),
        ("extra", 1),
    ],
)
def test_a_header_that_does_not_fit_gives_one_error(stored: Path, key: str, value: Any) -> None:
    header = json.loads((stored / HEADER).read_text())
    header[key] = value
    (stored / HEADER).write_text(json.dumps(header))
    with pytest.raises(InputError) as caught:
        read_stored(stored, StoredOptions())
    assert "\n" not in str(caught.value)


def test_a_folder_of_something_else_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stored corpus here"):
        load_corpus("stored", tmp_path)
