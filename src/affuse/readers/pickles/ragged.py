"""Features as people save them, as the padded arrays `(N, T, D)` that the readers take.

Lists of sequences of unlike lengths, object arrays, nested lists, None for what a sample lacks, one
vector a sample: all become one array with zeros at the ends of the shorter ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.samples import MODALITIES, FloatArray, pad_sequences

# Padded, what is given may take this many times its memory, where that is much.
_GROWTH, _MUCH = 8, 1 << 31
_Rows = list[FloatArray | None]


def to_arrays(
    values: dict[Any, Any], source: str, notice: Callable[[str], None] = lambda _: None
) -> dict[Any, Any]:
    """A split with its modalities and labels as arrays; what is None is left out.

    Raises:
        InputError: sequences whose widths differ, or that hold something else than numbers.
    """
    found = {key: value for key, value in values.items() if value is not None}
    lengths: dict[str, tuple[int, ...]] = {}
    for modality in (m for m in MODALITIES if m in found):
        value = found[modality]
        if isinstance(value, np.ndarray) and value.dtype.kind in "bfiu":
            if value.ndim == 2:
                notice(f"{modality} of shape (samples, features) is one step a sample")
                value = value[:, None]
            found[modality] = value.astype(np.float32) if value.dtype.kind == "b" else value
        elif isinstance(value, list | tuple) or _holds_objects(value):
            rows = _sequences(value, modality, source)
            lengths[modality] = tuple(0 if row is None else len(row) for row in rows)
            found[modality] = _padded(rows, modality, source)
    found = {key: value for key, value in found.items() if value is not None}
    for key in (key for key in found if "labels" in str(key)):
        found[key] = as_labels(found[key])
    return _kept_apart(found, lengths)


def _holds_objects(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object and value.ndim > 0


def as_labels(values: Any) -> Any:
    """Lists and object arrays of numbers or texts as an array of them; all else as it is."""
    rows = values.tolist() if isinstance(values, np.ndarray) and _holds_objects(values) else values
    if not isinstance(rows, list | tuple):
        return values
    try:
        array = np.array(rows)
    except ValueError:
        return values
    texts = sum(isinstance(row, str | bytes) for row in rows)
    mixed = array.dtype.kind in "US" and array.ndim == 1 and texts < len(rows)
    return array if array.dtype.kind in "fiubUS" and not mixed else values


def _sequences(value: Sequence[Any] | NDArray[Any], modality: str, source: str) -> _Rows:
    """Each sample's sequence `(T, D)`; None where it has none."""
    rows = [_numbers(item, row, modality, source) for row, item in enumerate(value)]
    flat = {row.size for row in rows if row is not None and row.ndim == 1}
    if len(flat) > 1:
        problem = f"'{modality}' has rows of {min(flat)} to {max(flat)} numbers, not sequences"
        remedy = "give each sample rows of features, (steps, features)"
        raise InputError(problem, remedy=remedy, source=source)
    steps = [row[None] if row is not None and row.ndim == 1 else row for row in rows]
    widths = sorted({row.shape[1] for row in steps if row is not None})
    if len(widths) > 1:
        problem = f"'{modality}' has sequences of {' and '.join(map(str, widths[:3]))} features"
        remedy = "extract all samples with the same features"
        raise InputError(problem, remedy=remedy, source=source)
    return steps


def _numbers(item: Any, row: int, modality: str, source: str) -> FloatArray | None:
    """One sample's features, `(T, D)` or `(D,)`; None where there are none."""
    if item is None or (isinstance(item, float) and np.isnan(item)):
        return None
    try:
        if not isinstance(item, list | tuple | np.ndarray):
            raise ValueError(f"a {type(item).__name__}")
        if isinstance(item, np.ndarray) and item.dtype == object:
            item = item.tolist()
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            array = np.asarray(item, dtype=np.float32)
    except (TypeError, ValueError):
        problem = f"'{modality}' of sample {row} is no sequence of features"
        remedy = "give each sample an array of numbers (steps, features), or None"
        raise InputError(problem, remedy=remedy, source=source) from None
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if not array.size:
        return None
    if array.ndim > 2:
        problem = f"'{modality}' of sample {row} has shape {array.shape}"
        raise InputError(problem, remedy="give it (steps, features)", source=source)
    return array


def _padded(rows: _Rows, modality: str, source: str) -> FloatArray | None:
    """Sequences side by side; None where there is none at all."""
    some = [row for row in rows if row is not None]
    if not some:
        return None
    longest, width = max(map(len, some)), some[0].shape[1]
    size = 4 * len(rows) * longest * width
    if size > max(_MUCH, _GROWTH * sum(row.nbytes for row in some)):
        problem = f"'{modality}' has one sequence of {longest} steps, and {size >> 30} GB if padded"
        remedy = "cut the longest ones, or leave them out"
        raise InputError(problem, remedy=remedy, source=source)
    return pad_sequences(rows, width)


def _kept_apart(values: dict[Any, Any], lengths: dict[str, tuple[int, ...]]) -> dict[Any, Any]:
    """Sequences of unlike lengths must not pass for aligned because the longest are as long."""
    for place, (modality, own) in enumerate(lengths.items()):
        others = list(lengths.items())[:place]
        while any(
            modality in values
            and other in values
            and known != own
            and values[other].shape[1] == values[modality].shape[1]
            for other, known in others
        ):
            values[modality] = np.pad(values[modality], ((0, 0), (0, 1), (0, 0)))
    return values
