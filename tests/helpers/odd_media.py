"""Recordings as devices make them: tracks that begin late, pause, are by other clocks, or empty."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

_MS = Fraction(1, 1000)
_BLOCK = 0.1


@dataclass
class Track:
    """A track of pictures, or of sound `(N,)` or `(N, channels)` at 16 kHz.

    Attributes:
        start: the second of its first time stamp.
        off: from when to when it stores nothing; what was to be there is left out.
        spacing: seconds from picture to picture, where that is not what the file's head says.
        jump: from which second on, and by how much, its stamps are too high.
        flags: names of dispositions.
    """

    content: Sequence[NDArray[np.uint8]] | NDArray[np.float32]
    start: float = 0.0
    off: tuple[float, float] | None = None
    jump: tuple[float, float] = (0.0, 0.0)
    fps: int | Fraction = 10
    spacing: float | None = None
    codec: str | None = None
    flags: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    def stamp(self, at: float) -> float:
        """The time stamp of what is at a second of the track."""
        return self.start + at + (self.jump[1] if at >= self.jump[0] else 0.0)

    @property
    def sounds(self) -> bool:
        return isinstance(self.content, np.ndarray)


def write_tracks(path: Path, *tracks: Track, container: str | None = None) -> Path:
    """A file of tracks, interleaved as they come from a device: by place, not by stamps."""
    with av.open(str(path), "w", format=container) as out:
        streams = [_stream(out, track) for track in tracks]
        pieces = [
            (at, number, frame)
            for number, (track, stream) in enumerate(zip(tracks, streams, strict=True))
            for at, frame in _frames(track, stream)
            if track.off is None or not track.off[0] <= at < track.off[1]
        ]
        for _, number, frame in sorted(pieces, key=lambda piece: piece[:2]):
            out.mux(streams[number].encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def _stream(out: Any, track: Track) -> Any:
    if track.sounds:
        stream = out.add_stream(track.codec or "pcm_s16le", rate=16_000)
        channels = 1 if track.content.ndim == 1 else track.content.shape[1]  # type: ignore[union-attr]
        stream.layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    else:
        stream = out.add_stream(track.codec or "mpeg4", rate=track.fps)
        stream.height, stream.width = track.content[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if track.codec == "mjpeg" else "yuv420p"
        if track.codec != "mpeg2video":
            stream.time_base = stream.codec_context.time_base = _MS
    stream.disposition = sum(av.stream.Disposition[flag] for flag in track.flags)
    stream.metadata.update(track.names)
    return stream


def _frames(track: Track, stream: Any) -> list[tuple[float, Any]]:
    """Frames with their second in the track."""
    if not track.sounds:
        places = [n * (track.spacing or float(1 / track.fps)) for n in range(len(track.content))]
        return [
            (at, _picture(image, track.stamp(at)))
            for at, image in zip(places, track.content, strict=True)
        ]
    size = stream.codec_context.frame_size or round(_BLOCK * 16_000)
    sound = track.content
    return [
        (at / 16_000, _sound(sound[at : at + size], track.stamp(at / 16_000), stream))
        for at in range(0, len(sound) - size + 1, size)
    ]


def _picture(image: NDArray[np.uint8], seconds: float) -> Any:
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame.pts, frame.time_base = round(seconds * 1000), _MS
    return frame


def _sound(samples: Any, seconds: float, stream: Any) -> Any:
    layout = stream.layout.name
    made = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
    made.sample_rate = 16_000
    (frame,) = av.AudioResampler(stream.format.name, layout, 16_000).resample(made)
    frame.pts, frame.time_base = round(seconds * 16_000), Fraction(1, 16_000)
    return frame


class OnePass(io.RawIOBase):
    """A stream that can be read once, forwards."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)
