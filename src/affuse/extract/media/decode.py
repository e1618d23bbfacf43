"""Media files as sound and pictures, decoded once in the order in which they are stored.

Decoding is by PyAV, whose wheels carry FFmpeg. What is damaged is skipped, as a player does, and
counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from affuse.errors import InputError
from affuse.extract.media.frames import Picture, PictureLine, Pictures, Sound, SoundLine
from affuse.extract.media.glimpse import glimpse
from affuse.extract.media.stamps import RecordingClock
from affuse.extract.media.tracks import Found, Track, Wanted, choose_track

Source = Path | BinaryIO
"""A media file, or a stream of one that need not be seekable, such as standard input."""

# In files of such formats, time stamps may start anew (FFmpeg's AVFMT_TS_DISCONT).
_JOINS = 512
_CALLED = {"audio": "sound", "video": "pictures"}


class MediaReader:
    """Reads one media file, as a context. Iterating decodes it; that can be done once.

    It takes `fps` pictures a second at most. Memory does not grow with the length of the file.

    Args:
        fps: or `Pictures`, which say more of which are taken.
        wanted: the tracks to read; by default those that matter (`choose_track`).

    Attributes:
        name: how messages call the source.
        tracks: what is read of the file, by "sound" and "picture".
        damaged: of "sound" and "pictures", how many packets and frames were damaged so far.

    Raises:
        InputError: no such file, no such track, or nothing that can be read as sound or pictures.
    """

    skew = 30.0
    """A stream of a file that is so many seconds behind the other is no longer waited for."""

    def __init__(
        self, source: Source, *, fps: float | Pictures, wanted: Wanted | None = None
    ) -> None:
        import av

        self._source, self.name = source, name_of(source)
        self._damage = av.error.FFmpegError, ArithmeticError, MemoryError, OSError, ValueError
        self._container = self._open()
        try:
            self.tracks = self._choose(wanted or Wanted())
        except BaseException:
            self._container.close()
            raise
        stated, start = self._container.duration, self._container.start_time
        self._stated = stated / av.time_base if stated and stated > 0 else None
        self._clock = RecordingClock(
            None if start is None else start / av.time_base,
            self._stated,
            joins=bool(self._container.format.flags & _JOINS),
        )
        self.damaged: Counter[str] = Counter()
        self._sounds = SoundLine()
        picture = self.tracks.get("picture")
        taken = fps if isinstance(fps, Pictures) else Pictures(fps)
        self._pictures = None if picture is None else PictureLine(picture.stream, taken)

    def __enter__(self) -> MediaReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Sound | Picture]:
        found = False
        for packet in self._packets():
            line = self._sounds if packet.stream.type == "audio" else self._pictures
            for frame in self._frames(packet):
                for item in self._read(line, frame):
                    found = True
                    yield item
        if "sound" in self.tracks:
            # What the resampler still holds.
            yield from self._read(self._sounds, None)
        if not found:
            raise _nothing(self._source)

    @property
    def kinds(self) -> list[str]:
        """Of "sound" and "picture", those that are read."""
        return list(self.tracks)

    @property
    def stated(self) -> float | None:
        """The length in seconds that the file states, if any. It need not be true."""
        return None if any(self._clock.notices) else self._stated

    @property
    def pictured(self) -> float:
        """The second at which the pictures end that were read so far, taken or not."""
        return 0.0 if self._pictures is None else self._pictures.end

    @property
    def heard(self) -> float:
        """Seconds of sound that were read so far."""
        return self._sounds.seconds

    @property
    def channels(self) -> list[str]:
        """The channels of the sound that are mixed, with a minus where one is turned round."""
        return self._sounds.channels

    @property
    def wanted(self) -> Wanted:
        """The tracks that are read, as they are asked for."""
        numbers = {kind: track.number for kind, track in self.tracks.items()}
        return Wanted(numbers.get("sound"), numbers.get("picture"))

    def gaps(self, kind: str) -> list[tuple[float, float]]:
        """From when to when a kind of stream holds nothing though the recording goes on."""
        return self._clock.gaps(self.tracks[kind].stream.index)

    def notices(self) -> Iterator[str]:
        """What is guessed or lost so far, a line each."""
        yield from (track.notice for track in self.tracks.values() if track.notice is not None)
        yield from self._clock.notices
        for called, count in self.damaged.items():
            yield f"{count} damaged part{'s' * (count > 1)} of its {called} skipped"
        if self._pictures is not None and self._pictures.end and not self._pictures.stamped:
            yield "its pictures have no time stamps; they are taken to be equally far apart"

    def scanned(self) -> float | None:
        """The length in seconds by time stamps: the file is read, but not decoded."""
        for _ in self._packets():
            pass
        return self._clock.length or self._stated

    def _open(self) -> Any:
        import av

        place = f"file:{self._source}" if isinstance(self._source, Path) else self._source
        with _readable(self._source, self._damage):
            return av.open(place, "r", metadata_errors="replace")

    def _choose(self, wanted: Wanted) -> dict[str, Track]:
        streams, name = self._container.streams, self.name
        sound = choose_track(streams.audio, "audio", wanted.audio, self._glimpse, name=name)
        # Beside sound, a picture that does not move is a cover.
        stills = sound is None
        picture = choose_track(
            streams.video, "video", wanted.video, self._glimpse, stills=stills, name=name
        )
        if sound is None and picture is None:
            raise _nothing(self._source)
        if picture is not None:
            # Both kinds of threads, on cores that what uses the pictures leaves free.
            threads = max(1, min(2, (os.cpu_count() or 1) - 2))
            picture.stream.codec_context.thread_count = threads
            picture.stream.thread_type = "AUTO"
        named = {"sound": sound, "picture": picture}
        return {kind: track for kind, track in named.items() if track is not None}

    def _glimpse(self, indices: Sequence[int]) -> Mapping[int, Found]:
        """What streams hold, by another look at the file; nothing where it can be read but once."""
        if not rewinds(self._source):
            return {}
        if isinstance(self._source, Path):
            with self._open() as container:
                return glimpse(container, indices)
        place = self._source.tell()
        self._source.seek(0)
        with self._open() as container:
            found = glimpse(container, indices)
        self._source.seek(place)
        return found

    def _packets(self) -> Iterator[Any]:
        """The packets of what is read, with their time stamps moved to the recording's clock."""
        streams = [track.stream for track in self.tracks.values()]
        # What follows cannot be told from what is damaged.
        with suppress(*self._damage):
            for packet in self._container.demux(streams):
                if packet.size:
                    self._clock.place(packet, _CALLED[packet.stream.type])
                yield packet

    def _frames(self, packet: Any) -> list[Any]:
        try:
            frames = list(packet.decode())
        except self._damage:
            self.damaged[_CALLED[packet.stream.type]] += 1
            return []
        for frame in frames:
            if frame.is_corrupt:
                self.damaged[_CALLED[packet.stream.type]] += 1
        return frames

    def _read(self, line: Any, frame: Any) -> Iterator[Sound | Picture]:
        with suppress(*self._damage):
            yield from line.add(frame)


def media_duration(source: Source, wanted: Wanted | None = None) -> float | None:
    """The length in seconds by the time stamps of what is stored, without decoding it.

    What the file states where it cannot be read twice; None where it states nothing.
    """
    with MediaReader(source, fps=1, wanted=wanted) as reader:
        return reader.scanned() if rewinds(source) else reader.stated


def name_of(source: Source) -> str:
    """How a source is called in messages."""
    return str(source if isinstance(source, Path) else getattr(source, "name", "the stream"))


def rewinds(source: Source) -> bool:
    """Whether a source can be read twice."""
    return isinstance(source, Path) or source.seekable()


def _nothing(source: Source) -> InputError:
    remedy = "give a whole media file, such as mp4, mkv, mov, wav or mp3"
    if not rewinds(source):
        remedy = "an mp4 must be fragmented or have its index first: else give it as a file, or mkv"
    problem = "nothing in it can be read as sound or pictures"
    return InputError(problem, remedy=remedy, source=name_of(source))


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
        raise _nothing(source) from None
