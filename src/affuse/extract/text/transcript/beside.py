"""The transcript that lies beside a recording under its name."""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from affuse.errors import InputError
from affuse.extract.text.transcript.languages import ENGLISH, language_code
from affuse.extract.text.transcript.no_transcript import why_no_transcript
from affuse.extract.text.transcript.reading import SUBTITLES, SUFFIXES, read_transcript
from affuse.extract.text.transcript.said import Transcript

# What may stand between a recording's name and the suffix beside a language.
_QUALIFIERS = frozenset(
    "forced sdh cc hi default auto orig original full captions subtitles transcript whisper".split()
)
_PARTIAL = frozenset(("forced", "commentary"))


class Beside(NamedTuple):
    """What was found beside a recording.

    Attributes:
        transcript: of it, with notices of its own, or None.
        notices: which files were left aside, and why, a line each.
    """

    transcript: Transcript | None
    notices: tuple[str, ...] = ()


class _Candidate(NamedTuple):
    """A file that is named as a transcript of a recording would be."""

    path: Path
    language: str | None
    partial: bool

    @property
    def rank(self) -> tuple[bool, int, int, str]:
        """What comes first is read first: all words, in a language that is known, with times."""
        told = {ENGLISH: 0, None: 1}.get(self.language, 2)
        return self.partial, told, SUFFIXES.index(self.path.suffix.lower()), self.path.name


def transcript_beside(path: Path) -> Beside:
    """The transcript that lies beside a media file under its name: clip.srt for clip.mp4.

    Letter case does not matter; a language may stand between (clip.en.vtt), and the whole name
    before (clip.mp4.srt). Of several languages English is taken, which the words' table knows. A
    file that is no transcript is left aside, with a notice.
    """
    notices: list[str] = []
    candidates = sorted(_candidates(path), key=lambda one: one.rank)
    for number, one in enumerate(candidates):
        if (problem := _why_not(one.path)) is not None:
            notices.append(problem)
            continue
        try:
            found = read_transcript(one.path)
        except InputError as error:
            # A file that is called as subtitles are was meant to be read: how, is worth a word.
            meant = one.path.suffix.lower() in SUBTITLES
            why = str(error) if meant else f"{one.path}: {error.problem}"
            notices.append(f"{why}; it is left aside")
            continue
        others = [c for c in candidates[number + 1 :] if c.language != one.language]
        if others:
            names = ", ".join(other.path.name for other in others)
            notices.append(f"{one.path}: is taken as the transcript, and not {names}")
        origin = replace(found.origin, language=found.origin.language or one.language)
        return Beside(replace(found, origin=origin), tuple(notices))
    return Beside(None, tuple(notices))


def files_beside(path: Path) -> list[Path]:
    """All files that are named as a transcript of a media file would be, sorted; none is read."""
    return sorted(one.path for one in _candidates(path))


def _why_not(path: Path) -> str | None:
    """A line that says why a file is left aside before it is read, if it is."""
    why = why_no_transcript(path)
    return None if why is None else f"{path}: {why}; it is left aside"


def _candidates(path: Path) -> Iterator[_Candidate]:
    listing = _listing(path.parent)
    stem = path.stem.lower()
    # Of the many files of a folder few are looked at closely.
    ours = [name for name in listing.beginning_with(stem) if name.lower().endswith(SUFFIXES)]
    for name in ours:
        place = path.with_name(name)
        stem, _, suffix = name.lower().rpartition(".")
        own = re.escape(path.stem.lower())
        between = re.fullmatch(rf"{own}(?:{re.escape(path.suffix.lower())})?((?:\..+)?)", stem)
        if between is None or f".{suffix}" not in SUFFIXES or name == path.name:
            continue
        parts = [part for part in between[1].split(".") if part]
        # A transcript belongs to the recording whose whole name it has.
        if parts and stem in listing.recordings:
            continue
        languages = [code for part in parts if (code := language_code(part))]
        told = set(parts) <= {*_QUALIFIERS, *_PARTIAL, *(p for p in parts if language_code(p))}
        if told and len(languages) <= 1 and place.is_file():
            yield _Candidate(place, next(iter(languages), None), bool(_PARTIAL & set(parts)))


class _Listing:
    """The names in a folder, in which those that begin alike are found without looking at all."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted((name.lower(), name) for name in names)
        self.recordings = {
            lower.rpartition(".")[0]
            for lower, name in self._names
            if Path(name).suffix.lower() not in SUFFIXES
        }

    def beginning_with(self, stem: str) -> list[str]:
        """Those that begin so, in lower case; sorted as they are spelled."""
        begin = end = bisect_left(self._names, (stem, ""))
        while end < len(self._names) and self._names[end][0].startswith(stem):
            end += 1
        return sorted(name for _, name in self._names[begin:end])


# In a folder of a hundred thousand clips, to list it for each would take hours.
_listings: dict[Path, tuple[int, _Listing]] = {}
_KEPT = 8
_SETTLED = 2.0  # seconds after which a folder's time of change tells of any further one


def _listing(folder: Path) -> _Listing:
    try:
        changed = folder.stat().st_mtime_ns
        found = _listings.get(folder)
        if found is not None and found[0] == changed:
            return found[1]
        with os.scandir(folder) as entries:
            listing = _Listing(entry.name for entry in entries)
    except OSError:
        return _Listing(())
    if time.time() - changed / 1e9 > _SETTLED:
        while len(_listings) >= _KEPT:
            _listings.pop(next(iter(_listings)), None)
        _listings[folder] = changed, listing
    return listing
