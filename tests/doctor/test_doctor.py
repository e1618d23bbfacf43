"""The doctor: a clean file passes, and each planted defect is found and nothing else."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.doctor import Examination, examine
from affuse.errors import InputError
from affuse.files import to_strict_json

Parts = dict[str, dict[str, Any]]
STEPS = {"text": (5, 300), "audio": (7, 74), "vision": (6, 35)}
COUNTS = {"train": 6, "valid": 3, "test": 4}


def _clean() -> Parts:
    """A file of MOSEI's widths with one step of padding at the end of every sequence."""
    rng = np.random.default_rng(7)
    parts: Parts = {}
    for part, count in COUNTS.items():
        arrays = {
            m: rng.normal(size=(count, *shape)).astype(np.float32) for m, shape in STEPS.items()
        }
        for array in arrays.values():
            array[:, -1] = 0
        labels = rng.uniform(-3, 3, (count, 1, 1)).astype(np.float32)
        ids = [[f"{part}-video{row}".encode(), b"0", b"1.5"] for row in range(count)]
        parts[part] = {**arrays, "labels": labels, "id": ids}
    return parts


def _emotions(parts: Parts) -> None:
    for part in parts.values():
        flags = np.arange(len(part["labels"]))[:, None] % 2 ^ np.arange(4) % 2
        part["labels"] = np.stack([1 - flags, flags], axis=2)


def _names(parts: Parts) -> None:
    for name, part in parts.items():
        part["id"] = [f"{name}-{row}" for row in range(len(part["labels"]))]


def _examine(folder: Path, parts: Any) -> Examination:
    path = folder / "planted.pkl"
    path.write_bytes(pickle.dumps(parts))
    return examine(str(path))


def _minus_infinity(parts: Parts) -> None:
    parts["train"]["audio"][[0, 0, 2], [1, 2, 0], 3] = -np.inf


def _plus_infinity(parts: Parts) -> None:
    parts["test"]["vision"][1, 2, 4:6] = np.inf


def _nan(parts: Parts) -> None:
    parts["valid"]["text"][2, 1, 9] = np.nan


def _overflow(parts: Parts) -> None:
    parts["train"]["audio"] = parts["train"]["audio"].astype(np.float64)
    parts["train"]["audio"][3, 1, 1] = 1e300


def _double(parts: Parts) -> None:
    parts["test"]["text"] = parts["test"]["text"].astype(np.float64)


def _label_range(parts: Parts) -> None:
    parts["valid"]["labels"][0] = 3.5


def _label_nan(parts: Parts) -> None:
    parts["train"]["labels"][:2] = np.nan


def _odd_class(parts: Parts) -> None:
    _emotions(parts)
    parts["test"]["labels"] = parts["test"]["labels"].astype(np.float32)
    parts["test"]["labels"][3, 2] = (0.5, 0.5)


def _lost_class(parts: Parts) -> None:
    _emotions(parts)
    parts["valid"]["labels"][:, 2] = (1, 0)


def _constant_labels(parts: Parts) -> None:
    parts["valid"]["labels"][:] = 1.25


def _empty_split(parts: Parts) -> None:
    parts["test"] = {key: values[:0] for key, values in parts["test"].items()}


def _duplicate_id(parts: Parts) -> None:
    parts["train"]["id"][1] = parts["train"]["id"][3] = parts["train"]["id"][0]


def _shared_id(parts: Parts) -> None:
    _names(parts)
    parts["test"]["id"][0] = "train-0"


def _shared_video(parts: Parts) -> None:
    parts["test"]["id"][0] = [b"train-video0", b"9", b"11"]


def _shared_parsed_video(parts: Parts) -> None:
    _names(parts)
    parts["valid"]["id"][0], parts["test"]["id"][2] = "03bSnISJMiM_3", "03bSnISJMiM_11"


def _same_features(parts: Parts) -> None:
    for modality in STEPS:
        parts["test"][modality][2] = parts["train"][modality][5]


def _constant(parts: Parts) -> None:
    for part in parts.values():
        part["vision"][:, :-1, [3, 8]] = 2.0


def _zero(parts: Parts) -> None:
    for part in parts.values():
        part["audio"][:, :, 70] = 0


def _missing(parts: Parts) -> None:
    parts["train"]["vision"][[1, 4]] = 0


def _lost_modality(parts: Parts) -> None:
    parts["test"]["audio"][:] = 0


def _gap(parts: Parts) -> None:
    parts["train"]["vision"][2, 2] = 0


def _no_ids(parts: Parts) -> None:
    for part in parts.values():
        del part["id"]


def _tell_lengths(parts: Parts) -> None:
    for part in parts.values():
        for modality in ("audio", "vision"):
            own = np.full(len(part["labels"]), STEPS[modality][0] - 1)
            part[f"{modality}_lengths"] = own.tolist()


def _swapped_lengths(parts: Parts) -> None:
    _tell_lengths(parts)
    train = parts["train"]
    train["audio_lengths"], train["vision_lengths"] = (
        train["vision_lengths"],
        train["audio_lengths"],
    )


def _impossible_length(parts: Parts) -> None:
    _tell_lengths(parts)
    parts["test"]["audio_lengths"][1] = 8


def _short_length(parts: Parts) -> None:
    _tell_lengths(parts)
    parts["test"]["vision_lengths"][0] = 2


def _absurd_length(parts: Parts) -> None:
    _tell_lengths(parts)
    parts["train"]["audio_lengths"][:2] = [1e300, float("inf")]


def _swapped_axes(parts: Parts) -> None:
    for part in parts.values():
        part["text"] = np.ascontiguousarray(part["text"].swapaxes(1, 2))


def _other_width(parts: Parts) -> None:
    parts["valid"]["audio"] = parts["valid"]["audio"][:, :, :73]


@dataclass(frozen=True)
class Defect:
    """A change of a clean file and the finding that it has to give, severity and count."""

    plant: Callable[[Parts], None]
    code: str
    where: str
    severity: str
    count: int


DEFECTS = [
    Defect(_minus_infinity, "minus-infinity", "train audio", "note", 3),
    Defect(_plus_infinity, "plus-infinity", "test vision", "note", 2),
    Defect(_nan, "nan", "valid text", "note", 1),
    Defect(_double, "double-precision", "test text", "note", 4),
    Defect(_label_range, "label-out-of-range", "valid labels", "error", 1),
    Defect(_label_nan, "label-not-finite", "train labels", "error", 2),
    Defect(_odd_class, "label-not-a-class", "test labels", "error", 1),
    Defect(_lost_class, "missing-class", "valid", "warning", 1),
    Defect(_constant_labels, "constant-labels", "valid", "warning", 3),
    Defect(_empty_split, "empty-split", "test", "error", 0),
    Defect(_duplicate_id, "duplicate-id", "train", "warning", 2),
    Defect(_shared_id, "shared-id", "train/test", "warning", 1),
    Defect(_shared_video, "shared-group", "train/test", "warning", 1),
    Defect(_shared_parsed_video, "shared-group", "valid/test", "warning", 1),
    Defect(_same_features, "same-features", "train/test", "warning", 1),
    Defect(_constant, "constant-feature", "vision", "note", 2),
    Defect(_zero, "zero-feature", "audio", "note", 1),
    Defect(_missing, "missing-modality", "train vision", "note", 2),
    Defect(_lost_modality, "empty-modality", "test audio", "warning", 4),
    Defect(_gap, "gaps", "train vision", "note", 1),
    Defect(_no_ids, "no-ids", "file", "note", 1),
    Defect(_swapped_lengths, "swapped-lengths", "train", "warning", 6),
    Defect(_impossible_length, "impossible-length", "test audio", "warning", 1),
    Defect(_absurd_length, "impossible-length", "train audio", "warning", 2),
    Defect(_short_length, "short-length", "test vision", "note", 1),
]


@pytest.mark.parametrize("change", [lambda _: None, _emotions, _names, _tell_lengths])
def test_a_clean_file_has_no_finding(tmp_path: Path, change: Callable[[Parts], None]) -> None:
    parts = _clean()
    change(parts)
    found = _examine(tmp_path, parts)
    assert found.findings == ()
    assert found.corpus is not None
    arrays = {(row["part"], row["modality"]): row for row in found.to_dict()["arrays"]}
    row = arrays["valid", "audio"]
    assert (row["samples"], row["steps"], row["width"]) == (3, 7, 74)
    assert row["padding"] == pytest.approx(1 / 7)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.plant.__name__.strip("_"))
def test_a_planted_defect_is_found_and_nothing_else(tmp_path: Path, defect: Defect) -> None:
    parts = _clean()
    defect.plant(parts)
    found = _examine(tmp_path, parts)
    assert [(f.code, f.where, f.severity, f.count) for f in found.findings] == [
        (defect.code, defect.where, defect.severity, defect.count)
    ]
    assert (found.corpus is None) == (defect.severity == "error")
    written = json.loads(to_strict_json(found.to_dict()))["findings"][0]
    assert set(written) == {"code", "severity", "where", "count", "detail", "treatment"}
    assert written["treatment"]


def test_what_is_beyond_float32_is_told_from_infinity(tmp_path: Path) -> None:
    parts = _clean()
    _overflow(parts)
    codes = [f.code for f in _examine(tmp_path, parts).findings]
    assert codes == ["overflow", "double-precision"]


def test_swapped_axes_are_found_in_every_part(tmp_path: Path) -> None:
    parts = _clean()
    _swapped_axes(parts)
    found = [(f.code, f.where) for f in _examine(tmp_path, parts).findings]
    assert {("swapped-axes", f"{part} text") for part in COUNTS} <= set(found)


def test_what_only_the_reader_refuses_is_a_finding_in_its_words(tmp_path: Path) -> None:
    parts = _clean()
    _other_width(parts)
    (found,) = _examine(tmp_path, parts).findings
    assert (found.code, found.severity) == ("refused", "error")
    assert "width 73" in found.detail


def test_the_gravest_comes_first(tmp_path: Path) -> None:
    parts = _clean()
    for plant in (_no_ids, _minus_infinity, _same_features):
        plant(parts)
    found = [f.severity for f in _examine(tmp_path, parts).findings]
    assert found == ["warning", "note", "note"]


def test_what_is_no_pickle_of_splits_stays_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train"):
        _examine(tmp_path, {"training": {}})
    with pytest.raises(InputError, match="did you mean 'truth'"):
        examine("controlled", options={"trut": "text"})
