"""The page of a clip's answer: whole, alone, and closed to what strangers wrote."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from answer_contents import answer_content, valued

from affuse.report.case_media import CaseMedia
from affuse.report.page_parts import FOLDER, joined_script
from affuse.report.pages import prediction_page

MODULES = {file.name: file.read_text() for file in sorted(FOLDER.glob("*.js"))}
NAMES = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+|\[.*?\])", re.M)
IMPORTS = re.compile(r"""^import \{([^}]*)\} from "\./([\w.]+)";$""", re.M)


class Page(HTMLParser):
    """The tags that are open, those that were seen, and the text within each."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append((self.open[-1] if self.open else "", data))

    def within(self, tag: str) -> list[str]:
        return [text for where, text in self.text if where == tag]

    def meta(self, name: str) -> str:
        return next(a["content"] or "" for _, a in self.seen if a.get("http-equiv") == name)


@pytest.fixture
def content() -> dict[str, Any]:
    return answer_content()


def test_the_page_is_whole_and_stands_alone(content) -> None:
    source = prediction_page(content)
    page = Page(source)
    assert page.open == []
    tags = Counter(tag for tag, _ in page.seen)
    assert (tags["script"], tags["style"], tags["tr"]) == (2, 1, 4)
    assert not {"link", "img", "iframe", "video"} & set(tags)
    # The names of namespaces are no addresses that are asked for.
    assert not re.search(r"https?://(?!www\.w3\.org)|url\(|@import", source)
    assert not any(name == "style" or name.startswith("on") for _, a in page.seen for name in a)
    assert "a <clip>.mp4" in page.within("h1")
    assert any("<b>nice</b> day" in text for text in page.within("td"))


def test_only_the_pages_own_script_and_style_run(content) -> None:
    page = Page(prediction_page(content))
    policy = page.meta("Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for kind, text in (("script", page.within("script")[-1]), ("style", page.within("style")[0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_the_page_holds_its_answer_and_files(content) -> None:
    media = CaseMedia("a%20clip.mp4", True, 0.0, 3725.0, "the first 600 s are played")
    given = json.loads(Page(prediction_page(content, media)).within("script")[0])
    assert given["content"] == content
    assert (given["media"], given["notice"]) == ("a%20clip.mp4", "the first 600 s are played")
    assert given["files"]["csv"].startswith("file,start,end")
    assert "-->" in given["files"]["srt"]
    broken = CaseMedia("", False, 0.0, 1.0, "cannot be played")
    assert json.loads(Page(prediction_page(content, broken)).within("script")[0])["media"] is None


def test_valence_and_arousal_are_columns_of_the_table_without_scripts(content) -> None:
    page = Page(prediction_page(valued(content)))
    assert page.within("th")[:5] == ["time", "sentiment", "valence", "arousal", "emotion"]
    assert {"-0.31", "+0.50"} <= set(page.within("td"))
    assert "valence" not in Page(prediction_page(content)).within("th")


def test_a_page_does_not_tell_where_its_clip_lay(content) -> None:
    source = prediction_page({**content, "file": "/home/ann/secret folder/a.mp4"})
    assert "secret folder" not in source


def test_names_from_strangers_cannot_become_markup(content) -> None:
    bad = '"></script><!--<script>alert(1)</script>'
    for name in ("emotion", "gate"):
        content["timeline"][0][name] = {bad: 0.5, "neutral": 0.5}
    content["words"][0]["word"] = bad
    page = Page(prediction_page({**content, "checkpoint": [bad], "extractors": {bad: bad}}))
    assert page.open == []
    assert [tag for tag, _ in page.seen].count("script") == 2
    assert bad in json.loads(page.within("script")[0])["content"]["extractors"]


def test_modules_can_be_joined() -> None:
    """Each name once in all of them, each import one line of what its module exports."""
    counts = Counter(name for source in MODULES.values() for name in NAMES.findall(source))
    assert [name for name, count in counts.items() if count > 1] == []
    for source in MODULES.values():
        assert len(IMPORTS.findall(source)) == len(re.findall(r"^import\b", source, re.M))
        for names, module in IMPORTS.findall(source):
            for name in names.replace("\n", " ").split(","):
                wanted = name.strip()
                assert not wanted or re.search(
                    rf"^export (async )?(function|const) {wanted}\b", MODULES[module], re.M
                )
    joined = joined_script("prediction.js")
    assert not re.search(r"^(import|export)\b", joined, re.M)
