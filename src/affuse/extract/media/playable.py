"""Recordings for a browser's player: as they are where it knows them, else as WebM or WAV."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from affuse.errors import InputError, file_error
from affuse.extract.media.decode import MediaReader
from affuse.extract.media.frames import Picture, Sound
from affuse.extract.media.segments import Segment
from affuse.extract.voice import RATE
from affuse.files import digest_file, digest_json, make_folder
from affuse.samples import FloatArray

VERSION = 1
"""Changes whenever what is converted would."""
LONGEST = 600.0
"""Seconds of a recording that are converted, at most."""
_FPS, _STAMP = 25.0, Fraction(1, 1000)
_PICTURE_CODEC, _SOUND_CODEC, _SOUND_RATE = "libvpx-vp9", "libopus", 48_000
_QUICK = {"deadline": "realtime", "cpu-used": "8", "crf": "34", "b": "0", "row-mt": "1"}

_PCM = frozenset(("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le"))
_PLAYED: dict[str, tuple[str, frozenset[str], frozenset[str]]] = {
    "mov,mp4,m4a,3gp,3g2,mj2": (
        *("mp4", frozenset(("h264", "av1", "vp9"))),
        frozenset(("aac", "mp3", "opus", "flac")),
    ),
    "matroska,webm": ("webm", frozenset(("vp8", "vp9", "av1")), frozenset(("vorbis", "opus"))),
    "ogg": ("ogg", frozenset(), frozenset(("vorbis", "opus", "flac"))),
    "wav": ("wav", frozenset(), _PCM),
    "mp3": ("mpeg", frozenset(), frozenset(("mp3",))),
    "flac": ("flac", frozenset(), frozenset(("flac",))),
}
"""FFmpeg's name of a format to the name of its media type, and the codecs that browsers play."""
_PIXELS = ("yuv420p", "yuvj420p")


class Playable(NamedTuple):
    """A file for a player, and which seconds of it are the clip."""

    path: Path
    type: str  # its media type, such as `video/mp4`
    start: float = 0.0
    end: float | None = None  # None is the end of the file
    notice: str = ""  # what is lost, in words

    @property
    def pictures(self) -> bool:
        return self.type.startswith("video/")


def playable(path: Path, segment: Segment, folder: Path) -> Playable:
    """What a browser plays of a clip: the recording itself, or what it is converted to.

    Args:
        folder: where conversions are kept, by content and segment; it is made when needed.

    Raises:
        InputError: nothing in it can be read as sound or pictures.
    """
    known = media_type(path)
    if known is not None:
        return Playable(path, known, *segment)
    return converted(path, segment, folder / f"{_key(path, segment)}")


def media_type(path: Path) -> str | None:
    """The media type of a recording that browsers play as it is; None of any other.

    Where it has several tracks of a kind, a browser need not choose the one that matters.
    """
    import av

    try:
        with av.open(f"file:{path}", "r", metadata_errors="replace") as container:
            sounds = list(container.streams.audio)
            shown = [s for s in container.streams.video if not _is_cover(s)]
            name, of_pictures, of_sound = _PLAYED[container.format.name]
            plain = len(sounds) <= 1 and len(shown) <= 1 and bool(sounds or shown)
            heard = all(s.codec_context.name in of_sound for s in sounds)
            seen = all(s.codec_context.name in of_pictures and _plain(s) for s in shown)
    except (av.error.FFmpegError, KeyError, OSError, ValueError):
        return None
    return f"{'video' if shown else 'audio'}/{name}" if plain and heard and seen else None


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _plain(stream: Any) -> bool:
    return stream.codec_context.name != "h264" or stream.codec_context.pix_fmt in _PIXELS


def _key(path: Path, segment: Segment) -> str:
    return digest_json([VERSION, digest_file(path), list(segment)])


def converted(path: Path, segment: Segment, place: Path) -> Playable:
    """A clip as WebM, or as WAV where it has sound alone; at most `LONGEST` seconds of it.

    Args:
        place: of the file, without its suffix; one that is there is not made again.
    """
    for suffix in (".webm", ".wav"):
        if (done := place.with_name(place.name + suffix)).exists():
            return _made(done, segment)
    make_folder(place.parent)
    with MediaReader(path, fps=_FPS) as media:
        suffix = ".webm" if "picture" in media.kinds and _encodes(_PICTURE_CODEC) else ".wav"
        if suffix == ".wav" and "sound" not in media.kinds:
            problem = "has pictures alone, which this PyAV cannot encode for a browser"
            raise InputError(problem, remedy="convert it to mp4 or webm", source=path)
        done = place.with_name(place.name + suffix)
        draft = done.with_name(f".{os.getpid()}-{done.name}")
        try:
            write = _write_webm if suffix == ".webm" else _write_wav
            write(draft, _some(path, segment, media), "sound" in media.kinds)
            draft.replace(done)
        except OSError as error:
            raise file_error(error, "cannot be written", done) from None
        finally:
            with suppress(OSError):
                draft.unlink()
    return _made(done, segment)


def _made(place: Path, segment: Segment) -> Playable:
    import av

    kind = "video/webm" if place.suffix == ".webm" else "audio/wav"
    with av.open(f"file:{place}") as container:
        seconds = (container.duration or 0) / av.time_base
    whole = segment.end is not None and segment.end - segment.start <= LONGEST
    cut = not whole and seconds > LONGEST - 0.5
    return Playable(place, kind, notice=f"the first {LONGEST:g} s are played" * cut)


def _encodes(name: str) -> bool:
    import av

    try:
        av.Codec(name, "w")
    except (ValueError, av.error.FFmpegError):
        return False
    return True


def _some(path: Path, segment: Segment, media: MediaReader) -> Iterator[Sound | Picture]:
    """As `_within`, but at least one."""
    items = _within(media, segment)
    first = next(items, None)
    if first is None:
        problem = f"has nothing from {segment.start:g} s on"
        remedy = "give start and end in seconds within the recording"
        raise InputError(problem, remedy=remedy, source=path)
    return chain((first,), items)


def _within(media: MediaReader, segment: Segment) -> Iterator[Sound | Picture]:
    """What lies in the segment, its seconds counted from its start."""
    first = segment.start
    last = min(segment.end or float("inf"), first + LONGEST)
    ended = dict.fromkeys(media.kinds, False)
    for item in media:
        if isinstance(item, Sound):
            ended["sound"] |= item.start >= last
            left = max(0, round((first - item.start) * RATE))
            right = max(0, round((last - item.start) * RATE)) if last < float("inf") else None
            if len(kept := item.samples[left:right]):
                yield Sound(item.start + left / RATE - first, kept)
        else:
            ended["picture"] |= item.time >= last
            if item.time < last and item.time + item.shown > first:
                yield item._replace(time=max(item.time - first, 0.0))
        if all(ended.values()):
            return


def _write_wav(place: Path, items: Iterator[Sound | Picture], sounds: bool) -> None:
    del sounds
    with wave.open(str(place), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for samples in _joined(items):
            file.writeframes((samples * 32767).astype("<i2").tobytes())


def _joined(items: Iterator[Sound | Picture]) -> Iterator[FloatArray]:
    """Sound without gaps: what is missing is silence."""
    written = 0
    for item in items:
        if isinstance(item, Sound):
            gap = round(item.start * RATE) - written
            yield from (np.zeros(gap, np.float32),) if gap > RATE // 50 else ()
            yield item.samples
            written += len(item.samples) + (gap if gap > RATE // 50 else 0)


def _write_webm(place: Path, items: Iterator[Sound | Picture], sounds: bool) -> None:
    import av

    with av.open(str(place), "w", format="webm") as out:
        audio: Any = out.add_stream(_SOUND_CODEC, rate=_SOUND_RATE) if sounds else None
        if audio is not None:
            audio.layout = "mono"
        # The first picture tells the size, which must be even.
        before: list[Sound | Picture] = []
        first = next((i for i in _noting(items, before) if isinstance(i, Picture)), None)
        video: Any = None
        if first is not None:
            video = out.add_stream(_PICTURE_CODEC, rate=round(_FPS), options=_QUICK)
            height, width = first.image.shape[:2]
            video.height, video.width = height + height % 2, width + width % 2
            video.pix_fmt, video.codec_context.time_base = "yuv420p", _STAMP
        resampler = av.AudioResampler("fltp", "mono", _SOUND_RATE, frame_size=960)
        stamp, written = -1, 0
        for item in chain(before, items):
            if isinstance(item, Picture):
                stamp = max(round(item.time / _STAMP), stamp + 1)
                out.mux(video.encode(_frame(item, video, stamp)))
            elif audio is not None:
                gap = max(round(item.start * RATE) - written, 0)
                heard = np.concatenate([np.zeros(gap, np.float32), item.samples])
                for piece in resampler.resample(_heard(heard, written)):
                    out.mux(audio.encode(piece))
                written += len(heard)
        if audio is not None:
            for piece in resampler.resample(None) if written else ():
                out.mux(audio.encode(piece))
            out.mux(audio.encode(None))
        if video is not None:
            out.mux(video.encode(None))


def _noting(
    items: Iterator[Sound | Picture], noted: list[Sound | Picture]
) -> Iterator[Sound | Picture]:
    for item in items:
        noted.append(item)
        yield item


def _frame(picture: Picture, stream: Any, stamp: int) -> Any:
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture.image), format="rgb24")
    frame = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
    frame.pts, frame.time_base = stamp, _STAMP
    return frame


def _heard(samples: FloatArray, place: int) -> Any:
    import av

    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, place, Fraction(1, RATE)
    return frame
