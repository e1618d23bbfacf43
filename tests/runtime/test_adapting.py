"""Answers adapt to a recording, a folder or a speaker, and say to what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.extract.adaptation import Usual
from affuse.extract.clip import Window
from affuse.extract.text.transcript import Word
from affuse.runtime import adapting
from affuse.runtime.adapting import alike, along, speaker_in, speaker_pattern
from affuse.samples import Sample

RNG = np.random.default_rng(0)
USUAL = {"audio": Usual.of([RNG.normal(size=(1, 4)).astype(np.float32) for _ in range(99)])}


def windows(count: int, middle: float, speaker: str | None = None) -> list[Window]:
    return [
        Window(
            float(number),
            number + 1.0,
            Sample(str(number), {"audio": RNG.normal(middle, 1, (1, 4)).astype(np.float32)}),
            (Word("well", number + 0.1, number + 0.2, speaker),),
        )
        for number in range(count)
    ]


def moved(read: list[Window], adapt: str) -> list[float]:
    found = along(iter(read), USUAL, adapt)
    return [
        float(adapting.shifted(window.sample, shifts).sequences["audio"].mean())
        for window, shifts in found
    ]


def test_a_recording_is_adapted_from_five_utterances_on() -> None:
    far = windows(5, middle=9)
    plain = [float(window.sample.sequences["audio"].mean()) for window in far]
    assert moved(far[:4], "recording") == pytest.approx(plain[:4])
    assert moved(far, "none") == pytest.approx(plain)
    assert max(moved(far, "recording")) < min(plain)


def test_speakers_are_adapted_apart() -> None:
    both = [*windows(40, 9, "a"), *windows(40, -9, "b")]
    found = moved(both, "speaker")
    assert np.mean(found[:40]) == pytest.approx(np.mean(found[40:]), abs=4)
    together = moved(both, "recording")
    assert np.mean(together[:40]) > np.mean(together[40:]) + 1


def test_memory_does_not_grow_with_a_long_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapting, "_AWAITED", 8)
    asked = 0

    def read() -> Iterator[Window]:
        nonlocal asked
        for window in windows(100, 9):
            asked += 1
            yield window

    found = along(read(), USUAL, "recording")
    first = next(found)
    assert asked == 8
    assert first[1]["audio"].utterances == 8
    assert [shifts["audio"].utterances for _, shifts in found][-1] == 100


def test_one_emotion_alone_is_noticed() -> None:
    assert alike(["sad"] * 9 + ["happy"]) == "sad"
    assert alike(["sad", "happy"] * 5) is None
    assert alike(["sad"] * 4) is None


def test_speakers_are_found_in_names() -> None:
    pattern = speaker_pattern("([A-Z]{2})_")
    assert speaker_in(Path("DC_a01.opus"), pattern) == "DC"
    with pytest.raises(InputError, match=r"x\.wav.*no speaker by"):
        speaker_in(Path("x.wav"), pattern)
    with pytest.raises(InputError, match="no regular expression"):
        speaker_pattern("(")
