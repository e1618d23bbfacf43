"""Which files a command means: files, folders and globs."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from affuse.errors import InputError

SUFFIXES = frozenset(
    ".3gp .aac .aif .aiff .avi .flac .flv .m4a .m4v .mkv .mov .mp3 .mp4 .mpeg .mpg .mts .oga .ogg "
    ".ogv .opus .ts .vob .wav .webm .wma .wmv".split()
)
"""What is taken from folders as media; a file that is named is always tried."""


class Clip(NamedTuple):
    """A media file, and the name for what is written about it: its place below all clips."""

    path: Path
    name: Path


def find_clips(paths: Sequence[str]) -> list[Clip]:
    """The media files that are meant, each once, in the order given, those of a folder sorted.

    Args:
        paths: files; folders, of which everything below that looks like media; or globs.

    Raises:
        InputError: a folder or a glob without media.
    """
    found = list(dict.fromkeys(path for given in paths for path in _meant(given)))
    absolute = [path.absolute() for path in found]
    above = Path(os.path.commonpath([path.parent for path in absolute])) if found else Path()
    return [Clip(p, a.relative_to(above)) for p, a in zip(found, absolute, strict=True)]


def _meant(given: str) -> Iterator[Path]:
    path = Path(given)
    if path.is_dir():
        below = sorted(p for p in path.rglob("*") if _is_media(p, path))
        if not below:
            raise InputError("holds no media files", remedy="give another folder", source=path)
        yield from below
    elif not path.exists() and glob.has_magic(given):
        matches = sorted(Path(match) for match in glob.glob(given, recursive=True))
        if not matches:
            raise InputError("matches no file", remedy="check the pattern", source=given)
        for match in matches:
            if not match.is_dir():
                yield match
    else:
        # One that is not there has its line among the others, when its turn comes.
        yield path


def _is_media(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in SUFFIXES and path.is_file()
