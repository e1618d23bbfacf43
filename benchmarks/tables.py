"""Tables that several scripts keep in the same way: in benchmarks/results, and in model cards."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affuse.files import write_atomic
from affuse.report.csv_tables import csv_text

Row = dict[str, Any]


def told(columns: Sequence[str], *cells: object) -> Row:
    """A row, which is also printed."""
    row = dict(zip(columns, cells, strict=True))
    print(row, flush=True)
    return row


def keep(results: Path, columns: Sequence[str], rows: Sequence[Row], *, key: Sequence[str]) -> None:
    """Write rows, in place of those that the table has with the same cells in the columns `key`."""

    def of(row: Row) -> tuple[str, ...]:
        return tuple(str(row[column]) for column in key)

    before, new = list[Row](), {of(row) for row in rows}
    if results.exists():
        with results.open(newline="") as table:
            before = [row for row in csv.DictReader(table) if of(row) not in new]
    write_atomic(results, csv_text(tuple(columns), [*before, *rows]).encode())


def into_card(file: Path, section: str) -> None:
    """Write a section into a card, before what it is for, in the place of one of its title."""
    card = file.read_text()
    title, _, _ = section.partition("\n")
    without = re.sub(rf"{re.escape(title)}\n.*?(?=^## )", "", card, flags=re.DOTALL | re.MULTILINE)
    before, use, after = without.partition("## Use\n")
    write_atomic(file, f"{before}{section.rstrip()}\n\n{use}{after}".encode())
