"""Decoded frames as sound and pictures, each at its place in the recording."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from affuse.extract.face.regions import Image
from affuse.extract.media.channels import Mixer
from affuse.extract.voice import RATE
from affuse.samples import FloatArray

LONGEST_SIDE = 480
"""Pictures are made smaller until their longer side has so many pixels."""

# Sound goes on where it ended unless its time stamps are off by more.
_DRIFT = 0.1
_EPSILON = 1e-3


class Sound(NamedTuple):
    """Samples, float32 `(N,)`, full scale 1, 16 kHz, mono; and the second of the first."""

    start: float
    samples: FloatArray


class Picture(NamedTuple):
    """A picture, the second at which it is shown and the seconds for which it is, about."""

    time: float
    image: Image
    shown: float


class Mono:
    """Makes one channel of 16 kHz of frames, whose form may change on the way."""

    def __init__(self) -> None:
        self._form: object = None
        self._resampler: Any = None
        self.mixer: Mixer | None = None

    def add(self, frame: Any) -> Iterator[FloatArray]:
        """What a frame completes, float32 `(N,)`; or the rest, of None."""
        import av

        if frame is not None:
            form = frame.format.name, frame.layout.name, frame.sample_rate
            if form != self._form:
                # Channels are mixed here: the resampler's own mix makes stereo louder than mono.
                self._resampler = av.AudioResampler(format="fltp", rate=RATE)
                self.mixer = Mixer(_channels(frame.layout))
                self._form = form
        if self._resampler is not None and self.mixer is not None:
            for piece in self._resampler.resample(frame):
                # What is no number is silence.
                channels = np.nan_to_num(piece.to_ndarray(), nan=0.0, posinf=1.0, neginf=-1.0)
                yield self.mixer.mix(np.clip(channels, -1, 1))


class SoundLine:
    """Puts sound after sound where it belongs: after the last, or later where there is a gap.

    Attributes:
        seconds: of sound, so far.
    """

    def __init__(self) -> None:
        self._mono = Mono()
        self._end: float | None = None
        self.seconds = 0.0
        self._offset = 0.0

    @property
    def channels(self) -> list[str]:
        """Those that are mixed, with a minus where one is turned round."""
        return [] if self._mono.mixer is None else self._mono.mixer.used

    def add(self, frame: Any) -> Iterator[Sound]:
        """The sound of a frame; of None, what is left."""
        stamp = None if frame is None else seconds_of(frame)
        for samples in self._mono.add(frame):
            yield self._place(stamp, samples)
            stamp = None

    def _place(self, stamp: float | None, samples: FloatArray) -> Sound:
        if self._end is None:
            self._end = max(stamp or 0.0, 0.0)
            self._offset = self._end - (stamp or 0.0)
        elif stamp is not None:
            gap = stamp + self._offset - self._end
            if gap > _DRIFT:
                self._end += gap
            elif gap < -_DRIFT:
                self._offset -= gap
        start = self._end
        self._end = start + len(samples) / RATE
        self.seconds += len(samples) / RATE
        return Sound(start, samples)


def _every(time: float) -> bool:
    del time
    return True


class Pictures(NamedTuple):
    """Which pictures are taken, and how large they are made."""

    fps: float  # a second, at most
    longest: int = LONGEST_SIDE  # pixels of the longer side, at most
    wants: Callable[[float], bool] = _every  # told a second, whether a picture of it is taken


class PictureLine:
    """Tells when each picture is shown, and takes so many a second, those that are asked for.

    Attributes:
        end: the second at which the pictures end that came so far, taken or not.
        stamped: whether any of them has a time stamp.
    """

    def __init__(self, stream: Any, taken: Pictures) -> None:
        self._stream, self._taken, self._interval = stream, taken, 1 / taken.fps
        self._last: float | None = None
        self._due = 0.0
        self.end = 0.0
        self.stamped = False

    def add(self, frame: Any) -> Iterator[Picture]:
        """The picture of a frame, if it is taken."""
        shown = self._shown(frame)
        stamp = seconds_of(frame)
        self.stamped |= stamp is not None
        time = (0.0 if self._last is None else self.end) if stamp is None else stamp
        self._last = time = max(time, self._last or 0.0)
        self.end = time + shown
        if time >= self._due - _EPSILON:
            self._due = max(self._due + self._interval, time - self._interval / 2)
            if self._taken.wants(time):
                pixels = pixels_of(frame, self._stream, self._taken.longest)
                yield Picture(time, pixels, shown)

    def _shown(self, frame: Any) -> float:
        stated = float((frame.duration or 0) * (frame.time_base or 0))
        rate = self._stream.average_rate or self._stream.guessed_rate
        usual = 1 / float(rate) if rate and 1 <= rate <= 1000 else 0.04
        return stated if stated > 0 else usual


def _channels(layout: Any) -> list[str]:
    """The names of channels; numbers from 1 where they have none."""
    named = enumerate((channel.name for channel in layout.channels), start=1)
    return [str(number) if name == "NONE" else name for number, name in named]


def seconds_of(frame: Any) -> float | None:
    """The time stamp of a frame, in seconds; None where it has none."""
    stamp = frame.dts if frame.pts is None else frame.pts
    time = None if stamp is None or frame.time_base is None else float(stamp * frame.time_base)
    return time if time is not None and math.isfinite(time) else None


def pixels_of(frame: Any, stream: Any, longest: int = LONGEST_SIDE) -> Image:
    """Red, green and blue, with square pixels, upright, and not larger than needed."""
    aspect = float(stream.sample_aspect_ratio or 1)
    width, height = frame.width * (aspect if 0.2 < aspect < 5 else 1.0), float(frame.height)
    shrink = min(1.0, longest / max(width, height))
    size = max(2, round(width * shrink)), max(2, round(height * shrink))
    shape = {"format": "rgb24", "width": size[0], "height": size[1]}
    pixels = frame.to_ndarray(**shape, interpolation="FAST_BILINEAR")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))
