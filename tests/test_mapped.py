"""Mapped files: their memory is given back and what is read stays the same."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np

from affuse.samples import release


def test_what_was_released_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "values"
    values = np.arange(500_000, dtype=np.float32)
    path.write_bytes(b"head" + values.tobytes())
    with path.open("rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[4:]
    array = np.frombuffer(view, np.float32)
    assert array.sum() == values.sum()
    release(view)
    release(array[3:])
    np.testing.assert_array_equal(array, values)


def test_other_arrays_are_left_alone() -> None:
    array = np.arange(5)
    release(array[1:])
    release(memoryview(b"abc"))
    np.testing.assert_array_equal(array, range(5))
