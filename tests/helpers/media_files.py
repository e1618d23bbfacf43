"""Media files made for tests, by PyAV."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000


def pictures(count: int, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """Coloured noise, in which there is no face."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def tone(seconds: float, rate: int = RATE, level: float = 0.3) -> NDArray[np.float32]:
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def write_media(
    path: Path,
    images: Iterable[NDArray[np.uint8]] = (),
    sound: NDArray[np.float32] | None = None,
    *,
    fps: int = 10,
    codec: str = "mpeg4",
    pixels: str = "yuv420p",
    stamps: list[int] | None = None,
    rate: int = RATE,
    audio_codec: str = "pcm_s16le",
    container: str | None = None,
) -> Path:
    """A media file of pictures and sound `(N,)` or `(N, channels)`.

    Args:
        stamps: the time stamp of each picture in steps of 1 / fps; by default 0, 1, 2, ...
    """
    with av.open(str(path), "w", format=container) as out:
        streams: list[tuple[Any, list[Any]]] = []
        images = list(images)
        if images:
            video: Any = out.add_stream(codec, rate=fps)
            video.height, video.width = images[0].shape[:2]
            video.pix_fmt = pixels
            frames = []
            for number, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = number if stamps is None else stamps[number]
                frame.time_base = Fraction(1, fps)
                frames.append(frame)
            streams.append((video, frames))
        if sound is not None:
            audio: Any = out.add_stream(audio_codec, rate=rate)
            channels = 1 if sound.ndim == 1 else sound.shape[1]
            audio.layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
            streams.append((audio, _sound_frames(sound, audio, rate)))
        for stream, frames in streams:
            for frame in frames:
                out.mux(stream.encode(frame))
        for stream, _ in streams:
            out.mux(stream.encode(None))
    return path


def _sound_frames(sound: NDArray[np.float32], stream: Any, rate: int) -> list[Any]:
    flat = sound.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(flat, format="flt", layout=stream.layout.name)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(stream.format.name, stream.layout.name, rate, frame_size=1024)
    return [*resampler.resample(frame), *resampler.resample(None)]


def write_float_wav(path: Path, sound: NDArray[np.float32]) -> Path:
    """A wav of float samples as they are, NaN and infinity included."""
    data = sound.astype("<f4").tobytes()
    layout = struct.pack("<HHIIHH", 3, 1, RATE, RATE * 4, 4, 32)
    return _write_wav(path, layout, data, len(data))


def write_wav(path: Path, sound: NDArray[np.float32], stated: int | None = None) -> Path:
    """A wav of 16 bits, which may state another number of bytes than it has."""
    data = (sound * 32767).astype("<i2").tobytes()
    layout = struct.pack("<HHIIHH", 1, 1, RATE, RATE * 2, 2, 16)
    return _write_wav(path, layout, data, len(data) if stated is None else stated)


def _write_wav(path: Path, layout: bytes, data: bytes, stated: int) -> Path:
    size = min(stated + 36, 0xFFFFFFFF)
    head = b"RIFF" + struct.pack("<I", size) + b"WAVE" + b"fmt " + struct.pack("<I", len(layout))
    path.write_bytes(head + layout + b"data" + struct.pack("<I", stated) + data)
    return path
