"""What a pickle of splits holds, at a glance, to tell the field's formats apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from affuse.errors import InputError
from affuse.readers.pickles.unpickle import load_pickle
from affuse.tasks import BinaryLabels, Task


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


# Widths of audio and vision. CMU-MOSI: COVAREP and FACET, chosen columns or all. CMU-MOSEI: all of
# COVAREP and of a later FACET; IEMOCAP has the same and other labels. CH-SIMS: librosa, OpenFace.
_CORPORA = {(5, 20): "mosi", (74, 47): "mosi", (74, 35): "mosei", (33, 709): "sims"}


def preset_name(reader: str, widths: Mapping[str, int], *, emotions: bool) -> str:
    """The name of the preset for a corpus, or `reader` where the corpus is not known.

    Args:
        reader: the reader of its format.
        widths: modality to feature width.
        emotions: whether a sample has several labels, each there or not.
    """
    corpus = _CORPORA.get((widths.get("audio", 0), widths.get("vision", 0)))
    if corpus == "mosei" and emotions:
        corpus = "iemocap"
    return reader if corpus is None else f"{reader}-{corpus}"


def has_emotions(task: Task) -> bool:
    return isinstance(task, BinaryLabels)
