"""Clips of recordings: segments in one pass, kept by content, by processes, and without the bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_files import pictures, tone, write_media

from affuse.extract.clip import ClipExtractor, ClipSettings
from affuse.extract.media.segments import Segment, Segments
from affuse.extract.takes import Take, extract_takes

SETTINGS = ClipSettings()


def test_segments_are_cut_into_windows() -> None:
    bounds = Segments([Segment(1, 4), Segment(3, 15.5), Segment(20)], 10)
    assert list(bounds.complete(4)) == [(1, 4)]
    assert not bounds.wants(17)
    assert bounds.wants(3.5)
    assert bounds.needed == 3
    # Half a second is no window: it reaches back.
    assert list(bounds.complete(20)) == [(3, 13), (13, 15.5)]
    assert list(bounds.last(31)) == [(20, 30), (30, 31)]
    assert bounds.taken == [[(1, 4)], [(3, 13), (13, 15.5)], [(20, 30), (30, 31)]]
    assert not bounds.finished


def test_a_rest_that_is_short_reaches_back_and_equal_windows_are_one() -> None:
    bounds = Segments([Segment(0, 10.4), Segment(0, 10.4)], 10)
    assert list(bounds.complete(99)) == [(0, 10), (9.4, 10.4)]
    assert bounds.finished
    assert bounds.taken[0] == bounds.taken[1]


def test_segments_are_as_their_recording_cut_apart(tmp_path: Path) -> None:
    recording = write_media(tmp_path / "long.mkv", pictures(40), tone(4))
    extractor = ClipExtractor(threads=False)
    whole, part = extractor.segments(recording, [Segment(), Segment(1, 2.5)])
    assert [(w.start, w.end) for w in part] == [(1, 2.5)]
    (alone,) = extractor.windows(recording)
    assert whole[0].sample.modalities == alone.sample.modalities
    assert whole[0].end == pytest.approx(4, abs=0.1)


def test_processes_keep_the_same_bytes_and_bad_files_are_told(tmp_path: Path) -> None:
    clips = [write_media(tmp_path / f"{n}.wav", (), tone(1 + n / 10)) for n in range(8)]
    (tmp_path / "bad.wav").write_text("no sound")
    takes = [Take(path) for path in (*clips, tmp_path / "bad.wav", tmp_path / "none.wav")]
    takes.append(Take(clips[0], Segment(5, 6)))
    folders = [tmp_path / f"kept{jobs}" for jobs in (1, 2)]
    both = [extract_takes(takes, SETTINGS, jobs=n, folder=f) for n, f in enumerate(folders, 1)]
    for taken in both:
        assert all(one.clip is not None for one in taken[:8])
        assert "bad.wav: nothing in it can be read" in taken[8].error
        assert "none.wav: cannot be read" in taken[9].error
        assert "has nothing from 5 s on" in taken[10].error
    one, two = ({p.name: p.read_bytes() for p in folder.iterdir()} for folder in folders)
    assert one == two
    assert len(one) == 8


def test_what_is_kept_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_media(tmp_path / "a.wav", (), tone(1))
    (first,) = extract_takes([Take(clip)], SETTINGS, folder=tmp_path / "kept")
    copy = tmp_path / "b.wav"
    copy.write_bytes(clip.read_bytes())
    monkeypatch.setattr("affuse.extract.takes.read_recording", None)
    (again,) = extract_takes([Take(copy)], SETTINGS, folder=tmp_path / "kept")
    assert first.clip is not None
    assert again.clip is not None
    assert again.clip.key == first.clip.key
    (kept,) = (tmp_path / "kept").iterdir()
    monkeypatch.undo()
    kept.write_bytes(kept.read_bytes()[:100])
    (mended,) = extract_takes([Take(clip)], SETTINGS, folder=tmp_path / "kept")
    assert mended.clip is not None


def test_statistics_of_speech_need_no_more_than_a_voice(shared_data: Path) -> None:
    pytest.importorskip("ctranslate2")
    clip = next((shared_data / "voices" / "nemo").glob("*.opus"))
    extractor = ClipExtractor(ClipSettings(audio="summary"), threads=False)
    ((window,),) = extractor.segments(clip, [Segment()])
    steps = window.sample.sequences["audio"]
    assert steps.shape == (1, extractor.widths["audio"])
    assert np.isfinite(steps).all()
    streams = ClipExtractor(ClipSettings(audio="speech", pool=2), threads=False)
    ((window,),) = streams.segments(clip, [Segment()])
    times = window.sample.times["audio"]
    assert times[1] - times[0] == pytest.approx(0.04)
    assert window.sample.sequences["audio"].shape == (len(times), streams.widths["audio"])
