"""The labels of clips: which columns they are in, what several annotators say, and what task."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError, unknown_name
from affuse.readers.clips.agreement import Agreement, alpha_of_names, alpha_of_values, voted
from affuse.readers.clips.label_cells import LabelledClips, is_missing, left_out, number, twice
from affuse.readers.clips.metadata import Metadata
from affuse.readers.clips.several_labels import several_labels
from affuse.readers.label_kinds import LabelOptions, read_labels
from affuse.samples import FloatArray
from affuse.tasks import Task

Kind = Literal["auto", "values", "classes"]

LABEL = "label"
"""The column of labels where nobody named it; `label_ann` is what an annotator says."""
_ANNOTATOR = re.compile(r"(.+?)[_ ]?\d+")
_PERSON = re.compile(rf"({LABEL})_([\w-]{{1,40}})")
# What follows `label_` in other tables, where it is nobody's name.
_NOBODY = frozenset(
    ("id", "ids", "name", "names", "index", "idx", "type", "source", "confidence", "score", "text")
)
_USUAL = (LABEL, "labels", "emotion", "sentiment", "class")
# Of a value, nothing; it may be a class.
_NONE = "none"
# Values that are labels where nobody named one: the dimensions of affect.
_DIMENSIONS = ("valence", "arousal", "dominance")


def label_rows(
    found: Metadata,
    label: str | Sequence[str],
    kind: Kind,
    bounds: tuple[float, float] | None,
) -> LabelledClips:
    """What the rows are labelled with.

    Args:
        label: a column, or several, of 0 and 1 that are yes or no each, or of values; by default
            the one that is left, or valence and arousal. `label_1`, `label_2` and so on, or
            `label_ann`, are what annotators say.
        kind: what one column holds; by default numbers are values and words are classes.
        bounds: of values; by default those that the numbers suggest.

    Raises:
        InputError: no such column, or one whose cells do not fit together.
    """
    names = [label] if isinstance(label, str) else list(label)
    names = [part.strip() for name in names for part in name.split("+") if part.strip()]
    columns = {name: _columns_of(name, found) for name in names or _left(found)}
    if len(columns) == 1:
        ((name, given),) = columns.items()
        return _one_label(found, name, given, kind, bounds)
    return several_labels(found, columns, kind, bounds)


def _columns_of(name: str, found: Metadata) -> list[str]:
    if name in found.others:
        return [name]
    several = [c for c in found.others if c != _base(c) == name]
    if not several:
        raise unknown_name("label column", name, found.others, source=found.source)
    return several


def names_annotator(column: str) -> bool:
    """Whether a column holds what one of several annotators says."""
    return _base(column) != column


def _base(column: str) -> str:
    """What annotators say in the column; itself where it is nobody's own."""
    if match := _PERSON.fullmatch(column):
        return column if match[2].lower() in _NOBODY else match[1]
    match = _ANNOTATOR.fullmatch(column)
    return match[1] if match else column


def _left(found: Metadata) -> list[str]:
    """The label where nobody named it, or the dimensions of affect."""
    bases = list(dict.fromkeys(c if c in _USUAL else _base(c) for c in found.others))
    usual = [base for base in bases if base.lower() == LABEL]
    if len(bases) == 1 or usual:
        return (usual or bases)[:1]
    if len(bases) > 1 and all(base.lower() in _DIMENSIONS for base in bases):
        return bases
    if not bases:
        remedy = "add a column label, or give folders a class each"
        raise InputError("has no column with labels", remedy=remedy, source=found.source)
    shown = ", ".join(bases[:8])
    remedy = f"say which with label=NAME (--set label={bases[-1]})"
    raise InputError(f"any of {shown} may be the label", remedy=remedy, source=found.source)


def _one_label(
    found: Metadata,
    name: str,
    columns: Sequence[str],
    kind: Kind,
    bounds: tuple[float, float] | None,
) -> LabelledClips:
    given = [[row.cells[c] for c in columns if not is_missing(row.cells[c])] for row in found.rows]
    told: list[str] = []
    if kind != "classes" and _are_numbers(found, columns, kind, told):
        numbers = [[number(cell) for cell in cells if cell.lower() != _NONE] for cells in given]
        rated = [float(np.mean(cells)) if cells else None for cells in numbers]
        agreement = Agreement(name, len(columns), twice(numbers), alpha_of_values(numbers))
        kept = [place for place, value in enumerate(rated) if value is not None]
        values = np.array([rated[place] for place in kept], np.float64)
    else:
        given = _one_spelling(given, name, told)
        votes = [voted(cells) if cells else None for cells in given]
        tied = sum(bool(cells) and vote is None for cells, vote in zip(given, votes, strict=True))
        agreement = Agreement(name, len(columns), twice(given), alpha_of_names(given), tied)
        kept = [place for place, vote in enumerate(votes) if vote is not None]
        values = np.array([votes[place] for place in kept])
    told += left_out(found, name, kept, agreement.tied)
    if not kept:
        problem, remedy = f"no row has a label in '{name}'", "label some clips"
        raise InputError(problem, remedy=remedy, source=found.source)
    task, targets, notices = _task(found, name, values, kind, bounds)
    rows = tuple(found.rows[place] for place in kept)
    agreed = (agreement,) if len(columns) > 1 else ()
    return LabelledClips(name, task, rows, targets, agreed, (*told, *notices))


def _task(
    found: Metadata,
    name: str,
    values: NDArray[Any],
    kind: Kind,
    bounds: tuple[float, float] | None,
) -> tuple[Task, FloatArray, tuple[str, ...]]:
    distinct = len(set(values.tolist()))
    if distinct < 2:
        problem = f"all labels in '{name}' are {values[0]}"
        remedy = "give clips of two classes or values at least"
        raise InputError(problem, remedy=remedy, source=found.source)
    if values.dtype.kind != "f":
        read = read_labels({"train": values}, LabelOptions(labels="classes"), found.source)
        return read.task, read.targets["train"], ()
    if kind == "auto" and set(values.tolist()) == {0.0, 1.0}:
        flags = values.astype(np.int64)
        read = read_labels({"train": flags}, LabelOptions(labels="classes"), found.source)
        said = f"labels in '{name}' are 0 and 1, read as two classes; labels=values reads values"
        return read.task, read.targets["train"], (said,)
    if bounds is not None and (values.min() < bounds[0] or values.max() > bounds[1]):
        problem = f"labels in '{name}' go from {values.min():g} to {values.max():g}"
        problem += f", beyond bounds {bounds[0]:g} to {bounds[1]:g}"
        remedy = "give bounds=[LOW,HIGH] that hold them"
        raise InputError(problem, remedy=remedy, source=found.source)
    read = read_labels({"train": values}, LabelOptions(labels="sentiment"), found.source, bounds)
    told = read.notices
    if kind == "auto" and (values == np.floor(values)).all():
        span = f"whole numbers from {values.min():g} to {values.max():g}"
        classes = "if they are classes, give labels=classes"
        told = (*told, f"labels in '{name}' are {span}, read as values; {classes}")
    return read.task, read.targets["train"], told


def _are_numbers(found: Metadata, columns: Sequence[str], kind: Kind, told: list[str]) -> bool:
    """Whether cells are numbers, each that says anything; `InputError` where only most are."""
    cells = [(row, row.cells[c]) for row in found.rows for c in columns]
    known = [(row, cell) for row, cell in cells if not is_missing(cell) and cell.lower() != _NONE]
    odd = [(row, cell) for row, cell in known if math.isnan(number(cell))]
    if known and (kind == "values" or 2 * len(odd) < len(known)) and odd:
        row, cell = odd[0]
        problem = f"has the label '{cell[:40]}', where others have numbers"
        raise InputError(problem, remedy="mend it, or give labels=classes", source=row.place)
    infinite = next((row for row, cell in known if math.isinf(number(cell))), None)
    if not odd and infinite is not None:
        raise InputError("has a label that is not finite", remedy="mend it", source=infinite.place)
    if known and not odd and any("," in cell for _, cell in known):
        told.append(f"labels in '{columns[0]}' have decimal commas")
    return bool(known) and not odd


def _one_spelling(given: Sequence[Sequence[str]], name: str, told: list[str]) -> list[list[str]]:
    """The same names, in the usual one of spellings that differ in case alone."""
    counts = Counter(cell for cells in given for cell in cells)
    usual: dict[str, str] = {}
    for cell, _ in counts.most_common():
        usual.setdefault(cell.lower(), cell)
    mended = sorted(cell for cell in counts if usual[cell.lower()] != cell)
    if mended:
        told.append(
            f"classes in '{name}' differ in case alone: {mended[0]} is read as "
            f"{usual[mended[0].lower()]}"
        )
    return [[usual[cell.lower()] for cell in cells] for cells in given]
