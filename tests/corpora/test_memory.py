"""How much memory reading a file takes, measured in a process of its own."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# In a process of its own, because the peak of this one is that of the whole suite.
READ = """
import resource, sys
from affuse.corpora import load_corpus
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
corpus = load_corpus(sys.argv[1])
read = peak()
corpus.fingerprint()
print(read - before, peak() - before)
"""
# Shares of MOSEI's parts.
COUNTS = {"train": 360, "valid": 41, "test": 103}


def _write(path: Path, dtype: str, protocol: int) -> int:
    """Write a MulT pickle in which most steps are real; the bytes of its training part."""
    rng = np.random.default_rng(0)
    data = {}
    for name, count in COUNTS.items():
        shapes = {"text": (50, 300), "audio": (500, 74), "vision": (500, 35)}
        arrays = {
            m: rng.standard_normal((count, *shape), np.float32) for m, shape in shapes.items()
        }
        for array in arrays.values():
            array[:, -array.shape[1] // 10 :] = 0
        features = {m: array.astype(dtype) for m, array in arrays.items()}
        data[name] = {**features, "labels": np.zeros((count, 1, 1), np.float32)}
    path.write_bytes(pickle.dumps(data, protocol))
    return sum(array.nbytes for array in data["train"].values())


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are counted as Linux counts them")
@pytest.mark.parametrize(
    ("dtype", "protocol", "reading"),
    # The text that protocol 2 makes of bytes has to be decoded, which takes memory for all of it.
    [("f4", 4, 0.3), ("f8", 5, 1.0), ("f4", 2, 1.5)],
)
def test_a_pickle_is_read_in_less_than_one_and_a_half_of_its_largest_part(
    tmp_path: Path, dtype: str, protocol: int, reading: float
) -> None:
    path = tmp_path / "large.pkl"
    part = _write(path, dtype, protocol)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )
    read, used = map(int, done.stdout.split())
    assert read < reading * part
    # A pass over all values, which a mapped file counts as memory although it can be taken back.
    assert used < 1.5 * part
