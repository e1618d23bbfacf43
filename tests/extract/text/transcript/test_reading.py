"""Transcripts: the formats that are read, and what is made of damaged ones."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.extract.text.transcript import Transcript, Word, read_transcript, transcript_beside

SRT = """1
00:00:02,000 --> 00:00:04,000
<i>second</i> cue

2
00:00:00,500 --> 00:00:01,500
- first &amp; {\\an8}only
"""
VTT = "WEBVTT\n\nNOTE nothing\n\n00:01.000 --> 00:02.000 align:start\n<v Ann>hello there\n"
HELLO = [Word("hello", 0.0, 0.5), Word("you", 0.6, 1.0)]


def read(folder: Path, name: str, content: str | bytes) -> Transcript:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_transcript(path)


def test_subtitles_are_sorted_cleaned_and_spread_by_letters(tmp_path: Path) -> None:
    words = read(tmp_path, "a.srt", SRT).words
    assert [word.text for word in words] == ["-", "first", "&", "only", "second", "cue"]
    assert words[4] == Word("second", 2.0, pytest.approx(2 + 2 * 6 / 9))
    assert words[5].end == 4.0
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(words))


def test_webvtt_without_hours(tmp_path: Path) -> None:
    assert read(tmp_path, "a.vtt", VTT).words == (
        Word("hello", 1.0, pytest.approx(1.5)),
        Word("there", pytest.approx(1.5), 2.0),
    )


@pytest.mark.parametrize(
    "content",
    [
        [{"word": " hello", "start": 0, "end": 0.5}, {"word": "you", "start": 0.6, "end": 1}],
        {"words": [{"text": "you", "s": 0.6, "e": 1.0}, {"text": "hello", "s": 0, "e": 0.5}]},
        [["hello", 0, 0.5], ["you", 0.6, 1.0]],
        {
            "text": "hello you",
            "segments": [
                {"text": "hello", "start": 0.0, "end": 0.5},
                {"start": 0.6, "end": 1.0, "words": [{"word": "you", "start": 0.6, "end": 1.0}]},
            ],
        },
    ],
)
def test_json_of_several_forms(tmp_path: Path, content: object) -> None:
    assert list(read(tmp_path, "a.json", json.dumps(content)).words) == HELLO


def test_plain_text_has_no_times_until_it_is_spread(tmp_path: Path) -> None:
    plain = read(tmp_path, "a.txt", "\ufeffbin  blue\n")
    assert not plain.timed
    assert [word.text for word in plain.words] == ["bin", "blue"]
    assert plain.spread(7.0).words == (Word("bin", 0.0, 3.0), Word("blue", 3.0, 7.0))
    assert read(tmp_path, "a.json", '{"text": "bin blue"}') == plain


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_apart(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, "a.txt", "naïve café".encode(encoding)).words[1].text == "café"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.srt", "no subtitles at all"),
        ("a.json", "{"),
        ("a.json", "[1, 2]"),
        ("a.json", '{"nothing": 1}'),
        ("a.json", '[{"word": "a", "start": NaN, "end": 1}]'),
        ("a.json", '[{"word": 5, "start": 0, "end": 1}]'),
        ("a.json", "[" * 100_000),
        ("a.txt", b"\x00\x01\x02\x00"),
    ],
)
def test_damage_is_one_line_that_names_the_file(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    with pytest.raises(InputError, match=rf"{name}: "):
        read(tmp_path, name, content)


@pytest.mark.parametrize("name", ["a.srt", "a.vtt", "a.txt"])
def test_an_empty_transcript_has_no_words(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, name, "").words == ()


def test_a_transcript_is_found_beside_its_clip(tmp_path: Path) -> None:
    clip = tmp_path / "talk.mp4"
    assert transcript_beside(clip).transcript is None
    (tmp_path / "talk.txt").write_text("plain")
    (tmp_path / "talk.srt").write_text(SRT)
    found = transcript_beside(clip).transcript
    assert found is not None
    assert found.timed
