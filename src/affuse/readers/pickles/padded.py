"""Padded arrays `(N, T, D)`, as the field's pickles hold them, checked and cut into sequences.

The arrays lie over the file (`affuse.readers.pickles`) and so do the sequences cut from them: what
is copied is only what has to be changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.samples import FloatArray, release

FEATURES = {
    ("text", 300): "glove-300",
    ("text", 768): "bert-768",
    ("audio", 5): "covarep-5",
    ("audio", 33): "librosa-33",
    ("audio", 74): "covarep-74",
    ("audio", 81): "covarep-81",
    ("vision", 20): "facet-20",
    ("vision", 35): "facet-35",
    ("vision", 36): "facet-36",
    ("vision", 47): "facet-47",
    ("vision", 371): "openface-371",
    ("vision", 709): "openface-709",
}
# Samples a step where whole arrays are scanned: MOSEI's audio alone is 2.4 GB.
_CHUNK = 128

Steps = NDArray[np.bool_]


def feature_names(widths: Mapping[str, int]) -> dict[str, str]:
    """What features of these widths are called in this field."""
    return {m: FEATURES.get((m, width), f"{m}-{width}") for m, width in widths.items()}


def require_keys(data: object, keys: Sequence[str], layout: str, source: str) -> dict[str, Any]:
    """`data`, a dictionary that has `keys`."""
    if not isinstance(data, dict):
        raise InputError(f"holds no dictionary but {kind_of(data)}", remedy=layout, source=source)
    for key in keys:
        if key not in data:
            found = ", ".join(str(k)[:24] for k in list(data)[:8]) or "nothing"
            raise InputError(f"has no '{key}', only {found}", remedy=layout, source=source)
    return data


def require_numbers(values: object, name: str, source: str) -> NDArray[Any]:
    """`values`, an array of numbers that is not empty."""
    return require_array(values, name, "fiu", source)


def require_array(values: object, name: str, kinds: str, source: str) -> NDArray[Any]:
    """`values`, an array that is not empty, of one of the `kinds` of type (`numpy.dtype.kind`)."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in kinds or not values.ndim:
        problem = f"'{name}' is {kind_of(values)}, not an array of numbers"
        raise InputError(problem, remedy="save it as a numpy array of floats", source=source)
    if not len(values):
        raise InputError("the split is empty", remedy="check the file", source=source)
    return values


def require_one_label(values: object, name: str, source: str) -> NDArray[Any]:
    """`values`, an array of numbers with one for each of N samples."""
    labels = require_numbers(values, name, source)
    if labels.size != len(labels):
        remedy = "give one label a sample"
        raise InputError(f"'{name}' has shape {labels.shape}", remedy=remedy, source=source)
    return labels


def require_features(values: object, name: str, source: str) -> NDArray[Any]:
    """`values`, an array of numbers `(N, T, D)`."""
    array = require_numbers(values, name, source)
    if array.ndim != 3 or 0 in array.shape:
        remedy = "give it the shape (samples, steps, features)"
        raise InputError(f"'{name}' has shape {array.shape}", remedy=remedy, source=source)
    return array


def require_equal_counts(arrays: Mapping[str, NDArray[Any]], source: str) -> None:
    """Raise `InputError` where arrays do not all have a row for every sample."""
    if len({len(array) for array in arrays.values()}) > 1:
        shown = ", ".join(f"{len(array)} of {key}" for key, array in arrays.items())
        remedy = "write one row of each for every sample"
        raise InputError(f"has different numbers of samples: {shown}", remedy=remedy, source=source)


def real_steps(array: NDArray[Any]) -> Steps:
    """Bool `(N, T)`: the steps with a value that is finite and not zero."""
    steps = np.empty(array.shape[:2], dtype=np.bool_)
    for start in range(0, len(array), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        steps[chunk] = (finite_or_zero(array[chunk]) != 0).any(axis=2)
        release(array)
    return steps


def attention_mask(tokens: object, count: int, steps: int) -> Steps | None:
    """BERT's mask `(N, T)` in `text_bert`, `(N, 3, T)`: the steps that count; None where not so."""
    if not isinstance(tokens, np.ndarray) or tokens.shape != (count, 3, steps):
        return None
    mask: Steps = tokens[:, 1] != 0
    return mask


def finite_or_zero(values: NDArray[Any]) -> FloatArray:
    """As float32, with 0 for what is infinite or not a number; the array itself where it can."""
    with np.errstate(over="ignore"):  # beyond float32 is infinite
        floats = np.ascontiguousarray(values, dtype=np.float32)
    real = np.isfinite(floats)
    return floats if real.all() else np.where(real, floats, np.float32(0))


def cut_padding(
    arrays: Mapping[str, NDArray[Any]], steps: Mapping[str, Steps]
) -> list[dict[str, FloatArray]]:
    """Each sample's sequences of arrays `(N, T, D)`: from its first of the `steps` to its last.

    A modality without any such step is absent. Where all modalities have the same number of steps
    they are aligned, and cut together: from the first step that counts in any.
    """
    spans = {m: _span(own) for m, own in steps.items()}
    if len({own.shape[1] for own in steps.values()}) == 1:
        together: Steps = np.logical_or.reduce(list(steps.values()))
        spans = dict.fromkeys(steps, _span(together))
    present = {m: np.asarray(own.any(axis=1)) for m, own in steps.items()}
    samples = []
    for row in range(len(next(iter(steps.values())))):
        padded = {m: array[row] for m, array in arrays.items() if present[m][row]}
        cut = {m: x[spans[m][0][row] : spans[m][1][row]] for m, x in padded.items()}
        samples.append({m: finite_or_zero(x) for m, x in cut.items()})
        if row % _CHUNK == 0:
            for array in arrays.values():
                release(array)
    return samples


def _span(steps: Steps) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First step that counts and the one after the last, `(N,)` each."""
    return steps.argmax(axis=1), steps.shape[1] - steps[:, ::-1].argmax(axis=1)


def kind_of(value: object) -> str:
    """What a value is, for errors."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    return f"a {type(value).__name__}"
