"""Sound and pictures that somebody sends piece by piece, read as those of a file are."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from affuse.extract.media.frames import Picture, PictureLine, Pictures, Sound, SoundLine
from affuse.extract.voice import RATE

_MOST_PIXELS = 1 << 24
_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))


class SentSound(NamedTuple):
    """The next sound: 16 bits a sample, little-endian, 16 kHz, mono."""

    samples: bytes


class SentPicture(NamedTuple):
    """A JPEG file, and the second of the recording at which it was taken."""

    time: float
    jpeg: bytes


class SentMedia:
    """What is sent, in the place of a `MediaReader`. It can be iterated once.

    Args:
        pieces: in the order in which they were made.
        sound: whether there will be sound.
        pictures: whether there will be pictures.
        fps: pictures a second that are taken, at most.
        name: how messages call it.
    """

    skew = 0.5
    """Whoever sends pictures may pause; sound is not kept waiting for longer, in seconds."""
    stated: float | None = None

    def __init__(
        self,
        pieces: Iterable[SentSound | SentPicture],
        *,
        sound: bool,
        pictures: bool,
        fps: float,
        name: str = "what is sent",
    ) -> None:
        self._pieces, self.name = pieces, name
        self.kinds = [*(["sound"] * sound), *(["picture"] * pictures)]
        self.tracks: dict[str, Any] = {}
        self._sounds, self._given, self._decoder = SoundLine(), 0, _Jpegs()
        unknown = SimpleNamespace(
            average_rate=Fraction(fps).limit_denominator(1000),
            guessed_rate=None,
            sample_aspect_ratio=None,
        )
        self._pictures = PictureLine(unknown, Pictures(fps))
        self.damaged: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Sound | Picture]:
        for piece in self._pieces:
            if isinstance(piece, SentSound):
                yield from self._sounds.add(self._frame(piece))
                continue
            frame = self._decoder.decode(piece)
            if frame is None:
                self.damaged["pictures"] += 1
            else:
                yield from self._pictures.add(frame)
        yield from self._sounds.add(None)

    @property
    def pictured(self) -> float:
        """The second at which the pictures end that were sent so far."""
        return self._pictures.end

    @property
    def heard(self) -> float:
        """Seconds of sound that were sent so far."""
        return self._sounds.seconds

    @property
    def channels(self) -> list[str]:
        """The channels of the sound."""
        return self._sounds.channels

    def gaps(self, kind: str) -> list[tuple[float, float]]:
        """None: what is sent has none."""
        del kind
        return []

    def notices(self) -> Iterator[str]:
        """What is lost so far, a line each."""
        for called, count in self.damaged.items():
            yield f"{count} damaged part{'s' * (count > 1)} of its {called} skipped"

    def _frame(self, piece: SentSound) -> Any:
        import av

        whole = np.frombuffer(piece.samples[: len(piece.samples) // 2 * 2], "<i2")
        frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._given, Fraction(1, RATE)
        self._given += len(whole)
        return frame


class _Jpegs:
    """Decodes JPEG files, each by itself."""

    def __init__(self) -> None:
        import av

        self._codec: Any = av.CodecContext.create("mjpeg", "r")
        # Frames in threads of their own would come a picture late.
        self._codec.thread_count = 1
        self._damage = av.error.FFmpegError, ValueError, MemoryError

    def decode(self, picture: SentPicture) -> Any:
        """The frame of a picture; None where it cannot be decoded, or is far too large."""
        import av

        if not 0 < _pixels_of(picture.jpeg) <= _MOST_PIXELS:
            return None
        try:
            frame = next(iter(self._codec.decode(av.Packet(picture.jpeg))), None)
        except self._damage:
            return None
        if frame is not None:
            frame.pts, frame.time_base = round(picture.time * 1000), Fraction(1, 1000)
        return frame


def _pixels_of(jpeg: bytes) -> int:
    """How many pixels a JPEG file says it has; 0 where it is none."""
    place = 2
    while jpeg[:2] == b"\xff\xd8" and place + 9 <= len(jpeg) and jpeg[place] == 0xFF:
        marker = jpeg[place + 1]
        if marker in _SIZED:
            height, width = struct.unpack_from(">HH", jpeg, place + 5)
            return int(height * width)
        alone = marker == 0xFF or marker in _ALONE
        place += (1 if marker == 0xFF else 2) if alone else 2 + _length(jpeg, place + 2)
    return 0


def _length(jpeg: bytes, place: int) -> int:
    return max(2, int.from_bytes(jpeg[place : place + 2], "big"))
