"""Tables of strangers as they come, in any usual encoding, with whatever stands between cells."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from affuse.errors import InputError
from affuse.extract.text.transcript.columns import MARKS
from affuse.extract.text.transcript.decoding import decoded
from affuse.files import read_at_most
from affuse.optional import require

HEADING = (
    "give a heading such as file_name,label and a row a clip, with commas, semicolons or tabs "
    "between"
)
_LARGEST = 1 << 28

Table = tuple[list[str], list[tuple[int, dict[str, str]]]]  # heading; number and cells of each row
Fits = Callable[[Sequence[str]], bool]


def read_table(table: Path, fits: Fits) -> Table:
    """Read a table: a heading, and the number and the cells of each row.

    Args:
        table: a file of comma-separated values, or any other usual delimiter; of JSON lines; or of
            Parquet, as its suffix says.
        fits: whether a heading is that of the table; what stands between cells is told by it.

    Raises:
        InputError: a file that cannot be read, or is otherwise; it names the row.
    """
    if table.suffix.lower() == ".parquet":
        return _records(_parquet(table), table)
    return table_of(decoded(table_bytes(table), str(table)).text, table, fits)


def table_bytes(table: Path) -> bytes:
    """The content of a table's file; `InputError` where it cannot be read."""
    return read_at_most(table, _LARGEST, "table")


def table_of(text: str, table: Path, fits: Fits) -> Table:
    """As `read_table`, of the text that the file is known to hold."""
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise InputError("is empty", remedy=HEADING, source=table)
    if table.suffix.lower() == ".jsonl":
        return _records(_json_lines(text, table), table)
    return _csv(text, table, fits)


def marks_of(text: str) -> tuple[str, int]:
    """What may stand between the cells, and how many characters of the text say so, by Excel."""
    told = re.match(r"\s*sep=(.)\r?\n", text, re.IGNORECASE)
    return (told[1], told.end()) if told else (MARKS, 0)


def _csv(text: str, table: Path, fits: Fits) -> Table:
    marks, begin = marks_of(text)
    text, before = text[begin:], text[:begin].count("\n")
    for mark in marks:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        try:
            heading = [name.strip() for name in next((r for r in reader if any(r)), [])]
            if not fits(heading):
                continue
            lines = [(before + reader.line_num, [c.strip() for c in row]) for row in reader]
        except csv.Error as error:
            place = f"{table}: row {before + reader.line_num}"
            remedy = "check the quotes there"
            raise InputError(f"cannot be read ({error})", remedy=remedy, source=place) from None
        while heading and not heading[-1]:
            heading.pop()
        _require_distinct(heading, table)
        found = ((number, cells) for number, cells in lines if any(cells))
        return heading, [(n, _cells(heading, cells, f"{table}: row {n}")) for n, cells in found]
    first = next(line for line in text.splitlines() if line.strip())
    shown = first.strip()[:80]
    raise InputError(f"has no column file_name: it begins '{shown}'", remedy=HEADING, source=table)


def _require_distinct(heading: Sequence[str], table: Path) -> None:
    again = next((name for name in heading if heading.count(name) > 1), None)
    if again is not None:
        problem = f"has two columns '{again}'" if again else "has a column without a name"
        raise InputError(problem, remedy="name them apart", source=table)


def _cells(heading: Sequence[str], cells: Sequence[str], place: str) -> dict[str, str]:
    # What was parted by another mark than the heading is one cell.
    apart = len(cells) == 1 < len(heading) and any(mark in cells[0] for mark in MARKS)
    if apart or any(cells[len(heading) :]):
        problem = f"has {len(cells)} cells, its heading {len(heading)}"
        remedy = "use one delimiter, and put quotes around what holds it"
        raise InputError(problem, remedy=remedy, source=place)
    padded = [*cells, *[""] * len(heading)]
    return dict(zip(heading, padded, strict=False))


def _json_lines(text: str, table: Path) -> Iterator[tuple[int, Any]]:
    # Not `splitlines`: what else ends a line may stand within a text.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError:
                place, remedy = f"{table}: row {number}", "give a JSON object a line"
                raise InputError("is not JSON", remedy=remedy, source=place) from None


def _parquet(table: Path) -> Iterator[tuple[int, Any]]:
    parquet = require("pyarrow.parquet", extra="parquet")
    try:
        rows = parquet.read_table(table).to_pylist()
    except Exception as error:  # its classes are many, and a damaged file raises any
        problem = f"cannot be read as Parquet ({type(error).__name__})"
        raise InputError(problem, remedy="write it anew", source=table) from None
    yield from enumerate(rows, 1)


def _records(rows: Iterator[tuple[int, Any]], table: Path) -> Table:
    heading: dict[str, None] = {}
    found: list[tuple[int, dict[str, str]]] = []
    for number, row in rows:
        place = f"{table}: row {number}"
        if not isinstance(row, dict):
            raise InputError("is no object", remedy="give a JSON object a line", source=place)
        cells = {str(key).strip(): _as_text(value, str(key), place) for key, value in row.items()}
        heading |= dict.fromkeys(cells)
        found.append((number, cells))
    return list(heading), [
        (n, {name: cells.get(name, "") for name in heading}) for n, cells in found
    ]


def _as_text(value: Any, key: str, place: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list | dict | bytes):
        problem = f"has a {type(value).__name__} in '{key}'"
        remedy = "give texts and numbers, several labels in a column each"
        raise InputError(problem, remedy=remedy, source=place)
    return str(value).strip()
