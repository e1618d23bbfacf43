"""Which file beside a recording is its transcript, and which are left aside with a notice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affuse.extract.text.transcript import transcript_beside

SRT = "1\n00:00:00,000 --> 00:00:01,000\n{}\n"
ANSWER = {"file": "clip.mp4", "words": [], "timeline": [], "checkpoint": [], "extractors": {}}
CAPTIONS = SRT.format("hello\n[sentiment +1.2, calm 75%, by text, conflict 50%]")


def lay(folder: Path, **files: str) -> Path:
    """A clip, and files beside it; in their names, __ stands for a point."""
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    clip = folder / "clip.mp4"
    clip.write_bytes(b"media")
    return clip


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("clip.srt", None),
        ("CLIP.SRT", None),
        ("clip.mp4.srt", None),
        ("clip.en.vtt", "en"),
        ("Clip.en-US.srt", "en"),
        ("clip.eng.forced.srt", "en"),
        ("clip.English.sdh.srt", "en"),
        ("clip.mp4.de.srt", "de"),
        ("clip.ass", None),
    ],
)
def test_names_that_belong_to_a_clip(tmp_path: Path, name: str, language: str | None) -> None:
    lay(tmp_path, **{name.replace(".", "__"): SRT.format("hello")})
    for clip in ("clip.mp4", "CLIP.MP4"):
        found = transcript_beside(tmp_path / clip)
        assert found.transcript is not None
        assert found.transcript.words[0].text == "hello"
        assert found.transcript.origin.language == language
        assert found.notices == ()


@pytest.mark.parametrize(
    "name", ["clip2.srt", "clip.part2.srt", "other.srt", "clip.srt.bak", "xclip.srt"]
)
def test_names_that_do_not(tmp_path: Path, name: str) -> None:
    clip = lay(tmp_path, **{name.replace(".", "__"): SRT.format("hello")})
    assert transcript_beside(clip) == (None, ())


def test_a_longer_name_belongs_to_the_clip_that_has_it(tmp_path: Path) -> None:
    clip = lay(tmp_path, clip__en__srt=SRT.format("hello"))
    (tmp_path / "clip.en.mp4").write_bytes(b"media")
    assert transcript_beside(clip).transcript is None
    assert transcript_beside(tmp_path / "clip.en.mp4").transcript is not None


def test_of_several_languages_english_is_taken(tmp_path: Path) -> None:
    clip = lay(
        tmp_path,
        clip__de__srt=SRT.format("hallo"),
        clip__en__vtt=SRT.format("hello"),
        clip__srt=SRT.format("bonjour"),
        clip__en__forced__srt=SRT.format("sign"),
    )
    found = transcript_beside(clip)
    assert found.transcript is not None
    assert found.transcript.words[0].text == "hello"
    (notice,) = found.notices
    assert "clip.en.vtt: is taken" in notice
    assert "clip.srt, clip.de.srt" in notice


def test_other_forms_of_the_same_need_no_word(tmp_path: Path) -> None:
    srt = SRT.format("hello")
    clip = lay(tmp_path, clip__srt=srt, clip__txt="hello", clip__json='{"text": "hello"}')
    found = transcript_beside(clip)
    assert found.transcript is not None
    assert found.transcript.timed
    assert found.notices == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("clip.txt", "angry\n"),
        ("clip.txt", "Positive"),
        ("clip.txt", "sad, neutral"),
        ("clip.txt", "0.75"),
        ("clip.txt", "1, 2, 3\n4, 5, 6"),
        ("clip.txt", "data/clips/clip.mp4"),
        ("clip.txt", "https://somewhere/clip"),
        ("clip.txt", "fps: 25\ncamera: front\n"),
        ("clip.txt", "label = angry"),
        ("clip.txt", "Duration: 12.5\nFPS: 25"),
        ("clip.txt", ""),
        ("clip.txt", " \n"),
        ("clip.srt", ""),
        ("clip.srt", "nothing of the kind"),
        ("clip.json", ""),
        ("clip.json", json.dumps({"camera": "front", "fps": 25})),
        ("clip.json", json.dumps(ANSWER)),
        ("clip.json", json.dumps(ANSWER)[:30]),
        ("clip.mp4.json", json.dumps(ANSWER)),
        ("clip.mp4.srt", CAPTIONS),
        ("clip.csv", "file,start,end,sentiment,primary,conflict,text\na,0,1,2,text,0,hi"),
        ("clip.csv", "frame,x,y\n1,2,3"),
        ("clip.xml", "<annotation><object/></annotation>"),
        ("clip.sub", "\x00\x01\x02"),
    ],
)
def test_what_is_no_transcript_is_left_aside(tmp_path: Path, name: str, content: str) -> None:
    clip = lay(tmp_path, **{name.replace(".", "__"): content})
    found = transcript_beside(clip)
    assert found.transcript is None
    (notice,) = found.notices
    assert notice.startswith(f"{tmp_path / name}: ")
    assert "left aside" in notice


@pytest.mark.parametrize(
    "content",
    [
        "yes",
        "ok",
        "I am angry",
        "Ann: hello\nBen: hi there",
        "happy birthday",
        "10 days left",
        "no. 5",
    ],
)
def test_short_words_are_words(tmp_path: Path, content: str) -> None:
    clip = lay(tmp_path, clip__txt=content)
    found = transcript_beside(clip)
    assert found.transcript is not None
    assert found.transcript.words
    assert found.notices == ()


def test_the_next_one_is_taken_where_one_is_none(tmp_path: Path) -> None:
    clip = lay(tmp_path, clip__json="{}", clip__txt="hello")
    found = transcript_beside(clip)
    assert found.transcript is not None
    assert found.transcript.words[0].text == "hello"
    assert len(found.notices) == 1


def test_a_clip_is_not_its_own_transcript(tmp_path: Path) -> None:
    assert transcript_beside(lay(tmp_path).rename(tmp_path / "clip.xml")) == (None, ())
    assert transcript_beside(tmp_path / "nowhere" / "clip.mp4") == (None, ())
