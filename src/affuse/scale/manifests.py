"""Manifests: tables that name clips, a row each, read row by row however many there are."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from affuse.errors import InputError, file_error
from affuse.extract.strange_tables import marks_of
from affuse.extract.text.transcript.decoding import decoded
from affuse.optional import require

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_PATHS = ("path", "file_name", "filename", "file", "url")
_COLUMNS = ("transcript", "text", "language", "speaker")
_HEADING = "name a column path or file_name"
# So much of a file tells its encoding; a row is no longer than that.
_HEAD = 1 << 20
_ROWS = 10_000  # of a Parquet file, at once


class Row(NamedTuple):
    """What a manifest says of a clip."""

    path: str  # as it stands there, or a URL
    transcript: str | None = None  # a file of what is said
    text: str | None = None  # what is said
    language: str | None = None  # of what is said
    speaker: str | None = None  # who speaks, to whom features can be adapted


def is_manifest(given: str) -> bool:
    """Whether a file is a manifest, by its name."""
    return given.lower().endswith(SUFFIXES)


def rows_of(file: Path, shown: str | None = None) -> Iterator[Row]:
    """The rows of a manifest, in order.

    It has a column `path` (or `file_name`), and perhaps `transcript` (a file), `text`, `language`
    and `speaker`; what else it holds is passed over. CSV by any usual delimiter and in any usual
    encoding, JSON lines, or Parquet (extra `parquet`).

    Args:
        shown: how errors call it.

    Raises:
        InputError: a file that cannot be read or names no clip, with the row.
    """
    name = shown or str(file)
    try:
        suffix = name.partition("?")[0].lower()
        if suffix.endswith(".parquet"):
            yield from _parquet(file, name)
        elif suffix.endswith((".jsonl", ".ndjson")):
            yield from _json_lines(file, name)
        else:
            yield from _csv(file, name)
    except OSError as error:
        raise file_error(error, "cannot be read", name) from None
    except UnicodeError:
        remedy = "save it as UTF-8"
        raise InputError("is not text in one encoding", remedy=remedy, source=name) from None


def _encoding(file: Path, name: str) -> str:
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    if not head.strip(b"\xef\xbb\xbf \r\n\t"):
        raise InputError("is empty", remedy=_HEADING, source=name)
    if len(head) == _HEAD:
        head = head[: max(head.rfind(b"\n"), 2) & ~1]
    found = decoded(head, name).encoding
    return "utf-8-sig" if found.lower().replace("_", "-") in ("utf-8", "ascii") else found


def _csv(file: Path, name: str) -> Iterator[Row]:
    with file.open(encoding=_encoding(file, name), newline="") as lines:
        heading_line = next((line for line in lines if line.strip()), "").removeprefix("\ufeff")
        marks, told = marks_of(heading_line)
        if told:
            heading_line = next((line for line in lines if line.strip()), "")
        heading, mark = _heading(heading_line, marks, name)
        reader = csv.reader(lines, delimiter=mark)
        columns = _columns(heading)
        # Where each stands; beyond the end of a row where there is none.
        places = [heading.index(c) if c in heading else sys.maxsize for c in columns]
        try:
            for number, cells in enumerate(reader, 2):
                if any(map(str.strip, cells)):
                    count = len(cells)
                    yield _row([cells[p] if p < count else None for p in places], name, number)
        except csv.Error as error:
            problem = f"cannot be read after row {reader.line_num} ({error})"
            raise InputError(problem, remedy="check the quotes there", source=name) from None


def _columns(heading: Iterable[str]) -> list[str]:
    """The columns that are read: that of the path first."""
    return [next((c for c in _PATHS if c in heading), _PATHS[0]), *_COLUMNS]


def _heading(line: str, marks: str, name: str) -> tuple[list[str], str]:
    """The names of columns, in lower case, and what stands between them."""
    for mark in marks:
        cells = [cell.strip().lower() for cell in next(csv.reader([line], delimiter=mark), [])]
        if any(path in cells for path in _PATHS):
            return cells, mark
    raise _no_column(f"it begins '{line.strip()[:80]}'", name)


def _no_column(but: str, name: str) -> InputError:
    return InputError(f"has no column path: {but}", remedy=_HEADING, source=name)


def _json_lines(file: Path, name: str) -> Iterator[Row]:
    with file.open(encoding=_encoding(file, name), newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"{name}: row {number}"
            try:
                content = json.loads(line)
            except ValueError:
                remedy = "give a JSON object a line"
                raise InputError("is not JSON", remedy=remedy, source=place) from None
            if not isinstance(content, dict):
                raise InputError("is no object", remedy="give a JSON object a line", source=place)
            cells = {str(key).strip().lower(): value for key, value in content.items()}
            yield _row([cells.get(column) for column in _columns(cells)], name, number)


def _parquet(file: Path, name: str) -> Iterator[Row]:
    parquet = require("pyarrow.parquet", extra="parquet")
    try:
        with file.open("rb") as opened:
            table = parquet.ParquetFile(opened)
            columns = {column.lower(): column for column in table.schema_arrow.names}
            if not any(path in columns for path in _PATHS):
                raise _no_column(f"it has {', '.join(list(columns)[:8])}", name)
            wanted = [columns.get(column) for column in _columns(columns)]
            batches = table.iter_batches(_ROWS, columns=[c for c in wanted if c is not None])
            contents = (content for batch in batches for content in batch.to_pylist())
            for number, content in enumerate(contents, 1):
                yield _row([content[c] if c else None for c in wanted], name, number)
    except (InputError, OSError):
        raise
    except Exception as error:  # its classes are many, and a damaged file raises any
        problem = f"cannot be read as Parquet ({type(error).__name__})"
        raise InputError(problem, remedy="write it anew", source=name) from None


def _row(cells: Sequence[Any], name: str, number: int) -> Row:
    """A row of the cells of path, transcript, text and language."""
    texts: list[Any] = [cell.strip() or None if isinstance(cell, str) else cell for cell in cells]
    for at, text in enumerate(texts):
        if text is not None and not isinstance(text, str):
            _require_empty(text, f"{name}: row {number}")
            texts[at] = None
    if texts[0] is None:
        place, remedy = f"{name}: row {number}", "give its path, or delete the row"
        raise InputError("names no clip", remedy=remedy, source=place)
    return Row(*texts)


def _require_empty(cell: Any, place: str) -> None:
    """Pass over what stands for an empty cell; anything else is an error."""
    if not (isinstance(cell, float) and math.isnan(cell)):
        problem = f"has a {type(cell).__name__} where a path or words are meant"
        raise InputError(problem, remedy="give text", source=place)
