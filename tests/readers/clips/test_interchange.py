"""Clips in the formats of other tools, which they and our own readers read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.readers.interchange import write_corpus
from affuse.readers.registry import load_corpus
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import BinaryLabels, Classification, Regression, Task, Values

WIDTHS = {"text": 4, "audio": 3}


def corpus(task: Task, targets: list[list[float]]) -> Corpus:
    rng = np.random.default_rng(0)
    samples = []
    for number, target in enumerate(targets):
        steps = {"text": 2 + number % 3, "audio": 1}
        found = {
            m: rng.normal(size=(count, WIDTHS[m])).astype(np.float32) for m, count in steps.items()
        }
        times = {m: np.arange(count, dtype=np.float32) for m, count in steps.items()}
        sequences = found if number != 1 else {"audio": found["audio"]}
        target_array = np.array(target, np.float32)
        samples.append(
            Sample(f"c{number}", sequences, target_array, times, f"g{number}", "so it is")
        )
    return Corpus("clips", task, WIDTHS, (Split(samples[:5], samples[5:7], samples[7:]),))


VALUES = [[n / 2 + 1] for n in range(9)]


@pytest.mark.parametrize("form", ["mult", "mmsa"])
def test_pickles_are_read_back(form: str, tmp_path: Path) -> None:
    written = corpus(Regression(1, 5), VALUES)
    (file,) = write_corpus(written, tmp_path, form)
    read = load_corpus(str(file))
    assert read.widths == WIDTHS
    for part, samples in written.folds[0].parts().items():
        back = read.folds[0].parts()[part]
        for ours, theirs in zip(samples, back, strict=True):
            assert ours.target is not None
            assert theirs.target == pytest.approx((ours.target - 3) / 2 * 3)
            for modality, steps in ours.sequences.items():
                np.testing.assert_array_equal(theirs.sequences[modality], steps)


def test_classes_have_no_pickle(tmp_path: Path) -> None:
    classes = corpus(Classification(("a", "b")), [[n % 2] for n in range(9)])
    with pytest.raises(InputError, match="use parquet or hf"):
        write_corpus(classes, tmp_path, "mmsa")


def test_parquet_has_a_row_a_sample(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    flags = [[n % 2, n // 2 % 2] for n in range(9)]
    (file,) = write_corpus(corpus(BinaryLabels(("joy", "fear")), flags), tmp_path, "parquet")
    rows = parquet.read_table(file).to_pylist()
    assert [row["part"] for row in rows] == ["train"] * 5 + ["valid"] * 2 + ["test"] * 2
    assert (rows[3]["joy"], rows[3]["fear"]) == (1, 1)
    assert rows[1]["text_features"] is None
    assert np.shape(rows[2]["text_features"]) == (4, 4)
    assert rows[2]["text_seconds"] == [0, 1, 2, 3]


def test_parquet_has_a_column_for_each_value(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    told = [[n / 9, float("nan") if n == 2 else -n / 9] for n in range(9)]
    written = corpus(Values(("valence", "arousal")), told)
    (file,) = write_corpus(written, tmp_path, "parquet")
    rows = parquet.read_table(file).to_pylist()
    assert rows[3]["valence"] == -rows[3]["arousal"] == pytest.approx(1 / 3)
    assert (rows[2]["valence"], rows[2]["arousal"]) == (pytest.approx(2 / 9), None)


def test_hugging_face_reads_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    classes = corpus(Classification(("a", "b")), [[n % 2] for n in range(9)])
    write_corpus(classes, tmp_path / "out", "hf")
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in found.items()} == {
        "train": 5,
        "validation": 2,
        "test": 2,
    }
    assert found["train"][0]["label"] == "a"
    assert np.shape(found["train"][0]["audio_features"]) == (1, 3)
