"""CSV that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table with a heading; texts that a spreadsheet would take for formulas are defused."""
    table = io.StringIO()
    writer = csv.DictWriter(table, [*map(defused, columns)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({defused(key): defused(value) for key, value in row.items()})
    return table.getvalue()


def defused(cell: Any) -> Any:
    """A text that begins as a formula does, with an apostrophe before it; numbers as they are."""
    if not isinstance(cell, str) or not cell.startswith(_FORMULA) or _are_numbers(cell):
        return cell
    return f"'{cell}"


def _are_numbers(text: str) -> bool:
    """Whether a text is one number, or several between spaces."""
    try:
        return bool([float(word) for word in text.split(" ")]) and "\t" not in text
    except ValueError:
        return False
