"""Labels written into a table of clips, which otherwise stays as it was, to the last byte.

What stands between cells, quotes, line ends, the encoding and its mark, rows and columns are those
of whoever made the table. It is read anew for each label, so that it may change meanwhile.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from affuse.errors import InputError
from affuse.extract.strange_tables import Table, marks_of, table_bytes, table_of
from affuse.extract.text.transcript.decoding import decoded
from affuse.files import write_atomic
from affuse.readers.clips.metadata import columns_of, names_files

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Key(NamedTuple):
    """What tells a clip's row from others: its cells as they stand, without space around them."""

    file_name: str
    start: str = ""
    end: str = ""


def key_of(cells: Mapping[str, str], columns: Mapping[str, str]) -> Key:
    """The key of a row, by the columns of each kind (`columns_of`)."""
    return Key(*(cells.get(columns.get(kind, ""), "") for kind in Key._fields))


def write_labels(
    table: Path, column: str, labels: Mapping[Key, str], *, numbers: bool, blank: str = ""
) -> None:
    """Write the labels of clips into a column, which is added where the table has none.

    All rows of a clip get its label; an empty one is none.

    Args:
        numbers: whether labels are numbers, for a table of JSON.
        blank: what a table that is not there begins with.

    Raises:
        InputError: a row that is no longer there, a label that the table's encoding has no letters
            for, or a table that cannot be read or written.
    """
    there = table.exists()
    mark, codec, text = _opened(table) if there else (b"", "utf-8", blank)
    change = _in_json if table.suffix.lower() == ".jsonl" else _in_cells
    changed = change(text, table, column, labels, numbers)
    _require_same(table_of(text, table, names_files), changed, table, column, labels)
    try:
        content = mark + changed.encode(codec)
    except UnicodeEncodeError:
        problem = f"is in an encoding ({codec}) that has no letters for this label"
        raise InputError(problem, remedy="save it as UTF-8", source=table) from None
    write_atomic(table, content)


def _opened(table: Path) -> tuple[bytes, str, str]:
    """The mark of a table's encoding, its encoding and its text, which give the same bytes."""
    content = table_bytes(table)
    mark, codec = next(((m, c) for m, c in _MARKS if content.startswith(m)), (b"", ""))
    codec = codec or decoded(content, str(table)).encoding
    try:
        text = content[len(mark) :].decode(codec)
        same = text.encode(codec) == content[len(mark) :]
    except ValueError:
        same = False
    if not same:
        problem = "has letters that cannot be read, so that it is not written"
        raise InputError(problem, remedy="save it as UTF-8", source=table)
    return mark, codec, text


def _in_json(text: str, table: Path, column: str, labels: Mapping[Key, str], numbers: bool) -> str:
    lines = text.split("\n")
    heading, rows = table_of(text, table, names_files)
    columns = columns_of(heading, table)
    for number, cells in rows:
        label = labels.get(key_of(cells, columns))
        if label is None:
            continue
        line = lines[number - 1]
        content: dict[str, Any] = json.loads(line)
        if label:
            content[column] = json.loads(label) if numbers else label
        else:
            content.pop(column, None)
        ending = "\r" * line.endswith("\r")
        lines[number - 1] = json.dumps(content, ensure_ascii=line.isascii()) + ending
    return "\n".join(lines)


def _in_cells(text: str, table: Path, column: str, labels: Mapping[Key, str], numbers: bool) -> str:
    del numbers
    marks, begin = marks_of(text)
    for mark in marks:
        records = [(cells, ending) for cells, ending in _records(text[begin:], mark)]
        heading = next((r[0] for r in records if any(map(_plain, r[0]))), [])
        names = [_plain(cell) for cell in heading]
        if names_files(names):
            if len(heading) == 1 and len(marks) > 1:
                # Nothing told what stands between cells.
                mark = "\t" if table.suffix.lower() == ".tsv" else ","
                records = [([_quoted(c, mark) for c in map(_plain, r)], e) for r, e in records]
                heading = next(r for r, _ in records if any(r))
            _change(records, heading, names, table, column, labels, mark)
            joined = (mark.join(cells) + ending for cells, ending in records)
            return text[:begin] + "".join(joined)
    raise InputError("has no column file_name", remedy="give it one", source=table)


def _change(
    records: Sequence[tuple[list[str], str]],
    heading: list[str],
    names: list[str],
    table: Path,
    column: str,
    labels: Mapping[Key, str],
    mark: str,
) -> None:
    """Change the cells of records, as they are written, in place."""
    while names and not names[-1]:
        names.pop()
    columns = columns_of(names, table)
    place = names.index(column) if column in names else len(names)
    _put(heading, place, _quoted(column, mark))
    for cells, _ in records:
        if cells is heading:
            continue
        plain = map(_plain, cells)
        label = labels.get(key_of(dict(zip(names, plain, strict=False)), columns))
        if label is not None:
            _put(cells, place, _quoted(label, mark))
        elif any(cells):
            _put(cells, place, cells[place] if place < len(cells) else "")


def _put(cells: list[str], place: int, content: str) -> None:
    cells += [""] * (place + 1 - len(cells))
    if _plain(cells[place]) != _plain(content):
        cells[place] = content


def _records(text: str, mark: str) -> Iterator[tuple[list[str], str]]:
    """The cells of each record as they are written, and how its line ends."""
    m = re.escape(mark)
    cell = re.compile(rf'("(?:[^"]|"")*"[^{m}\r\n]*|[^{m}\r\n]*)({m}|\r\n|\r|\n|\Z)')
    place, cells = 0, list[str]()
    while place < len(text) or cells:
        found = cell.match(text, place)
        assert found is not None
        place = found.end()
        cells.append(found[1])
        if found[2] != mark:
            yield cells, found[2]
            cells = []


def _plain(cell: str) -> str:
    """A cell as it is read."""
    quoted = re.fullmatch(r'"((?:[^"]|"")*)"(.*)', cell, re.DOTALL)
    return (quoted[1].replace('""', '"') + quoted[2] if quoted else cell).strip()


def _quoted(text: str, mark: str) -> str:
    needs = mark in text or '"' in text or text != text.strip()
    return '"' + text.replace('"', '""') + '"' if needs else text


def _require_same(
    before: Table, changed: str, table: Path, column: str, labels: Mapping[Key, str]
) -> None:
    """Raise `InputError` unless the text reads as before but for the labels, which are all in."""
    heading, rows = before
    columns = columns_of(heading, table)
    left = set(labels)
    expected = []
    for _, cells in rows:
        key = key_of(cells, columns)
        left.discard(key)
        expected.append({**cells, column: labels.get(key, cells.get(column, ""))})
    if left:
        problem = f"has no row of {min(left).file_name} any more"
        raise InputError(problem, remedy="start anew, or put it back", source=table)
    _, found = table_of(changed, table, names_files)
    if [{**cells, column: cells.get(column, "")} for _, cells in found] != expected:
        problem = "cannot be written without changing other cells"
        raise InputError(problem, remedy="save it anew as CSV in UTF-8", source=table)
