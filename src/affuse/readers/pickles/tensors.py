"""Tensors that torch pickled, as numpy arrays, without torch.

Inside the pickle lies what `torch.save` wrote before it wrote zip archives: three pickles of a
heading, one that refers to a storage, one that lists storages, and then the numbers themselves.
"""

from __future__ import annotations

import io
import math
from typing import Any, cast

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from affuse.readers.pickles.machine import Machine
from affuse.readers.pickles.steps import run_pickle
from affuse.readers.pickles.values import STORAGES, DamagedError, Global, RefusedError

# The first pickle of the heading, an integer that is longer than any in plain data.
_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_HEADING = 2
_COUNT = 8  # bytes before the numbers


def storage_of(data: bytes) -> NDArray[Any]:
    """The numbers `(n,)` of what torch's `_load_from_bytes` is given."""
    if not data.startswith(_MAGIC):
        raise DamagedError("a tensor that torch did not write")
    stream = io.BytesIO(data[len(_MAGIC) :])
    machine = Machine(cast("io.BufferedReader", stream), len(data) - len(_MAGIC), storages=True)
    for _ in range(_HEADING):
        run_pickle(machine)
    known = run_pickle(machine)
    run_pickle(machine)
    match known:
        case ("storage", Global(name), _, _, int(count), *_) if name in STORAGES:
            dtype = np.dtype(STORAGES[name])
        case _:
            raise RefusedError("a tensor of a kind that is not read")
    machine.read(_COUNT)
    return np.frombuffer(machine.read(count * dtype.itemsize), dtype)


def tensor_of(storage: object, offset: Any, size: Any, stride: Any) -> NDArray[Any]:
    """The array of a tensor that lies in a storage."""
    if not isinstance(storage, np.ndarray) or not isinstance(size, tuple | list):
        raise DamagedError("a tensor without its storage")
    sizes, steps = list(size), list(stride)
    if any(type(n) is not int or n < 0 for n in (offset, *sizes, *steps)):
        raise DamagedError("a tensor with an impossible shape")
    if 0 in sizes:
        return np.zeros(sizes, storage.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True))
    if last >= len(storage) or math.prod(sizes) > len(storage):
        raise DamagedError("a tensor beyond its storage")
    apart = [step * storage.itemsize for step in steps]
    return as_strided(storage[offset:], sizes, apart, writeable=False)
