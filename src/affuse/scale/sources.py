"""Where clips come from: files, folders, globs, manifests and URLs, found without keeping them all.

What is given may stand for millions of clips, so that it is gone through anew each time it is
needed, in the same order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from affuse.errors import InputError
from affuse.extract.folder import clips_at
from affuse.scale.manifests import Row, is_manifest, rows_of
from affuse.scale.remote import fetched, find_remote, is_url, shown_url


@dataclass(frozen=True, slots=True)
class Source:
    """A clip that is asked for.

    Attributes:
        place: a path, or a URL with all that its storage wants to know.
        name: of what is written about it: its place in the folder or the manifest that was given.
        row: what a manifest says of it.
    """

    place: str
    name: str
    row: Row | None = None

    @property
    def shown(self) -> str:
        """How it is called in answers, tables and errors: without credentials."""
        return shown_url(self.place) if is_url(self.place) else self.place

    @property
    def identity(self) -> str:
        """What tells it from others, wherever affuse is started."""
        return self.shown if is_url(self.place) else os.path.abspath(self.place)  # noqa: PTH100


class Sources:
    """All clips that are meant by what is given; going through them finds them anew."""

    def __init__(self, given: Sequence[str]) -> None:
        if not given:
            raise InputError("no clips are named", remedy="give files, folders, globs or URLs")
        self.given = tuple(given)

    def __iter__(self) -> Iterator[Source]:
        for one in self.given:
            yield from _found(one)


def _found(given: str) -> Iterator[Source]:
    if is_url(given):
        yield from _remote(given)
    elif is_manifest(given) and not os.path.isdir(given):  # noqa: PTH112
        yield from _listed(rows_of(Path(given)), Path(given).parent)
    else:
        yield from (Source(str(clip.path), clip.name.as_posix()) for clip in clips_at(given))


def _remote(url: str) -> Iterator[Source]:
    if is_manifest(shown_url(url).partition("?")[0]):
        with fetched(url) as file:
            yield from _listed(rows_of(file, shown_url(url)), url.rpartition("/")[0])
        return
    yield from (Source(place, name) for place, name in find_remote(url))


def _listed(rows: Iterator[Row], base: Path | str) -> Iterator[Source]:
    """The clips of a manifest, whose places are relative to it."""
    for row in rows:
        place = _joined(base, row.path)
        # The name stays below the folder of answers, wherever the clip lies.
        shown = shown_url(row.path) if is_url(row.path) else row.path
        parts = [p for p in Path(shown.partition("://")[2] or shown).parts if p not in ("/", "..")]
        transcript = None if row.transcript is None else _joined(base, row.transcript)
        yield Source(place, "/".join(parts), row._replace(transcript=transcript))


def _joined(base: Path | str, place: str) -> str:
    if is_url(place):
        return place
    if isinstance(base, str):
        return f"{base}/{place.lstrip('/')}"
    return str(base / place)
