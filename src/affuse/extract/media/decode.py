"""Media files as sound and pictures, decoded once in the order in which they are stored.

Decoding is by PyAV, whose wheels carry FFmpeg. What is damaged is skipped, as a player does.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from affuse.errors import InputError
from affuse.extract.face.regions import Image
from affuse.extract.voice import RATE
from affuse.samples import FloatArray

LONGEST_SIDE = 480
"""Pictures are made smaller until their longer side has so many pixels."""

Source = Path | BinaryIO
"""A media file, or a stream of one that need not be seekable, such as standard input."""

# Time stamps that jump further say nothing of time: recordings that were joined, or damage.
# FFmpeg's own tools draw the line there too (dts_delta_threshold).
_JUMP = 10.0
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


class MediaReader:
    """Reads one media file, as a context. Iterating decodes it; that can be done once.

    It takes `fps` pictures a second at most. Memory does not grow with the length of the file.

    Attributes:
        kinds: of "sound" and "picture", those that the file has streams of.
        stated: the length in seconds that the file states, or None. It need not be true.
        pictured: the second at which the pictures end that were read so far, taken or not.

    Raises:
        InputError: no such file, or nothing in it can be read as sound or pictures.
    """

    def __init__(self, source: Source, *, fps: float) -> None:
        import av

        self._name = name_of(source)
        self._damage = av.error.FFmpegError, ArithmeticError, MemoryError, OSError, ValueError
        place = f"file:{source}" if isinstance(source, Path) else source
        with _readable(source, self._damage):
            self._container = av.open(place, "r", metadata_errors="replace")
        self._audio = self._first(self._container.streams.audio)
        self._video = self._first(self._container.streams.video)
        named = {"sound": self._audio, "picture": self._video}
        self.kinds = [kind for kind, stream in named.items() if stream is not None]
        self._streams = [named[kind] for kind in self.kinds]
        if not self.kinds:
            self._container.close()
            raise _nothing(self._name)
        stated = self._container.duration
        self.stated = stated / av.time_base if stated and stated > 0 else None
        start = self._container.start_time
        self._start = None if start is None else start / av.time_base
        self._interval = 1 / fps
        self._sounds, self._pictures = _SoundClock(), _PictureClock()
        self._resampler: Any = None
        self._format: Any = None
        self.pictured = 0.0

    def __enter__(self) -> MediaReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Sound | Picture]:
        found = False
        for packet in self._packets():
            for frame in self._frames(packet):
                read = self._sound(frame) if packet.stream is self._audio else self._picture(frame)
                for item in read:
                    found = True
                    yield item
        if self._resampler is not None:
            # What it still holds.
            with suppress(*self._damage):
                for piece in self._resampler.resample(None):
                    yield self._sounds.place(None, _samples(piece))
        if not found:
            raise _nothing(self._name)

    def scanned(self) -> float | None:
        """The length in seconds by time stamps: the file is read, but not decoded."""
        ends: dict[int, float] = {}
        for packet in self._packets():
            if packet.pts is not None and packet.time_base:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                ends[packet.stream.index] = max(end, ends.get(packet.stream.index, end))
        length = max(ends.values(), default=0.0) - (self._start or 0.0)
        return length if length > 0 else self.stated

    def _first(self, streams: Any) -> Any:
        """The first stream that has a decoder and is not the cover of a record."""
        import av

        for stream in streams:
            cover = av.stream.Disposition.attached_pic in stream.disposition
            if stream.codec_context is not None and not (cover and self._container.streams.audio):
                if stream.type == "video":
                    # Both kinds of threads, on cores that what uses the pictures leaves free.
                    stream.codec_context.thread_count = max(1, min(2, (os.cpu_count() or 1) - 2))
                    stream.thread_type = "AUTO"
                return stream
        return None

    def _packets(self) -> Iterator[Any]:
        # What follows cannot be told from what is damaged.
        with suppress(*self._damage):
            yield from self._container.demux(self._streams)

    def _frames(self, packet: Any) -> list[Any]:
        with suppress(*self._damage):
            return list(packet.decode())
        return []

    def _since_start(self, frame: Any) -> float | None:
        time = frame.time
        if time is None or not math.isfinite(time):
            return None
        if self._start is None:
            self._start = float(time)
        return float(time) - self._start

    def _sound(self, frame: Any) -> Iterator[Sound]:
        import av

        with suppress(*self._damage):
            shape = frame.format.name, frame.layout.name, frame.sample_rate
            if shape != self._format:
                # Channels are averaged here: the resampler's own mix makes stereo louder than mono.
                self._resampler = av.AudioResampler(format="fltp", rate=RATE)
                self._format = shape
            start = self._since_start(frame)
            for piece in self._resampler.resample(frame):
                yield self._sounds.place(start, _samples(piece))
                start = None

    def _picture(self, frame: Any) -> Iterator[Picture]:
        rate = self._video.average_rate or self._video.guessed_rate
        shown = 1 / float(rate) if rate and 1 <= rate <= 1000 else 0.04
        time = self._pictures.place(self._since_start(frame), shown)
        self.pictured = time + shown
        if self._pictures.due(time, self._interval):
            with suppress(*self._damage):
                yield Picture(time, _pixels(frame, self._video), shown)


class _SoundClock:
    """Where each piece of sound belongs: after the last, or later where there is a gap."""

    def __init__(self) -> None:
        self._end: float | None = None
        self._offset = 0.0

    def place(self, stamp: float | None, samples: FloatArray) -> Sound:
        if self._end is None:
            self._end = min(max(stamp or 0.0, 0.0), _JUMP)
            self._offset = self._end - (stamp or 0.0)
        elif stamp is not None:
            gap = stamp + self._offset - self._end
            if _DRIFT < gap <= _JUMP:
                self._end += gap
            elif abs(gap) > _DRIFT:
                self._offset -= gap
        start = self._end
        self._end = start + len(samples) / RATE
        return Sound(start, samples)


class _PictureClock:
    """When each picture is shown, and which are taken."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._offset = 0.0
        self._due = 0.0

    def place(self, stamp: float | None, shown: float) -> float:
        """The second of a picture that follows the last after about `shown` seconds."""
        expected = 0.0 if self._last is None else self._last + shown
        time = expected if stamp is None else stamp + self._offset
        if abs(time - expected) > _JUMP:
            self._offset += expected - time
            time = expected
        self._last = max(time, self._last or 0.0)
        return self._last

    def due(self, time: float, interval: float) -> bool:
        if time < self._due - _EPSILON:
            return False
        self._due = max(self._due + interval, time - interval / 2)
        return True


def media_duration(source: Source) -> float | None:
    """The length in seconds by the time stamps of what is stored, without decoding it.

    What the file states where it cannot be read twice; None where it states nothing.
    """
    with MediaReader(source, fps=1) as reader:
        return reader.scanned() if rewinds(source) else reader.stated


def name_of(source: Source) -> str:
    """How a source is called in messages."""
    return str(source if isinstance(source, Path) else getattr(source, "name", "the stream"))


def _samples(piece: Any) -> FloatArray:
    """One channel, the mean of all; what is no number is silence."""
    channels = np.nan_to_num(piece.to_ndarray(), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.asarray(np.clip(channels, -1, 1).mean(axis=0, dtype=np.float32))


def _pixels(frame: Any, stream: Any) -> Image:
    """Red, green and blue, with square pixels, upright, and not larger than needed."""
    aspect = float(stream.sample_aspect_ratio or 1)
    width, height = frame.width * (aspect if 0.2 < aspect < 5 else 1.0), float(frame.height)
    shrink = min(1.0, LONGEST_SIDE / max(width, height))
    size = max(2, round(width * shrink)), max(2, round(height * shrink))
    shape = {"format": "rgb24", "width": size[0], "height": size[1]}
    pixels = frame.to_ndarray(**shape, interpolation="FAST_BILINEAR")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def rewinds(source: Source) -> bool:
    """Whether a source can be read twice."""
    return isinstance(source, Path) or source.seekable()


def _nothing(name: str) -> InputError:
    remedy = "give a whole media file, such as mp4, mkv, mov, wav or mp3"
    return InputError("nothing in it can be read as sound or pictures", remedy=remedy, source=name)


@contextmanager
def _readable(source: Source, damage: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Turn what goes wrong with opening into the one line for it."""
    if isinstance(source, Path):
        if not source.exists():
            raise InputError("no such file", remedy="check the path", source=source)
        if source.is_dir():
            raise InputError("is a folder", remedy="name a file", source=source)
        if source.is_file() and source.stat().st_size == 0:
            raise InputError("is empty", remedy="give a recording", source=source)
    try:
        yield
    except PermissionError:
        remedy = "change its rights"
        raise InputError("may not be read", remedy=remedy, source=name_of(source)) from None
    except damage:
        raise _nothing(name_of(source)) from None
