"""Several columns of labels: yes or no each, or values such as valence and arousal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.readers.clips.agreement import Agreement, alpha_of_values
from affuse.readers.clips.label_cells import LabelledClips, is_missing, left_out, number, twice
from affuse.readers.clips.metadata import Metadata, Row
from affuse.readers.label_kinds import LabelOptions, read_labels
from affuse.tasks import BinaryLabels, Values

Columns = Mapping[str, Sequence[str]]
"""The name of a label to the columns in which annotators say it."""


def several_labels(
    found: Metadata,
    columns: Columns,
    kind: Literal["auto", "values", "classes"],
    bounds: tuple[float, float] | None,
) -> LabelledClips:
    """What rows with several labels are labelled with.

    Args:
        kind: `values` or `classes` (yes or no); by default values where each label has others than
            0 and 1.
        bounds: of all values; by default those that the numbers suggest.

    Raises:
        InputError: cells that are no such numbers, or no row with a label.
    """
    if kind == "values" or (kind == "auto" and _hold_values(found, columns)):
        return _values(found, columns, bounds)
    return _flags(found, columns)


def _hold_values(found: Metadata, columns: Columns) -> bool:
    """Whether each label has numbers that no flag is: a slip in one makes no values of flags."""
    flags = frozenset((0.0, 1.0))
    return all(
        any(math.isfinite(v) and v not in flags for row in found.rows for v in _told(row, given))
        for given in columns.values()
    )


def _told(row: Row, columns: Sequence[str]) -> list[float]:
    return [number(row.cells[c]) for c in columns if not is_missing(row.cells[c])]


def _values(found: Metadata, columns: Columns, bounds: tuple[float, float] | None) -> LabelledClips:
    """The means of annotators; a row needs one of the values at least."""
    rated = {name: [_told(row, given) for row in found.rows] for name, given in columns.items()}
    for name, given in rated.items():
        for row, numbers in zip(found.rows, given, strict=True):
            if not all(map(math.isfinite, numbers)):
                problem = f"'{name}' holds other than numbers"
                raise InputError(problem, remedy="mend it or leave it empty", source=row.place)
    table = np.array([[_mean(numbers) for numbers in given] for given in rated.values()]).T
    kept = np.flatnonzero(np.isfinite(table).any(axis=1)).tolist()
    label = "+".join(columns)
    if not kept:
        problem = f"no row has a label in '{label}'"
        raise InputError(problem, remedy="label some clips", source=found.source)
    low, high, told = _range(found, table[np.isfinite(table)], bounds)
    agreement = tuple(
        Agreement(name, len(given), twice(rated[name]), alpha_of_values(rated[name]))
        for name, given in columns.items()
        if len(given) > 1
    )
    partly = int(np.isnan(table[kept]).any(axis=1).sum())
    if partly:
        told = (*told, f"{partly} clips lack some of {', '.join(columns)}, and train the others")
    lost = left_out(found, " or ".join(columns), kept, 0)
    task, rows = Values(tuple(columns), low, high), tuple(found.rows[place] for place in kept)
    targets = table[kept].astype(np.float32)
    return LabelledClips(label, task, rows, targets, agreement, (*lost, *told))


def _mean(numbers: Sequence[float]) -> float:
    return float(np.mean(numbers)) if numbers else math.nan


def _range(
    found: Metadata, known: NDArray[np.float64], bounds: tuple[float, float] | None
) -> tuple[float, float, tuple[str, ...]]:
    """Lowest and highest, and what is told of them where numbers alone suggest them."""
    if bounds is not None and (known.min() < bounds[0] or known.max() > bounds[1]):
        problem = f"labels go from {known.min():g} to {known.max():g}"
        problem += f", beyond bounds {bounds[0]:g} to {bounds[1]:g}"
        remedy = "give bounds=[LOW,HIGH] that hold them"
        raise InputError(problem, remedy=remedy, source=found.source)
    if bounds is None and np.abs(known).max() <= 1 and known.min() < 0:
        bounds = (-1.0, 1.0)  # what valence and arousal usually are given in
    if bounds is not None:
        return (*bounds, ())
    read = read_labels({"train": known}, LabelOptions(labels="sentiment"), found.source, None)
    config = read.task.to_config()
    return config["low"], config["high"], read.notices


def _flags(found: Metadata, columns: Columns) -> LabelledClips:
    """Several columns of 0 and 1, of which annotators have the most votes; half of them is yes."""
    kept, rows, agreement = [], [], []
    numbers: dict[str, list[list[float]]] = {name: [] for name in columns}
    for row in found.rows:
        cells = {
            name: [number(row.cells[c]) for c in given if not is_missing(row.cells[c])]
            for name, given in columns.items()
        }
        for name, values in cells.items():
            numbers[name].append(values)
            if any(value not in (0.0, 1.0) for value in values):
                problem = f"'{name}' holds other than 0 and 1"
                remedy = "give one 0 or 1 for each of several labels, or one column"
                raise InputError(problem, remedy=remedy, source=row.place)
        if all(cells.values()):
            kept.append([float(np.mean(values) >= 0.5) for values in cells.values()])
            rows.append(row)
    if not rows:
        problem, remedy = "no row has all of the labels", "label some clips"
        raise InputError(problem, remedy=remedy, source=found.source)
    for name, given in columns.items():
        if len(given) > 1:
            alpha = alpha_of_values(numbers[name])
            agreement.append(Agreement(name, len(given), twice(numbers[name]), alpha))
    places = {id(row): place for place, row in enumerate(found.rows)}
    told = left_out(found, " or ".join(columns), [places[id(row)] for row in rows], 0)
    task, targets = BinaryLabels(tuple(columns)), np.array(kept, np.float32)
    return LabelledClips(
        "+".join(columns), task, tuple(rows), targets, tuple(agreement), tuple(told)
    )
