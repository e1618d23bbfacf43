"""The pickles of MulT: CMU-MOSI, CMU-MOSEI and IEMOCAP, aligned to words or not.

Tsai et al. (2019), "Multimodal Transformer for Unaligned Multimodal Language Sequences"; the
files hold `{train, valid, test} -> {text, audio, vision, labels, id?}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.config import Options
from affuse.corpora.corpus import Corpus, Split, widths_of
from affuse.corpora.mult_ids import Identity, UniqueNames, read_identities
from affuse.corpora.pickles import load_pickle
from affuse.corpora.registry import register_corpus
from affuse.errors import InputError
from affuse.samples import FloatArray, Sample
from affuse.tasks import BinaryLabels, Regression, Task

MODALITIES = ("text", "audio", "vision")
PARTS = ("train", "valid", "test")
EMOTIONS = ("neutral", "happy", "sad", "angry")
FEATURES = {
    ("text", 300): "glove-300",
    ("text", 768): "bert-768",
    ("audio", 5): "covarep-5",
    ("audio", 74): "covarep-74",
    ("vision", 20): "facet-20",
    ("vision", 35): "facet-35",
}
# Samples a step where whole arrays are scanned: MOSEI's audio alone is 2.4 GB.
_CHUNK = 128


class MultOptions(Options):
    """The reader `mult` has no options: the shape of the labels tells the task."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One split: features `(N, T, D)`, targets `(N, K)` and N identities."""

    features: Mapping[str, FloatArray]
    targets: FloatArray
    task: Task
    identities: list[Identity]


@register_corpus("mult", MultOptions)
def read_mult(path: Path | None, options: MultOptions) -> Corpus:
    """MulT pickles of CMU-MOSI, CMU-MOSEI and IEMOCAP: sentiment or four emotions.

    Labels `(N, 1, 1)` are sentiment in [-3, 3]. Labels `(N, 4, 2)` are pairs (no, yes) for
    neutral, happy, sad and angry.

    Features that are infinite or not a number become 0, as in MulT's own code. All-zero steps at
    either end are padding and are cut off; where the three modalities have the same number of
    steps they are aligned to words, and only steps that are zero in all three are cut, so that
    they stay aligned. A modality of zeros only is absent; a sample without any modality keeps one
    zero step of text, so that no sample is lost.

    Samples are named `video[start-end]` and grouped by video where the file has such ids, else
    `train/0` and so on; a name that occurs again gets `#2`.

    Args:
        path: the pickle. It is read without running it.
        options: none.

    Raises:
        InputError: the file cannot be read or is not laid out as above.
    """
    if path is None:
        raise InputError("corpus 'mult' needs its data", remedy="give its path with --data")
    parts = _read_parts(path)
    train = parts["train"]
    names = UniqueNames()
    split = Split(**{name: _samples(part, names) for name, part in parts.items()})
    widths = widths_of((s for part in split.parts().values() for s in part), MODALITIES)
    return Corpus(
        name=f"mult[data={path.stem}]",
        task=train.task,
        widths=widths,
        folds=(split,),
        options=options.model_dump(),
        features={m: FEATURES.get((m, width), f"{m}-{width}") for m, width in widths.items()},
    )


def _read_parts(path: Path) -> dict[str, _Part]:
    data = _require_keys(load_pickle(path), PARTS, str(path))
    parts = {name: _read_part(data.pop(name), name, f"{path}: {name}") for name in PARTS}
    train = parts["train"]
    for name, part in parts.items():
        if part.task != train.task:
            raise InputError(
                f"'{name}' has labels of another kind than 'train'",
                remedy="use splits of one corpus",
                source=path,
            )
        for modality in MODALITIES:
            width, expected = (p.features[modality].shape[2] for p in (part, train))
            if width != expected:
                raise InputError(
                    f"'{name}' has {modality} of width {width}, 'train' of {expected}",
                    remedy="extract all splits with the same features",
                    source=path,
                )
    return parts


def _require_keys(data: object, keys: tuple[str, ...], source: str) -> dict[str, Any]:
    remedy = f"a MulT file has {{{', '.join(PARTS)}}}, each with {', '.join(MODALITIES)} and labels"
    if not isinstance(data, dict):
        raise InputError(f"holds no dictionary but {_kind(data)}", remedy=remedy, source=source)
    for key in keys:
        if key not in data:
            found = ", ".join(str(k)[:24] for k in list(data)[:8]) or "nothing"
            raise InputError(f"has no '{key}', only {found}", remedy=remedy, source=source)
    return data


def _read_part(data: object, name: str, source: str) -> _Part:
    values = _require_keys(data, (*MODALITIES, "labels"), source)
    features = {m: _features(values[m], m, source) for m in MODALITIES}
    labels = _numbers(values["labels"], "labels", source)
    counts = {key: len(array) for key, array in {**features, "labels": labels}.items()}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{count} of {key}" for key, count in counts.items())
        raise InputError(
            f"has different numbers of samples: {shown}",
            remedy="write one row of each for every sample",
            source=source,
        )
    task, targets = _targets(labels, source)
    identities = read_identities(values.get("id"), len(labels), name, source)
    return _Part(features, targets, task, identities)


def _numbers(values: object, name: str, source: str) -> NDArray[Any]:
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or not values.ndim:
        raise InputError(
            f"'{name}' is {_kind(values)}, not an array of numbers",
            remedy="save it as a numpy array of floats",
            source=source,
        )
    if not len(values):
        raise InputError("the split is empty", remedy="check the file", source=source)
    return values


def _features(values: object, modality: str, source: str) -> FloatArray:
    array = _numbers(values, modality, source)
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(
            f"'{modality}' has shape {array.shape}",
            remedy="give it the shape (samples, steps, features)",
            source=source,
        )
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which becomes 0
        features = np.ascontiguousarray(array, dtype=np.float32)
    if not features.flags.writeable:
        features = features.copy()
    for start in range(0, len(features), _CHUNK):
        block = features[start : start + _CHUNK]
        block[~np.isfinite(block)] = 0.0
    return features


def _targets(labels: NDArray[Any], source: str) -> tuple[Task, FloatArray]:
    count, task = len(labels), Regression(-3.0, 3.0)
    if labels.size == count:
        with np.errstate(over="ignore"):
            targets = labels.reshape(count, 1).astype(np.float32)
        task.check(targets, source=source)
        return task, targets
    if labels.shape[1:] != (len(EMOTIONS), 2):
        raise InputError(
            f"'labels' has shape {labels.shape}",
            remedy=f"give it ({count}, 1, 1) for sentiment or ({count}, 4, 2) for emotions",
            source=source,
        )
    pairs_hold = np.isin(labels, (0, 1)).all(axis=(1, 2)) & (labels.sum(axis=2) == 1).all(axis=1)
    if not pairs_hold.all():
        raise InputError(
            f"label {int(np.flatnonzero(~pairs_hold)[0])} has a pair that is not (1, 0) or (0, 1)",
            remedy="give each emotion one pair (no, yes)",
            source=source,
        )
    return BinaryLabels(EMOTIONS), labels[:, :, 1].astype(np.float32)


def _samples(part: _Part, names: UniqueNames) -> list[Sample]:
    real = {m: _real_steps(array) for m, array in part.features.items()}
    if len({steps.shape[1] for steps in real.values()}) == 1:
        together = np.asarray(np.stack(list(real.values())).any(axis=0))
        spans = dict.fromkeys(real, _span(together))
    else:
        spans = {m: _span(steps) for m, steps in real.items()}
    present = {m: np.asarray(steps.any(axis=1)) for m, steps in real.items()}
    samples = []
    for row, identity in enumerate(part.identities):
        sequences = {
            m: array[row, spans[m][0][row] : spans[m][1][row]]
            for m, array in part.features.items()
            if present[m][row]
        }
        if not sequences:
            sequences = {"text": part.features["text"][row, :1]}
        name = names.add(identity.name)
        samples.append(Sample(name, sequences, part.targets[row], group=identity.video))
    return samples


def _real_steps(array: FloatArray) -> NDArray[np.bool_]:
    """Bool `(N, T)`: the steps that have a value other than zero."""
    steps = np.empty(array.shape[:2], dtype=np.bool_)
    for start in range(0, len(array), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        steps[chunk] = (array[chunk] != 0).any(axis=2)
    return steps


def _span(steps: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First real step and the one after the last, `(N,)` each."""
    return steps.argmax(axis=1), steps.shape[1] - steps[:, ::-1].argmax(axis=1)


def _kind(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    return f"a {type(value).__name__}"
