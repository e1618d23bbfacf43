"""What is taken from a stretch of a recording: settings, and features of three modalities."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from affuse.config import Options
from affuse.extract import face
from affuse.extract.account import SHORTEST_VOICE, Account
from affuse.extract.face.regions import Image
from affuse.extract.text import Layer, TextOptions
from affuse.extract.text.glove import UNKNOWN
from affuse.extract.text.transcript import Word
from affuse.extract.voice import RATE, descriptors
from affuse.extract.voice.descriptors import VOICE_WIDTH, VOICED, floored, levelled, voice_frames
from affuse.extract.voice.recognise import SPEECH, speech_probabilities
from affuse.samples import FloatArray, Sample

_Steps = tuple[FloatArray, FloatArray]  # features and the second of each


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
    # Expressions last from half a second on (Ekman 2003): each is seen twice or more.
    fps: float = Field(default=5.0, gt=0, le=60, description="faces read a second, at most")
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


class ClipFeatures:
    """Makes the features that settings ask for.

    Attributes:
        widths: modality to the width of its features.
        versions: modality to the name of its extractor, which changes whenever features would.
    """

    def __init__(self, settings: ClipSettings) -> None:
        self.settings = settings
        self._text = TextOptions(text=settings.text, layers=settings.layers).extractor()
        audio = VOICE_WIDTH + settings.cepstra
        audio *= descriptors.STATISTICS if settings.audio == "functionals" else 1
        width = face.WIDTH + face.EXPRESSION_WIDTH * settings.expression
        self.widths = {"text": self._text.width, "audio": audio, "vision": width}
        vision = face.NAME + f", {face.EXPRESSION_NAME}" * settings.expression
        self.versions = {"text": self._text.name, "audio": self._audio_name(), "vision": vision}

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
        faces: list[tuple[float, FloatArray]],
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
            "text": self._text_steps(words) if understood else None,
            "audio": self._audio_steps(signal, start, account),
            "vision": _vision_steps(faces),
        }
        account.say(words, text=found["text"] is not None)
        sequences = {m: steps[0] for m, steps in found.items() if steps is not None}
        times = {m: steps[1] for m, steps in found.items() if steps is not None}
        text = " ".join(word.text for word in words) or None
        return Sample(name, sequences, times=times, text=text)

    def _text_steps(self, words: tuple[Word, ...]) -> _Steps | None:
        if not words:
            return None
        # A word of several parts would shift the numbers that tie steps to words.
        text = " ".join("_".join(word.text.split()) or "_" for word in words)
        (encoded,) = self._text.encode([text])
        if encoded.tokens == [UNKNOWN]:
            return None
        starts, last = [], words[0].start
        for number in encoded.word_ids:
            last = last if number is None else words[number].start
            starts.append(last)
        return encoded.features, np.array(starts, np.float32)

    def _audio_name(self) -> str:
        settings = self.settings
        name = descriptors.voice_name(cepstra=settings.cepstra, trim=settings.trim)
        frames = f"{name}, levelled, floored"
        if settings.audio == "functionals":
            return f"{frames}, {descriptors.FUNCTIONALS}"
        return f"{frames}, {settings.pool} averaged" if settings.pool > 1 else frames

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
        settings = self.settings
        frames = voice_frames(
            floored(levelled(signal)), RATE, cepstra=settings.cepstra, trim=settings.trim
        )
        if settings.audio == "functionals":
            steps = descriptors.functionals(frames.features, frames.features[:, VOICED])
            return steps[None], frames.times[:1]
        steps = descriptors.pool_frames(frames.features, settings.pool)
        return steps, frames.times[:: settings.pool]


def _vision_steps(faces: list[tuple[float, FloatArray]]) -> _Steps | None:
    if not faces:
        return None
    features = np.stack([features for _, features in faces]).astype(np.float32)
    return features, np.array([time for time, _ in faces], np.float32)
