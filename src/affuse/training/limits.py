"""What a machine cannot do for a training, told in a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from affuse.errors import InputError

# How torch says so of the memory of processors, in an error of no class of its own.
_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)
_NOT_DETERMINISTIC = re.compile(r"(\S+) does not have a deterministic implementation")


@contextmanager
def memory_told(batch_size: int) -> Iterator[None]:
    """Say which batch size was too large where memory does not suffice.

    Raises:
        InputError: instead of the errors of torch and Python.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        full = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not full and _NO_MEMORY.search(str(error)) is None:
            raise
        smaller = "shorter sequences or a smaller model"
        if batch_size > 1:
            smaller = f"--set batch_size={batch_size // 2} in another folder"
        raise InputError(
            f"out of memory with batch_size={batch_size}",
            remedy=f"try {smaller}, or --precision bf16-mixed; where there is more memory, "
            "--resume goes on after the last whole epoch",
        ) from None


@contextmanager
def operators_told() -> Iterator[None]:
    """Say which operator is not deterministic where that is asked for, which holds no longer after.

    Raises:
        InputError: instead of torch's error.
    """
    before = torch.are_deterministic_algorithms_enabled()
    try:
        yield
    except RuntimeError as error:
        found = _NOT_DETERMINISTIC.search(str(error))
        if found is None:
            raise
        problem = f"the operator {found[1]} is not deterministic on this device"
        raise InputError(problem, remedy="leave out --deterministic") from None
    finally:
        torch.use_deterministic_algorithms(before)
