"""Many clips: found in folders, extracted one by one, and left alone where that was done."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from affuse.errors import AffuseError, InputError, file_error
from affuse.extract.account import Account, require_no_notices
from affuse.extract.clip import ClipExtractor, OnSeconds
from affuse.extract.media.tracks import Wanted
from affuse.extract.store import StoredClip, clip_key, read_clip, write_clip
from affuse.extract.text.transcript import Beside, Transcript, transcript_beside

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

    Paths are files; folders, of which everything below that looks like media; or globs.
    """
    clips = {clip.path: clip for given in paths for clip in clips_at(given)}
    return list(clips.values())


def require_distinct(clips: Sequence[Clip]) -> None:
    """Raise `InputError` where two clips have one name, so that one would overwrite the other."""
    seen: dict[Path, Clip] = {}
    for clip in clips:
        if clip.name in seen:
            problem = f"would be written to the same file as {seen[clip.name].path}"
            remedy = "give the folder that both lie in, or one at a time"
            raise InputError(problem, remedy=remedy, source=clip.path)
        seen[clip.name] = clip


def clips_at(given: str) -> Iterator[Clip]:
    """The media files that one path means, as they are found; those of a folder sorted.

    Raises:
        InputError: there are none.
    """
    path = Path(given)
    if path.is_dir():
        yield from _required(
            _below(path, Path()), "holds no media files", "give another folder", given
        )
    elif not path.exists() and glob.has_magic(given):
        matches = sorted(Path(match) for match in glob.glob(given, recursive=True))  # noqa: PTH207
        found = [Clip(match, Path(match.name)) for match in matches]
        yield from _required(found, "matches no file", "check the pattern", given)
    else:
        # One that is not there has its line among the others, when its turn comes.
        yield Clip(path, Path(path.name))


def _required(found: Iterable[Clip], problem: str, remedy: str, given: str) -> Iterator[Clip]:
    """The files among what is found; an error where nothing is."""
    empty = True
    for clip in found:
        empty = False
        if not clip.path.is_dir():
            yield clip
    if empty:
        raise InputError(problem, remedy=remedy, source=given)


def _below(folder: Path, name: Path) -> Iterator[Clip]:
    """What looks like media below a folder, sorted, without what is hidden."""
    with os.scandir(folder) as entries:
        found = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries)
    for entry, is_folder in found:
        if entry.startswith("."):
            continue
        if is_folder:
            yield from _below(folder / entry, name / entry)
        elif Path(entry).suffix.lower() in MEDIA and (folder / entry).is_file():
            yield Clip(folder / entry, name / entry)


class ExtractedClip(NamedTuple):
    """What became of one media file."""

    file: Path
    out: Path  # the file that holds its features
    skipped: bool = False  # those features were there already
    clip: StoredClip | None = None  # the features; None where the file could not be read
    error: str | None = None  # the line that says why, or None


OnClip = Callable[[int, int, Path], OnSeconds]
"""Told the number of a clip, of how many, and its file; returns what is told its seconds."""


def extract_all(
    extractor: ClipExtractor,
    paths: Sequence[str],
    out: Path,
    *,
    transcript: Transcript | None = None,
    tracks: Wanted | None = None,
    strict: bool = False,
    again: bool = False,
    on_clip: OnClip = lambda *_: lambda *_: None,
) -> Iterator[ExtractedClip]:
    """Extract media files, as `find_clips` takes them, to the folder `out`, which is made.

    Folders keep their shape, clip.mp4 becomes clip.mp4.npz. Unless `again`, a file whose features
    are there, of the same content, words, settings and extractors, is skipped. One that cannot be
    read is told of, and the next is taken; if `strict`, so is one of which anything is lost, though
    its features are kept. A transcript is of the one file; by default it is what lies beside each
    under its name.

    Raises:
        InputError: no media, two files of one name, or a transcript for many files.
    """
    found = find_clips(paths)
    require_distinct(found)
    if transcript is not None and len(found) > 1:
        remedy = "put a transcript beside each, under its name: clip.srt for clip.mp4"
        raise InputError(f"one transcript for {len(found)} files", remedy=remedy)
    for number, (file, name) in enumerate(found):
        target = out / name.with_name(f"{name.name}.npz")
        progress = on_clip(number, len(found), file)
        try:
            beside = transcript_beside(file) if transcript is None else Beside(transcript)
            reading = {"tracks": tracks or Wanted(), "progress": progress}
            done = _extract(extractor, file, target, beside, reading, again=again)
            if strict and done.clip is not None:
                require_no_notices(file, done.clip.account["notices"])
            yield done
        except AffuseError as error:
            yield ExtractedClip(file, target, error=str(error))
        except OSError as error:
            problem = file_error(error, "cannot be used", error.filename or file)
            yield ExtractedClip(file, target, error=str(problem))


def _extract(
    extractor: ClipExtractor,
    file: Path,
    target: Path,
    beside: Beside,
    reading: dict[str, Any],
    *,
    again: bool,
) -> ExtractedClip:
    key = clip_key(file, beside, extractor, reading["tracks"])
    if target.exists() and not again:
        with suppress(InputError):
            known = read_clip(target)
            if known.key == key:
                return ExtractedClip(file, target, skipped=True, clip=known)
    account = Account(list(beside.notices))
    windows = list(extractor.windows(file, beside.transcript, account=account, **reading))
    clip = StoredClip(
        file=file.name,
        key=key,
        duration=windows[-1].end,
        extractors=extractor.versions,
        settings=extractor.settings.model_dump(),
        account=account.to_dict(),
        windows=windows,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_clip(target, clip)
    return ExtractedClip(file, target, clip=clip)
