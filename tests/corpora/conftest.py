"""Files in the field's formats, written small but true to their schema."""

from __future__ import annotations

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
