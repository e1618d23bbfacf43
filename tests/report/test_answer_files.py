"""CSV, captions and page, from an answer's JSON content."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser

import pytest

from affuse.report.answer_files import affect_line, to_csv, to_srt
from affuse.report.pages import prediction_page


def window(start: float, end: float, sentiment: float | None) -> dict:
    known = sentiment is not None
    return {
        "start": start,
        "end": end,
        "sentiment": sentiment,
        "emotion": {"calm": 0.75, "sad": 0.25} if known else None,
        "gate": {"text": 0.6, "vision": 0.4} if known else {},
        "primary": "text" if known else None,
        "conflict": 0.5 if known else None,
    }


@pytest.fixture
def content() -> dict:
    words = [("<b>nice</b>", 0.5, 1.0), ("day", 1.0, 1.4), ("& night", 12.0, 12.5)]
    return {
        "file": "a <clip>.mp4",
        "duration": 3725.0,
        **{k: v for k, v in window(0, 0, -1.25).items() if k not in ("start", "end")},
        "words": [{"word": w, "start": s, "end": e} for w, s, e in words],
        "timeline": [window(0, 10, -1.25), window(10, 20, 2.0), window(20, 3725, None)],
        "checkpoint": ["sentiment", "emotion"],
        "extractors": {"text": "glove"},
        "transcript": {"file": "a.srt", "format": "srt", "words": 3, "inside": 3, "known": 0.67},
        "streams": {
            "sound": {
                "track": 2,
                "tracks": 3,
                "title": "<Mic>",
                "language": "eng",
                "codec": "aac",
                "used": ["FL", "-FR"],
            },
            "picture": None,
        },
        "faces": None,
        "speech": 9.25,
        "notices": ["no face is seen in it", "<one> more"],
    }


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


class _Page(HTMLParser):
    """The tags that are open, those that were seen, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_stands_alone(content) -> None:
    source = prediction_page(content)
    page = _Page()
    page.feed(source)
    assert page.open == []
    tags = [tag for tag, _ in page.seen]
    assert not {"script", "link", "img", "iframe"} & set(tags)
    assert not re.search(r"https?://|url\(|@import", source)
    assert "prefers-color-scheme: dark" in source
    assert tags.count("svg") == 4
    assert tags.count("tr") == 4
    assert "a <clip>.mp4" in page.text
    assert any("<b>nice</b> day" in text for text in page.text)


def test_bars_lie_within_their_chart(content) -> None:
    page = _Page()
    page.feed(prediction_page(content))
    bars = [
        {k: float(a[k]) for k in ("x", "y", "width", "height")} for t, a in page.seen if t == "rect"
    ]
    assert len(bars) == 2 + 2 * 2 + 2 * 2 + 2
    for bar in bars:
        assert -0.01 <= bar["y"] <= bar["y"] + bar["height"] <= 90.01
        assert -0.01 <= bar["x"] <= bar["x"] + bar["width"] <= 1000.01


def test_names_from_strangers_cannot_become_markup(content) -> None:
    bad = '"><script>alert(1)</script>'
    for name in ("emotion", "gate"):
        content["timeline"][0][name] = {bad: 0.5, "neutral": 0.5}
    source = prediction_page({**content, "checkpoint": [bad], "extractors": {bad: bad}})
    page = _Page()
    page.feed(source)
    assert page.open == []
    assert "script" not in [tag for tag, _ in page.seen]
    classes = {part for _, a in page.seen for part in (a.get("class") or "").split()}
    assert {"c0", "neutral"} <= classes


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
