"""What cells of labels say, and the rows that have one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from affuse.readers.clips.agreement import Agreement
from affuse.readers.clips.metadata import Metadata, Row
from affuse.samples import FloatArray
from affuse.tasks import Task

# Cells that say that nothing is known.
_MISSING = frozenset(("", "nan", "na", "n/a", "null", "<na>", "?"))


@dataclass(frozen=True)
class LabelledClips:
    """The task, and the rows that have a label, each with its target `(K,)`."""

    name: str  # of the columns, with + between
    task: Task
    rows: tuple[Row, ...]
    targets: FloatArray  # `(N, K)`
    agreement: tuple[Agreement, ...]
    notices: tuple[str, ...]


def is_missing(cell: str) -> bool:
    """Whether a cell says that the label is not known."""
    return cell.lower() in _MISSING


def number(cell: str) -> float:
    """A number as it is written in any country; not a number for other text."""
    plain = cell.replace(",", ".") if re.fullmatch(r"[+-]?\d*,\d+", cell) else cell
    try:
        return float(plain) if "_" not in plain else math.nan
    except ValueError:
        return math.nan


def twice(given: Sequence[Sequence[object]]) -> int:
    return sum(len(cells) > 1 for cells in given)


def left_out(found: Metadata, name: str, kept: Sequence[int], tied: int) -> list[str]:
    """What is told of rows that have no label."""
    left = sorted(set(range(len(found.rows))) - set(kept))
    if not left:
        return []
    why = f", {tied} of them because annotators are tied" if tied else ""
    first = found.rows[left[0]].file_name
    count = f"{len(left)} of {len(found.rows)} clips have no label in '{name}'{why}"
    return [f"{count}: they are left out, the first {first}"]
