"""A clip to windows of text, audio and vision: media decoded once, whatever its length."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from affuse.config import Options
from affuse.errors import InputError
from affuse.extract import glove
from affuse.extract.activity import SPEECH, speech_probabilities
from affuse.extract.assembly import Clock, SoundBuffer, Windows, words_between
from affuse.extract.face import expression
from affuse.extract.face import reader as face
from affuse.extract.face.regions import Image
from affuse.extract.functionals import NAME as FUNCTIONALS_NAME
from affuse.extract.functionals import STATISTICS as FUNCTIONALS
from affuse.extract.functionals import functionals, pool_frames
from affuse.extract.media import (
    MediaReader,
    Picture,
    Sound,
    Source,
    media_duration,
    name_of,
    rewinds,
)
from affuse.extract.recognise import Recogniser
from affuse.extract.text import Layer, TextOptions
from affuse.extract.transcript import Transcript, Word
from affuse.extract.voice import RATE, VOICE_WIDTH, VOICED, voice_frames, voice_name
from affuse.samples import FloatArray, Sample

OnSeconds = Callable[[float, float | None], None]
"""Told the seconds that are done, of how many; None where the length is not known."""

# Less sound than this has no frame.
_SHORTEST_SOUND = 0.1


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a recording.

    Attributes:
        start: in seconds from the start of the recording.
        end: likewise; with the last window, the end of the recording.
        sample: any of `text`, `audio` and `vision`, with the second, from the start of the
            recording, at which each step starts. A modality without content is absent: no known
            word, no speech, no face. All may be.
        words: those whose middle lies in the window.
    """

    start: float
    end: float
    sample: Sample
    words: tuple[Word, ...]


class ClipSettings(Options):
    """What is extracted. Stored with a checkpoint, so that predictions see what training saw."""

    text: Literal["glove", "minilm"] = "glove"
    layers: tuple[Layer, ...] = Field(default=(6,), min_length=1, description="MiniLM's layers")
    cepstra: int = Field(default=20, ge=0, le=39, description="mel cepstra beside the descriptors")
    audio: Literal["frames", "functionals"] = Field(
        default="functionals",
        description="voice descriptors every 10 ms (frames), or one step a window of their "
        "statistics over it (functionals)",
    )
    trim: bool = Field(default=True, description="cut silence at both ends of a window's sound")
    pool: int = Field(default=1, ge=1, le=100, description="voice frames averaged into one step")
    expression: bool = Field(
        default=True,
        description="beside the measures of a face, what the expression network reads in its "
        "pixels",
    )
    fps: float = Field(default=10.0, gt=0, le=60, description="faces read a second, at most")
    window: float = Field(default=10.0, ge=1, le=60, description="seconds of a window")
    step: float | None = Field(
        default=None,
        ge=0.5,
        le=60,
        description="seconds from the end of a window to that of the next; by default its length",
    )
    recognise: bool = Field(default=False, description="recognise speech without a transcript")
    piece: float = Field(
        default=28.0, ge=2, le=28, description="seconds of speech that are recognised at once"
    )
    wait: bool = Field(
        default=True, description="a window waits until its words are recognised, not live"
    )


class ClipExtractor:
    """Reads clips. Models are loaded when they are first needed, and kept.

    Attributes:
        widths: modality to the width of its features.
        versions: modality to the name of its extractor, which changes whenever features would.
    """

    def __init__(self, settings: ClipSettings | None = None) -> None:
        self.settings = settings = ClipSettings() if settings is None else settings
        self._text = TextOptions(text=settings.text, layers=settings.layers).extractor()
        self._expression = settings.expression
        self.widths = {
            "text": self._text.width,
            "audio": (VOICE_WIDTH + settings.cepstra) * self._statistics,
            "vision": face.WIDTH + expression.WIDTH * self._expression,
        }
        self.versions = {
            "text": self._text.name,
            "audio": self._audio_name(),
            "vision": f"{face.NAME}, {expression.NAME}" if self._expression else face.NAME,
        }

    def windows(
        self,
        source: Source,
        transcript: Transcript | None = None,
        *,
        progress: OnSeconds | None = None,
    ) -> Iterator[Window]:
        """The windows of a recording in order, each as soon as it is read; at least one.

        A window ends every `step` seconds and holds the last `window` seconds; the last one ends
        with the recording. Memory does not grow with the length of the recording.

        Args:
            source: a media file, or a stream of one.
            transcript: without one, speech is recognised if the settings say so.
            progress: told what is done.

        Raises:
            InputError: nothing in it can be read as sound or pictures; or words without times for
                a stream that cannot be read twice and does not state its length.
        """
        if transcript is not None and not transcript.timed and transcript.words:
            transcript = transcript.spread(_known_duration(source))
        with MediaReader(source, fps=self.settings.fps) as media:
            yield from _Reading(self, media, transcript, name_of(source), progress).windows()

    def duration(self, source: Source) -> float | None:
        """The length of a recording in seconds, by its time stamps; None where it has none.

        Raises:
            InputError: as `windows`.
        """
        return media_duration(source)

    def vision_step(self, image: Image, found: face.Face) -> FloatArray:
        """The features of a face in a picture, float32 `(widths["vision"],)`."""
        if not self._expression:
            return found.features
        return np.concatenate([found.features, expression.read_expression(image, found)])

    def assemble(
        self,
        name: str,
        start: float,
        signal: FloatArray,
        faces: list[tuple[float, FloatArray]],
        words: tuple[Word, ...],
    ) -> Sample:
        """The sample of one window from its sound, the faces in it and their times, and its words.

        Args:
            name: the sample's id.
            start: of the window, in seconds.
            signal: `(N,)`, 16 kHz, mono, from the start of the window on; may be empty.
            faces: seconds and features, as of `vision_step`.
            words: with times.
        """
        parts = {
            "text": self._text_steps(words),
            "audio": self._audio_steps(signal, start),
            "vision": _vision_steps(faces),
        }
        found = {modality: part for modality, part in parts.items() if part is not None}
        return Sample(
            name,
            {modality: steps for modality, (steps, _) in found.items()},
            times={modality: times for modality, (_, times) in found.items()},
            text=" ".join(word.text for word in words) or None,
        )

    def _text_steps(self, words: tuple[Word, ...]) -> tuple[FloatArray, FloatArray] | None:
        if not words:
            return None
        # A word of several parts would shift the numbers that tie steps to words.
        text = " ".join("_".join(word.text.split()) or "_" for word in words)
        (encoded,) = self._text.encode([text])
        if encoded.tokens == [glove.UNKNOWN]:
            return None
        starts, last = [], words[0].start
        for number in encoded.word_ids:
            last = last if number is None else words[number].start
            starts.append(last)
        return encoded.features, np.array(starts, np.float32)

    @property
    def _statistics(self) -> int:
        """Statistics of each voice descriptor."""
        return FUNCTIONALS if self.settings.audio == "functionals" else 1

    def _audio_name(self) -> str:
        settings = self.settings
        frames = voice_name(cepstra=settings.cepstra, trim=settings.trim)
        if settings.audio == "functionals":
            return f"{frames}, {FUNCTIONALS_NAME}"
        return f"{frames}, {settings.pool} averaged" if settings.pool > 1 else frames

    def _audio_steps(
        self, signal: FloatArray, start: float
    ) -> tuple[FloatArray, FloatArray] | None:
        enough = len(signal) >= _SHORTEST_SOUND * RATE
        if not enough or not (speech_probabilities(signal) >= SPEECH).any():
            return None
        settings = self.settings
        frames = voice_frames(signal, RATE, cepstra=settings.cepstra, trim=settings.trim)
        times = frames.times + np.float32(start)
        if settings.audio == "functionals":
            steps = functionals(frames.features, frames.features[:, VOICED])
            return steps[None], times[:1]
        return pool_frames(frames.features, settings.pool), times[:: settings.pool]


def _vision_steps(faces: list[tuple[float, FloatArray]]) -> tuple[FloatArray, FloatArray] | None:
    if not faces:
        return None
    features = np.stack([features for _, features in faces]).astype(np.float32)
    return features, np.array([time for time, _ in faces], np.float32)


def _known_duration(source: Source) -> float:
    """The length of a recording, which is then as if it had not been read.

    Raises:
        InputError: a stream, which cannot be read twice.
    """
    if not rewinds(source):
        raise InputError(
            "words without times need a recording that can be read twice",
            remedy="give a file, or a transcript with times (.srt, .vtt, .json)",
            source=name_of(source),
        )
    duration = media_duration(source)
    if not isinstance(source, Path):
        source.seek(0)
    return duration or 0.0


class _Reading:
    """One pass over one recording."""

    def __init__(
        self,
        extractor: ClipExtractor,
        media: MediaReader,
        transcript: Transcript | None,
        name: str,
        progress: OnSeconds | None,
    ) -> None:
        settings = extractor.settings
        self._extractor, self._media, self._name, self._progress = extractor, media, name, progress
        self._sound, self._clock = SoundBuffer(), Clock(media.kinds)
        self._bounds = Windows(settings.window, settings.step or settings.window)
        self._tracker = face.FaceTracker()
        self._faces: deque[tuple[float, FloatArray]] = deque()
        self._words = list(transcript.words) if transcript is not None else []
        recognises = settings.recognise and transcript is None and "sound" in media.kinds
        self._recogniser = Recogniser(settings.piece) if recognises else None

    def windows(self) -> Iterator[Window]:
        for item in self._media:
            self._take(item)
            for start, end in self._bounds.complete(self._ready()):
                yield self._window(start, end)
            self._forget()
        if self._recogniser is not None:
            self._words += self._recogniser.finish()
        for start, end in self._bounds.complete(self._clock.end):
            yield self._window(start, end)
        last = self._bounds.last(self._clock.end)
        if last is not None:
            yield self._window(*last)

    def _take(self, item: Sound | Picture) -> None:
        if isinstance(item, Sound):
            self._sound.add(item)
            self._clock.advance("sound", self._sound.end)
            if self._recogniser is not None:
                self._words += self._recogniser.add(item.start, item.samples)
            return
        found = self._tracker.read(item.image)
        if found is not None:
            features = self._extractor.vision_step(item.image, found)
            self._faces.append((item.time, features))
        self._clock.advance("picture", item.time + item.shown)

    def _ready(self) -> float:
        if self._recogniser is not None and self._extractor.settings.wait:
            return min(self._clock.complete, self._recogniser.until)
        return self._clock.complete

    def _forget(self) -> None:
        before = self._bounds.needed
        self._sound.forget(before)
        while self._faces and self._faces[0][0] < before:
            self._faces.popleft()

    def _window(self, start: float, end: float) -> Window:
        words = words_between(self._words, start, end)
        faces = [(time, features) for time, features in self._faces if start <= time < end]
        signal = self._sound.between(start, end)
        name = f"{self._name}@{start:.2f}"
        sample = self._extractor.assemble(name, start, signal, faces, words)
        if self._progress is not None:
            self._progress(end, self._media.stated)
        return Window(start, end, sample, words)
