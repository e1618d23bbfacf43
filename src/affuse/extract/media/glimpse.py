"""A look into the tracks of a file where several might be meant: a second of sound or a picture or
two here and there, at a cost that does not grow with the length of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np

from affuse.extract.face.networks import detect
from affuse.extract.face.regions import Image
from affuse.extract.media.frames import Mono, pixels_of, seconds_of
from affuse.extract.media.tracks import Found
from affuse.extract.voice.recognise import is_speech
from affuse.samples import FloatArray

# Where is looked, as shares of the length; and for how long there.
_PLACES = (0.04, 0.25, 0.5, 0.75, 0.92)
_SECONDS, _PICTURES = 1.5, 2
# Packets in a place after which a track that showed nothing is left alone.
_PATIENCE = 600
# Digital silence, as codecs leave it.
_SILENT = 5e-4
# Grey levels by which the pixels of one colour differ, and pictures that do not move.
_PLAIN, _STILL = 4.0, 0.3
# Pictures further apart, in seconds, are slides.
_APART = 1.5


def glimpse(container: Any, indices: Sequence[int]) -> Mapping[int, Found]:
    """What is in streams of an open file, by their indices; the file is wound on."""
    return {index: _glimpse(container, container.streams[index]) for index in indices}


def _glimpse(container: Any, stream: Any) -> Found:
    sense = _Ear() if stream.type == "audio" else _Eye(stream)
    length, start = container.duration, container.start_time or 0
    for place in _PLACES if length else (0.0,):
        with suppress(*_damage()):
            there = start + int(place * (length or 0))
            container.seek(int(there / 1_000_000 / stream.time_base), stream=stream)
        enough = sense.seconds + _SECONDS
        for packet in _packets(container, stream):
            with suppress(*_damage()):
                for frame in packet.decode():
                    sense.add(frame)
            if sense.seconds >= enough:
                break
    return sense.found()


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Packets from the next on that can be decoded by itself."""
    begun = False
    with suppress(*_damage()):
        for number, packet in enumerate(container.demux(stream)):
            # The last one, which is empty, would end the decoder before the next place.
            if packet.size == 0 or number > _PATIENCE:
                return
            begun |= packet.is_keyframe
            if begun:
                yield packet


def _damage() -> tuple[type[BaseException], ...]:
    import av

    return av.error.FFmpegError, ArithmeticError, MemoryError, OSError, ValueError


class _Ear:
    """Listens to a track."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._mono = Mono()
        self._pieces: list[FloatArray] = [np.zeros(1, np.float32)]

    def add(self, frame: Any) -> None:
        self._pieces += self._mono.add(frame)
        self.seconds += frame.samples / frame.sample_rate

    def found(self) -> Found:
        signal = np.concatenate(self._pieces)
        if np.abs(signal).max() < _SILENT:
            return Found(0, "silence")
        if is_speech(signal):
            return Found(2, "speech", enough=True)
        return Found(1, "sound", enough=True)


class _Eye:
    """Looks at a track."""

    def __init__(self, stream: Any) -> None:
        self.seconds = 0.0
        self._stream = stream
        self._images: list[Image] = []
        self._times: list[float] = []

    def add(self, frame: Any) -> None:
        self._images.append(pixels_of(frame, self._stream))
        self._times.append(seconds_of(frame) or 0.0)
        self.seconds += _SECONDS / _PICTURES

    def found(self) -> Found:
        small = [image[::8, ::8].mean(axis=2) for image in self._images]
        if all(float(picture.std()) < _PLAIN for picture in small):
            return Found(0, "pictures of one colour")
        if len(small) < 2 or self._times[1] - self._times[0] > _APART:
            return Found(1, "pictures")
        if 2 * sum(bool(detect(image)) for image in self._images) >= len(small):
            return Found(3, "a face", enough=True)
        pairs = [(a, b) for a, b in pairwise(small) if a.shape == b.shape]
        changes = [float(np.abs(a - b).mean()) for a, b in pairs]
        # Slides change too, but most of the time they do not.
        if changes and np.median(changes) > _STILL:
            return Found(2, "pictures that move")
        return Found(1, "pictures")
