"""Many clips, each a recording or a segment of one: read by all cores, kept, resumed after a stop.

Each clip is one file of the cache, by its content and all that its features depend on, so that a
run that was stopped goes on where it was.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from affuse.errors import AffuseError, InputError, file_error
from affuse.extract.account import Account
from affuse.extract.cache import FeatureCache
from affuse.extract.clip import ClipExtractor, ClipSettings, Window, nothing_from
from affuse.extract.media.segments import Segment
from affuse.extract.store import StoredClip, read_clip, write_clip
from affuse.files import digest_file, digest_json, make_folder
from affuse.processes import PlainContext, begin_plain_worker, one_thread_each
from affuse.progress import Advance, items_bar

VERSION = 2
"""Changes whenever what is kept of a clip would, other than by its extractors."""
# Below this many recordings, starting processes takes longer than they save.
_WORTH_POOL = 8
# Settings that leave what is seen and heard as it is: words come later.
_OF_WORDS = ("text", "layers", "step", "wait", "faces")


class Take(NamedTuple):
    """A clip: a recording, or a segment of it."""

    path: Path
    segment: Segment = Segment()


class Taken(NamedTuple):
    """What became of it."""

    clip: StoredClip | None = None  # None where it could not be read
    error: str = ""  # the line that says why


RecordingJob = tuple[Path, Mapping[Path, Segment]]
"""A recording, and where each segment of it is kept."""
ReadRecordings = Callable[
    [ClipSettings, Sequence[RecordingJob], Advance], Iterator[tuple[Path, str]]
]
"""Has recordings read and kept; the places of what could not be read, and why."""
_elsewhere: ContextVar[ReadRecordings | None] = ContextVar("elsewhere", default=None)


@contextmanager
def recordings_read_by(reads: ReadRecordings) -> Iterator[None]:
    """Let somebody else read what `extract_takes` does not know, as the machines of a cluster."""
    before = _elsewhere.set(reads)
    try:
        yield
    finally:
        _elsewhere.reset(before)


def extract_takes(
    takes: Sequence[Take],
    settings: ClipSettings,
    *,
    jobs: int | None = None,
    folder: Path | None = None,
) -> list[Taken]:
    """Voice and face of clips, in their order; those that were read before are not read again.

    The windows are without words, but for those that are recognised if the settings say so. All
    segments of a recording are read in one pass over it. What cannot be read is told of, and the
    rest goes on.

    Args:
        jobs: processes, each on one core; by default as many as there are cores.
        folder: of the cache; by default `clip_folder()`.
    """
    kept = clip_folder() if folder is None else folder
    make_folder(kept)
    # Weights that are missing are one error, not one a clip.
    extractor = ClipExtractor(settings)
    places: list[Path | str] = [_place(take, kept, extractor) for take in takes]
    known = {place: clip for place in places if (clip := _known(place)) is not None}
    errors = dict(_read_missing(takes, places, known, settings, jobs))
    return [_taken(place, known, errors) for place in places]


def clip_folder() -> Path:
    """Where clips are kept."""
    return FeatureCache().folder / "clips"


def _place(take: Take, kept: Path, extractor: ClipExtractor) -> Path | str:
    """Where a clip is kept, or the line that says why its file cannot be read."""
    try:
        content = _digest(take.path, *_state(take.path))
    except AffuseError as error:
        return str(error)
    settings, versions = extractor.settings, extractor.versions
    made_by = {
        "settings": settings.model_dump(mode="json", exclude=set(_OF_WORDS)),
        "versions": [versions["audio"], versions["vision"]],
        "recogniser": extractor.features.recogniser if settings.recognise else None,
    }
    key = digest_json([VERSION, content, list(take.segment), made_by])
    return kept / f"{content[:8]}-{key}.npz"


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise file_error(error, "cannot be read", path) from None
    return found.st_size, found.st_mtime_ns


@cache
def _digest(path: Path, size: int, changed: int) -> str:
    """The digest of a file's content, worked out once while neither argument changes."""
    del size, changed
    return digest_file(path)


def _known(place: Path | str) -> StoredClip | None:
    """What is kept of a clip, if it is whole."""
    if isinstance(place, Path) and place.exists():
        with suppress(InputError):
            return read_clip(place)
    return None


_Known = Mapping[Path | str, StoredClip]


def _taken(place: Path | str, known: _Known, errors: Mapping[Path, str]) -> Taken:
    if isinstance(place, str):
        return Taken(error=place)
    if place in errors:
        return Taken(error=errors[place])
    return Taken(known[place] if place in known else read_clip(place))


def _read_missing(
    takes: Sequence[Take],
    places: Sequence[Path | str],
    known: _Known,
    settings: ClipSettings,
    jobs: int | None,
) -> Iterator[tuple[Path, str]]:
    """Read what is not kept yet; the places of what could not be read, and why."""
    missing: dict[Path, dict[Path, Segment]] = defaultdict(dict)
    for take, place in zip(takes, places, strict=True):
        if isinstance(place, Path) and place not in known:
            missing[take.path][place] = take.segment
    if not missing:
        return
    read = partial(read_recording, settings.model_dump())
    with items_bar("clips", "clips", sum(map(len, missing.values()))) as advance:
        if (elsewhere := _elsewhere.get()) is not None:
            yield from elsewhere(settings, list(missing.items()), advance)
            return
        count = min(jobs or os.cpu_count() or 1, len(missing))
        if count > 1 and len(missing) >= _WORTH_POOL:
            yield from _read_by_processes(read, list(missing.items()), count, advance)
            return
        for job in missing.items():
            yield from read(job)
            advance(len(job[1]))


_Read = Callable[[RecordingJob], "list[tuple[Path, str]]"]


def _read_by_processes(
    read: _Read, jobs: Sequence[RecordingJob], count: int, advance: Advance
) -> Iterator[tuple[Path, str]]:
    left = dict(enumerate(jobs))
    with (
        one_thread_each(),
        ProcessPoolExecutor(
            count, mp_context=PlainContext(), initializer=begin_plain_worker
        ) as pool,
    ):
        running = {pool.submit(read, job): number for number, job in left.items()}
        for done in as_completed(running):
            try:
                errors = done.result()
            except BrokenProcessPool:
                break
            yield from errors
            advance(len(left.pop(running[done])[1]))
    # A file that takes its reader with it must not take the others too.
    for job in left.values():
        yield from _read_apart(read, job)
        advance(len(job[1]))


def _read_apart(read: _Read, job: RecordingJob) -> list[tuple[Path, str]]:
    """Read a recording in a process of its own, whose end is an error of this recording alone."""
    with (
        one_thread_each(),
        ProcessPoolExecutor(1, mp_context=PlainContext(), initializer=begin_plain_worker) as pool,
    ):
        try:
            return pool.submit(read, job).result()
        except BrokenProcessPool:
            problem = "the process that read it was killed, by its content or for want of memory"
            error = InputError(problem, remedy="mend it or leave it out", source=job[0])
            return [(place, str(error)) for place in job[1]]


@cache
def _extractor(settings: str) -> ClipExtractor:
    return ClipExtractor(ClipSettings.model_validate_json(settings), threads=False)


def read_recording(settings: Mapping[str, object], job: RecordingJob) -> list[tuple[Path, str]]:
    """Keep the clips of one recording; the places of those that could not be read, and why."""
    path, segments = job
    extractor = _extractor(ClipSettings.model_validate(settings).model_dump_json())
    account = Account()
    try:
        found = extractor.segments(path, list(segments.values()), account=account)
        return list(_kept(path, segments, found, account, extractor))
    except AffuseError as error:
        return [(place, str(error)) for place in segments]
    except OSError as error:
        told = file_error(error, "cannot be read", error.filename or path)
        return [(place, str(told)) for place in segments]
    except MemoryError:
        told = InputError("out of memory", remedy="close other programs", source=path)
        return [(place, str(told)) for place in segments]


def _kept(
    path: Path,
    segments: Mapping[Path, Segment],
    found: Sequence[Sequence[Window]],
    account: Account,
    extractor: ClipExtractor,
) -> Iterator[tuple[Path, str]]:
    for (place, segment), windows in zip(segments.items(), found, strict=True):
        if not windows:
            yield place, str(nothing_from(segment, path))
            continue
        clip = StoredClip(
            file=path.name,
            key=place.stem,
            duration=windows[-1].end - windows[0].start,
            extractors=extractor.versions,
            settings=extractor.settings.model_dump(),
            account=account.to_dict(),
            windows=windows,
        )
        write_clip(place, clip)
