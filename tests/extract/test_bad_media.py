"""Damaged, odd and empty media: each gives a clear result or one clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from media_files import pictures, tone, write_float_wav, write_media, write_wav

from affuse.errors import InputError
from affuse.extract.clip import ClipExtractor, Transcript, Word

Build = Callable[[Path], Path]
SECOND = tone(1.0)


class Case(NamedTuple):
    """A file, and the length that it is found to have; None where nothing in it can be read."""

    build: Build
    seconds: float | None


def content(name: str, data: bytes) -> Build:
    def build(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return build


def media(name: str, count: int = 10, sound: bool = False, **options: object) -> Build:
    """`count` pictures, ten a second unless told otherwise, and a second of sound if asked for."""
    size = {k: options.pop(k) for k in ("height", "width") if k in options}

    def build(folder: Path) -> Path:
        images = pictures(count, **size)  # type: ignore[arg-type]
        return write_media(folder / name, images, SECOND if sound else None, **options)  # type: ignore[arg-type]

    return build


def heard(name: str, sound: object, **options: object) -> Build:
    return lambda folder: write_media(folder / name, (), sound, **options)  # type: ignore[arg-type]


def damaged(build: Build, damage: Callable[[bytes], bytes], name: str | None = None) -> Build:
    """What a file becomes by damage, under another name if one is given."""

    def rebuild(folder: Path) -> Path:
        whole = build(folder)
        path = whole if name is None else folder / name
        path.write_bytes(damage(whole.read_bytes()))
        return path

    return rebuild


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def scratched(data: bytes) -> bytes:
    rng, spoiled = np.random.default_rng(0), bytearray(data)
    for place in rng.integers(len(data) // 4, len(data), 40):
        spoiled[place] = int(rng.integers(256))
    return bytes(spoiled)


def folder_of(folder: Path) -> Path:
    (folder / "talk.mp4").mkdir()
    return folder / "talk.mp4"


NOISE = np.random.default_rng(1).bytes(5000)
CHORD = sum(np.sin(2 * np.pi * f * np.arange(32000) / 16000) for f in (262, 330, 392)) * 0.2

CASES = {
    "absent": Case(lambda folder: folder / "none.mp4", None),
    "a folder": Case(folder_of, None),
    "empty": Case(content("a.mp4", b""), None),
    "one byte": Case(content("a.mp4", b"x"), None),
    "text": Case(content("a.mp4", b"this is not a film\n" * 50), None),
    "noise": Case(content("a.mkv", NOISE), None),
    "zeros": Case(content("a.avi", bytes(5000)), None),
    "a subtitle file": Case(content("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\nhello\n"), None),
    "a page": Case(content("a.mp4", b"<html><body>404</body></html>"), None),
    "a pdf": Case(content("a.mov", b"%PDF-1.7\n" + NOISE), None),
    "a zip": Case(content("a.mp4", b"PK\x03\x04" + NOISE), None),
    "a playlist of itself": Case(content("a.m3u8", b"#EXTM3U\n#EXTINF:1,\na.m3u8\n"), None),
    "a list of other files": Case(content("a.ffconcat", b"ffconcat version 1.0\nfile x"), None),
    "head of an mp4": Case(damaged(media("a.mp4"), lambda data: data[:60]), None),
    "mp4 without its index": Case(damaged(media("a.mp4"), half), None),
    "wav without data": Case(lambda folder: write_wav(folder / "a.wav", SECOND[:0]), None),
    "head of a wav": Case(damaged(heard("a.wav", SECOND), lambda data: data[:20]), None),
    "no sound": Case(media("a.mp4"), 1.0),
    "no pictures": Case(heard("a.wav", SECOND), 1.0),
    "both": Case(media("a.mkv", sound=True), 1.0),
    "silence": Case(heard("a.wav", np.zeros(16000, np.float32)), 1.0),
    "clipping": Case(heard("a.wav", np.sign(SECOND)), 1.0),
    "music": Case(heard("a.wav", CHORD.astype(np.float32)), 2.0),
    "samples that are no numbers": Case(
        lambda folder: write_float_wav(folder / "a.wav", SECOND * np.float32(np.nan)), 1.0
    ),
    "infinite samples": Case(
        lambda folder: write_float_wav(folder / "a.wav", np.full(16000, -np.inf, np.float32)), 1.0
    ),
    "samples far above full scale": Case(
        lambda folder: write_float_wav(folder / "a.wav", SECOND * np.float32(1e30)), 1.0
    ),
    "ten hours by its head": Case(
        lambda folder: write_wav(folder / "a.wav", SECOND, stated=1_152_000_000), 1.0
    ),
    "endless by its head": Case(
        lambda folder: write_wav(folder / "a.wav", SECOND, stated=0xFFFFFFFF), 1.0
    ),
    "a few samples": Case(heard("a.wav", SECOND[:5]), 0.0),
    "eight bits": Case(heard("a.wav", SECOND[:8000], rate=8000, audio_codec="pcm_u8"), 1.0),
    "high rate": Case(heard("a.wav", tone(1.0, 96_000), rate=96_000, audio_codec="pcm_s32le"), 1.0),
    "six channels": Case(heard("a.wav", np.stack([SECOND] * 6, axis=1)), 1.0),
    "flac": Case(heard("a.flac", SECOND, audio_codec="flac"), 1.0),
    "one picture": Case(media("a.mp4", 1), 0.1),
    "a picture file": Case(media("a.png", 1, codec="png", pixels="rgb24"), 0.1),
    "grey": Case(media("a.mkv", codec="ffv1", pixels="gray"), 1.0),
    "sixteen bits of grey": Case(media("a.mkv", codec="ffv1", pixels="gray16le"), 1.0),
    "full colour": Case(media("a.mkv", codec="ffv1", pixels="yuv444p"), 1.0),
    "ten bits": Case(media("a.mkv", codec="ffv1", pixels="yuv422p10le"), 1.0),
    "forty-eight bits": Case(media("a.mkv", codec="ffv1", pixels="rgb48le"), 1.0),
    "transparent": Case(media("a.mov", codec="png", pixels="rgba"), 1.0),
    "a palette": Case(media("a.gif", codec="gif", pixels="rgb8"), 1.0),
    "odd size": Case(media("a.mkv", codec="ffv1", height=37, width=35), 1.0),
    "tiny": Case(media("a.mkv", codec="ffv1", pixels="yuv444p", height=2, width=2), 1.0),
    "a line": Case(media("a.mkv", codec="ffv1", pixels="gray", height=2, width=2000), 1.0),
    "8K": Case(
        lambda folder: write_media(
            folder / "a.avi",
            [np.full((4320, 7680, 3), 99, np.uint8)],
            codec="mjpeg",
            pixels="yuvj420p",
        ),
        0.1,
    ),
    "one picture a second": Case(media("a.mkv", 3, fps=1), 3.0),
    "240 pictures a second": Case(media("a.mkv", 240, fps=240), 1.0),
    "wav called mp4": Case(damaged(heard("a.wav", SECOND), bytes, "b.mp4"), 1.0),
    "mp4 without a suffix": Case(damaged(media("a.mp4"), bytes, "film"), 1.0),
    "a name with odd signs": Case(media("a: 100% 'é'\n.mp4"), 1.0),
    "half a transport stream": Case(damaged(media("a.ts", 20, codec="mpeg2video"), half), 1.0),
    "half an avi": Case(damaged(media("a.avi", 20), half), 1.0),
    "scratched avi": Case(damaged(media("a.avi", 20, sound=True), scratched), 2.0),
    "scratched stream": Case(damaged(media("a.ts", 20, codec="mpeg2video"), scratched), 2.0),
    "a gap of an hour": Case(
        media("a.mkv", 10, stamps=[0, 1, 2, 3, 4, 36005, 36006, 36007, 36008, 36009]), 1.0
    ),
    "a late start": Case(media("a.mkv", 10, stamps=list(range(36000, 36010))), 1.0),
    "more pictures than sound": Case(media("a.mkv", 30, sound=True), 3.0),
    "more sound than pictures": Case(media("a.mkv", 2, sound=True), 1.0),
}


@pytest.fixture(scope="module")
def extractor() -> ClipExtractor:
    return ClipExtractor()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("error")
def test_a_result_or_one_line(name: str, tmp_path: Path, extractor: ClipExtractor) -> None:
    build, seconds = CASES[name]
    path = build(tmp_path)
    if seconds is None:
        with pytest.raises(InputError) as found:
            list(extractor.windows(path))
        assert str(found.value).startswith(f"{path}: ")
        assert "\n" not in str(found.value)
        return
    windows = list(extractor.windows(path))
    # Some of a damaged file may be lost.
    lost = 0.8 if "scratched" in name or "half" in name else 0.15
    assert windows[-1].end == pytest.approx(seconds, abs=lost)
    assert windows[0].start == 0.0
    # There are neither words, nor speech, nor faces in these.
    assert all(window.sample.sequences == {} for window in windows)


WORDS = {
    "out of order": (Word("good", 0.6, 0.9), Word("bad", 0.1, 0.4)),
    "beyond the end": (Word("good", 0.1, 0.4), Word("bad", 500.0, 501.0)),
    "unknown": (Word("ausgezeichnet", 0.1, 0.4), Word("\u3044\u3044", 0.5, 0.9)),
    "of no letters": (Word("", 0.1, 0.4), Word("5 !", 0.5, 0.9)),
}
STEPS = {"out of order": 2, "beyond the end": 1, "unknown": 0, "of no letters": 0}


@pytest.mark.parametrize("name", WORDS)
def test_odd_words(name: str, tmp_path: Path, extractor: ClipExtractor) -> None:
    path = write_media(tmp_path / "a.wav", (), SECOND)
    (window,) = extractor.windows(path, Transcript(WORDS[name]))
    assert len(window.sample.sequences.get("text", ())) == STEPS[name]
    if STEPS[name]:
        assert window.sample.times["text"][0] == np.float32(0.1)
