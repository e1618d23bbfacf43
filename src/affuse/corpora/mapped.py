"""Memory of mapped files."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray


def release(values: NDArray[Any] | memoryview) -> None:
    """Give back the memory that the file below `values` takes up, where it is mapped to read.

    Nothing is lost: what is used again is fetched again. Without this, a pass over a file counts
    as memory of the process until the system needs it elsewhere.
    """
    base: object = values.obj if isinstance(values, memoryview) else values
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
