"""One clock for a recording, whatever its time stamps are like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from media_files import pictures, tone, write_media
from odd_media import OnePass, Track, write_tracks

from affuse.extract.media.decode import MediaReader, Source, media_duration
from affuse.extract.media.frames import Sound
from affuse.extract.voice import RATE

DAY = 86_400.0
HOUR = 3600.0


class Read(NamedTuple):
    """What was read of a recording: seconds at which there is sound and pictures."""

    sound: list[tuple[float, float]]  # from when to when, one for each stretch without a gap
    pictures: list[float]
    length: float
    notices: list[str]
    stated: float | None


def read(source: Source) -> Read:
    sound: list[tuple[float, float]] = []
    shown = []
    with MediaReader(source, fps=10) as media:
        for item in media:
            if isinstance(item, Sound):
                end = item.start + len(item.samples) / RATE
                goes_on = bool(sound) and item.start - sound[-1][1] < 0.1
                start = sound.pop()[0] if goes_on else item.start
                sound.append((start, end))
            else:
                shown.append(item.time)
        length = max(media.pictured, sound[-1][1] if sound else 0.0)
        return Read(sound, shown, length, list(media.notices()), media.stated)


def camera(seconds: float, **options: object) -> Track:
    fps = int(options.get("fps", 10))  # type: ignore[call-overload]
    return Track(pictures(round(seconds * fps), 32, 32), **options)  # type: ignore[arg-type]


def microphone(seconds: float, **options: object) -> Track:
    return Track(tone(seconds), **options)  # type: ignore[arg-type]


def broadcast(path: Path, seconds: float, start: float = 0.0, **options: object) -> bytes:
    """A transport stream."""
    shown = camera(seconds, codec="mpeg2video", fps=25, start=start, **options)
    return write_tracks(path, shown, microphone(seconds, codec="mp2", start=start)).read_bytes()


def joined(first: float, second: float) -> Callable[[Path], Path]:
    """Two recordings of 4 s, one file after the other; the seconds at which they start."""

    def build(folder: Path) -> Path:
        parts = [broadcast(folder / "part.ts", 4.0, start) for start in (first, second)]
        path = folder / "a.ts"
        path.write_bytes(b"".join(parts))
        return path

    return build


def made(name: str, *tracks: Track) -> Callable[[Path], Path]:
    return lambda folder: write_tracks(folder / name, *tracks)


class Case(NamedTuple):
    """A recording, and what is right of it."""

    build: Callable[[Path], Path]
    length: float
    sound: list[tuple[float, float]] = []  # noqa: RUF012
    no_pictures: tuple[float, float] | None = None  # from when to when
    notice: str | None = None


OFF = (4.0, 19.0)
CASES = {
    "camera off": Case(made("a.mkv", camera(24, off=OFF), microphone(24)), 24, [(0, 24)], OFF),
    "microphone off": Case(
        made("a.mkv", camera(24), microphone(24, off=OFF)), 24, [(0, 4), (19, 24)]
    ),
    "both off": Case(
        made("a.mkv", camera(24, off=OFF), microphone(24, off=OFF)), 24, [(0, 4), (19, 24)], OFF
    ),
    "both off, one after the other": Case(
        made("a.mkv", camera(30, off=(4, 18)), microphone(30, off=(6, 22))),
        *(30, [(0, 6), (22, 30)], (4, 18)),
    ),
    "sound alone, with a gap": Case(made("a.mkv", microphone(24, off=OFF)), 24, [(0, 4), (19, 24)]),
    "camera off in an mp4": Case(
        made("a.mp4", camera(24, off=OFF), microphone(24, codec="aac")), 24, [(0, 24)], OFF
    ),
    "camera off in a transport stream": Case(
        made(
            "a.ts",
            camera(24, off=OFF, codec="mpeg2video", fps=25),
            microphone(24, codec="mp2"),
        ),
        *(24, [(0, 24)], OFF),
    ),
    "sound comes late": Case(
        made("a.mkv", camera(12), microphone(12, start=15)), 27, [(15, 27)], (12, 27)
    ),
    "sound comes late in an mp4": Case(
        made("a.mp4", camera(12), microphone(12, start=15, codec="aac")),
        *(27, [(15, 27)], (12, 27)),
    ),
    "pictures come late": Case(
        made("a.mkv", camera(4, start=14), microphone(18)), 18, [(0, 18)], (0, 14)
    ),
    "sound by wall time": Case(
        made("a.mkv", camera(4), microphone(4, start=20 * DAY)),
        *(4, [(0, 4)], None, "time stamps of the sound begin 1728000.0 s late, by another clock"),
    ),
    "pictures by wall time": Case(
        made("a.mkv", camera(4, start=20 * DAY), microphone(4)),
        *(
            4,
            [(0, 4)],
            None,
            "time stamps of the pictures begin 1728000.0 s late, by another clock",
        ),
    ),
    "both by wall time": Case(
        made("a.mkv", camera(4, start=20 * DAY), microphone(4, start=20 * DAY)), 4, [(0, 4)]
    ),
    "joined, each from nothing on": Case(joined(0, 0), 8, [(0, 8)], None, "start anew at 4.0 s"),
    "joined, by other clocks": Case(
        joined(0, 5000), 8, [(0, 8)], None, "jump at 4.0 s, which nothing confirms"
    ),
    "joined, the later first": Case(joined(5000, 0), 8, [(0, 8)], None, "at 4.0 s"),
    "stamps of 33 bits that wrap": Case(
        lambda folder: folder / "a.ts" if broadcast(folder / "a.ts", 6, 95_440) else folder,
        *(6, [(0, 6)]),
    ),
    "a clock that was set on the way": Case(
        made("a.mkv", camera(6, jump=(4, 9 * HOUR)), microphone(6, jump=(4, 9 * HOUR))),
        *(6, [(0, 6)], None, "jump at 4.0 s, which nothing confirms"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_everything_is_where_it_belongs(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    path = case.build(tmp_path)
    found = read(path)
    assert found.length == pytest.approx(case.length, abs=0.25)
    # What is told without decoding goes by the same clock.
    assert media_duration(path) == pytest.approx(found.length, abs=0.15)
    if case.sound:
        assert found.sound == [pytest.approx(bounds, abs=0.15) for bounds in case.sound]
    if case.no_pictures is not None:
        start, end = case.no_pictures
        assert not [time for time in found.pictures if start + 0.15 < time < end - 0.15]
        assert [time for time in found.pictures if time <= start + 0.15 or time >= end - 0.15]
    if case.notice is None:
        assert found.notices == []
    else:
        assert case.notice in found.notices[0]
        assert found.stated is None


@pytest.mark.parametrize(
    "name", ["camera off", "both off", "sound comes late", "sound by wall time"]
)
def test_a_stream_that_is_read_once_goes_by_the_same_clock(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    found = read(OnePass(case.build(tmp_path).read_bytes()))
    assert found.length == pytest.approx(case.length, abs=0.25)
    assert found.sound == [pytest.approx(bounds, abs=0.15) for bounds in case.sound]


def test_sound_and_pictures_stay_together_where_many_are_joined(tmp_path: Path) -> None:
    part = broadcast(tmp_path / "part.ts", 2.0)
    (tmp_path / "a.ts").write_bytes(part * 6)
    found = read(tmp_path / "a.ts")
    assert found.length == pytest.approx(12, abs=0.4)
    assert found.sound[-1][1] == pytest.approx(found.pictures[-1], abs=0.25)
    assert len(found.pictures) == pytest.approx(120, abs=8)
    assert "(4 more such)" in found.notices[0]


def test_pictures_at_uneven_times_keep_them(tmp_path: Path) -> None:
    stamps = [0, 1, 2, 9, 10, 31, 32, 33, 60, 61]
    path = write_media(tmp_path / "a.mkv", pictures(10), stamps=stamps)
    assert read(path).pictures == pytest.approx([stamp / 10 for stamp in stamps], abs=0.01)


def test_pictures_without_time_stamps_are_told(tmp_path: Path) -> None:
    path = write_media(
        tmp_path / "a.h264", pictures(50, 64, 64), codec="libx264", fps=25, container="h264"
    )
    found = read(path)
    assert found.length == pytest.approx(2, abs=0.1)
    assert found.pictures == pytest.approx(list(np.arange(20) / 10), abs=0.05)
