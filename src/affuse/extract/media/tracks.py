"""Which tracks of a file are read: the voice and the camera, not what lies beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from affuse.errors import InputError

_COVERS = ("attached_pic", "timed_thumbnails", "still_image")
_BESIDE = (
    *("comment", "visual_impaired", "descriptions", "karaoke", "clean_effects", "non_diegetic"),
    "dependent",
)
_NAMED_BESIDE = ("commentary", "audio description", "karaoke", "screen", "slides")
# Tracks with fewer pictures a second are slides.
_SLIDES = 0.5


class Wanted(NamedTuple):
    """The numbers of the tracks that are asked for, counted from 1 among those of their kind."""

    audio: int | None = None
    video: int | None = None


class Found(NamedTuple):
    """What is in a sample of a track: the higher the rank the more, and in words."""

    rank: int
    holds: str
    enough: bool = False  # for the default track to be taken


Probe = Callable[[Sequence[int]], Mapping[int, Found]]
"""What streams hold, by their indices in the file; nothing where none can be looked into."""


@dataclass(frozen=True, slots=True)
class Track:
    """A track that is read."""

    stream: Any  # of the open file
    number: int  # counted from 1 among the `of` tracks of its kind
    of: int
    why: str  # it is this one
    guessed: bool = False  # whether no flag of the file says so

    @property
    def notice(self) -> str | None:
        """The line about a guess."""
        kind = self.stream.type
        line = f"{kind} track {self.number} of {self.of} is read, {self.why}; "
        return f"{line}--{kind}-track chooses another" if self.guessed else None

    def to_dict(self) -> dict[str, Any]:
        """What players show of a track."""
        named = self.stream.metadata
        language = named.get("language")
        return {
            "track": self.number,
            "tracks": self.of,
            "chosen": self.why,
            "title": named.get("title") or None,
            "language": None if language in (None, "", "und") else language,
            "codec": self.stream.codec_context.name,
        }


def choose_track(
    streams: Sequence[Any],
    kind: str,
    wanted: int | None,
    probe: Probe,
    *,
    stills: bool = True,
    name: str,
) -> Track | None:
    """The track of one kind that is read; None where none can be.

    The one that is asked for; else the only one; else the default one, if enough is in it; else the
    one with most in it.

    Args:
        streams: all of that kind, "audio" or "video", in the order of the file.
        wanted: the number of the one that is asked for.
        probe: asked only where there are several.
        stills: whether pictures that do not move will do.
        name: of the file.

    Raises:
        InputError: the track that is asked for is not there, or nothing can decode it.
    """
    if wanted is not None:
        return Track(_asked(streams, kind, wanted, name), wanted, len(streams), "asked for")
    known = [(s, n) for n, s in enumerate(streams, 1) if s.codec_context is not None]
    moving = [track for track in known if not _still(track[0])]
    fit = moving or (known if stills else [])
    fit = [track for track in fit if not _beside(track[0])] or fit
    if len(fit) < 2:
        why = "the only one" if len(streams) == 1 else "the only one of its kind"
        return Track(*fit[0], len(streams), why) if fit else None
    defaults = [track for track in fit if _has(track[0], "default")]
    ordered = [*defaults, *(track for track in fit if track not in defaults)]
    found = probe([stream.index for stream, _ in ordered])
    if not found:
        known_why = "the default" if defaults else "the first"
        return Track(*ordered[0], len(streams), known_why, guessed=len(defaults) != 1)
    best = max(f.rank for f in found.values())
    if defaults and (found[defaults[0][0].index].enough or not best):
        return Track(*defaults[0], len(streams), "the default", guessed=len(defaults) > 1)
    stream, number = next(track for track in ordered if found[track[0].index].rank == best)
    return Track(stream, number, len(streams), f"the first with {found[stream.index].holds}", True)


def _asked(streams: Sequence[Any], kind: str, wanted: int, name: str) -> Any:
    if not 1 <= wanted <= len(streams):
        remedy = f"choose 1 to {len(streams)}" if streams else "leave that option out"
        problem = f"has no {kind} track {wanted}, but {len(streams) or 'none at all'}"
        raise InputError(problem, remedy=remedy, source=name)
    if streams[wanted - 1].codec_context is None:
        problem = f"{kind} track {wanted} is in a form that nothing here decodes"
        raise InputError(problem, remedy="choose another", source=name)
    return streams[wanted - 1]


def _still(stream: Any) -> bool:
    """Whether a track shows a cover or slides: pictures that do not move."""
    if stream.type != "video":
        return False
    rate = stream.average_rate
    slow = stream.frames == 1 or (rate is not None and 0 < rate < _SLIDES)
    return slow or any(_has(stream, flag) for flag in _COVERS)


def _beside(stream: Any) -> bool:
    """Whether a track comes beside the one that matters, by its flags or its title."""
    title = str(stream.metadata.get("title", "")).lower()
    named = any(word in title for word in _NAMED_BESIDE)
    return named or any(_has(stream, flag) for flag in _BESIDE)


def _has(stream: Any, flag: str) -> bool:
    import av

    return bool(av.stream.Disposition[flag] & stream.disposition)
