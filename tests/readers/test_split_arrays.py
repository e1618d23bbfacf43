"""Arrays by modality and split: .h5 files in a folder, and an .npz of the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.doctor import examine
from affuse.errors import InputError
from affuse.readers.registry import load_corpus
from affuse.readers.split_arrays import split_arrays
from affuse.samples import PARTS, Corpus
from affuse.tasks import Classification, Regression

COUNTS = {"train": 14, "valid": 6, "test": 7}


def _arrays(**labels: Any) -> dict[str, Any]:
    rng, made = np.random.default_rng(0), {}
    for part, count in COUNTS.items():
        for name, width in (("audio", 74), ("video", 36)):
            made[f"{name}_{part}"] = rng.normal(size=(count, 20, width)).astype(np.float32)
        made[f"text_{part}_emb"] = rng.normal(size=(count, 20, 30)).astype(np.float32)
        made[f"y_{part}"] = labels.get("y", lambda n: np.eye(3)[np.arange(n) % 3])(count)
    return made


def _npz(folder: Path, arrays: dict[str, Any]) -> Path:
    path = folder / "mine.npz"
    np.savez_compressed(path, **arrays)
    return path


def _h5(folder: Path, arrays: dict[str, Any]) -> Path:
    h5py = pytest.importorskip("h5py")
    folder = folder / "mine"
    folder.mkdir()
    for name, array in arrays.items():
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.create_dataset("d1", data=array)
    return folder


@pytest.mark.parametrize("write", [_npz, _h5])
def test_a_corpus_of_arrays(tmp_path: Path, write: Any) -> None:
    arrays = _arrays()
    path = write(tmp_path, arrays)
    found = examine(str(path))
    corpus = found.corpus
    assert found.kind == "mfn"
    assert corpus is not None
    assert corpus.task == Classification(tuple("012"))
    assert dict(corpus.widths) == {"text": 30, "audio": 74, "vision": 36}
    sample = corpus.folds[0].test[2]
    np.testing.assert_array_equal(sample.sequences["vision"], arrays["video_test"][2])
    assert [f.code for f in found.findings if f.severity != "note"] == []
    assert load_corpus(str(path)).fingerprint() == corpus.fingerprint()


def test_text_that_training_lacks_is_left_out(tmp_path: Path) -> None:
    arrays = _arrays()
    del arrays["text_train_emb"]
    corpus = load_corpus(str(_npz(tmp_path, arrays)))
    assert corpus.modalities == ("audio", "vision")
    assert "text left out: no sample of the training part has it" in corpus.notices


def test_text_of_word_numbers_is_no_features(tmp_path: Path) -> None:
    arrays = _arrays()
    for part, count in COUNTS.items():
        arrays[f"text_{part}"] = np.ones((count, 20), int)
    assert "text" in load_corpus(str(_npz(tmp_path, arrays))).widths
    for part in PARTS:
        del arrays[f"text_{part}_emb"]
    assert load_corpus(str(_npz(tmp_path, arrays))).modalities == ("audio", "vision")


def _ratings(count: int) -> Any:
    return np.random.default_rng(count).uniform(0.7, 7, (count, 17))


def test_ratings_are_chosen_by_column_and_keep_their_range(tmp_path: Path) -> None:
    path = str(_npz(tmp_path, _arrays(y=_ratings)))
    corpus = load_corpus(path)
    assert corpus.task == Regression(0.0, 7.0)
    # Nothing is negative there: accuracies of the sign would say nothing.
    assert corpus.task.metrics == ("mae", "ccc", "corr")
    assert "of 17 labels a sample the first is read; choose with column=" in corpus.notices
    last = load_corpus(path, options={"column": 16})
    assert last.folds[0].train[0].target == pytest.approx(_ratings(14)[0, 16])


def test_sentiment_has_its_own_range(tmp_path: Path) -> None:
    def sentiment(count: int) -> Any:
        return np.random.default_rng(count).uniform(-2.4, 2.4, (count, 1))

    assert load_corpus(str(_npz(tmp_path, _arrays(y=sentiment)))).task == Regression()


def test_what_has_no_labels_to_train_on_is_nothing_of_the_kind(tmp_path: Path) -> None:
    arrays = _arrays()
    del arrays["y_train"]
    path = _npz(tmp_path, arrays)
    assert split_arrays(path) == {}
    with pytest.raises(InputError, match=r"mine\.npz"):
        load_corpus(str(path))


def test_an_archive_that_unfolds_is_refused(tmp_path: Path) -> None:
    arrays = _arrays()
    arrays["audio_train"] = np.zeros((14, 20_000, 74), np.float32)
    with pytest.raises(InputError, match="unfolds to many times its size"):
        load_corpus(str(_npz(tmp_path, arrays)))


def test_an_h5_file_of_something_else_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    folder = _h5(tmp_path, _arrays())
    with h5py.File(folder / "audio_test.h5", "w") as file:
        file["d1"] = h5py.ExternalLink(str(folder / "video_test.h5"), "d1")
    with pytest.raises(InputError, match=r"audio_test\.h5: cannot be read"):
        load_corpus(str(folder))


@pytest.mark.parametrize(("name", "modalities"), [("pom", 2), ("youtube", 2)])
def test_the_real_ones(shared_data: Path, name: str, modalities: int) -> None:
    corpus: Corpus = load_corpus(str(shared_data / "word_aligned" / f"{name}.npz"))
    assert len(corpus.modalities) == modalities
