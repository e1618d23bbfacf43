"""Which files a command means: files, folders and globs."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from affuse.errors import InputError

MEDIA = frozenset(
    (
        *(".3gp", ".aac", ".aif", ".aiff", ".avi", ".flac", ".flv", ".m4a", ".m4v", ".mkv", ".mov"),
        *(".mp3", ".mp4", ".mpeg", ".mpg", ".mts", ".oga", ".ogg", ".ogv", ".opus", ".ts", ".wav"),
        *(".vob", ".webm", ".wma", ".wmv"),
    )
)
"""What names of media files end with, in folders; a file that is named may end with anything."""


class Clip(NamedTuple):
    """A media file, and the name for what is written about it: its place in the folder given."""

    path: Path
    name: Path


def find_clips(paths: Sequence[str]) -> list[Clip]:
    """The media files that are meant, each once, in the order given, those of a folder sorted.

    Args:
        paths: files; folders, of which everything below that looks like media; or globs.

    Raises:
        InputError: a folder or a glob without media.
    """
    clips = {clip.path: clip for given in paths for clip in _meant(given)}
    return list(clips.values())


def require_distinct(clips: Sequence[Clip]) -> None:
    """Raise `InputError` where two clips have one name, so that one would overwrite the other."""
    seen: dict[Path, Clip] = {}
    for clip in clips:
        if clip.name in seen:
            raise InputError(
                f"would be written to the same file as {seen[clip.name].path}",
                remedy="give the folder that both lie in, or one at a time",
                source=clip.path,
            )
        seen[clip.name] = clip


def _meant(given: str) -> Iterator[Clip]:
    path = Path(given)
    if path.is_dir():
        below = sorted(p for p in path.rglob("*") if _is_media(p, path))
        if not below:
            raise InputError("holds no media files", remedy="give another folder", source=path)
        yield from (Clip(p, p.relative_to(path)) for p in below)
    elif not path.exists() and glob.has_magic(given):
        matches = sorted(Path(match) for match in glob.glob(given, recursive=True))  # noqa: PTH207
        if not matches:
            raise InputError("matches no file", remedy="check the pattern", source=given)
        for match in matches:
            if not match.is_dir():
                yield Clip(match, Path(match.name))
    else:
        # One that is not there has its line among the others, when its turn comes.
        yield Clip(path, Path(path.name))


def _is_media(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in MEDIA and path.is_file()
