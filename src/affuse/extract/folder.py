"""Many clips: found in folders, extracted one by one, and left alone where that was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from affuse.errors import AffuseError, InputError, file_error
from affuse.extract.clip import ClipExtractor, OnSeconds
from affuse.extract.clip_store import StoredClip, clip_key, read_clip, write_clip
from affuse.extract.collect import find_clips, require_distinct
from affuse.extract.transcript import Transcript, transcript_beside


class Outcome(NamedTuple):
    """What became of one media file.

    Attributes:
        file: the media file.
        out: the file that holds its features.
        skipped: those features were there already.
        clip: the features; None where the file could not be read.
        error: the line that says why, or None.
    """

    file: Path
    out: Path
    skipped: bool = False
    clip: StoredClip | None = None
    error: str | None = None


OnClip = Callable[[int, int, Path], OnSeconds]
"""Told the number of a clip, of how many, and its file; returns what is told its seconds."""


def extract_all(
    extractor: ClipExtractor,
    paths: Sequence[str],
    out: Path,
    *,
    transcript: Transcript | None = None,
    again: bool = False,
    on_clip: OnClip = lambda *_: lambda *_: None,
) -> Iterator[Outcome]:
    """Extract media files to `out`: folders keep their shape, clip.mp4 becomes clip.mp4.npz.

    A file whose features are there, of the same content, words, settings and extractors, is
    skipped. One that cannot be read is told of, and the next is taken.

    Args:
        paths: files, folders and globs (`find_clips`).
        out: a folder; it is made.
        transcript: of the one file; by default what lies beside each under its name.
        again: skip nothing.
        on_clip: told of each clip.

    Raises:
        InputError: a folder or a glob without media, two files of one name, or a transcript for
            many files.
    """
    found = find_clips(paths)
    require_distinct(found)
    if transcript is not None and len(found) > 1:
        raise InputError(
            f"one transcript for {len(found)} files",
            remedy="put a transcript beside each, under its name: clip.srt for clip.mp4",
        )
    for number, (file, name) in enumerate(found):
        target = out / name.with_name(f"{name.name}.npz")
        progress = on_clip(number, len(found), file)
        try:
            yield _extract(extractor, file, target, transcript, again, progress)
        except AffuseError as error:
            yield Outcome(file, target, error=str(error))
        except OSError as error:
            problem = file_error(error, "cannot be used", error.filename or file)
            yield Outcome(file, target, error=str(problem))


def _extract(
    extractor: ClipExtractor,
    file: Path,
    target: Path,
    given: Transcript | None,
    again: bool,
    progress: OnSeconds,
) -> Outcome:
    transcript = transcript_beside(file) if given is None else given
    key = clip_key(file, transcript, extractor)
    if target.exists() and not again:
        known = _stored(target)
        if known is not None and known.key == key:
            return Outcome(file, target, skipped=True, clip=known)
    windows = list(extractor.windows(file, transcript, progress=progress))
    clip = StoredClip(
        file.name,
        key,
        windows[-1].end,
        extractor.versions,
        extractor.settings.model_dump(),
        windows,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_clip(target, clip)
    return Outcome(file, target, clip=clip)


def _stored(target: Path) -> StoredClip | None:
    try:
        return read_clip(target)
    except InputError:
        return None
