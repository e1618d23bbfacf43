"""Subtitles with lines of times: what begins a cue, what ends it, and captions that roll."""

from __future__ import annotations

from pathlib import Path

import pytest

from affuse.extract.text.transcript import Transcript, Word, read_transcript

A, B, C = (
    "00:00:00,000 --> 00:00:03,000",
    "00:00:03,000 --> 00:00:06,000",
    "00:00:06,000 --> 00:00:08,000",
)
ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.400 --> 00:00:03.190 align:start position:0%

the<00:00:00.800><c> garden</c><00:00:01.300><c> was</c><00:00:01.700><c> lovely</c>

00:00:03.190 --> 00:00:03.200 align:start position:0%
the garden was lovely


00:00:03.200 --> 00:00:06.490 align:start position:0%
the garden was lovely
and<00:00:03.700><c> we</c><00:00:04.100><c> stayed</c>

00:00:06.490 --> 00:00:06.500 align:start position:0%
and we stayed


00:00:06.500 --> 00:00:09.790 align:start position:0%
and we stayed
because<00:00:07.100><c> nobody</c><00:00:07.900><c> wanted</c>
"""
SAID = "the garden was lovely and we stayed because nobody wanted"


def read(folder: Path, content: str, name: str = "a.srt") -> Transcript:
    path = folder / name
    path.write_bytes(content.encode())
    return read_transcript(path)


def text(found: Transcript) -> str:
    return " ".join(word.text for word in found.words)


def srt(*cues: tuple[str, str]) -> str:
    return "\n".join(f"{n}\n{time}\n{said}\n" for n, (time, said) in enumerate(cues, 1))


def test_webvtt_without_hours(tmp_path: Path) -> None:
    content = "WEBVTT\n\nNOTE nothing\n\n00:01.000 --> 00:02.000 align:start\n<v Ann>hello there\n"
    assert read(tmp_path, content, "a.vtt").words == (
        Word("hello", 1.0, pytest.approx(1.5), "Ann"),
        Word("there", pytest.approx(1.5), 2.0, "Ann"),
    )


@pytest.mark.parametrize(
    ("line", "start", "end"),
    [
        ("00:00:01 --> 00:00:03", 1, 3),
        ("00:00:01,5 --> 00:00:03,25", 1.5, 3.25),
        ("00:00:01:500 --> 00:00:03:250", 1.5, 3.25),
        ("00:01.5-->00:03.25", 1.5, 3.25),
        ("00:01:500 --> 00:03:250", 1.5, 3.25),
        ("0:0:1,500 -> 0:0:3,250", 1.5, 3.25),
        ("00:00:01, 500 -- > 00:00:03, 250", 1.5, 3.25),
        ("00: 00: 01,500 → 00: 00: 03,250", 1.5, 3.25),
        ("00:00:01.500 --&gt; 00:00:03.250", 1.5, 3.25),
        ("00:00:01,500 — 00:00:03,250", 1.5, 3.25),
        ("00：00：01，500 --> 00：00：03，250", 1.5, 3.25),
        ("1 00:00:01,500 --> 00:00:03,250  X1:100 X2:200", 1.5, 3.25),
        ("[00:00:01.500 --> 00:00:03.250]", 1.5, 3.25),
        ("01:00:01,500 --> 01:00:03,250", 3601.5, 3603.25),
        ("00:00:03,250 --> 00:00:01,500", 1.5, 3.25),
        ("-00:00:01,500 --> 00:00:03,250", -1.5, 3.25),
    ],
)
def test_times_as_people_write_them(tmp_path: Path, line: str, start: float, end: float) -> None:
    found = read(tmp_path, f"1\n{line}\nhello you\n\n2\n02:00:00,000 --> 02:00:01,000\nbye\n")
    assert text(found) == "hello you bye"
    assert (found.words[0].start, found.words[1].end) == (start, end)
    assert any("exchanged" in n for n in found.notices) == (line == "00:00:03,250 --> 00:00:01,500")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (srt((A, "I hate it\n\nbut not you"), (B, "bye")), "I hate it but not you bye"),
        (f"1\n{A}\nI hate it\n2\n{B}\nbut not you\n3\n{C}\nbye", "I hate it but not you bye"),
        (f"{A}\nI hate it\n{B}\nbut not you\n\n\n{C}\nbye", "I hate it but not you bye"),
        (f"1\n\n{A}\n\nI hate it\n\n2\n\n{B}\n\nbye\n\n", "I hate it bye"),
        (f"57\n{A}\nI hate it\n\n61\n{B}\nbye", "I hate it bye"),
        (f"1\n{A}\n42\n\n2\n{B}\n7 days", "42 7 days"),
        (f"1\n{A}\n\n2\n{B}\nbye", "bye"),
        (f"1\n{A} I hate it\n2\n{B} bye", "I hate it bye"),
        (srt((B, "bye"), (A, "I hate it")), "I hate it bye"),
        (
            srt((A, "won\u2028derful\u2029it\u0085is\vso\ffine\u00a0here")),
            "won derful it is so fine here",
        ),
        (srt((A, "won\u200bder\ufeffful \u200e\u202aI\u202c")), "wonderful I"),
        (srt((A, "<i>won</i>der<b>ful</b> &amp;amp; <3<br>x")), "wonderful & <3 x"),
        (srt((A, "no"), (B, "no"), (C, "no\nno")), "no no no no"),
        (srt((A, "it was"), (B, "it was not"), (C, "you know")), "it was it was not you know"),
        (srt((A, "hello"), (A, "hello"), (B, "bye")), "hello bye"),
    ],
)
def test_a_line_of_times_begins_a_cue(tmp_path: Path, content: str, expected: str) -> None:
    found = read(tmp_path, content)
    assert text(found) == expected
    assert (found.origin.skipped, found.notices) == (0, ())


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    lost = "00:00:0x,000 --> 00:00:06,000"
    found = read(tmp_path, srt((A, "hello"), (lost, "lost words"), (C, "bye")))
    assert (text(found), found.origin.cues, found.origin.skipped) == ("hello bye", 2, 1)
    assert found.notices == (
        f"{tmp_path / 'a.srt'}: 1 of 3 subtitles could not be read and are left out",
    )
    found = read(tmp_path, f"no times for this\n\n{srt((A, 'hello'))}")
    assert (text(found), found.origin.skipped) == ("hello", 1)
    found = read(tmp_path, srt(("00:00:01,000 -->", "hello"), (B, "bye")))
    assert (text(found), found.words[0].start, found.origin.skipped) == ("hello bye", 1.0, 0)


def test_notes_styles_and_names_of_cues_are_not_said(tmp_path: Path) -> None:
    content = (
        "WEBVTT - a title\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:a\n\nNOTE\none\ntwo\n\n"
        "intro\n00:00.000 --> 00:01.000\nhello\n\nNOTE three\n\n"
        "part-2\n00:01.000 --> 00:02.000 line:0\nNOTE this\n\n"
    )
    assert text(read(tmp_path, content, "a.vtt")) == "hello NOTE this"


def test_several_who_speak_at_once_are_not_mixed(tmp_path: Path) -> None:
    content = (
        "WEBVTT\n\n00:00.399 --> 00:05.399\n<v Ann>I do not think so\n\n"
        "00:03.590 --> 00:08.590\n<v Ben>Well we do\n\n00:03.000 --> 00:03.500\n<v Cy>no\n"
    )
    found = read(tmp_path, content, "a.vtt")
    assert text(found) == "I do not think so no Well we do"
    assert [w.speaker for w in found.words] == ["Ann"] * 5 + ["Cy"] + ["Ben"] * 3


def test_rolling_captions_are_read_once_at_the_times_within(tmp_path: Path) -> None:
    found = read(tmp_path, ROLLING, "a.vtt")
    assert text(found) == SAID
    assert found.origin.language == "en"
    starts = [round(w.start, 2) for w in found.words]
    assert starts == [0.4, 0.8, 1.3, 1.7, 3.2, 3.7, 4.1, 6.5, 7.1, 7.9]
    assert found.words[3].end == 3.19


@pytest.mark.parametrize("joint", ["\n", " "])
@pytest.mark.parametrize("hold", [True, False])
def test_rolling_captions_that_were_converted(tmp_path: Path, joint: str, hold: bool) -> None:
    one, two, three = "the garden was lovely", "and we stayed", "because nobody wanted"
    cues = [
        ("00:00:00,400 --> 00:00:03,190", one),
        ("00:00:03,190 --> 00:00:03,200", one),
        ("00:00:03,200 --> 00:00:06,490", f"{one}{joint}{two}"),
        ("00:00:06,490 --> 00:00:06,500", two),
        ("00:00:06,500 --> 00:00:09,790", f"{two}{joint}{three}"),
    ]
    assert text(read(tmp_path, srt(*(cues if hold else cues[::2])))) == SAID


def test_captions_that_grow_word_by_word(tmp_path: Path) -> None:
    words = SAID.split()
    cues = [(f"00:00:0{n},000 --> 00:00:0{n + 1},000", " ".join(words[: n + 1])) for n in range(9)]
    assert text(read(tmp_path, srt(*cues))) == " ".join(words[:9])
