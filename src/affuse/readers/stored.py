"""affuse's own format: a folder of arrays that are mapped, not read, so that size costs no memory.

| file | content |
|---|---|
| `affuse-corpus.json` | `Header`: name, task, ids, groups, transcripts, folds, fingerprint |
| `<modality>.npy` | float32 `(sum of T, D)`: the sequences of all samples, one after the other |
| `<modality>.offsets.npy` | int64 `(N + 1,)`: where each begins; equal where a sample has none |
| `<modality>.times.npy` | float32 `(sum of T,)`: seconds, where known; else not a number |
| `targets.npy` | float32 `(N, K)`; not a number where unknown |

`affuse.readers.stored_write` writes it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt, StringConstraints, ValidationError

from affuse.config import Options, invalid
from affuse.errors import InputError, file_error
from affuse.readers.npz import DAMAGE
from affuse.readers.registry import register_corpus
from affuse.samples import Corpus, FloatArray, Sample, Split
from affuse.tasks import Task

HEADER, TARGETS = "affuse-corpus.json", "targets.npy"
# A modality is part of file names.
MODALITY = re.compile(r"\w[\w-]{0,63}")
_AGAIN = "convert the corpus again"

Index = Annotated[int, Field(ge=0)]
Modality = Annotated[str, StringConstraints(pattern=rf"^{MODALITY.pattern}$")]
Preset = Annotated[str, StringConstraints(pattern=r"^[\w-]*$")]


class Fold(BaseModel, extra="forbid"):
    """Numbers of the samples in each part."""

    train: list[Index]
    valid: list[Index]
    test: list[Index]


class Header(BaseModel, extra="forbid"):
    """What the JSON file holds; lists have one entry a sample.

    Folders without `preset` are older: theirs is the one that the corpus' name begins with. Those
    without `unimodal` hold no targets of single modalities.
    """

    format: Literal[1] = 1
    affuse: str
    name: str
    task: dict[str, Any]
    widths: dict[Modality, PositiveInt]
    features: dict[str, str]
    preset: Preset = ""
    options: dict[str, Any]
    fingerprint: str
    ids: list[str]
    groups: list[str | None]
    texts: list[str | None]
    truths: list[dict[str, Any]]
    unimodal: list[dict[Modality, list[float | None]]] = []
    folds: list[Fold]


class StoredOptions(Options):
    """The reader `stored` has no options: those of the corpus were chosen when it was stored."""


def _recognises(path: Path) -> bool:
    return (path / HEADER).is_file() or path.name == HEADER


def _preset(path: Path) -> str:
    """That of the corpus which was stored."""
    try:
        header = _read_header(_folder(path) / HEADER)
    except InputError:
        return "stored"
    return header.preset or header.name.partition("[")[0]


@register_corpus("stored", StoredOptions, recognises=_recognises, preset=_preset)
def read_stored(path: Path, options: StoredOptions) -> Corpus:
    """A corpus that `affuse corpus convert` wrote: any corpus, used in little memory.

    Sequences are read-only views of mapped files. The corpus has the name, options and
    fingerprint of the one that was stored, so that results of both may be compared. Its values
    are read once, to be held against that fingerprint. The path is the folder, or the JSON file in
    it.

    Raises:
        InputError: a missing, damaged or foreign file, or values other than those stored.
    """
    del options
    folder = _folder(path)
    header = _read_header(folder / HEADER)
    samples = _samples(header, folder)
    corpus = Corpus(
        name=header.name,
        task=Task.from_config(header.task),
        widths=header.widths,
        folds=tuple(_split(fold, samples, folder) for fold in header.folds),
        options=header.options,
        features=header.features,
        preset=header.preset,
    )
    if corpus.fingerprint() != header.fingerprint:
        raise InputError("its values are not those that were stored", remedy=_AGAIN, source=folder)
    return corpus


def _folder(path: Path) -> Path:
    return path.parent if path.name == HEADER else path


def _read_header(file: Path) -> Header:
    try:
        header = Header.model_validate_json(file.read_bytes())
        Task.from_config(header.task)
    except FileNotFoundError:
        remedy = "give a folder that affuse corpus convert wrote"
        raise InputError("no stored corpus here", remedy=remedy, source=file.parent) from None
    except OSError as error:
        raise file_error(error, "cannot be read", file) from None
    except InputError as error:
        raise InputError(error.problem, remedy=_AGAIN, source=file) from None
    except ValidationError as error:
        raise invalid(error, "the header of a stored corpus", remedy=_AGAIN, source=file) from None
    counts = {len(header.ids), len(header.groups), len(header.texts), len(header.truths)}
    counts |= {len(header.unimodal)} if header.unimodal else set()
    if len(counts) > 1 or not header.ids or not header.folds:
        raise InputError("its lists do not fit together", remedy=_AGAIN, source=file)
    return header


def _samples(header: Header, folder: Path) -> list[Sample]:
    count = len(header.ids)
    sequences: list[dict[str, FloatArray]] = [{} for _ in range(count)]
    times: list[dict[str, FloatArray]] = [{} for _ in range(count)]
    for modality, width in header.widths.items():
        values = _load(folder / f"{modality}.npy", np.float32, (None, width))
        spans = _spans(folder / f"{modality}.offsets.npy", count, len(values))
        timed = folder / f"{modality}.times.npy"
        seconds = _load(timed, np.float32, (len(values),)) if timed.exists() else None
        for row, (begin, end) in enumerate(spans):
            if begin == end:
                continue
            sequences[row][modality] = values[begin:end]
            if seconds is not None and np.isfinite(seconds[begin]):
                times[row][modality] = seconds[begin:end]
    width = Task.from_config(header.task).target_width
    targets = np.array(_load(folder / TARGETS, np.float32, (count, width)))
    # Of several values, some may be told.
    known = np.isfinite(targets).any(axis=1)
    labels = (target if fit else None for target, fit in zip(targets, known, strict=True))
    alone = [
        {m: np.array(target, np.float32) for m, target in each.items()} for each in header.unimodal
    ]
    told = zip(header.groups, header.texts, header.truths, alone or [{}] * count, strict=True)
    rows = zip(header.ids, sequences, labels, times, told, strict=True)
    return [Sample(name, steps, label, at, *rest) for name, steps, label, at, rest in rows]


def _spans(file: Path, count: int, steps: int) -> list[tuple[int, int]]:
    offsets = _load(file, np.int64, (count + 1,))
    if offsets[0] != 0 or offsets[-1] != steps or (np.diff(offsets) < 0).any():
        raise InputError("its offsets do not divide the values", remedy=_AGAIN, source=file)
    return list(pairwise(offsets.tolist()))


def _load(file: Path, dtype: type[np.generic], shape: tuple[int | None, ...]) -> NDArray[Any]:
    """A mapped array of this type and shape, in which None stands for any extent."""
    try:
        array = np.asarray(np.lib.format.open_memmap(file, mode="r"))
    except OSError as error:
        raise file_error(error, "cannot be read", file) from None
    except DAMAGE as error:
        reason = f"{type(error).__name__}: {error}"[:120]
        raise InputError(f"cannot be read ({reason})", remedy=_AGAIN, source=file) from None
    extents = zip(shape, array.shape, strict=False)
    fits = array.ndim == len(shape) and all(wanted in (None, extent) for wanted, extent in extents)
    if array.dtype != dtype or not fits or not array.flags.c_contiguous:
        problem = f"has shape {array.shape} and type {array.dtype}"
        raise InputError(problem, remedy=_AGAIN, source=file)
    return array


def _split(fold: Fold, samples: list[Sample], folder: Path) -> Split:
    parts = fold.model_dump()
    if any(row >= len(samples) for rows in parts.values() for row in rows):
        problem = "a fold names a sample that there is not"
        raise InputError(problem, remedy=_AGAIN, source=folder / HEADER)
    return Split(**{name: [samples[row] for row in rows] for name, rows in parts.items()})
