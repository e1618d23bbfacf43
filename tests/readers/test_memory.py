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
from pathlib import Path
from affuse.readers import load_corpus
from affuse.readers.stored_write import store_corpus
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
corpus = load_corpus(sys.argv[1])
if len(sys.argv) > 2: store_corpus(corpus, Path(sys.argv[2]))
corpus.fingerprint()
print(peak() - before)
"""


def _peak(*arguments: Path) -> int:
    """Bytes that the largest moment of a process needs beyond Python and its packages."""
    command = [sys.executable, "-c", READ, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


# Shares of MOSEI's parts.
COUNTS = {"train": 360, "valid": 41, "test": 103}


def _write(path: Path, dtype: str, protocol: int, share: float) -> int:
    """Write a MulT pickle in which most steps are real; the bytes of its training part."""
    rng = np.random.default_rng(0)
    data = {}
    for name, most in COUNTS.items():
        count = int(share * most)
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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are counted as Linux counts them")
@pytest.mark.parametrize(
    ("dtype", "protocol", "share", "bound"),
    # float64 is copied as float32. Protocol 2 makes text of bytes, and all is decoded again.
    [("f4", 4, 1.0, 0.3), ("f8", 5, 0.6, 0.8), ("f4", 2, 0.6, 1.5)],
)
def test_files_are_read_and_converted_in_a_fraction_of_their_largest_part(
    tmp_path: Path, dtype: str, protocol: int, share: float, bound: float
) -> None:
    path, folder = tmp_path / "large.pkl", tmp_path / "stored"
    part = _write(path, dtype, protocol, share)
    assert _peak(path, folder) < bound * part
    assert _peak(folder) < 0.3 * part
