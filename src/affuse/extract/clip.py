"""A clip to windows of text, audio and vision: media decoded once, whatever its length."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from affuse.errors import InputError
from affuse.extract.account import Account
from affuse.extract.features import ClipFeatures, ClipSettings
from affuse.extract.fingerprint import fingerprint
from affuse.extract.media import decode
from affuse.extract.media.frames import Picture, Sound
from affuse.extract.media.live import read_ahead
from affuse.extract.media.segments import Segment, Segments
from affuse.extract.media.sent import SentMedia
from affuse.extract.media.tracks import Wanted
from affuse.extract.media.utterances import Utterances, turns
from affuse.extract.media.windows import Bounds, Reached, SoundBuffer, Windows
from affuse.extract.mouths import Mouths
from affuse.extract.text.transcript import Transcript, Word
from affuse.extract.voice.recognise import Recogniser
from affuse.extract.whose_face import FacesSeen, Whose, steps_of
from affuse.samples import Sample

__all__ = ["ClipExtractor", "ClipSettings", "Transcript", "Window", "Word"]

T = TypeVar("T")

OnSeconds = Callable[[float, float | None], None]
"""Told the seconds that are done, of how many; None where the length is not known."""

# Windows that wait for their voice, at most.
_AHEAD = 2
# Pieces of sound and pictures that are decoded while faces are read, at most.
_DECODED = 32


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a recording; all seconds are from the start of the recording.

    Its sample has any of `text`, `audio` and `vision`, with the second at which each step starts. A
    modality without content is absent: no known word, or words in a language that the features do
    not know; no speech; no face. All may be.
    """

    start: float
    end: float  # the last ends with the recording
    sample: Sample
    words: tuple[Word, ...]  # those whose middle lies in the window
    # When its last sound and picture were, by `time.monotonic`; features come later.
    there: float = field(default=0.0, compare=False)
    # Of its sound, by which copies are told (`affuse.extract.fingerprint`); of segments alone.
    prints: tuple[int, ...] = ()
    face: Whose | None = None  # whose face the sample has
    each: tuple[tuple[Whose, Sample], ...] = ()  # all faces, if the settings ask for that


class ClipExtractor:
    """Reads clips. Models are loaded when they are first needed, and kept.

    Args:
        threads: whether parts of the work go on side by side; not where other processes have the
            other cores.

    Attributes:
        widths: modality to the width of its features.
        versions: modality to the name of its extractor, which changes whenever features would.
    """

    def __init__(self, settings: ClipSettings | None = None, *, threads: bool = True) -> None:
        self.settings = ClipSettings() if settings is None else settings
        self._threads = threads
        self.features = ClipFeatures(self.settings)
        self.widths = self.features.widths
        self.versions = self.features.versions

    def windows(
        self,
        source: decode.Source,
        transcript: Transcript | None = None,
        *,
        tracks: Wanted | None = None,
        account: Account | None = None,
        progress: OnSeconds | None = None,
        segment: Segment | None = None,
    ) -> Iterator[Window]:
        """The windows of a recording in order, each as soon as it is read; at least one.

        A window ends every `step` seconds and holds the last `window` seconds, or follows speech,
        if the settings say so; the last one ends with the recording. Memory does not grow with the
        length of the recording. Without a transcript, speech is recognised if the settings say so.

        Args:
            tracks: those to read; by default those that matter.
            account: filled in with what is read and what is lost.
            progress: told the seconds that are done.
            segment: all that is read of it, in windows of the settings' length, the last of which
                is what remains.

        Raises:
            InputError: nothing in it can be read as sound or pictures, or it ends before the
                segment; or words without times for a stream that cannot be read twice and does not
                state its length.
        """
        if transcript is not None and not transcript.timed and transcript.words:
            start, end = segment or Segment()
            end = _known_duration(source, tracks) if end is None else end
            transcript = transcript.spread(max(0.0, end - start), start)
        with decode.MediaReader(source, fps=self.settings.fps, wanted=tracks) as media:
            told, empty = Account() if account is None else account, True
            bounds = self._bounds(media.kinds, transcript)
            if segment is not None:
                bounds = Segments([segment], self.settings.window)
            reading = _Reading(
                *(self.features, media, bounds, transcript, told, progress),
                mouths=_mouths(source, media),
            )
            for window in reading.windows(threads=self._threads):
                empty = False
                yield window
            if empty and segment is not None:
                raise nothing_from(segment, media.name)

    def _bounds(self, kinds: Sequence[str], transcript: Transcript | None) -> Bounds:
        settings = self.settings
        if settings.follow and "sound" in kinds:
            return Utterances(turns(transcript.words) if transcript is not None else [])
        return Windows(settings.window, settings.step or settings.window)

    def sent_windows(self, media: SentMedia, *, account: Account | None = None) -> Iterator[Window]:
        """The windows of what is sent piece by piece, as of `windows`."""
        told = Account() if account is None else account
        bounds = Windows(self.settings.window, self.settings.step or self.settings.window)
        reading = _Reading(self.features, media, bounds, None, told, None)
        yield from reading.windows(threads=self._threads)

    def segments(
        self,
        source: Path,
        segments: Sequence[Segment],
        *,
        tracks: Wanted | None = None,
        account: Account | None = None,
    ) -> list[list[Window]]:
        """The windows of each segment of a recording, which is decoded once, up to the last end.

        A segment is cut into windows of the settings' length, the last of which is what remains;
        none lies beyond the end of the recording, so that a segment may have none. Words are those
        that are recognised, if the settings say so.

        Raises:
            InputError: nothing in it can be read as sound or pictures.
        """
        bounds = Segments(segments, self.settings.window)
        told = Account() if account is None else account
        with decode.MediaReader(source, fps=self.settings.fps, wanted=tracks) as media:
            reading = _Reading(
                *(self.features, media, bounds, None, told, None), mouths=_mouths(source, media)
            )
            read = reading.windows(threads=self._threads)
            found = {(window.start, window.end): window for window in read}
        return [[found[piece] for piece in pieces] for pieces in bounds.taken]


def nothing_from(segment: Segment, source: str | Path) -> InputError:
    """The error for a segment that lies beyond the end of its recording."""
    remedy = "give start and end in seconds within the recording"
    return InputError(f"has nothing from {segment.start:g} s on", remedy=remedy, source=source)


def _mouths(source: decode.Source, media: decode.MediaReader) -> Mouths | None:
    """Another look at the pictures of a file; of a stream there is none."""
    return Mouths(source, media.wanted) if isinstance(source, Path) else None


def _known_duration(source: decode.Source, tracks: Wanted | None) -> float:
    """The length of a recording, which is then as if it had not been read."""
    if not decode.rewinds(source):
        problem = "words without times need a recording that can be read twice"
        remedy = "give a file, or a transcript with times (.srt, .vtt, .json)"
        raise InputError(problem, remedy=remedy, source=decode.name_of(source))
    duration = decode.media_duration(source, tracks)
    if not isinstance(source, Path):
        source.seek(0)
    return duration or 0.0


class _Here(Executor):
    """Does what it is given at once, in this thread."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class _Reading:
    """One pass over one recording."""

    def __init__(
        self,
        features: ClipFeatures,
        media: decode.MediaReader | SentMedia,
        bounds: Bounds,
        transcript: Transcript | None,
        account: Account,
        progress: OnSeconds | None,
        mouths: Mouths | None = None,
    ) -> None:
        settings = features.settings
        self._features, self._media, self._progress = features, media, progress
        self._sound, self._reached = SoundBuffer(), Reached(media.kinds, media.skew)
        self._bounds = bounds
        self._mouths = mouths
        self._faces = FacesSeen(features, account, mouths)
        self._words = [] if transcript is None else list(transcript.words)
        if transcript is not None and transcript.origin.file is None:
            # A file's subtitles stay whole; of words alone nothing but their start tells the order.
            self._words.sort(key=lambda word: word.start)
        recognises = settings.recognise and transcript is None and "sound" in media.kinds
        languages = features.text.languages
        self._recogniser = Recogniser(settings.piece, languages) if recognises else None
        self._account = account
        account.begin(transcript, features.text, recognises=recognises)

    def windows(self, *, threads: bool) -> Iterator[Window]:
        # Voice and text of one window are made while the faces of the next are read.
        worker = ThreadPoolExecutor(1) if threads else _Here()
        mouths = nullcontext() if self._mouths is None else closing(self._mouths)
        with mouths, worker, closing(self._items(threads=threads)) as items:
            pending: deque[Future[Window]] = deque()
            for item in items:
                self._add(item)
                for start, end in self._bounds.complete(self._ready()):
                    pending.append(worker.submit(self._window(start, end)))
                while pending and (pending[0].done() or len(pending) > _AHEAD):
                    yield self._reported(pending.popleft().result())
                if self._bounds.finished:
                    break
                self._forget()
            pending += [worker.submit(self._window(start, end)) for start, end in self._rest()]
            for window in pending:
                yield self._reported(window.result())
        # What is stopped early does not end there.
        stated = self._media.stated or 0.0 if self._bounds.finished else 0.0
        self._account.end(self._media, max(self._reached.end, stated))

    def _items(self, *, threads: bool) -> Generator[Sound | Picture]:
        if threads and self._features.settings.wait:
            return read_ahead(self._media, _DECODED)
        # What is live is read when it comes: to wait for it must not outlast the reader.
        return (item for item in self._media)

    def _rest(self) -> Iterator[tuple[float, float]]:
        """The windows that the end of the recording completes."""
        if self._recogniser is not None:
            self._words += self._recogniser.finish()
            self._account.language = self._recogniser.language
        if "picture" in self._media.kinds:
            self._reached.advance("picture", self._media.pictured)
        yield from self._bounds.complete(self._reached.end)
        yield from self._bounds.last(self._reached.end)

    def _add(self, item: Sound | Picture) -> None:
        if isinstance(item, Sound):
            self._sound.add(item)
            self._bounds.hear(item)
            self._reached.advance("sound", self._sound.end)
            if self._recogniser is not None:
                self._words += self._recogniser.add(item.start, item.samples)
            return
        self._reached.advance("picture", item.time + item.shown)
        if not self._bounds.wants(item.time):
            return
        self._faces.add(item)

    def _ready(self) -> float:
        if self._recogniser is not None and self._features.settings.wait:
            return min(self._reached.complete, self._recogniser.until)
        return self._reached.complete

    def _forget(self) -> None:
        before = self._bounds.needed
        self._sound.forget(before)
        self._faces.forget(before)

    def _window(self, start: float, end: float) -> Callable[[], Window]:
        """Take what a window holds; what is returned makes its features of that."""
        # The words whose middle lies in it.
        words = tuple(w for w in self._words if start <= (w.start + w.end) / 2 < end)
        pictured = self._faces.between(start, end)
        signal = self._sound.between(start, end)
        name, there = f"{self._media.name}@{start:.2f}", time.monotonic()
        marked = isinstance(self._bounds, Segments)
        every = self._features.settings.faces == "all"

        def read() -> Window:
            face = self._faces.whose(pictured, start, end, signal)
            seen = [one for one in pictured.faces if face and one.person == face.person]
            sample = self._features.sample_of(
                *(name, start, signal, steps_of(seen), words),
                understood=self._account.understood,
                account=self._account,
            )
            prints = fingerprint(signal) if marked else ()
            each = [
                (whose, self._features.face_sample(f"{name} face {whose.person}", steps))
                for whose, steps in (self._faces.each(pictured, face) if every else ())
            ]
            return Window(start, end, sample, words, there, prints, face, tuple(each))

        return read

    def _reported(self, window: Window) -> Window:
        if self._progress is not None:
            self._progress(window.end, self._media.stated)
        return window
