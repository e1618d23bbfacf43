"""What was read of a recording, filled in while it is read, and what was lost on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affuse.errors import InputError
from affuse.extract.face.crowd import Crowd
from affuse.extract.face.tracking import FaceTracker
from affuse.extract.media.decode import MediaReader
from affuse.extract.media.sent import SentMedia
from affuse.extract.text import KnowsWords
from affuse.extract.text.transcript import Transcript, Word
from affuse.extract.text.understood import Understanding, understanding
from affuse.extract.voice.recognise import SPEECH, STEP
from affuse.samples import FloatArray

SHORTEST_VOICE = 0.5
"""Less sound than this, in seconds, says nothing of how somebody speaks."""

# By less speech than this, in seconds, half of the answers are others than by the whole sentence.
_SURE = 1.0
# Seconds, and the share of its stated length, that a recording may lack without a word.
_LACKS, _SHARE = 2.0, 0.1
# The share of words that may lie outside a recording likewise, as the thanks at the end of a film.
_OUTSIDE = 0.05
# Another face for less than so many seconds is a mistake.
_BLINK = 1.0
# Seconds that are named in one line, at most.
_NAMED = 5


@dataclass
class Faces:
    """Whose face was read, and for how long."""

    shown: float = 0.0  # seconds of pictures
    seen: float = 0.0  # seconds of them with a face
    most: int = 0  # people that were seen at once
    changes: list[float] = field(default_factory=list)  # seconds at which another is followed
    guessed: list[float] = field(default_factory=list)  # those that are no speaker's turn
    useful: bool = False  # whether any window has a face that shows enough
    lacking: dict[str, float] = field(default_factory=dict)  # seconds that are too dark, ...
    _person: int | None = None
    _judged_until: float = 0.0

    def see(self, time: float, lasts: float, found: bool, tracker: FaceTracker | Crowd) -> None:
        """A picture that the tracker read, which stands for `lasts` seconds from `time` on."""
        self.shown += lasts
        self.seen += lasts * found
        self.most = tracker.people
        if tracker.changed and self.changes and time - self.changes[-1] < _BLINK:
            # There and back.
            self.changes.pop()
        elif tracker.changed:
            self.changes.append(time)
        if tracker.changed:
            self.guessed = list(self.changes)

    def choose(self, time: float, person: int, *, sure: bool) -> None:
        """A window from `time` on is about that person; `sure` if that is who speaks."""
        if self._person not in (None, person):
            self.changes.append(time)
            self.guessed += [] if sure else [time]
        self._person = person

    def judge(
        self, start: float, end: float, lacks: str | None, *, less: bool, useful: bool
    ) -> None:
        """How much a window's face shows; windows may overlap."""
        self.useful |= useful
        if less and lacks is not None:
            seconds = max(0.0, end - max(start, self._judged_until))
            self.lacking[lacks] = self.lacking.get(lacks, 0.0) + seconds
        self._judged_until = max(self._judged_until, end)

    def to_dict(self) -> dict[str, Any]:
        return {
            "share": round(self.seen / self.shown, 3) if self.shown else 0.0,
            "seconds": round(self.seen, 2),
            "people": self.most,
            "changes": [round(second, 2) for second in self.changes],
        }


@dataclass
class Account:
    """What was read of one recording.

    Attributes:
        notices: what was lost, odd or guessed, a line each; complete once the recording is read.
        transcript: the words that were given or found, if any.
        understood: whether those are of a language that the features know.
        streams: the tracks that were read, as `to_dict` gives them; None for a kind without one.
        speech: seconds in which somebody is heard to speak.
        words: how many lie in the recording.
        text: whether the features know any of them.
        known: the share of all words that the features know.
        language: the code of the one in which speech was recognised.
    """

    notices: list[str] = field(default_factory=list)
    transcript: Transcript | None = None
    understood: bool = True
    streams: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    faces: Faces = field(default_factory=Faces)
    speech: float = 0.0
    words: int = 0
    text: bool = False
    known: float = 0.0
    language: str | None = None
    _features: KnowsWords | None = field(default=None, repr=False, compare=False)
    _recognised: bool = False
    _heard_until: float = 0.0
    _cut: dict[float, int] = field(default_factory=dict, repr=False)
    _said: set[Word] = field(default_factory=set, repr=False)

    def begin(
        self, transcript: Transcript | None, features: KnowsWords, *, recognises: bool
    ) -> None:
        """Before anything is read; `features` are those that words become."""
        self.transcript, self._recognised, self._features = transcript, recognises, features
        self.notices += [] if transcript is None else transcript.notices
        if transcript is not None:
            self._understand(transcript)

    def _understand(self, transcript: Transcript) -> None:
        found = self._understanding(transcript)
        self.understood, self.known = not found.absent, found.known or 0.0
        notice = found.notice(transcript.origin.file)
        self.notices += [] if notice is None else [notice]

    def _understanding(self, transcript: Transcript) -> Understanding:
        if self._features is None:
            raise ValueError("an account begins before it is told anything")
        return understanding(transcript, self._features)

    def hear(self, start: float, chances: FloatArray) -> None:
        """Chances of speech, as of `speech_probabilities`, of a window; windows may overlap."""
        first = max(0, round((self._heard_until - start) / STEP))
        self.speech += STEP * float((chances[first:] >= SPEECH).sum())
        self._heard_until = max(self._heard_until, start + STEP * len(chances))

    def say(self, words: Iterable[Word], *, text: bool) -> None:
        """The words of a window, and whether any is known; windows may overlap."""
        self._said |= set(words)
        self.words, self.text = len(self._said), self.text or text

    def cut_short(self, start: float, steps: int) -> None:
        """A window whose words begin at second `start` has more than so many steps of text."""
        self._cut[start] = steps

    def end(self, media: MediaReader | SentMedia, end: float) -> None:
        """After the last of a recording that ends at second `end`."""
        if self._recognised:
            self.known = self._understanding(Transcript(tuple(self._said))).known or 0.0
        self.streams = {kind: _described(media, kind) for kind in ("sound", "picture")}
        found = (*media.notices(), *self._lost_words(end), *self._lost_media(media, end))
        self.notices += [line for line in dict.fromkeys(found) if line not in self.notices]

    def to_dict(self) -> dict[str, Any]:
        """What answers say of it, in JSON."""
        return {
            "transcript": self._transcript(),
            "streams": {kind: self.streams.get(kind) for kind in ("sound", "picture")},
            "faces": self.faces.to_dict() if self.streams.get("picture") else None,
            "speech": round(self.speech, 2),
            "notices": list(self.notices),
        }

    def _transcript(self) -> dict[str, Any] | None:
        if self.transcript is None and not self._recognised:
            return None
        counted = {
            "words": self.words if self.transcript is None else len(self.transcript.words),
            "inside": self.words,
            "known": round(self.known, 3),
        }
        if self.transcript is None:
            told = {"file": None, "format": "recognised", "language": self.language}
            return told | {"cues": 0, "skipped": 0} | counted
        origin = self.transcript.origin
        keys = ("file", "format", "language", "cues", "skipped")
        return {key: getattr(origin, key) for key in keys} | counted

    def _lost_words(self, end: float) -> Iterator[str]:
        if self._cut:
            steps, places = max(self._cut.values()), _seconds(list(self._cut))
            yield f"of what is said from {places} on, {steps} tokens are read and the rest is not"
        if self.transcript is None:
            return
        total, name = len(self.transcript.words), self.transcript.origin.file or "the transcript"
        outside = total - self.words
        if not total:
            yield f"{name} has no words"
        elif not self.words:
            yield f"no word of {name} lies within the {end:.1f} s of the recording"
        elif outside > _OUTSIDE * total:
            words = f"{outside} of {total} words of {name}"
            yield f"{words} lie outside the {end:.1f} s of the recording"
        if self.words and self.understood and not self.text:
            yield f"none of the {self.words} words of {name} is known: there is no text to go by"

    def _lost_media(self, media: MediaReader | SentMedia, end: float) -> Iterator[str]:
        stated = media.stated or 0.0
        if stated - end > max(_LACKS, _SHARE * stated):
            yield f"ends at {end:.1f} s, though it states a length of {stated:.1f} s"
        if "sound" in media.tracks:
            yield from self._lost_speech(media.heard)
        if "picture" in media.tracks and not self.faces.seen:
            yield "no face is seen in it" if self.faces.shown else "no picture could be decoded"
        if self.faces.guessed:
            yield f"the face that is followed changes at {_seconds(self.faces.guessed)}"
        for lacks, seconds in self.faces.lacking.items():
            yield f"the face is {lacks} in {seconds:.1f} s: it counts less there, or not at all"
        if not (self.text or self.speech or self.faces.useful):
            yield "nothing is seen or heard in it that an answer could go by"

    def _lost_speech(self, heard: float) -> Iterator[str]:
        if not heard:
            yield "none of its sound could be decoded"
        elif heard < SHORTEST_VOICE:
            yield f"{heard:.2f} s of sound are too short for a voice: it is left out"
        elif not self.speech:
            yield "nobody is heard to speak in it"
        elif self.speech < _SURE:
            yield f"{self.speech:.1f} s of speech are heard: a voice is a guess by so little"


def require_no_notices(file: str | Path, notices: Sequence[str]) -> None:
    """Raise `InputError` where anything was lost in a recording."""
    if notices:
        remedy = "mend it, or do without strict to have an answer all the same"
        raise InputError(", and ".join(notices), remedy=remedy, source=file)


def _seconds(places: list[float]) -> str:
    named = ", ".join(f"{place:.1f}" for place in places[:_NAMED])
    more = len(places) - _NAMED
    return f"{named} s" + (f" and {more} times more" if more > 0 else "")


def _described(media: MediaReader | SentMedia, kind: str) -> dict[str, Any] | None:
    track = media.tracks.get(kind)
    if track is None:
        return None
    context = track.stream.codec_context
    gaps = [[round(start, 2), round(end, 2)] for start, end in media.gaps(kind)]
    if kind == "sound":
        shape = {"rate": context.sample_rate, "channels": context.layout.nb_channels}
        return {**track.to_dict(), **shape, "used": media.channels, "gaps": gaps}
    rate = track.stream.average_rate
    shape = {"width": context.width, "height": context.height}
    return {**track.to_dict(), **shape, "rate": rate and round(float(rate), 3), "gaps": gaps}
