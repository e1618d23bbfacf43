"""Windows that follow speech: from pause to pause, none lost, none twice."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import write_wav

from affuse.extract.clip import ClipExtractor, ClipSettings
from affuse.extract.media import utterances
from affuse.extract.media.frames import Sound
from affuse.extract.media.utterances import Utterances, turns
from affuse.extract.text.transcript import Word
from affuse.extract.voice import RATE
from affuse.extract.voice.descriptors import read_audio
from affuse.samples import FloatArray


class Loud:
    """Hears speech where a sound is loud."""

    def __init__(self) -> None:
        self._held = np.zeros(0, np.float32)

    def add(self, sound: Sound) -> FloatArray:
        self._held = np.concatenate([self._held, sound.samples])
        steps = len(self._held) // 512
        heard = np.abs(self._held[: steps * 512]).reshape(-1, 512).max(axis=1) > 0.1
        self._held = self._held[steps * 512 :]
        return heard.astype(np.float32)


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "shared_data" not in request.fixturenames:
        monkeypatch.setattr(utterances, "SpeechDetector", Loud)


def cut(*parts: tuple[float, bool], ends: list[float] | None = None) -> list[tuple[float, float]]:
    """The windows of stretches of so many seconds, each speech or silence."""
    signal = np.concatenate([np.full(round(s * RATE), 0.5 * on, np.float32) for s, on in parts])
    bounds, found = Utterances(ends or []), []
    for start in range(0, len(signal), 1600):
        bounds.hear(Sound(start / RATE, signal[start : start + 1600]))
        found += bounds.complete(min(start + 1600, len(signal)) / RATE)
    return [*found, *bounds.last(len(signal) / RATE)]


def near(found: list[tuple[float, float]], *wanted: tuple[float, float]) -> bool:
    return len(found) == len(wanted) and bool(np.allclose(found, wanted, atol=0.15))


def test_an_utterance_ends_in_the_middle_of_its_pause() -> None:
    found = cut((2, True), (0.6, False), (3, True), (0.2, False), (1, True))
    assert near(found, (0, 2.3), (2.3, 6.8))


def test_a_short_recording_is_one_window_with_its_silences() -> None:
    assert near(cut((1, False), (1.5, True), (1, False)), (0, 3.5))


def test_silence_is_a_window_of_its_own_from_two_seconds_on() -> None:
    found = cut((2, True), (6, False), (2, True))
    assert near(found, (0, 2.5), (2.5, 7.5), (7.5, 10))


def test_long_silence_is_cut_into_windows_of_ten_seconds() -> None:
    assert near(cut((25, False)), (0, 10), (10, 20), (20, 25))


def test_speech_without_a_pause_is_cut_at_twelve_seconds_at_most() -> None:
    found = cut((40, True))
    assert all(1 <= end - start <= 13.1 for start, end in found)


def test_sentences_and_speakers_end_an_utterance_without_a_pause() -> None:
    assert near(cut((9, True), ends=[3.0, 6.0]), (0, 3), (3, 6), (6, 9))
    words = [
        Word("Well", 0.0, 0.5, "a"),
        Word("no.\u201d", 0.5, 1.0, "a"),
        Word("I", 1.5, 1.6, "b"),
        Word("mean", 1.6, 2.0, "b"),
    ]
    assert turns(words) == [1.0, 1.5]


def test_a_click_is_no_speech() -> None:
    assert near(cut((4, False), (0.04, True), (4, False)), (0, 8.04))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.05, 15), st.booleans()), min_size=1, max_size=8))
def test_windows_tile_the_recording(parts: list[tuple[float, bool]]) -> None:
    found = cut(*parts)
    end = sum(round(seconds * RATE) for seconds, _ in parts) / RATE
    assert found[0][0] == 0
    assert found[-1][1] == pytest.approx(end)
    for (_, stop), (start, _) in pairwise(found):
        # The last reaches back where it would be shorter than a second.
        assert start == pytest.approx(stop) or (start, end) == pytest.approx(found[-1])
    assert all(stop - start <= 13.1 for start, stop in found)


def test_takes_in_a_row_are_told_apart(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ravdess" / "audio"
    parts, ends, at = [], [], 0.0
    for name in ("01-01-01-01-01", "05-02-02-01-01", "04-01-01-02-01"):
        signal, _ = read_audio(folder / f"03-01-{name}.flac")
        loud = np.flatnonzero(np.abs(signal) > 0.02 * np.abs(signal).max())
        signal = signal[loud[0] : loud[-1]]
        parts += [signal, np.zeros(RATE // 2, np.float32)]
        at += len(signal) / RATE + 0.5
        ends.append(at - 0.25)
    path = write_wav(tmp_path / "takes.wav", np.concatenate(parts))
    windows = ClipExtractor(ClipSettings(follow=True)).windows(path)
    assert [w.end for w in windows][:2] == pytest.approx(ends[:2], abs=0.2)
