"""CSV and captions, from an answer's JSON content."""

from __future__ import annotations

import csv
import re

import pytest
from answer_contents import answer_content, valued, window

from affuse.report.answer_files import affect_line, to_csv, to_srt


@pytest.fixture
def content() -> dict:
    return answer_content()


def test_csv_has_a_row_for_each_window(content) -> None:
    rows = list(csv.DictReader(to_csv([content, content]).splitlines()))
    assert len(rows) == 6
    assert rows[0]["sentiment"] == "-1.25"
    assert (rows[0]["emotion"], rows[0]["emotion_sad"], rows[0]["gate_vision"]) == (
        "calm",
        "0.25",
        "0.4",
    )
    assert rows[1]["text"] == "& night"
    assert (rows[2]["sentiment"], rows[2]["emotion"], rows[2]["gate_text"]) == ("", "", "")


def test_valence_and_arousal_have_columns_where_they_are_told(content) -> None:
    rows = list(csv.DictReader(to_csv([valued(content)]).splitlines()))
    assert [row["value_valence"] for row in rows] == ["-0.3125", "0.5", ""]
    assert list(rows[0])[3:9] == [
        *("sentiment", "sentiment_low", "sentiment_high"),
        *("value_valence", "value_arousal", "emotion"),
    ]
    assert "value_valence" not in to_csv([content])
    assert affect_line(valued(content)["timeline"][1]).startswith(
        "sentiment +2.0, valence +0.5, arousal -0.2, calm 75%"
    )


def test_captions_say_words_and_affect(content) -> None:
    first, second, last = to_srt(content).strip().split("\n\n")
    assert first.splitlines() == [
        "1",
        "00:00:00,500 --> 00:00:01,400",
        "<b>nice</b> day",
        "[sentiment -1.2, calm 75%, by text, conflict 50%]",
    ]
    assert second.splitlines()[1:3] == ["00:00:12,000 --> 00:00:12,500", "& night"]
    assert last.splitlines()[1:] == ["00:00:20,000 --> 01:02:05,000", "[nothing seen or heard]"]


def test_long_speech_is_cut_into_captions(content) -> None:
    content["timeline"] = [window(0, 60, 1.0)]
    content["words"] = [{"word": f"w{i}", "start": i / 4, "end": i / 4 + 0.2} for i in range(100)]
    shown = re.findall(r"^w.*$", to_srt(content), re.MULTILINE)
    assert " ".join(shown).split() == [f"w{i}" for i in range(100)]
    assert max(len(line.split()) for line in shown) == 10


def test_a_line_says_what_there_is() -> None:
    only = {"sentiment": None, "emotion": {"sad": 0.9}, "primary": "audio", "conflict": None}
    assert affect_line(only) == "sad 90%, by audio"
    assert affect_line({**only, "sentiment": -0.04}) == "sentiment +0.0, sad 90%, by audio"


def test_what_several_say_at_once_is_not_mixed(content) -> None:
    content["timeline"] = [window(0, 10, 1.0)]
    said = [("Ann", "I do not think so", 0.0), ("Ben", "well we do", 1.0), (None, "no", 0.5)]
    content["words"] = [
        {"word": word, "start": start + n, "end": start + n + 0.9, "speaker": speaker}
        for speaker, text, start in said
        for n, word in enumerate(text.split())
    ]
    shown = [block.splitlines()[2] for block in to_srt(content).strip().split("\n\n")]
    assert shown == [text for _, text, _ in said]
