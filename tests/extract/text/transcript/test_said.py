"""Words of a text, with and without spaces between them."""

from __future__ import annotations

import pytest

from affuse.extract.media.utterances import turns
from affuse.extract.text.transcript import Transcript


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("it's  fine,\nreally -- so.", ["it's", "fine,", "really", "--", "so."]),
        ("今天很好。我去了学校，然后回家！", ["今天很好。", "我去了学校，", "然后回家！"]),
        ("「そうですね。」と言った。", ["「そうですね。」", "と言った。"]),
        ("ดีมาก ขอบคุณ", ["ดีมาก", "ขอบคุณ"]),
        ("？ 好", ["？", "好"]),
        ("", []),
    ],
)
def test_words_end_at_spaces_and_after_clauses_without_any(text: str, words: list[str]) -> None:
    assert [word.text for word in Transcript.of_text(text).words] == words


def test_nothing_of_a_text_without_spaces_is_lost() -> None:
    text = "我很喜欢。你呢？“不，”她说；" * 20
    assert "".join(word.text for word in Transcript.of_text(text).words) == text


@pytest.mark.parametrize("end", ["。", "！", "۔", "؟", "।", "?"])
def test_sentences_of_many_scripts_end_an_utterance(end: str) -> None:
    first, second = Transcript.of_text(f"eins{end} zwei").spread(10.0).words
    assert turns([first, second]) == [first.end]
