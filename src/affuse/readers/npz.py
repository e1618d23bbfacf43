"""Read npz files that nobody vouches for: zip archives of arrays, which may unfold to anything."""

from __future__ import annotations

import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError

# Texts as wide as the longest of them compress to a hundredth, and zeros to a thousandth.
UNFOLDING = 300
_SMALL = 1 << 24
DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError),
    *(SyntaxError, TypeError, ValueError, struct.error, tokenize.TokenError, zlib.error),
    zipfile.BadZipFile,
)
"""What numpy and h5py let through of the tools with which they read a damaged file."""


def load_arrays(file: Path, kinds: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """The named arrays of an npz file, each with a row for every sample.

    Args:
        kinds: array to the kinds of type that it may have, as in `numpy.dtype.kind`.

    Raises:
        InputError: the file is damaged, unfolds to many times its size, or lacks an array of that
            kind and number of rows.
    """
    try:
        require_modest(file)
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in kinds if name in stored}
    except DAMAGE as error:
        reason = f"{type(error).__name__}: {error}"[:120]
        remedy = "copy it anew; it must be an npz file"
        raise InputError(f"cannot be read ({reason})", remedy=remedy, source=file) from None
    for name, known in kinds.items():
        if name not in arrays:
            raise InputError(f"has no array '{name}'", remedy="use the complete file", source=file)
        array = arrays[name]
        if not has_only_characters(array):
            problem = f"'{name}' has characters that there are not"
            raise InputError(problem, remedy="copy it anew", source=file)
        if array.dtype.kind not in known or not array.ndim:
            problem = f"'{name}' is of shape {array.shape} and type {array.dtype}"
            raise InputError(problem, remedy="use the file as it came", source=file)
    rows = {name: len(array) for name, array in arrays.items()}
    if len(set(rows.values())) > 1:
        problem = f"its arrays do not have one row a sample: {rows}"
        raise InputError(problem, remedy="use the complete file", source=file)
    return arrays


def require_modest(file: Path) -> None:
    """Raise `ValueError` where an array of a zip archive unfolds to many times its size."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.file_size > max(_SMALL, UNFOLDING * member.compress_size):
                name = ascii(member.filename)[1:-1][:40]
                raise ValueError(f"{name} unfolds to many times its size")


def has_only_characters(array: NDArray[Any]) -> bool:
    """False for text in which a number stands for no character.

    Neither numpy nor Python look: a string made of such breaks what they rely on.
    """
    if array.dtype.kind != "U" or not array.size:
        return True
    numbers = np.dtype("u4").newbyteorder(array.dtype.byteorder)
    return bool(np.ravel(array, "K")[:, None].view(numbers).max() <= sys.maxunicode)
