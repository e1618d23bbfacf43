"""Many clips: found in folders, extracted one by one, and left alone where that was done."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from affuse.errors import AffuseError, InputError, file_error
from affuse.extract.account import Account, require_no_notices
from affuse.extract.clip import ClipExtractor, OnSeconds
from affuse.extract.media.tracks import Wanted
from affuse.extract.store import StoredClip, clip_key, read_clip, write_clip
from affuse.extract.text.transcript import Beside, Transcript, transcript_beside
from affuse.files import require_near

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


@dataclass(frozen=True)
class ExtractJob:
    """A clip that is to be extracted.

    Attributes:
        number: its place among all that are named.
        key: of all that its features depend on.
    """

    number: int
    file: Path
    beside: Beside
    tracks: Wanted
    key: str

    @property
    def source(self) -> str:
        """What errors name."""
        return str(self.file)


OnClip = Callable[[int, int, Path], OnSeconds]
"""Told the number of a clip, of how many, and its file; returns what is told its seconds."""
Extracting = Callable[
    [Iterable[tuple[ExtractJob, OnSeconds]]],
    Iterator[tuple[ExtractJob, StoredClip | AffuseError]],
]
"""Has clips extracted, in any order."""


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
    extracting: Extracting | None = None,
) -> Iterator[ExtractedClip]:
    """Extract media files, as `find_clips` takes them, to the folder `out`, which is made.

    Folders keep their shape, clip.mp4 becomes clip.mp4.npz. Unless `again`, a file whose features
    are there, of the same content, words, settings and extractors, is skipped. One that cannot be
    read is told of, and the next is taken; if `strict`, so is one of which anything is lost, though
    its features are kept. A transcript is of the one file; by default it is what lies beside each
    under its name.

    Args:
        extracting: what does the work; by default this process, one clip after the other.

    Raises:
        InputError: no media, two files of one name, or a transcript for many files.
    """
    require_near(out)
    found = find_clips(paths)
    require_distinct(found)
    if transcript is not None and len(found) > 1:
        remedy = "put a transcript beside each, under its name: clip.srt for clip.mp4"
        raise InputError(f"one transcript for {len(found)} files", remedy=remedy)
    said = None if transcript is None else Beside(transcript)
    given = _Given(extractor, found, out, said, tracks or Wanted(), strict=strict, again=again)
    for job, result in (extracting or partial(_one_by_one, extractor))(given.jobs(on_clip)):
        given.finish(job, result)
        yield from given.in_order()
    yield from given.in_order()


class _Given:
    """The clips that are given, and what became of them so far."""

    def __init__(
        self,
        extractor: ClipExtractor,
        clips: Sequence[Clip],
        out: Path,
        said: Beside | None,
        tracks: Wanted,
        *,
        strict: bool,
        again: bool,
    ) -> None:
        self._extractor, self._clips, self._out = extractor, clips, out
        self._said, self._tracks = said, tracks
        self._strict, self._again = strict, again
        self._ended: dict[int, ExtractedClip] = {}
        self._next = 0

    def jobs(self, on_clip: OnClip) -> Iterator[tuple[ExtractJob, OnSeconds]]:
        """Those whose features are not there, and what is told their seconds."""
        for number, (file, _) in enumerate(self._clips):
            on_seconds = on_clip(number, len(self._clips), file)
            try:
                beside = transcript_beside(file) if self._said is None else self._said
                key = clip_key(file, beside, self._extractor, self._tracks)
                known = None if self._again else _known(self._target(number), key)
            except (AffuseError, OSError) as error:
                self._end(number, error)
                continue
            if known is not None:
                self._end(number, known, skipped=True)
            else:
                yield ExtractJob(number, file, beside, self._tracks, key), on_seconds

    def finish(self, job: ExtractJob, result: StoredClip | AffuseError) -> None:
        """Keep what was extracted."""
        if isinstance(result, StoredClip):
            target = self._target(job.number)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                write_clip(target, result)
            except (AffuseError, OSError) as error:
                self._end(job.number, error)
                return
        self._end(job.number, result)

    def in_order(self) -> Iterator[ExtractedClip]:
        """What became of clips, as far as those before them have ended too."""
        while self._next in self._ended:
            yield self._ended.pop(self._next)
            self._next += 1

    def _target(self, number: int) -> Path:
        name = self._clips[number].name
        return self._out / name.with_name(f"{name.name}.npz")

    def _end(self, number: int, result: StoredClip | Exception, *, skipped: bool = False) -> None:
        file, target = self._clips[number].path, self._target(number)
        try:
            if isinstance(result, StoredClip) and self._strict:
                require_no_notices(file, result.account["notices"])
        except AffuseError as error:
            result = error
        if isinstance(result, StoredClip):
            self._ended[number] = ExtractedClip(file, target, skipped=skipped, clip=result)
            return
        if isinstance(result, OSError):
            result = file_error(result, "cannot be used", result.filename or file)
        self._ended[number] = ExtractedClip(file, target, error=str(result))


def _known(target: Path, key: str) -> StoredClip | None:
    """The features that are there, if they are of the same."""
    if target.exists():
        with suppress(InputError):
            known = read_clip(target)
            return known if known.key == key else None
    return None


def _one_by_one(
    extractor: ClipExtractor, jobs: Iterable[tuple[ExtractJob, OnSeconds]]
) -> Iterator[tuple[ExtractJob, StoredClip | AffuseError]]:
    for job, on_seconds in jobs:
        try:
            yield job, extract_clip(extractor, job, on_seconds)
        except AffuseError as error:
            yield job, error
        except OSError as error:
            yield job, file_error(error, "cannot be used", error.filename or job.file)


def extract_clip(extractor: ClipExtractor, job: ExtractJob, on_seconds: OnSeconds) -> StoredClip:
    """The features of a clip, with all that says what they are of.

    Raises:
        InputError: nothing in it can be read as sound or pictures.
    """
    account = Account(list(job.beside.notices))
    reading: dict[str, Any] = {"tracks": job.tracks, "progress": on_seconds, "account": account}
    windows = list(extractor.windows(job.file, job.beside.transcript, **reading))
    return StoredClip(
        file=job.file.name,
        key=job.key,
        duration=windows[-1].end,
        extractors=extractor.versions,
        settings=extractor.settings.model_dump(),
        account=account.to_dict(),
        windows=windows,
    )
