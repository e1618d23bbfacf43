"""What the labels of a file are: values, classes by number or name, or flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from affuse.config import Options
from affuse.errors import InputError
from affuse.readers.pickles.padded import require_numbers
from affuse.samples import FloatArray
from affuse.tasks import BinaryLabels, Classification, Regression, Task

# Of more kinds, whole numbers are no classes; of fewer labels, that all are whole may be chance.
_MOST_CLASSES, _ENOUGH = 100, 20
_SENTIMENT_AND_EMOTIONS = 7
_AS_TOLERANT = 1e-4  # as the task


class LabelOptions(Options):
    """How labels are read."""

    labels: Literal["auto", "sentiment", "classes"] = Field(
        default="auto",
        description="sentiment in [-3, 3] or classes; auto takes whole numbers of an integer type "
        "that begin at 0, one-hot rows and names for classes",
    )
    column: int | None = Field(
        default=None, ge=0, description="which of several values a sample is its label, from 0"
    )
    clip: bool = Field(
        default=False, description="whether labels beyond [-3, 3] are clipped, not refused"
    )


@dataclass(frozen=True)
class Labels:
    """The task that labels set, their targets `(N, K)` by part, and what is told of them."""

    task: Task
    targets: dict[str, FloatArray]
    notices: tuple[str, ...] = ()


def read_labels(
    labels: Mapping[str, NDArray[Any]],
    options: LabelOptions,
    path: Path,
    bounds: tuple[float, float] | None = (-3.0, 3.0),
) -> Labels:
    """What the labels of all parts, `(N,)`, `(N, 1)`, `(N, 1, 1)` or `(N, K)`, are.

    Args:
        bounds: of values; None takes the whole numbers around all that the file has.

    Raises:
        InputError: labels beyond the bounds, of no known kind, or of another in another part.
    """
    names = {part: f"{path}: {part}" for part in labels}
    tables = {part: _table(found, names[part]) for part, found in labels.items()}
    kinds = {table.dtype.kind == "U" for table in tables.values()}
    widths = {part: table.shape[1] for part, table in tables.items()}
    for part, table in tables.items():
        if table.dtype.kind != tables["train"].dtype.kind or widths[part] != widths["train"]:
            problem = f"'{part}' has labels of another kind than 'train'"
            raise InputError(problem, remedy="use splits of one corpus", source=path)
    if kinds == {True}:
        return _named_classes(tables, path)
    several, notices = _chosen(tables, options, path)
    if isinstance(several, Labels):
        return several
    known = bounds or _around(np.concatenate([t.ravel() for t in tables.values()]))
    integers = all(array.dtype.kind in "iub" for array in labels.values())
    read = _values_or_classes(several, options, path, known, integers=integers)
    if bounds is None and known != (-3.0, 3.0) and isinstance(read.task, Regression):
        notices = (*notices, f"labels are values from {known[0]:g} to {known[1]:g}")
    return replace(read, notices=(*notices, *read.notices))


def _table(found: NDArray[Any], source: str) -> NDArray[Any]:
    """Labels as `(N, K)`, numbers in float64 or texts; texts that are numbers are numbers."""
    if isinstance(found, np.ndarray) and found.dtype.kind in "US" and found.ndim:
        texts = (
            found.astype(str)
            if found.dtype.kind == "U"
            else np.char.decode(found, "utf-8", "replace")
        )
        try:
            found = texts.astype(np.float64)
        except ValueError:
            found = texts
    elif found.dtype.kind == "b":
        found = found.astype(np.int64)
    else:
        found = require_numbers(found, "labels", source)
    count = len(found)
    shape = [extent for extent in found.shape[1:] if extent != 1]
    if len(shape) > 1 or not count or (found.dtype.kind == "U" and shape):
        remedy = f"give it ({count}, 1, 1) for a value each, or ({count}, 4, 2) for emotions"
        raise InputError(f"'labels' has shape {found.shape}", remedy=remedy, source=source)
    table = found.reshape(count, -1)
    return table if table.dtype.kind == "U" else table.astype(np.float64)


def _named_classes(tables: Mapping[str, NDArray[Any]], path: Path) -> Labels:
    names = sorted({name for table in tables.values() for name in table[:, 0].tolist()})
    places = {name: place for place, name in enumerate(names)}
    targets = {
        part: np.array([[places[name]] for name in table[:, 0].tolist()], np.float32)
        for part, table in tables.items()
    }
    if len(names) > _MOST_CLASSES:
        remedy = f"give at most {_MOST_CLASSES} classes, or numbers"
        raise InputError(f"labels are {len(names)} texts", remedy=remedy, source=path)
    told = f"labels are names, read as {len(names)} classes"
    return Labels(Classification(tuple(names)), targets, (told,))


_Tables = Mapping[str, NDArray[np.float64]]


def _chosen(
    tables: _Tables, options: LabelOptions, path: Path
) -> tuple[Labels | _Tables, tuple[str, ...]]:
    """One column of several, or what several columns are together; and what is told of it."""
    count = tables["train"].shape[1]
    together = np.concatenate(list(tables.values()))
    if count == 1 and not options.column:
        return tables, ()
    if options.column is not None:
        if options.column >= count:
            remedy = f"give column from 0 to {count - 1}"
            raise InputError(f"has {count} labels a sample", remedy=remedy, source=path)
        return {part: table[:, [options.column]] for part, table in tables.items()}, ()
    if np.isin(together, (0, 1)).all():
        if (together.sum(axis=1) == 1).all():
            classes = {p: table.argmax(axis=1)[:, None] for p, table in tables.items()}
            told = f"labels are one-hot rows, read as {count} classes"
            return _classes(classes, range(count), told), ()
        names = tuple(f"label {number}" for number in range(count))
        flags = {part: table.astype(np.float32) for part, table in tables.items()}
        return Labels(BinaryLabels(names), flags, (f"labels are {count} flags a sample",)), ()
    if count == _SENTIMENT_AND_EMOTIONS and not (together[:, 1:] < 0).any():
        told = "of 7 labels a sample the first is read, as sentiment; choose with column="
    else:
        told = f"of {count} labels a sample the first is read; choose with column="
    return {part: table[:, :1] for part, table in tables.items()}, (told,)


def _values_or_classes(
    tables: _Tables,
    options: LabelOptions,
    path: Path,
    bounds: tuple[float, float],
    *,
    integers: bool,
) -> Labels:
    """One value a sample, as classes or as a regression; `integers` is how the file has them."""
    _require_finite(tables, path)
    together = np.concatenate(list(tables.values()))[:, 0]
    known, whole = np.unique(together), bool((together == np.floor(together)).all())
    least, most = float(known[0]), float(known[-1])
    span = f"whole numbers from {least:g} to {most:g}"
    counted = whole and least == 0 and len(known) > 1 and most < _MOST_CLASSES
    several = whole and len(known) > 1 and len(together) >= _ENOUGH
    # Numbers of a float type that fill a range beyond that of values are no chance.
    filled = several and most > bounds[1] and len(known) == most + 1
    if options.labels == "classes" and (not whole or len(known) > _MOST_CLASSES):
        remedy = "read them with labels=sentiment"
        raise InputError(f"labels are {len(known)} values", remedy=remedy, source=path)
    if options.labels == "classes":
        return _classes(tables, range(int(most) + 1) if counted else known)
    if options.labels == "auto" and counted and (integers or filled):
        told = f"labels are {span}, read as classes; labels=sentiment reads them as values"
        return _classes(tables, range(int(most) + 1), told)
    told = f"labels are {span}, read as values; if they are classes, give labels=classes"
    task = Regression(*bounds)
    targets = {part: table.astype(np.float32) for part, table in tables.items()}
    bounded, clipped = bound_values(targets, task, path, clip=options.clip, whole=whole)
    doubtful = several or (integers and len(known) > 1)
    notices = (told,) if doubtful and options.labels == "auto" else ()
    return Labels(task, bounded, (*notices, *clipped))


def _require_finite(tables: _Tables, path: Path) -> None:
    for part, table in tables.items():
        if (bad := np.flatnonzero(~np.isfinite(table[:, 0]))).size:
            problem, remedy = f"label {int(bad[0])} is not finite", "drop or mend that row"
            raise InputError(problem, remedy=remedy, source=f"{path}: {part}")


def _around(values: NDArray[np.float64]) -> tuple[float, float]:
    """Sentiment's own range where that holds them, else the whole numbers around the values."""
    values = values[np.isfinite(values)]
    if not values.size:
        return -3.0, 3.0
    if values.min() < 0 and np.abs(values).max() <= 3:
        return -3.0, 3.0
    return float(np.floor(values.min())), float(max(np.ceil(values.max()), values.min() + 1))


def _classes(tables: Mapping[str, NDArray[Any]], known: Any, *notices: str) -> Labels:
    """Classes that are called by their numbers, which are in order."""
    numbers = np.asarray(known)
    targets = {
        part: np.searchsorted(numbers, table).astype(np.float32) for part, table in tables.items()
    }
    return Labels(Classification(tuple(f"{n:g}" for n in numbers)), targets, notices)


def bound_values(
    targets: Mapping[str, FloatArray],
    task: Regression,
    path: Path,
    *,
    clip: bool,
    whole: bool = False,
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Values of a regression within its range, and what is told where they had to be clipped.

    Raises:
        InputError: one is beyond it and `clip` is not asked for.
    """
    low, high = task.low, task.high
    bounded, count = {}, 0
    for part, values in targets.items():
        beyond = np.flatnonzero((values < low - _AS_TOLERANT) | (values > high + _AS_TOLERANT))
        count += beyond.size
        if beyond.size and not clip:
            row = int(beyond[0])
            problem = f"label {row} is {values[row, 0]:g}, outside [{low:g}, {high:g}]"
            other = "read them as classes with labels=classes" if whole else "name the right corpus"
            remedy = f"clip such labels with clip=true (--set clip=true), or {other}"
            raise InputError(problem, remedy=remedy, source=f"{path}: {part}")
        bounded[part] = np.clip(values, low, high) if clip else values
    told = f"{count} labels beyond [{low:g}, {high:g}] are clipped" if count else ""
    return bounded, (told,) if told else ()
