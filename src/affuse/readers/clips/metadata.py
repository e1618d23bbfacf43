"""What is told of each clip: the rows of `metadata.csv`, `.jsonl` or `.parquet`, or folders' names.

The convention is that of audio and video folders on Hugging Face: a column `file_name`, then what
each clip is; one table for the folder, or one in each folder of a split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from affuse.errors import InputError
from affuse.extract.folder import find_clips
from affuse.extract.strange_tables import HEADING, read_table
from affuse.samples import PARTS

STEM, ENDINGS = "metadata", (".csv", ".tsv", ".jsonl", ".parquet")
CLASS = "label"
"""The column that the folders' names fill where there is no table."""
KNOWN: Mapping[str, Sequence[str]] = {
    "file_name": ("file_name", "filename", "file", "path", "clip", "audio", "video"),
    "start": ("start", "start_time"),
    "end": ("end", "end_time"),
    "text": ("text", "transcript", "transcription", "sentence"),
    "split": ("split",),
    "group": ("group", "speaker", "speaker_id"),
    "language": ("language", "lang"),
}
"""What columns mean, and what they may be called; the first that there is counts."""
_SPLITS = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development", "devel"), "valid"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), "test"),
}


@dataclass(frozen=True)
class Row:
    """A clip as the table has it; texts are without white space at their ends."""

    place: str  # which row of which table, for messages
    base: Path  # the folder that its file name starts from
    cells: Mapping[str, str]  # what the columns are called to what stands there
    known: Mapping[str, str] = field(default_factory=dict)  # the same of `KNOWN`, where not empty

    @property
    def file_name(self) -> str:
        return self.known["file_name"]


@dataclass(frozen=True)
class Metadata:
    """All rows, and the columns of which nothing is known: labels are among them."""

    source: Path
    rows: tuple[Row, ...]
    others: tuple[str, ...]
    notices: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return self.source if self.source.is_dir() else self.source.parent


def split_of(name: str) -> str | None:
    """The part that a word stands for; None where it stands for none."""
    return _SPLITS.get(name.strip().lower())


def table_in(folder: Path) -> Path | None:
    """The table of a folder, if it has one.

    Raises:
        InputError: it has several.
    """
    found = sorted(p for p in folder.glob("*") if is_table(p) and p.is_file())
    if len(found) > 1:
        problem = f"has {' and '.join(p.name for p in found)}"
        raise InputError(problem, remedy="keep one of them", source=folder)
    return found[0] if found else None


def is_table(path: Path) -> bool:
    """Whether a file is called as such a table is."""
    return path.suffix.lower() in ENDINGS and path.stem.lower() == STEM


def read_metadata(path: Path) -> Metadata:
    """The rows for a folder, or of the table that is given.

    Raises:
        InputError: no table and no folders that are named by classes, or a table that cannot be
            read; it names the row.
    """
    tables = tables_of(path)
    return _of_tables(path, tables) if tables else _of_folders(path)


def tables_of(path: Path) -> dict[Path, str]:
    """The tables that are read for a folder or a table, each with the split that it is of."""
    table = path if path.is_file() else table_in(path)
    if table is not None:
        return {table: ""}
    return {t: p.name for p in _splits_in(path) if (t := table_in(p)) is not None}


def _splits_in(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if p.is_dir() and split_of(p.name)]


def _of_tables(source: Path, tables: Mapping[Path, str]) -> Metadata:
    rows: list[Row] = []
    notices: dict[str, None] = {}
    others: dict[str, None] = {}
    for table, split in tables.items():
        heading, body = read_table(table, names_files)
        columns = columns_of(heading, table)
        if columns["file_name"] != KNOWN["file_name"][0]:
            notices[f"{table}: column '{columns['file_name']}' is taken for file_name"] = None
        others |= dict.fromkeys(h for h in heading if h not in columns.values())
        for number, cells in body:
            known = {kind: cells[name] for kind, name in columns.items() if cells[name]}
            known = ({"split": split} if split else {}) | known
            place = f"{table}: row {number}"
            if "file_name" not in known:
                raise InputError(
                    "has no file name", remedy="give one or drop the row", source=place
                )
            rows.append(Row(place, table.parent, cells, known))
    if not rows:
        raise InputError("has no rows", remedy=HEADING, source=next(iter(tables)))
    return Metadata(source, tuple(rows), tuple(others), tuple(notices))


def columns_of(heading: Sequence[str], table: Path) -> dict[str, str]:
    """Kinds of `KNOWN` to the columns that have them.

    Raises:
        InputError: no column names files.
    """
    plain = {re.sub(r"[\s-]+", "_", name.lower()): name for name in reversed(heading)}
    found = {
        kind: plain[name]
        for kind, names in KNOWN.items()
        if (name := next((n for n in names if n in plain), None)) is not None
    }
    with_name = [name for name in plain if name.endswith("_file_name")]
    if "file_name" not in found and with_name:
        found["file_name"] = plain[with_name[0]]
    if "file_name" not in found:
        shown = ", ".join(name[:40] for name in heading[:8])
        raise InputError(f"has no column file_name but {shown}", remedy=HEADING, source=table)
    return found


def names_files(heading: Sequence[str]) -> bool:
    """Whether a table with that heading has a column of file names."""
    plain = {re.sub(r"[\s-]+", "_", name.lower()) for name in heading}
    return bool(plain & set(KNOWN["file_name"])) or any(n.endswith("_file_name") for n in plain)


def _of_folders(folder: Path) -> Metadata:
    """A row for each media file, whose class is the folder that it lies in."""
    nothing = "holds neither metadata.csv nor folders of media that are named by classes"
    remedy = "put a metadata.csv there, " + HEADING
    try:
        clips = find_clips([str(folder)])
    except InputError:
        raise InputError(nothing, remedy=remedy, source=folder) from None
    inside = [clip.name.parts for clip in clips]
    splits = len({parts[0] for parts in inside}) > 1 and all(
        len(parts) > 2 and split_of(parts[0]) for parts in inside
    )
    level = 1 if splits else 0
    loose = next((parts for parts in inside if len(parts) <= level + 1), None)
    if loose is not None:
        raise InputError(nothing, remedy=remedy, source=folder)
    rows = []
    for parts in inside:
        name = "/".join(parts)
        cells = {"file_name": name, CLASS: parts[level]}
        known = {"file_name": name} | ({"split": parts[0]} if splits else {})
        rows.append(Row(str(folder), folder, cells, known))
    return Metadata(folder, tuple(rows), (CLASS,))


def counted(path: Path) -> int:
    """About how many clips a model would train on; 0 where that cannot be told."""
    with suppress(InputError, OSError):
        rows = read_metadata(path).rows
        parts = [split_of(row.known.get("split", "")) for row in rows]
        if any(parts):
            return sum(part in (PARTS[0], None) for part in parts)
        return round(0.65 * len(rows))
    return 0
