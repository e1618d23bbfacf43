"""Clips: what windows hold, of made and of real recordings, and that memory does not grow."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_files import tone, write_media
from odd_media import OnePass

from affuse.errors import InputError
from affuse.extract.account import Account
from affuse.extract.clip import ClipExtractor, ClipSettings, Transcript, Window, Word
from affuse.extract.media.decode import media_duration
from affuse.extract.media.tracks import Wanted
from affuse.extract.store import StoredClip, clip_key, read_clip, write_clip
from affuse.extract.text.transcript import Beside

SPOKEN = "bin blue at f two now"


@pytest.fixture(scope="module")
def talk(shared_data: Path) -> Path:
    """A real talking head of 3 s."""
    return shared_data / "clips" / "grid_bbaf2n.mpg"


@pytest.fixture(scope="module")
def long_talk(talk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same one four times: 12 s."""
    with av.open(str(talk)) as media:
        images = [f.to_ndarray(format="rgb24") for f in media.decode(video=0)]
    with av.open(str(talk)) as media:
        resampler = av.AudioResampler("flt", "mono", 16000)
        pieces = [p for f in media.decode(audio=0) for p in resampler.resample(f)]
    sound = np.concatenate([p.to_ndarray().ravel() for p in pieces])
    sound = np.pad(sound, (0, 48000 - len(sound)))
    path = tmp_path_factory.mktemp("talk") / "long.mkv"
    return write_media(path, images[::5] * 4, np.tile(sound, 4), fps=5)


def bounds(windows: list[Window]) -> list[tuple[float, float]]:
    return [(round(w.start, 2), round(w.end, 2)) for w in windows]


def test_a_talking_head_has_all_three_modalities(talk: Path) -> None:
    extractor = ClipExtractor()
    (window,) = extractor.windows(talk, Transcript.of_text(SPOKEN))
    sequences = window.sample.sequences
    assert {m: s.shape[1] for m, s in sequences.items()} == extractor.widths
    # The table of word vectors lacks the letter f.
    assert [len(sequences[m]) for m in ("text", "audio", "vision")] == [5, 1, 15]
    assert all(np.isfinite(s).all() and s.dtype == np.float32 for s in sequences.values())
    assert [word.text for word in window.words] == SPOKEN.split()
    assert window.sample.text == SPOKEN
    assert media_duration(talk) == pytest.approx(3.0, abs=0.05)


def test_frames_of_the_voice_have_their_times(long_talk: Path) -> None:
    settings = ClipSettings(audio="frames", pool=10, cepstra=0, window=4)
    windows = list(ClipExtractor(settings).windows(long_talk))
    assert bounds(windows) == [(0, 4), (4, 8), (8, 12)]
    for window in windows:
        times = window.sample.times
        assert window.sample.sequences["audio"].shape[1] == 15
        assert np.allclose(np.diff(times["audio"]), 0.1)
        for modality in ("audio", "vision"):
            assert window.start <= times[modality].min() <= times[modality].max() < window.end


def test_windows_may_overlap(long_talk: Path) -> None:
    found = list(ClipExtractor(ClipSettings(window=5, step=3)).windows(long_talk))
    assert bounds(found) == [(0, 3), (1, 6), (4, 9), (7, 12)]
    assert [len(w.sample.sequences["vision"]) for w in found] == [15, 25, 25, 25]


def test_a_short_rest_reaches_back(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", (), tone(10.3))
    assert bounds(list(ClipExtractor().windows(path))) == [(0, 10), (9.3, 10.3)]


def test_every_word_is_in_one_window(long_talk: Path) -> None:
    said = Transcript(tuple(Word("good", t, t + 0.3) for t in np.arange(0, 11.5, 0.5)))
    windows = ClipExtractor(ClipSettings(window=5)).windows(long_talk, said)
    assert [len(w.words) for w in windows] == [10, 10, 3]


def test_a_window_does_not_depend_on_what_is_around_it(long_talk: Path) -> None:
    extractor = ClipExtractor(ClipSettings(window=3, expression=False))
    first, _, third, _ = extractor.windows(long_talk)
    assert np.allclose(first.sample.sequences["audio"], third.sample.sequences["audio"], atol=1e-3)
    # The tracker settles on a face within a frame or two.
    late = slice(3, None)
    faces = [w.sample.sequences["vision"][late] for w in (first, third)]
    # Both windows show the same, but for what compression made of it.
    assert np.abs(faces[0] - faces[1]).mean() < 0.5


def test_a_stream_gives_what_its_file_gives(long_talk: Path) -> None:
    extractor = ClipExtractor(ClipSettings(window=4))
    stream: Any = OnePass(long_talk.read_bytes())
    for ours, theirs in zip(extractor.windows(stream), extractor.windows(long_talk), strict=True):
        for modality, steps in theirs.sample.sequences.items():
            assert np.array_equal(ours.sample.sequences[modality], steps)


def test_words_without_times_need_a_file(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", (), tone(1))
    stream: Any = OnePass(path.read_bytes())
    with pytest.raises(InputError, match=r"read twice.*\.srt"):
        list(ClipExtractor().windows(stream, Transcript.of_text("good")))
    (window,) = ClipExtractor().windows(io.BytesIO(path.read_bytes()), Transcript.of_text("good"))
    assert window.words == (Word("good", 0.0, 1.0),)


def test_progress_is_told(long_talk: Path) -> None:
    told: list[tuple[float, float | None]] = []
    list(ClipExtractor().windows(long_talk, progress=lambda *seen: told.append(seen)))
    assert [round(done) for done, _ in told] == [10, 12]
    assert all(length == pytest.approx(12, abs=0.1) for _, length in told)


@pytest.mark.slow
def test_speech_is_recognised_with_times(long_talk: Path) -> None:
    pytest.importorskip("faster_whisper")
    settings = ClipSettings(recognise=True, piece=5, window=6)
    windows = list(ClipExtractor(settings).windows(long_talk))
    assert bounds(windows) == [(0, 6), (6, 12)]
    for window in windows:
        heard = " ".join(word.text for word in window.words).lower()
        assert heard.count("now") == 2
        assert all(window.start <= (w.start + w.end) / 2 < window.end for w in window.words)


def test_settings_change_the_names_of_features() -> None:
    plain = ClipExtractor().versions
    changed = ClipSettings(text="minilm", audio="frames", expression=False)
    other = ClipExtractor(changed).versions
    assert all(plain[modality] != other[modality] for modality in ("text", "audio", "vision"))


def test_a_stored_clip_is_read_back(talk: Path, tmp_path: Path) -> None:
    extractor = ClipExtractor(ClipSettings(window=1))
    said = Transcript.of_text(SPOKEN)
    windows = list(extractor.windows(talk, said))
    key = clip_key(talk, Beside(said), extractor)
    settings = extractor.settings.model_dump(mode="json")
    clip = StoredClip("talk", key, 3.0, extractor.versions, settings, Account().to_dict(), windows)
    write_clip(tmp_path / "a.npz", clip)
    again = read_clip(tmp_path / "a.npz")
    assert (again.file, again.key, again.extractors) == ("talk", key, extractor.versions)
    assert ClipSettings.model_validate(again.settings) == extractor.settings
    for ours, theirs in zip(again.windows, windows, strict=True):
        assert (ours.start, ours.end, ours.words) == (theirs.start, theirs.end, theirs.words)
        assert ours.sample.sequences.keys() == theirs.sample.sequences.keys()
        for modality, steps in theirs.sample.sequences.items():
            assert np.array_equal(ours.sample.sequences[modality], steps)
            assert np.array_equal(ours.sample.times[modality], theirs.sample.times[modality])
    assert again.account == Account().to_dict()
    assert clip_key(talk, Beside(None), extractor) != key
    assert clip_key(talk, Beside(said), ClipExtractor()) != key
    assert clip_key(talk, Beside(said), extractor, Wanted(audio=1)) != key


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no"])
def test_a_file_that_is_no_stored_clip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="extract it anew"):
        read_clip(tmp_path / "a.npz")


MEASURE = """
import sys
from pathlib import Path
from affuse.extract.account import Account
from affuse.extract.clip import ClipExtractor, ClipSettings
extractor = ClipExtractor(ClipSettings(fps=0.1))
count = sum(1 for _ in extractor.windows(Path(sys.argv[1])))
loaded = [name for name in ("torch", "onnx") if name in sys.modules]
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
print(count, int(peak.split()[1]) // 1024, *loaded)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_length_and_no_torch_is_loaded(tmp_path: Path) -> None:
    image = [np.full((48, 64, 3), 90, np.uint8)]
    found = {}
    for seconds in (20, 1200):
        path = tmp_path / f"{seconds}.mkv"
        write_media(path, image * seconds, np.zeros(seconds * 16000, np.float32), fps=1)
        command = [sys.executable, "-c", MEASURE, str(path)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found[seconds] = [int(value) for value in printed.split()]
    assert found[20] == [2, found[20][1]]
    assert found[1200][0] == 120
    # Twenty minutes of sound are 77 MB as they are heard.
    assert found[1200][1] < found[20][1] + 30
    assert found[1200][1] < 600
