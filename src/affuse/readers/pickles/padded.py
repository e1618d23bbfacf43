"""What the field's pickles have in common: splits of padded arrays `(N, T, D)`.

The arrays lie over the file (`affuse.readers.pickles`) and so do the samples cut from them: what
is copied is only what has to be changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.config import Options
from affuse.errors import InputError
from affuse.readers.pickles.sample_ids import Identity, UniqueNames
from affuse.readers.pickles.unpickle import load_pickle
from affuse.readers.registry import corpus_name
from affuse.samples import FloatArray, Sample, Split, release

MODALITIES = ("text", "audio", "vision")
PARTS = ("train", "valid", "test")
FEATURES = {
    ("text", 300): "glove-300",
    ("text", 768): "bert-768",
    ("audio", 5): "covarep-5",
    ("audio", 33): "librosa-33",
    ("audio", 74): "covarep-74",
    ("audio", 81): "covarep-81",
    ("vision", 20): "facet-20",
    ("vision", 35): "facet-35",
    ("vision", 47): "facet-47",
    ("vision", 371): "openface-371",
    ("vision", 709): "openface-709",
}
# Samples a step where whole arrays are scanned: MOSEI's audio alone is 2.4 GB.
_CHUNK = 128

Steps = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """One split of N samples.

    Attributes:
        sequences: for each sample, the modalities it has.
        labels: `(N, ...)`, as the file has them.
        identities: names, and videos where known.
        widths: modality to D.
        texts: transcripts, where there are any.
    """

    sequences: Sequence[Mapping[str, FloatArray]]
    labels: NDArray[Any]
    identities: Sequence[Identity]
    widths: Mapping[str, int]
    texts: Sequence[str] | None = None


PartReader = Callable[[dict[str, Any], str, str], Part]
"""`(content of a split, its name, what errors name) -> Part`."""


def read_parts(path: Path, read_part: PartReader, layout: str) -> dict[str, Part]:
    """The splits train, valid and test of a pickle.

    Args:
        layout: what such a file holds, the remedy of errors.

    Raises:
        InputError: the file cannot be read, lacks a split, or its splits differ in width.
    """
    data = require_keys(load_pickle(path), PARTS, layout, str(path))
    parts = {}
    for name in PARTS:
        source = f"{path}: {name}"
        # Popped, so that what was converted is freed before the next is read.
        parts[name] = read_part(require_keys(data.pop(name), (), layout, source), name, source)
    train = parts["train"]
    for name, part in parts.items():
        for modality in dict.fromkeys((*train.widths, *part.widths)):
            width, expected = (p.widths.get(modality) for p in (part, train))
            if width != expected:
                raise InputError(
                    f"'{name}' has {modality} of width {width}, 'train' of {expected}",
                    remedy="extract all splits with the same features",
                    source=path,
                )
    return parts


def split_of(parts: Mapping[str, Part], targets: Mapping[str, FloatArray]) -> Split:
    """Samples with targets `(N, K)`, named uniquely over all parts.

    A sample without any modality gets one zero step of the first, so that none is lost.
    """
    names = UniqueNames()
    return Split(**{name: _samples(part, targets[name], names) for name, part in parts.items()})


def _samples(part: Part, targets: FloatArray, names: UniqueNames) -> list[Sample]:
    first, width = next(iter(part.widths.items()))
    nothing = {first: np.zeros((1, width), dtype=np.float32)}
    return [
        Sample(
            names.add(identity.name),
            part.sequences[row] or nothing,
            targets[row],
            group=identity.video,
            text=None if part.texts is None else part.texts[row],
        )
        for row, identity in enumerate(part.identities)
    ]


def file_name(name: str, path: Path, options: Options) -> str:
    """The name of a corpus read from a file: `mult[data=mosi_data]`."""
    changed = corpus_name(name, options)[len(name) + 1 : -1]
    return f"{name}[{','.join(filter(None, (f'data={path.stem}', changed)))}]"


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
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or not values.ndim:
        raise InputError(
            f"'{name}' is {kind_of(values)}, not an array of numbers",
            remedy="save it as a numpy array of floats",
            source=source,
        )
    if not len(values):
        raise InputError("the split is empty", remedy="check the file", source=source)
    return values


def require_features(values: object, name: str, source: str) -> NDArray[Any]:
    """`values`, an array of numbers `(N, T, D)`."""
    array = require_numbers(values, name, source)
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(
            f"'{name}' has shape {array.shape}",
            remedy="give it the shape (samples, steps, features)",
            source=source,
        )
    return array


def require_equal_counts(arrays: Mapping[str, NDArray[Any]], source: str) -> None:
    """Raise `InputError` where arrays do not all have a row for every sample."""
    if len({len(array) for array in arrays.values()}) > 1:
        shown = ", ".join(f"{len(array)} of {key}" for key, array in arrays.items())
        raise InputError(
            f"has different numbers of samples: {shown}",
            remedy="write one row of each for every sample",
            source=source,
        )


def real_steps(array: NDArray[Any]) -> Steps:
    """Bool `(N, T)`: the steps with a value that is finite and not zero."""
    steps = np.empty(array.shape[:2], dtype=np.bool_)
    for start in range(0, len(array), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        steps[chunk] = (finite(array[chunk]) != 0).any(axis=2)
        release(array)
    return steps


def finite(values: NDArray[Any]) -> FloatArray:
    """As float32, with 0 for what is infinite or not a number; the array itself where it can."""
    with np.errstate(over="ignore"):  # beyond float32 is infinite
        floats = np.ascontiguousarray(values, dtype=np.float32)
    real = np.isfinite(floats)
    return floats if real.all() else np.where(real, floats, np.float32(0))


def cut(
    arrays: Mapping[str, NDArray[Any]], steps: Mapping[str, Steps]
) -> list[dict[str, FloatArray]]:
    """Each sample's sequences: from its first step that counts to its last.

    A modality without any such step is absent. Where all modalities have the same number of steps
    they are aligned, and cut together: from the first step that counts in any.

    Args:
        arrays: modality to `(N, T, D)`.
        steps: modality to bool `(N, T)`, the steps that count.
    """
    spans = {m: _span(own) for m, own in steps.items()}
    if len({own.shape[1] for own in steps.values()}) == 1:
        together: Steps = np.logical_or.reduce(list(steps.values()))
        spans = dict.fromkeys(steps, _span(together))
    present = {m: np.asarray(own.any(axis=1)) for m, own in steps.items()}
    samples = []
    for row in range(len(next(iter(steps.values())))):
        samples.append(
            {
                m: finite(array[row, spans[m][0][row] : spans[m][1][row]])
                for m, array in arrays.items()
                if present[m][row]
            }
        )
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
