"""What a pickle of splits holds, at a glance, to tell the field's formats apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from affuse.corpora.pickles import load_pickle
from affuse.errors import InputError


@dataclass(frozen=True, slots=True)
class Outline:
    """The training part of a pickle.

    Attributes:
        keys: of its dictionary.
        widths: of its arrays `(N, T, D)`.
        two_labels: whether `labels` are of two values that are marks: 0 and 1, or -1 and 1.
        pairs: whether `labels` are pairs (no, yes) for several emotions.
    """

    keys: frozenset[str]
    widths: Mapping[str, int]
    two_labels: bool
    pairs: bool


def outline(path: Path) -> Outline | None:
    """The outline of a pickle of splits; None for what is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return _read(path, status.st_size, status.st_mtime_ns)


# A command asks for it several times. It is read anew when the file has changed.
@lru_cache(maxsize=8)
def _read(path: Path, size: int, changed: int) -> Outline | None:
    del size, changed
    try:
        data = load_pickle(path)
    except InputError:
        return None
    train = data.get("train") if isinstance(data, dict) else None
    if not isinstance(train, dict):
        return None
    keys = frozenset(key for key in train if isinstance(key, str))
    arrays = {key: train[key] for key in keys if isinstance(train[key], np.ndarray)}
    widths = {key: array.shape[2] for key, array in arrays.items() if array.ndim == 3}
    labels = arrays.get("labels")
    pairs = labels is not None and labels.ndim == 3 and labels.shape[1:] == (4, 2)
    return Outline(keys, widths, _are_marks(labels), pairs)


def _are_marks(labels: object) -> bool:
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "fiu" or not labels.ndim:
        return False
    # One a sample: pairs of flags for several emotions are of two values too.
    return labels.size == len(labels) and np.unique(labels).tolist() in ([0, 1], [-1, 1])
