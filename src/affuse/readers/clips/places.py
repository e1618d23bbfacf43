"""Where the file lies that a row names, as tables come from other machines; within the folder."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from affuse.extract.folder import MEDIA

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]+://")


class Place(NamedTuple):
    """What a name was found to mean."""

    path: Path | None
    wrong: str = ""  # why there is no path, in words
    guessed: bool = False  # whether the name had to be mended
    outside: bool = False  # whether the file is there, but not in the folder


class Places:
    """Finds files in a folder.

    Args:
        folder: what lies beyond it is not read, by whatever path or link, unless `outside`.
    """

    def __init__(self, folder: Path, *, outside: bool = False) -> None:
        self._folder, self._outside = folder, outside
        self._root = folder.resolve()

    def find(self, name: str, base: Path) -> Place:
        """The file of that name, which starts from the folder `base`.

        A name that leads nowhere is mended where one file alone can be meant: Windows' slashes, a
        path of another machine whose end is here, other case, no suffix.
        """
        if _ADDRESS.match(name):
            return Place(None, "is an address: copy what is there into the folder")
        try:
            if (exact := base / name).is_file():
                return self._within(exact)
            if exact.is_dir():
                return Place(None, "is a folder")
            return self._mended(name, base)
        except (OSError, ValueError) as error:
            return Place(None, f"is no name of a file ({getattr(error, 'strerror', error)})")

    def _within(self, path: Path, *, guessed: bool = False) -> Place:
        if self._outside or path.resolve().is_relative_to(self._root):
            return Place(path, guessed=guessed)
        told = "is a link that leads" if path.is_symlink() else "lies"
        return Place(None, f"{told} out of the folder", outside=True)

    def _mended(self, name: str, base: Path) -> Place:
        parts = [
            part for part in re.split(r"[\\/]+", _DRIVE.sub("", name)) if part not in ("", ".")
        ]
        elsewhere = _DRIVE.match(name) is not None or name.startswith("/")
        starts = range(len(parts)) if elsewhere else range(1)
        for start in starts:
            ending = "/".join(parts[start:])
            if (found := base / ending).is_file():
                return self._within(found, guessed=True)
            known = self._index.get(_plain(base, ending, self._folder), [])
            if len(known) == 1:
                return self._within(known[0], guessed=True)
        return Place(None, "is not there")

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        """The media of the folder by their names in lower case, with suffix and without."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self._folder.rglob("*")):
            if path.suffix.lower() in MEDIA and path.is_file():
                name = path.relative_to(self._folder).as_posix().lower()
                found.setdefault(name, []).append(path)
                found.setdefault(name.rpartition(".")[0], []).append(path)
        return found


def _plain(base: Path, ending: str, folder: Path) -> str:
    start = base.relative_to(folder).as_posix() if base.is_relative_to(folder) else ""
    return (f"{start}/{ending}" if start not in ("", ".") else ending).lower()
