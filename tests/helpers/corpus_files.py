"""Files in the field's formats, written small but true to their schema."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Corpus to widths and to steps (aligned, not aligned), as published.
MULT_WIDTHS = {
    "mosi": {"text": 300, "audio": 5, "vision": 20},
    "mosei": {"text": 300, "audio": 74, "vision": 35},
    "iemocap": {"text": 300, "audio": 74, "vision": 35},
}
MULT_STEPS = {
    "mosi": ((50, 50, 50), (50, 375, 500)),
    "mosei": ((50, 50, 50), (50, 500, 500)),
    "iemocap": ((20, 20, 20), (20, 400, 500)),
}
MULT_COUNTS = {"train": 5, "valid": 3, "test": 4}


@dataclass
class MultFile:
    """A MulT pickle and what was put into it.

    Attributes:
        path: the file.
        data: what was pickled.
        sequences: split to, for each sample, modality to its steps before padding.
        targets: split to the targets `(N, K)` that a reader should return.
        names: split to the names that a reader should return.
    """

    path: Path
    data: dict[str, Any]
    sequences: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    targets: dict[str, Any] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)


def _lengths(rng: np.random.Generator, steps: dict[str, int], aligned: bool) -> dict[str, int]:
    if aligned:
        return dict.fromkeys(steps, int(rng.integers(2, steps["text"] + 1)))
    return {m: int(rng.integers(2, most + 1)) for m, most in steps.items()}


def _write_part(file: MultFile, corpus: str, aligned: bool, part: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, widths = MULT_COUNTS[part], MULT_WIDTHS[corpus]
    steps = dict(zip(widths, MULT_STEPS[corpus][0 if aligned else 1], strict=True))
    arrays = {m: np.zeros((count, steps[m], d), np.float32) for m, d in widths.items()}
    file.sequences[part] = []
    for row in range(count):
        lengths = _lengths(rng, steps, aligned)
        sequences = {
            m: rng.normal(size=(lengths[m], d)).astype(np.float32) for m, d in widths.items()
        }
        for m, sequence in sequences.items():
            # Words stand at the end of their steps, and with them all that is aligned to words.
            at_end = aligned or m == "text"
            place = slice(steps[m] - lengths[m], None) if at_end else slice(lengths[m])
            arrays[m][row, place] = sequence
        file.sequences[part].append(sequences)
    if corpus == "iemocap":
        flags = rng.integers(0, 2, size=(count, 4))
        labels, targets = np.stack([1 - flags, flags], axis=2), flags.astype(np.float32)
    else:
        targets = rng.uniform(-3, 3, size=(count, 1)).astype(np.float32)
        labels = targets[:, :, None].copy()
    file.targets[part] = targets
    file.data[part] = {**arrays, "labels": labels}
    if corpus == "mosei":
        rows = [(f"{part}vid{i // 2}", f"{i}.5", f"{i + 1}.25") for i in range(count)]
        file.data[part]["id"] = [[text.encode() for text in row] for row in rows]
        file.names[part] = [f"{video}[{start}-{end}]" for video, start, end in rows]
    else:
        file.names[part] = [f"{part}/{i}" for i in range(count)]


@pytest.fixture
def mult_file(tmp_path: Path) -> Callable[[str, bool], MultFile]:
    """`mult_file(corpus, aligned)` writes the file of mosi, mosei or iemocap."""

    def write(corpus: str, aligned: bool) -> MultFile:
        suffix = "" if aligned else "_noalign"
        file = MultFile(tmp_path / f"{corpus}_data{suffix}.pkl", {})
        for seed, part in enumerate(MULT_COUNTS):
            _write_part(file, corpus, aligned, part, seed)
        file.path.write_bytes(pickle.dumps(file.data))
        return file

    return write


# Part to videos, named as YouTube names them.
CSD_VIDEOS = {
    "train": ["03bSnISJMiM", "_dI--eQ6qVU"],
    "valid": ["c5xsKMxpXnc"],
    "test": ["V-iFtTbjSDs"],
}
CSD_COLUMNS = ["sentiment", "happy", "sad", "anger", "surprise", "disgust", "fear"]
_WORDS = ("the", "film", "sp", "isn't", "bad", "qwxzy")


@dataclass
class CsdFolder:
    """A folder of .csd files and what is to be put into it; change it, then `write`.

    Attributes:
        path: the folder.
        roots: file to the name of its sequence.
        data: file to video to features `(n, d)` and intervals `(n, 2)`.
        columns: the names of the labels' columns that the metadata tells, if any.
    """

    path: Path
    roots: dict[str, str]
    data: dict[str, dict[str, tuple[Any, Any]]]
    columns: list[str] | None = None

    def write(self, *, folds: bool = True) -> Path:
        """Write as the SDK does: arrays plain or compressed, metadata as JSON in one string."""
        import h5py

        self.path.mkdir(exist_ok=True)
        for number, (name, videos) in enumerate(self.data.items()):
            storage = {"compression": "gzip", "compression_opts": 4} if number % 2 else {}
            with h5py.File(self.path / f"{name}.csd", "w") as file:
                data = file.create_group(f"{self.roots[name]}/data")
                for video, pair in videos.items():
                    for key, values in zip(("features", "intervals"), pair, strict=True):
                        data.create_dataset(f"{video}/{key}", data=values, **storage)
                metadata = file.create_group(f"{self.roots[name]}/metadata")
                known: dict[str, Any] = {"root name": self.roots[name], "creator": "a stranger"}
                if "Label" in name and self.columns is not None:
                    known["dimension names"] = self.columns
                for key, value in known.items():
                    metadata.create_dataset(key, (1,), dtype=h5py.string_dtype())
                    metadata[key][0] = json.dumps(value)
        if folds:
            (self.path / "folds.json").write_text(json.dumps(CSD_VIDEOS))
        return self.path


def _frames(rng: np.random.Generator, seconds: float, rate: float, width: int) -> tuple[Any, Any]:
    begins = np.arange(int(seconds * rate)) / rate
    features = rng.normal(size=(len(begins), width)).astype(np.float32)
    return features, np.stack([begins, begins + 1 / rate], axis=1)


@pytest.fixture
def csd_folder(tmp_path: Path) -> Callable[[str], CsdFolder]:
    """`csd_folder(corpus)` has the sequences of mosi, or of mosei with its seven labels."""

    def make(corpus: str) -> CsdFolder:
        rng, mosei = np.random.default_rng(5), corpus == "mosei"
        roots = {
            f"CMU_{corpus.upper()}_TimestampedWords": "words",
            f"CMU_{corpus.upper()}_TimestampedWordVectors": "glove_vectors",
            f"CMU_{corpus.upper()}_COVAREP": "COVAREP",
            f"CMU_{corpus.upper()}_VisualFacet42": "FACET 4.2",
            f"CMU_{corpus.upper()}_Labels": "All Labels" if mosei else "Opinion Segment Labels",
        }
        words, vectors, voice, face, labels = ({} for _ in roots)
        for number, video in enumerate(v for part in CSD_VIDEOS.values() for v in part):
            seconds = 6.0 + number
            begins = np.sort(rng.uniform(0, seconds - 0.5, 12))
            intervals = np.stack([begins, begins + rng.uniform(0.05, 0.4, 12)], axis=1)
            spoken = np.array([[_WORDS[i % len(_WORDS)]] for i in range(12)], dtype="S32")
            real = spoken[:, 0] != b"sp"
            words[video] = spoken, intervals
            vectors[video] = rng.normal(size=(10, 300)).astype(np.float32), intervals[real]
            voice[video] = _frames(rng, seconds, 100, 74)
            voice[video][0][3, 2] = -np.inf
            face[video] = _frames(rng, seconds, 30, 35)
            found = rng.uniform(-3, 3, (3, 1))
            if mosei:
                emotions = rng.integers(0, 2, (3, 6)) * rng.uniform(0.3, 3, (3, 6))
                found = np.hstack([found, emotions])
            ends = np.array([[0.0, 2.5], [2.5, 4.0], [4.0, seconds]])
            labels[video] = found.astype(np.float32), ends
        data = dict(zip(roots, (words, vectors, voice, face, labels), strict=True))
        return CsdFolder(tmp_path / corpus, roots, data, CSD_COLUMNS if mosei else None)

    return make
