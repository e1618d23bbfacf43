"""Transcripts: the forms that are read, told by content, and what is made of damaged ones."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.extract.text.transcript import Transcript, Word, as_transcript, read_transcript

SRT = """1
00:00:02,000 --> 00:00:04,000
<i>second</i> cue

2
00:00:00,500 --> 00:00:01,500
- first &amp; {\\an8}only
"""
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not said
Dialogue: 0,0:00:00.50,0:00:02.00,Default,Ann,0,0,0,,{\\an8}I love, {\\i1}really\\Nthis
Dialogue: 0,0:00:02.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 10 10{\\p0}
Dialogue: 0,never,0:00:04.00,Default,,0,0,0,,lost
Dialogue: 0,0:00:04.00,0:00:05.00,Default,,0,0,0,,{\\k20}pla{\\k30}ce {\\k50}here
"""
TTML = """<?xml version="1.0" encoding="utf-16"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"
 xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xml:lang="en" ttp:frameRate="25" ttp:tickRate="10">
<head><metadata><ttm:agent xml:id="a"><ttm:name>Ann</ttm:name></ttm:agent></metadata></head>
<body><div begin="1s"><p begin="0.5s" dur="1s" ttm:agent="a">I love<br/>this</p>
<p begin="00:00:02:05" end="40t"><span>place</span>
<!-- nothing --></p><p begin="soon" end="9s">lost</p></div></body></tt>"""
TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "Ann - words"
        xmin = 0
        xmax = 2
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.0
            text = "hello"
        intervals [3]:
            xmin = 1.0
            xmax = 1.5
            text = "sp"
        intervals [4]:
            xmin = 1.5
            xmax = 2.0
            text = "you"
    item [2]:
        class = "IntervalTier"
        name = "Ann - phones"
        xmin = 0
        xmax = 2
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2
            text = "HH"
"""
SHORT_TEXTGRID = """"ooTextFile"
"TextGrid"
0
2
<exists>
1
"IntervalTier"
"words"
0
2
2
0.5
1
"hello"
1.5
2
"you"
"""
SAMI = """<SAMI><BODY><SYNC Start=500><P Class=ENCC>hello<br>there
<SYNC Start=1500><P Class=ENCC>&nbsp;<SYNC Start=2000><P Class=ENCC>you</BODY></SAMI>"""
EVENTS = (
    '<transcript><text start="0.5" dur="1">it&amp;#39;s</text>'
    '<text start="2">me</text></transcript>'
)


def read(folder: Path, name: str, content: str | bytes) -> Transcript:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_transcript(path)


def said(found: Transcript) -> list[tuple[str, float, float]]:
    return [(word.text, round(word.start, 2), round(word.end, 2)) for word in found.words]


def test_subtitles_are_sorted_cleaned_and_spread_by_letters(tmp_path: Path) -> None:
    found = read(tmp_path, "a.srt", SRT)
    words = found.words
    assert [word.text for word in words] == ["first", "&", "only", "second", "cue"]
    assert words[3] == Word("second", 2.0, pytest.approx(2 + 2 * 6 / 9))
    assert words[4].end == 4.0
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(words))
    assert (found.origin.format, found.origin.cues, found.origin.encoding) == ("srt", 2, "utf-8")
    assert found.notices == ()


def test_substation(tmp_path: Path) -> None:
    found = read(tmp_path, "a.ass", ASS)
    assert [(w.text, w.speaker) for w in found.words[:4]] == [
        *(("I", "Ann"), ("love,", "Ann"), ("really", "Ann"), ("this", "Ann"))
    ]
    assert said(found)[4:] == [("place", 4.0, 4.5), ("here", 4.5, 5.0)]
    assert found.origin.skipped == 1
    assert "1 of 4 subtitles could not be read" in found.notices[0]


def test_ttml_counts_from_what_is_around(tmp_path: Path) -> None:
    found = read(tmp_path, "a.xml", TTML)
    assert [(w.text, w.speaker) for w in found.words] == [
        *(("I", "Ann"), ("love", "Ann"), ("this", "Ann"), ("place", None))
    ]
    assert (found.words[0].start, found.words[2].end) == (1.5, 2.5)
    assert said(found)[3] == ("place", 3.2, 5.0)
    assert (found.origin.language, found.origin.skipped) == ("en", 1)


@pytest.mark.parametrize("content", [TEXTGRID, SHORT_TEXTGRID])
def test_textgrid_takes_the_tier_of_words(tmp_path: Path, content: str) -> None:
    found = read(tmp_path, "a.TextGrid", content)
    assert said(found) == [("hello", 0.5, 1.0), ("you", 1.5, 2.0)]
    assert found.words[0].speaker == ("Ann" if content is TEXTGRID else None)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "0:00:01.000,0:00:03.000\nhello you\n\n0:00:03.5,0:00:04\nbye",
            "hello@1 you@2.25 bye@3.5",
        ),
        ("[ti:song]\n[00:01.00]hello you\n[00:03.00]bye", "hello@1 you@2.12 bye@3"),
        ("[00:01.00]<00:01.00>hello <00:01.50>you", "hello@1 you@1.5"),
        ("{1}{1}25\n{25}{50}hello|you\n{75}{100}{y:i}bye", "hello@1 you@1.62 bye@3"),
        ("[10][20]hello|/you\n[30][40]bye", "hello@1 you@1.62 bye@3"),
        ("00:00:01:hello|you\n00:00:03:bye", "hello@1 you@2.12 bye@3"),
        ("start\tend\ttext\n1000\t2000\thello you\n3000\t4000\tbye", "hello@1 you@1.62 bye@3"),
        ('text,start,end\n"hello, you",1,2\nbye,3,4', "hello,@1 you@1.67 bye@3"),
        ("Start;Stop;Word;Speaker\n1;2;hello;Ann", "hello@1"),
        ("1.0\t2.0\thello you\n3.0\t4.0\tbye", "hello@1 you@1.62 bye@3"),
        ("hello 1.0 2.0\nyou 2.0 3.0", "hello@1 you@2"),
        ("1.0 2.0 hello\n2.0 3.0 you", "hello@1 you@2"),
        ("talk 1 1.0 0.5 hello 0.9\ntalk 1 2.0 0.5 you 0.9", "hello@1 you@2"),
        (
            "[00:01.000 --> 00:02.000]  hello you\n[00:02.000 --> 00:03.000]  bye",
            "hello@1 you@1.62 bye@2",
        ),
        ("0:01\nhello you\n0:03\nbye", "hello@1 you@2.12 bye@3"),
        ("[00:01] hello you\n[00:03] bye", "hello@1 you@2.12 bye@3"),
        ("Ann  0:01\nhello you\n\nBen  0:03\nbye", "hello@1 you@2.12 bye@3"),
        (SAMI, "hello@0.5 there@1 you@2"),
        (EVENTS, "it's@0.5 me@2"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.srt", "a.unknown"])
def test_the_form_is_told_by_content(
    tmp_path: Path, content: str, expected: str, name: str
) -> None:
    found = read(tmp_path, name, content)
    assert found.timed
    assert " ".join(f"{w.text}@{round(w.start, 2):g}" for w in found.words) == expected


def test_pictures_without_their_rate_have_no_times(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.sub: counts pictures .*\{1\}\{1\}25"):
        read(tmp_path, "a.sub", "{25}{50}hello\n{75}{100}bye")


def test_plain_text_has_no_times_until_it_is_spread(tmp_path: Path) -> None:
    plain = read(tmp_path, "a.txt", "\ufeffbin  blue\n")
    assert not plain.timed
    assert [word.text for word in plain.words] == ["bin", "blue"]
    spread = plain.spread(7.0)
    assert spread.words == (Word("bin", 0.0, 3.0), Word("blue", 3.0, 7.0))
    assert spread.origin == plain.origin
    assert read(tmp_path, "a.json", '{"text": "bin blue"}').words == plain.words


def test_speakers_of_plain_text_are_no_words(tmp_path: Path) -> None:
    found = read(tmp_path, "a.txt", "Ann: it is 10:30: go\nand go\nBEN: (laughs) no\n")
    assert [(w.text, w.speaker) for w in found.words] == [
        *(("it", "Ann"), ("is", "Ann"), ("10:30:", "Ann"), ("go", "Ann")),
        *(("and", "Ann"), ("go", "Ann"), ("no", "BEN")),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.srt", "no subtitles at all"),
        ("a.json", "{"),
        ("a.json", ""),
        ("a.json", "[1, 2]"),
        ("a.json", '{"nothing": 1}'),
        ("a.json", '[{"word": "a", "start": NaN, "end": null}]'),
        ("a.json", '[{"word": 5, "start": 0, "end": 1}]'),
        ("a.json", "[" * 100_000),
        ("a.txt", b"\x00\x01\x02\x00"),
        ("a.txt", '{"text": "cut of'),
        ("a.txt", "{\\rtf1 hello}"),
        ("a.srt", b"PK\x03\x04 zipped"),
        ("a.ttml", "<tt><body>"),
        ("a.xml", "<settings><a/></settings>"),
        ("a.xml", '<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a "b">]><tt/>'),
        ("a.html", "<!DOCTYPE html><p>hello"),
        ("a.TextGrid", 'File type = "oo'),
        ("a.csv", "file,start,end,sentiment,primary,conflict,text\na,0,1,2,text,0,hi"),
    ],
)
def test_damage_is_one_line_that_names_the_file(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    with pytest.raises(InputError, match=rf"{name}: ") as error:
        read(tmp_path, name, content)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("length", range(20, len(SHORT_TEXTGRID), 7))
def test_a_textgrid_that_is_cut_has_the_words_before(tmp_path: Path, length: int) -> None:
    words = [w.text for w in read(tmp_path, "a.txt", SHORT_TEXTGRID[:length]).words]
    assert words == ["hello", "you"][: len(words)] or "TextGrid" not in SHORT_TEXTGRID[:length]


def test_markup_without_subtitles_has_no_words(tmp_path: Path) -> None:
    for content in ("<SAMI><BODY></BODY></SAMI>", '<tt xmlns="http://www.w3.org/ns/ttml"/>'):
        assert read(tmp_path, "a.txt", content).words == ()


@pytest.mark.parametrize("name", ["a.srt", "a.vtt", "a.txt"])
def test_an_empty_transcript_has_no_words(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, name, "").words == ()


def test_text_is_text_and_a_file_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a b.srt"
    path.write_text(SRT)
    for given in (path, str(path)):
        assert as_transcript(given).origin.file == str(path)
    for given in ("I read a.srt. Yes", "yes", "and/or", "I love my notes.txt", ""):
        assert [w.text for w in as_transcript(given).words] == given.split()
    transcript = Transcript.of_text("yes")
    assert as_transcript(transcript) is transcript
    for given in ("not there.srt", "notes.txt", str(tmp_path / "none.vtt")):
        with pytest.raises(InputError, match="cannot be read"):
            as_transcript(given)


def test_json_lines_of_which_one_is_cut(tmp_path: Path) -> None:
    lines = [json.dumps({"word": w, "start": n, "end": n + 0.5}) for n, w in enumerate("abc")]
    found = read(tmp_path, "a.jsonl", "\n".join(lines)[:-10])
    assert said(found) == [("a", 0, 0.5), ("b", 1, 1.5)]
    assert found.origin.skipped == 1
