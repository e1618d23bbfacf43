"""What is taken from a stretch of a recording: settings, and features of three modalities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, cast, get_args

import numpy as np
from pydantic import Field

from affuse.errors import unknown_name
from affuse.extract import face
from affuse.extract.account import SHORTEST_VOICE, Account
from affuse.extract.face.regions import Image
from affuse.extract.text import Layer, TextChoice, TextKind, TextOptions, TokenFeatures
from affuse.extract.text.glove import UNKNOWN
from affuse.extract.text.meaning import say_something
from affuse.extract.text.transcript import Word
from affuse.extract.voice import RATE, descriptors
from affuse.extract.voice.descriptors import VOICE_WIDTH, VOICED, floored, levelled, voice_frames
from affuse.extract.voice.recognise import SPEECH, recogniser_name, speech_probabilities
from affuse.extract.voice.whisper import HOP, speech_frames, speech_name
from affuse.extract.voice.whisper import WIDTH as SPEECH_WIDTH
from affuse.samples import FloatArray, Sample

_Steps = tuple[FloatArray, FloatArray]  # features and the second of each
Faces = Literal["one", "all"]
"""Whether what each of several faces says by itself is wanted, too."""
Steps = list[tuple[float, FloatArray]]
"""Seconds and features of a face."""


def one_of_faces(name: str) -> Faces:
    """The word, if it is one; else `InputError`."""
    for known in get_args(Faces):
        if name == known:
            return cast(Faces, name)
    raise unknown_name("choice of faces", name, get_args(Faces))


class ClipSettings(TextChoice):
    """What is extracted. Stored with a checkpoint, so that predictions see what training saw."""

    text: TextKind = "glove"
    layers: tuple[Layer, ...] = Field(
        default=(6,), min_length=1, description="hidden layers of minilm8, minilm or e5"
    )
    cepstra: int = Field(default=20, ge=0, le=39, description="mel cepstra beside the descriptors")
    audio: Literal["frames", "functionals", "speech", "summary"] = Field(
        default="functionals",
        description="voice descriptors every 10 ms (frames), or one step a window of their "
        "statistics over it (functionals); the states of a speech encoder every 20 ms (speech), or "
        "one step of the statistics of both (summary)",
    )
    trim: bool = Field(default=True, description="cut silence at both ends of a window's sound")
    pool: int = Field(
        default=1, ge=1, le=100, description="frames or states averaged into one step"
    )
    expression: bool = Field(
        default=True,
        description="beside the measures of a face, what the expression network reads in its "
        "pixels",
    )
    # Expressions last from half a second on (Ekman 2003): each is seen twice or more.
    fps: float = Field(default=5.0, gt=0, le=60, description="faces read a second, at most")
    window: float = Field(default=10.0, ge=1, le=60, description="seconds of a window")
    step: float | None = Field(
        default=None,
        ge=0.5,
        le=60,
        description="seconds from the end of a window to that of the next; by default its length",
    )
    follow: bool = Field(
        default=False,
        description="windows follow speech: utterances of 1 to 12 s by pauses, sentences and "
        "speakers, and what is silent between them",
    )
    recognise: bool = Field(default=False, description="recognise speech without a transcript")
    piece: float = Field(
        default=28.0, ge=2, le=28, description="seconds of speech that are recognised at once"
    )
    faces: Faces = Field(
        default="one", description="also what each of several faces says by itself (all)"
    )
    wait: bool = Field(
        default=True, description="a window waits until its words are recognised, not live"
    )


class ClipFeatures:
    """Makes the features that settings ask for.

    Attributes:
        text: what makes features of words.
        widths: modality to the width of its features.
        versions: modality to the name of its extractor, which changes whenever features would.
    """

    def __init__(self, settings: ClipSettings) -> None:
        self.settings = settings
        self.text = TextOptions(text=settings.text, layers=settings.layers).extractor()
        width = face.WIDTH + face.EXPRESSION_WIDTH * settings.expression
        self.widths = {"text": self.text.width, "audio": self._audio_width(), "vision": width}
        vision = face.NAME + f", {face.EXPRESSION_NAME}" * settings.expression
        self.versions = {"text": self.text.name, "audio": self._audio_name(), "vision": vision}

    @property
    def recogniser(self) -> str:
        """The name of what recognises speech for these features; other words, another name."""
        return recogniser_name(self.text.languages)

    def vision_step(self, image: Image, found: face.Face) -> FloatArray:
        """The features of a face in a picture, float32 `(widths["vision"],)`."""
        if not self.settings.expression:
            return found.features
        return np.concatenate([found.features, face.read_expression(image, found)])

    def sample_of(
        self,
        name: str,
        start: float,
        signal: FloatArray,
        faces: Steps,
        words: tuple[Word, ...],
        *,
        understood: bool = True,
        account: Account | None = None,
    ) -> Sample:
        """The sample of a window that starts at second `start`: its sound, faces and words.

        Args:
            signal: `(N,)`, 16 kHz, mono, from the start of the window on; may be empty.
            faces: seconds and features, as of `vision_step`.
            understood: whether the words are in a language that the features know; else there is
                no text.
            account: told the speech that is heard and the words that are known.
        """
        account = Account() if account is None else account
        found = {
            "text": self._text_steps(words, account) if understood else None,
            "audio": self._audio_steps(signal, start, account),
            "vision": _vision_steps(faces),
        }
        account.say(words, text=found["text"] is not None)
        if found["audio"] is not None and not say_something(words, self.text):
            # Beside a voice they would only take its weight away.
            found["text"] = None
        sequences = {m: steps[0] for m, steps in found.items() if steps is not None}
        times = {m: steps[1] for m, steps in found.items() if steps is not None}
        text = " ".join(word.text for word in words) or None
        return Sample(name, sequences, times=times, text=text)

    def face_sample(self, name: str, faces: Steps) -> Sample:
        """The sample of one face by itself."""
        found = _vision_steps(faces)
        if found is None:
            return Sample(name, {})
        return Sample(name, {"vision": found[0]}, times={"vision": found[1]})

    def _text_steps(self, words: tuple[Word, ...], account: Account) -> _Steps | None:
        if not words:
            return None
        text = joined(words)
        (encoded,) = self.text.encode([text])
        if encoded.cut:
            account.cut_short(words[0].start, len(encoded.features))
        if encoded.tokens == [UNKNOWN]:
            return None
        starts = [words[number].start for number in words_of_steps(encoded)]
        return encoded.features, np.array(starts, np.float32)

    def _audio_width(self) -> int:
        frames = VOICE_WIDTH + self.settings.cepstra
        statistics = descriptors.STATISTICS * frames
        return {
            "frames": frames,
            "functionals": statistics,
            "speech": SPEECH_WIDTH,
            "summary": statistics + 2 * SPEECH_WIDTH,
        }[self.settings.audio]

    def _audio_name(self) -> str:
        settings = self.settings
        name = descriptors.voice_name(cepstra=settings.cepstra, trim=settings.trim)
        frames, states = (f"{each}, levelled, floored" for each in (name, speech_name()))
        statistics = f"{frames}, {descriptors.FUNCTIONALS}"
        averaged = f", {settings.pool} averaged" if settings.pool > 1 else ""
        return {
            "frames": frames + averaged,
            "functionals": statistics,
            "speech": states + averaged,
            "summary": f"{statistics}; mean and deviation of {states}",
        }[settings.audio]

    def _audio_steps(self, signal: FloatArray, start: float, account: Account) -> _Steps | None:
        if len(signal) < SHORTEST_VOICE * RATE:
            return None
        chances = speech_probabilities(signal)
        account.hear(start, chances)
        if not (chances >= SPEECH).any():
            return None
        steps, times = self.voice_steps(signal)
        return steps, times + np.float32(start)

    def voice_steps(self, signal: FloatArray) -> _Steps:
        """The features of a voice, `(T, widths["audio"])`, and the second of each step.

        The signal, `(N,)`, 16 kHz, has 0.1 s or more. At which level it was recorded is lost.
        """
        settings, clean = self.settings, floored(levelled(signal))
        if settings.audio == "speech":
            states = descriptors.pool_frames(speech_frames(clean, RATE), settings.pool)
            return states, np.arange(len(states), dtype=np.float32) * np.float32(
                HOP * settings.pool
            )
        frames = voice_frames(clean, RATE, cepstra=settings.cepstra, trim=settings.trim)
        if settings.audio == "frames":
            steps = descriptors.pool_frames(frames.features, settings.pool)
            return steps, frames.times[:: settings.pool]
        steps = descriptors.functionals(frames.features, frames.features[:, VOICED])
        if settings.audio == "summary":
            # The encoder's states are clean enough for the plain moments.
            states = speech_frames(clean, RATE)
            steps = np.hstack([steps, states.mean(axis=0), states.std(axis=0)])
        return steps[None], frames.times[:1]


def joined(words: Iterable[Word]) -> str:
    """Words as a text whose white space parts them, so that `word_ids` count them.

    A word of several parts would shift the numbers that tie steps to words.
    """
    return " ".join("_".join(word.text.split()) or "_" for word in words)


def words_of_steps(encoded: TokenFeatures) -> list[int]:
    """The number of the word that each step is of; a special token's is that before it."""
    numbers, last = [], 0
    for number in encoded.word_ids:
        last = last if number is None else number
        numbers.append(last)
    return numbers


def _vision_steps(faces: Steps) -> _Steps | None:
    if not faces:
        return None
    features = np.stack([features for _, features in faces]).astype(np.float32)
    return features, np.array([time for time, _ in faces], np.float32)
