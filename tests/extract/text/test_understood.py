"""Which transcripts are in a language that the features of words know."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from affuse.extract.text.glove import Glove
from affuse.extract.text.transcript import Transcript, TranscriptOrigin
from affuse.extract.text.understood import understanding


def told(text: str, language: str | None) -> Transcript:
    return replace(Transcript.of_text(text), origin=TranscriptOrigin(language=language))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Das ist ein sehr schöner Garten", "German"),
        ("Was machst du da?", "German"),
        ("Die Stadt war so laut, aber das Essen war gut", "German"),
        ("Ik ben niet blij met het eten", "Dutch"),
        ("No me gusta la comida de aquí", "Spanish"),
        ("Je ne sais pas ce que tu veux", "French"),
        ("Mi piace molto questo posto, è bellissimo", "Italian"),
        ("Não sei o que dizer, mas isso é muito bom", "Portuguese"),
        ("Bardzo lubię to miejsce, jest wspaniałe", "Polish"),
        ("Jag vet inte vad jag ska säga", "Swedish"),
        ("Film çok kötüydü", "another language"),
        ("我很喜欢这个地方", "Chinese"),
        ("私はこの場所が大好きです", "Japanese"),
        ("나는 이 곳을 정말 좋아해요", "Korean"),
        ("Мне очень нравится это место", "Cyrillic letters"),
    ],
)
def test_other_languages_are_told(text: str, language: str) -> None:
    found = understanding(Transcript.of_text(text), Glove())
    assert (found.language, found.absent) == (language, True)
    notice = found.notice("clip.srt")
    assert notice is not None
    assert notice.startswith(f"clip.srt: in {language}, as it seems; ")


def test_a_notice_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    found = understanding(Transcript.of_text("我很喜欢这个地方"), Glove())
    notice = found.notice(None)
    assert notice is not None
    assert "know English alone, so that text is absent (--checkpoint multilingual reads" in notice
    monkeypatch.setattr(sys, "path", [])
    without = found.notice(None)
    assert without is not None
    assert without.endswith("reads it, after pip install 'affuse[multilingual]')")


@pytest.mark.parametrize(
    "text",
    [
        *("ok", "yes", "Ann", "no no no", "Federico Fellini", "hmm", "xqzzyx", "42", "la la la la"),
        *("Man, that hat", "The man in the hat was in the war", "die hard", "ha ha ha"),
        "We drove from Los Angeles to El Paso and La Jolla",
        "He said je ne sais quoi and I laughed at that",
        "I DIDNT LIKE IT AT ALL",
        "Chandler Bing meets Rachel",
    ],
)
def test_short_and_odd_english_is_english(text: str) -> None:
    found = understanding(Transcript.of_text(text), Glove())
    assert not found.absent
    assert found.notice(None) is None


def test_what_a_file_tells_counts_and_words_count_more() -> None:
    assert understanding(told("Hallo zusammen", "de"), Glove()).absent
    assert not understanding(told("Hallo zusammen", None), Glove()).absent
    # A recogniser that translates names the language that was spoken.
    assert not understanding(told("I love this place and it is great", "german"), Glove()).absent
    assert understanding(
        told("Ich liebe diesen Ort, er ist wunderbar und schön", "en"), Glove()
    ).absent


def test_the_share_that_is_known() -> None:
    assert understanding(Transcript.of_text("good xqzzyx didn't xqz"), Glove()).known == 0.5
    assert understanding(Transcript.of_text("42 ... !"), Glove()).known is None
    assert understanding(Transcript(()), Glove()).known is None
