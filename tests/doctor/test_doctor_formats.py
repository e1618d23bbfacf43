"""The doctor beyond MulT pickles: MMSA, .csd files, generated corpora; ids that name videos."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.doctor import examine
from affuse.doctor.checks import video_of
from affuse.doctor.facts import measure_corpus
from affuse.doctor.findings import first_few
from affuse.readers.stored_write import store_corpus
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Regression


def test_a_generated_corpus_is_clean() -> None:
    found = examine("controlled", options={"train": 12, "valid": 6, "test": 6})
    assert (found.findings, found.file) == ((), None)


def test_values_that_a_reader_let_through_and_samples_of_zeros(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    samples = [
        Sample(n, {"text": rng.normal(size=(4, 2)).astype(np.float32)}, np.full(1, y, np.float32))
        for y, n in enumerate("abc")
    ]
    samples[0].sequences["text"][1] = np.nan, np.inf
    samples[2].sequences["text"][:] = 0
    folds = (Split(samples[:1], samples[1:2], samples[2:]),)
    store_corpus(Corpus("small", Regression(), {"text": 2}, folds), tmp_path / "small")
    found = examine(str(tmp_path / "small"))
    assert [(f.code, f.severity, f.where, f.count) for f in found.findings] == [
        ("not-finite", "error", "text", 2),
        ("empty-sample", "note", "test", 1),
    ]
    assert found.kind == "stored"


def test_samples_in_several_folds_are_measured_once() -> None:
    rng = np.random.default_rng(0)
    a, b, c = (
        Sample(n, {"text": rng.normal(size=(4, 2)).astype(np.float32)}, np.zeros(1, np.float32))
        for n in "abc"
    )
    folds = (Split([a], [b], [c]), Split([b], [c], [a]))
    facts = measure_corpus(Corpus("small", Regression(), {"text": 2}, folds))
    assert facts.ranges["text"].steps == 12
    everything = np.concatenate([s.sequences["text"] for s in (a, b, c)])
    np.testing.assert_array_equal(facts.ranges["text"].low, everything.min(axis=0))
    np.testing.assert_array_equal(facts.ranges["text"].high, everything.max(axis=0))
    assert facts.folds[1]["train"][0] is facts.folds[0]["valid"][0]


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("03bSnISJMiM$_$11", "03bSnISJMiM"),
        ("-3g5yACwYnA[1.5-9]", "-3g5yACwYnA"),
        ("-3g5yACwYnA[1.5-9]#2", "-3g5yACwYnA"),
        ("_dI--eQ6qVU_12", "_dI--eQ6qVU"),
        ("train/3", None),
        ("controlled-12", None),
        ("clip_3", None),
    ],
)
def test_videos_are_read_from_ids(name: str, video: str | None) -> None:
    assert video_of(name) == video


def test_csd_files_are_counted_before_they_are_mended(csd_folder: Callable[[str], Any]) -> None:
    folder = csd_folder("mosi")
    found = {f.code: f for f in examine(str(folder.write())).findings}
    # The fixture plants one in each of the four videos.
    infinite = found["minus-infinity"]
    assert (infinite.where, infinite.count) == ("CMU_MOSI_COVAREP.csd", 4)
    assert "4 videos" in infinite.detail
    assert "not-finite" not in found


def _mmsa() -> dict[str, dict[str, Any]]:
    """As MMSA lays files out: BERT's features are not zero where its mask pads."""
    rng, parts = np.random.default_rng(3), {}
    for name, count in (("train", 6), ("valid", 3), ("test", 4)):
        mask = np.tile(np.arange(5) < 2, (count, 1))
        parts[name] = {
            "text": rng.normal(size=(count, 5, 768)).astype(np.float32),
            "audio": rng.normal(size=(count, 7, 5)).astype(np.float32),
            "vision": rng.normal(size=(count, 6, 20)).astype(np.float32),
            "text_bert": np.stack([mask * 101, mask, mask * 0], axis=1).astype(np.float32),
            "regression_labels": rng.uniform(-3, 3, count).astype(np.float32),
            "classification_labels": np.arange(count) % 3,
            "raw_text": ["a word"] * count,
            "id": [f"{name}$_${row}" for row in range(count)],
        }
    return parts


def _write(folder: Path, parts: dict[str, dict[str, Any]]) -> str:
    path = folder / "planted.pkl"
    path.write_bytes(pickle.dumps(parts))
    return str(path)


def test_padding_of_bert_is_where_its_mask_says(tmp_path: Path) -> None:
    found = examine(_write(tmp_path, _mmsa()))
    assert (found.kind, found.findings) == ("mmsa", ())
    text = found.to_dict()["arrays"][0]
    assert (text["features"], text["padding"]) == ("bert-768", pytest.approx(3 / 5))


def test_labels_that_are_not_asked_for_only_warn(tmp_path: Path) -> None:
    parts = _mmsa()
    parts["train"]["classification_labels"] = np.array([0, 1, 2, 1.5, 3, 0])
    path = _write(tmp_path, parts)
    found = examine(path)
    assert found.corpus is not None
    assert [(f.code, f.severity, f.count) for f in found.findings] == [
        ("label-not-a-class", "warning", 1),
        ("label-out-of-range", "warning", 1),
    ]
    asked = examine(path, options={"label": "classification"})
    assert [f.severity for f in asked.findings] == ["error", "error"]
    assert asked.corpus is None


def test_names_from_files_do_not_reach_the_terminal_raw() -> None:
    assert first_few(["a\x1b[31m", "b" * 80]) == "a?[31m, " + "b" * 60
    assert first_few("abcd") == "a, b, c, …"
