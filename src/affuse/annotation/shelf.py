"""The clips of a folder that are to be labelled, and what its tables say of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from affuse.annotation.cell_writing import Key, key_of
from affuse.errors import InputError
from affuse.extract.folder import find_clips
from affuse.extract.takes import Take
from affuse.readers.clips.gathered import clip_name, segment_of
from affuse.readers.clips.label_cells import is_missing
from affuse.readers.clips.metadata import (
    CLASS,
    STEM,
    Metadata,
    Row,
    columns_of,
    is_table,
    read_metadata,
    split_of,
    tables_of,
)
from affuse.readers.clips.places import Places
from affuse.readers.clips.spoken import said_in

_BLANK = f"{STEM}.csv"
# Longer than any recording: words without times are then all of the clip's.
_ENDLESS = 1e7


@dataclass
class Shelved:
    """A clip, the rows that are of it, and its label, or "" for none."""

    name: str
    take: Take
    row: Row
    keys: tuple[tuple[Path, Key], ...]  # table and row
    label: str
    why: str = ""  # it comes where it does


@dataclass(frozen=True)
class Shelf:
    """All clips, in the order of the table.

    Attributes:
        lost: of each row whose file is not there, a line that says so.
        blank: of a folder without a table, what its table begins with.
    """

    found: Metadata
    places: Places
    clips: tuple[Shelved, ...]
    lost: tuple[str, ...]
    blank: str = ""

    @property
    def folder(self) -> Path:
        return self.found.folder

    def words_of(self, clip: Shelved) -> str:
        """What is said in a clip, in words; "" where nothing tells."""
        segment = clip.take.segment
        seconds = _ENDLESS if segment.end is None else segment.end - segment.start
        try:
            return said_in(clip.row, clip.take, seconds, self.places).text or ""
        except InputError:
            return ""


def read_rows(path: Path, classes: Sequence[str]) -> tuple[Metadata, str]:
    """What the tables say of the clips, and the content of a new table where there is none.

    Args:
        classes: a folder of such a name labels what lies in it, where there is no table.

    Raises:
        InputError: no such folder, no media, or a table that cannot be read or written.
    """
    if not path.exists():
        raise InputError("is not there", remedy="give a folder of recordings", source=path)
    if path.is_file() and not is_table(path):
        remedy = f"give a folder of recordings, or its {_BLANK}"
        raise InputError("is no table of clips", remedy=remedy, source=path)
    tables = tables_of(path)
    if parquet := next((t for t in tables if t.suffix.lower() == ".parquet"), None):
        remedy = "save it as metadata.csv, and put the other away"
        raise InputError("is Parquet, which is not written", remedy=remedy, source=parquet)
    if tables:
        return read_metadata(path), ""
    return _new_table(path, {name.lower(): name for name in classes})


def _new_table(path: Path, classes: Mapping[str, str]) -> tuple[Metadata, str]:
    """All media of a folder; splits and classes are those that the folders' names say."""
    names = [clip.name for clip in find_clips([str(path)])]
    labels = [
        next((classes[p.lower()] for p in name.parts[:-1] if p.lower() in classes), "")
        for name in names
    ]
    columns = {"file_name": [name.as_posix() for name in names]}
    if all(len(name.parts) > 1 and split_of(name.parts[0]) for name in names):
        columns["split"] = [name.parts[0] for name in names]
    if any(labels):
        columns[CLASS] = labels
    lines = list(zip(*columns.values(), strict=True))
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows([tuple(columns), *lines])
    rows = [
        Row(str(path), path, dict(zip(columns, line, strict=True)), {"file_name": line[0]})
        for line in lines
    ]
    return Metadata(path, tuple(rows), (CLASS,) * any(labels)), content.getvalue()


def shelve(found: Metadata, column: str, blank: str, *, outside: bool = False) -> Shelf:
    """The clips of the rows, with what stands in the column.

    Raises:
        InputError: a row whose seconds cannot be read, or no clip that is there.
    """
    places = Places(found.folder, outside=outside)
    tables = {table.parent: table for table in tables_of(found.source)}
    clips: dict[tuple[Path, object], Shelved] = {}
    lost = []
    for row in found.rows:
        place = places.find(row.file_name, row.base)
        if place.path is None:
            lost.append(f"{row.place}: file '{row.file_name}' {place.wrong}")
            continue
        take = Take(place.path, segment_of(row))
        cell = row.cells.get(column, "")
        label = "" if is_missing(cell) else cell
        key = tables.get(row.base, found.folder / _BLANK), _key(row)
        known = clips.get((place.path.resolve(), take.segment))
        if known is None:
            name = clip_name(take, found.folder)
            clip = Shelved(name, take, row, (key,), label)
            clips[place.path.resolve(), take.segment] = clip
        else:
            known.keys, known.label = (*known.keys, key), known.label or label
    if not clips:
        problem = f"has no clip that is there, the first: {lost[0]}"
        raise InputError(problem, remedy="mend the names in its table", source=found.source)
    return Shelf(found, places, tuple(clips.values()), tuple(lost), blank)


def _key(row: Row) -> Key:
    return key_of(row.cells, columns_of(list(row.cells), row.base))
