"""Text that comes from strangers' files."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray


def decode_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def decode_latin1(data: bytes) -> str:
    return data.decode("latin-1")


def has_only_characters(array: NDArray[Any]) -> bool:
    """False for text in which a number stands for no character.

    Neither numpy nor Python look: a string made of such breaks what they rely on.
    """
    if array.dtype.kind != "U" or not array.size:
        return True
    numbers = np.dtype("u4").newbyteorder(array.dtype.byteorder)
    return bool(np.ravel(array, "K")[:, None].view(numbers).max() <= sys.maxunicode)
