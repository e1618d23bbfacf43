"""The clips of a folder, with all that is read of them: labels, media, words, and what is lost."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from affuse.errors import InputError
from affuse.extract.features import ClipFeatures
from affuse.extract.media.segments import Segment, segment_between
from affuse.extract.store import StoredClip
from affuse.extract.takes import Take, clip_folder, extract_takes
from affuse.extract.text import KnowsWords
from affuse.files import digest, make_folder, write_atomic
from affuse.readers.clips.clip_options import ClipsOptions
from affuse.readers.clips.label_cells import LabelledClips
from affuse.readers.clips.labelling import label_rows
from affuse.readers.clips.metadata import Row, read_metadata
from affuse.readers.clips.places import Places
from affuse.readers.clips.spoken import Said, counted_notices, said_in
from affuse.samples import FloatArray

ERRORS = "errors.csv"
# A recording that ends so much before a clip does, in seconds, is worth a word.
_LACKS = 0.5


@dataclass(frozen=True)
class GatheredClip:
    """A clip that could be read."""

    id: str
    row: Row
    take: Take
    stored: StoredClip
    said: Said
    target: FloatArray  # `(K,)`


@dataclass(frozen=True)
class Gathered:
    """All clips of a folder that could be read.

    Attributes:
        source: the folder or table.
        errors: of each that could not, its row and the line that says why.
        errors_file: the same as a table; None where all could be read.
    """

    source: Path
    labelled: LabelledClips
    clips: tuple[GatheredClip, ...]
    errors: tuple[tuple[Row, str], ...]
    errors_file: Path | None
    notices: tuple[str, ...]


def gather(path: Path, options: ClipsOptions, features: ClipFeatures) -> Gathered:
    """Read the table, and the media that it names; what was read before is not read again.

    Raises:
        InputError: a table that cannot be used, files out of the folder, or no clip that can be
            read; if `strict`, any that cannot.
    """
    found = read_metadata(path)
    if options.group:
        found = replace(found, others=tuple(c for c in found.others if c != options.group))
    labelled = label_rows(found, options.label, options.labels, options.bounds)
    places = Places(found.folder, outside=options.outside)
    takes, errors, notices = _takes(labelled.rows, places, found.folder)
    notices += _require_one_each(labelled, takes)
    rows = [labelled.rows[number] for number in takes]
    taken = extract_takes(list(takes.values()), features.settings, jobs=options.jobs or None)
    clips: list[GatheredClip] = []
    for (number, take), row, outcome in zip(takes.items(), rows, taken, strict=True):
        if outcome.clip is None:
            errors.append((row, outcome.error))
            continue
        try:
            said = _said(row, take, outcome.clip, places, options, features.text)
        except InputError as error:
            errors.append((row, str(error)))
            continue
        name = clip_name(take, found.folder)
        clips.append(GatheredClip(name, row, take, outcome.clip, said, labelled.targets[number]))
    file = _write_errors(path, errors)
    notices += _lost(errors, len(labelled.rows), file, path, strict=options.strict)
    notices += _of_clips(clips)
    told = (*found.notices, *labelled.notices, *notices)
    return Gathered(path, labelled, tuple(clips), tuple(errors), file, told)


def _takes(
    rows: Sequence[Row], places: Places, folder: Path
) -> tuple[dict[int, Take], list[tuple[Row, str]], list[str]]:
    """The clips by the numbers of their rows, those whose file is not there, and notices."""
    takes: dict[int, Take] = {}
    errors: list[tuple[Row, str]] = []
    mended: list[str] = []
    outside: list[str] = []
    for number, row in enumerate(rows):
        segment = segment_of(row)
        place = places.find(row.file_name, row.base)
        if place.path is None:
            problem = f"file '{row.file_name}' {place.wrong}"
            outside += [f"{row.place}: {problem}"] * place.outside
            error = InputError(problem, remedy="mend the name or drop the row", source=row.place)
            errors.append((row, str(error)))
            continue
        if place.guessed:
            mended.append(f"{row.file_name} as {relative_name(place.path, folder)}")
        takes[number] = Take(place.path, segment)
    if outside:
        problem = outside[0] + (f", and {len(outside) - 1} more do" if len(outside) > 1 else "")
        remedy = "copy them into the folder, or allow it with outside=true (--set outside=true)"
        raise InputError(problem, remedy=remedy)
    count = f"{len(mended)} file names are " if len(mended) > 1 else "a file name is "
    notices = [f"{count}of another machine: {mended[0]} is read"] if mended else []
    return takes, errors, notices


def segment_of(row: Row) -> Segment:
    """Which seconds of its recording a row is of; `InputError` where they cannot be read."""
    return segment_between(row.known.get("start"), row.known.get("end"), row.place)


def _require_one_each(labelled: LabelledClips, takes: dict[int, Take]) -> list[str]:
    """Leave out rows that say again what another says; `InputError` where they say otherwise."""
    first: dict[Take, int] = {}
    again = []
    for number, take in list(takes.items()):
        take = take._replace(path=take.path.resolve())
        known = first.setdefault(take, number)
        if known == number:
            continue
        row, other = labelled.rows[number], labelled.rows[known]
        if (labelled.targets[number] != labelled.targets[known]).any():
            problem = f"labels {row.file_name} again, otherwise than {other.place} does"
            remedy = "keep one row a clip; give several annotators a column each, label_1, label_2"
            raise InputError(problem, remedy=remedy, source=row.place)
        again.append(row.file_name)
        del takes[number]
    return (
        [f"{len(again)} rows say again what others say, the first of {again[0]}"] if again else []
    )


def _said(
    row: Row,
    take: Take,
    stored: StoredClip,
    places: Places,
    options: ClipsOptions,
    features: KnowsWords,
) -> Said:
    if "text" not in options.modalities:
        return Said()
    said = said_in(row, take, stored.duration, places, features)
    if said.words or not options.recognise:
        return said
    start = take.segment.start
    heard = dict.fromkeys(word for window in stored.windows for word in window.words)
    return Said(tuple(w._replace(start=w.start - start, end=w.end - start) for w in heard))


def clip_name(take: Take, folder: Path) -> str:
    """What a clip is called: its place in the folder, and which seconds of it."""
    return relative_name(take.path, folder) + take.segment.label


def relative_name(path: Path, folder: Path) -> str:
    """The place of a file in the folder."""
    for base in (folder, folder.resolve()):
        with suppress(ValueError):
            return path.relative_to(base).as_posix()
    return path.name


def _write_errors(path: Path, errors: Sequence[tuple[Row, str]]) -> Path | None:
    """The table of errors, beside what is kept of clips; an older one of this folder goes."""
    home = path.resolve()
    place = clip_folder() / f"{home.name}-{digest(str(home).encode(), 8)}" / ERRORS
    if not errors:
        place.unlink(missing_ok=True)
        return None
    content = io.StringIO()
    table = csv.writer(content)
    table.writerow(("file_name", "start", "end", "error"))
    for row, error in errors:
        table.writerow((row.file_name, row.known.get("start"), row.known.get("end"), error))
    make_folder(place.parent)
    write_atomic(place, content.getvalue().encode())
    return place


def _lost(
    errors: Sequence[tuple[Row, str]], total: int, file: Path | None, source: Path, *, strict: bool
) -> list[str]:
    if not errors:
        return []
    count, first = f"{len(errors)} of {total} clips cannot be read", errors[0][1]
    if strict or len(errors) == total:
        raise InputError(f"{count}, the first: {first}", remedy=f"all are in {file}", source=source)
    return [f"{count} and are left out; the first: {first}; all are in {file}"]


def _of_clips(clips: Sequence[GatheredClip]) -> list[str]:
    told = [(clip.id, clip.said.notice) for clip in clips]
    for clip in clips:
        end, last = clip.take.segment.end, clip.stored.windows[-1].end
        if end is not None and last < end - _LACKS:
            told.append((clip.id, "the recording ends before the clip should"))
    return list(counted_notices(told))
