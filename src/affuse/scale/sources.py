"""Where clips come from: files, folders, globs, manifests and URLs, found without keeping them all.

What is given may stand for millions of clips, so that it is gone through anew each time it is
needed, in the same order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from affuse.errors import InputError
from affuse.extract.folder import clips_at
from affuse.scale.manifests import Row, is_manifest, rows_of
from affuse.scale.remote import fetched, find_remote, is_url, shown_url


class Source(NamedTuple):
    """A clip that is asked for.

    Attributes:
        place: a path, or a URL with all that its storage wants to know.
        name: of what is written about it: its place in the folder or the manifest that was given,
            and of a part of a recording its seconds.
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
        segment = None if self.row is None else self.row.segment
        return self._place_alone if segment is None else f"{self._place_alone}{segment.label}"

    @property
    def _place_alone(self) -> str:
        place = self.place
        if is_url(place):
            return self.shown
        # Of a million, few need what takes long.
        if place[:1] == os.sep and "//" not in place and "/." not in place:
            return place
        if place[:1] == "." or "//" in place or f"{os.sep}." in place:
            return os.path.abspath(place)  # noqa: PTH100
        return os.path.join(os.getcwd(), place)  # noqa: PTH109, PTH118


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
        yield from _listed(rows_of(Path(given)), os.path.dirname(given))  # noqa: PTH120
    else:
        yield from (Source(str(clip.path), clip.name.as_posix()) for clip in clips_at(given))


def _remote(url: str) -> Iterator[Source]:
    if is_manifest(shown_url(url).partition("?")[0]):
        with fetched(url) as file:
            yield from _listed(rows_of(file, shown_url(url)), url.rpartition("/")[0])
        return
    yield from (Source(place, name) for place, name in find_remote(url))


def _listed(rows: Iterator[Row], base: str) -> Iterator[Source]:
    """The clips of a manifest, whose places are relative to it."""
    for row in rows:
        if row.transcript is not None:
            row = row._replace(transcript=_joined(base, row.transcript))
        label = "" if row.segment is None else row.segment.label
        yield Source(_joined(base, row.path), f"{_name(row.path)}{label}", row)


def _joined(base: str, place: str) -> str:
    if is_url(place) or place[:1] == "/":
        return place
    if is_url(base):
        return f"{base}/{place}"
    return os.path.join(base, place)  # noqa: PTH118


def _name(place: str) -> str:
    """What a clip is called, which stays below the folder of answers wherever the clip lies."""
    if is_url(place):
        place = shown_url(place).partition("://")[2]
    if place[:1] not in ("/", ".") and "/." not in place and "\\" not in place:
        return place
    return "/".join(part for part in Path(place).parts if part not in (Path(place).anchor, ".."))
