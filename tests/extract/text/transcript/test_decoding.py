"""Encodings: text comes out as it was written, or the file is refused; never as other letters."""

from __future__ import annotations

import pytest

from affuse.errors import InputError
from affuse.extract.text.transcript.decoding import decoded

SENTENCES = {
    "gbk": ("我很喜欢这个地方", "太棒了", "今天天气很好，我们去公园散步吧。"),
    "big5": ("我很喜歡這個地方", "今天的天氣非常好"),
    "cp932": ("私はこの場所が大好きです", "素晴らしい"),
    "euc_jp": ("私はこの場所が大好きです",),
    "cp949": ("나는 이 곳을 정말 좋아해요", "정말 멋져요, 오늘은 날씨가 좋아요"),
    "cp1251": ("Мне очень нравится это место", "Это замечательно, спасибо тебе"),
    "koi8-r": ("Мне очень нравится это место", "Привет, как дела? Всё хорошо"),
    "cp866": ("Мне очень нравится это место",),
    "cp1253": ("Μου αρέσει πολύ αυτό το μέρος",),
    "cp1256": ("أحب هذا المكان كثيرا",),
    "cp1252": (
        *("J'aime beaucoup cet endroit, c'est très agréable", "Das ist schön und über der Straße"),
        *("Señor, ¿qué pasó?", "Não, é muito bom, coração", "perché è così", "naïve café"),
        *("“I love it” – that’s a lot", "50 € for 3 × 4 m², he said", "Vær så god, på øya"),
    ),
    "cp1250": ("Bardzo lubię to miejsce, jest świetne", "Mám rád toto miesto, je krásne a čisté"),
    "cp1254": ("Bu yeri çok seviyorum, şahane bir gün ışığı",),
}
CASES = [(name, text) for name, texts in SENTENCES.items() for text in texts]


def subtitles(text: str) -> str:
    return f"1\r\n00:00:00,000 --> 00:00:03,000\r\n{text}\r\n"


@pytest.mark.parametrize(("encoding", "text"), CASES)
def test_text_comes_out_as_it_was_written(encoding: str, text: str) -> None:
    for content in (text, subtitles(text), subtitles(text) * 50):
        assert decoded(content.encode(encoding), "a.srt").text == content


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"],
)
@pytest.mark.parametrize("text", ["hello", "naïve café", "我很喜欢", "Привет 👍", "う\u3000" * 8])
def test_unicode_with_a_mark_or_without(encoding: str, text: str) -> None:
    assert decoded(subtitles(text).encode(encoding), "a.srt").text == subtitles(text)


# Latin letters with marks share their bytes: of one word alone, no one could tell.
TELLING = [(name, text) for name, text in CASES if name not in ("cp1250", "cp1252", "cp1254")]


@pytest.mark.parametrize(("encoding", "text"), TELLING)
def test_no_piece_of_it_comes_out_as_something_else(encoding: str, text: str) -> None:
    for length in range(1, len(text) + 1):
        piece = text[:length]
        try:
            found = decoded(piece.encode(encoding), "a.srt").text
        except InputError as error:
            assert "save it as UTF-8" in str(error)  # noqa: PT017
            continue
        # Of few letters, some are of one language in one encoding, some of another in another.
        assert found == piece or len(piece) < 12


def test_an_encoding_can_be_named() -> None:
    assert decoded("你好".encode("gbk"), "a.srt", "gbk").text == "你好"
    with pytest.raises(InputError, match="is not text in utf-8"):
        decoded("你好".encode("gbk"), "a.srt", "utf-8")
    with pytest.raises(InputError, match="unknown encoding 'none'"):
        decoded(b"a", "a.srt", "none")


def test_a_few_broken_letters_are_counted() -> None:
    text = "我很喜欢这个地方" * 5
    found = decoded(text.encode()[:-1], "a.srt")
    assert (found.text[:-1], found.broken) == (text[:-1], 1)


@pytest.mark.parametrize(
    "content",
    [b"\x00\x01\x02\x00", bytes(range(256)), b"\x89PNG\r\n\x1a\n\0\0", bytes(range(128, 256)) * 2],
)
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"a\.srt: is "):
        decoded(content, "a.srt")
