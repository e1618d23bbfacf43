"""What is not speech, and who speaks: neither is a word, and no word is lost for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from affuse.extract.text.transcript import Transcript, read_transcript


def read(folder: Path, *cues: str) -> Transcript:
    path = folder / "a.srt"
    blocks = [f"{n}\n00:00:0{n},000 --> 00:00:0{n + 1},000\n{cue}\n" for n, cue in enumerate(cues)]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return read_transcript(path)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("[door slams] I love it", "I love it"),
        ("[door\nslams] I love it", "I love it"),
        ("[angry crowd", ""),
        ("(sobbing)", ""),
        ("(distant train)", ""),
        ("I (sobbing) love it", "I love it"),
        ("I love it (in Spanish)", "I love it"),
        ("♪ terrible awful hate ♪", ""),
        ("♪ one\n♪ two", ""),
        ("♪ one\ntwo ♪ hello", "hello"),
        ("hello ♪ la la", "hello"),
        ("la la ♪", ""),
        ("# love is all #", ""),
        ("*sighs* I *really* do", "I *really* do"),
        ("【音楽】 hello", "hello"),
        ("[inaudible 00:10:23] yes", "yes"),
        # These are said.
        ("I love it (I think)", "I love it (I think)"),
        ("(and that is what I told him to do) yes", "(and that is what I told him to do) yes"),
        ("we went (for years) to it", "we went (for years) to it"),
        ("#metoo is big", "#metoo is big"),
        ("we are # 1", "we are 1"),
        ("[I don't know]", "[I don't know]"),
        ("he said 3 * 4 * 5", "he said 3 4 5"),
        ("I <3 you & a < b", "I <3 you & a b"),
    ],
)
def test_what_is_said_is_left(tmp_path: Path, text: str, left: str) -> None:
    found = read(tmp_path, text, "the end")
    assert [w.text for w in found.words] == [*left.split(), "the", "end"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ANN: I do", [("I", "ANN"), ("do", "ANN")]),
        ("Ann Smith (V.O.): hi", [("hi", "Ann Smith")]),
        ("SPEAKER_00: hi", [("hi", "SPEAKER_00")]),
        ("&gt;&gt; ANN: hi", [("hi", "ANN")]),
        (">> hi", [("hi", None)]),
        ("<v Ann>hi</v> <v.loud Ben Low>you", [("hi", "Ann"), ("you", "Ben Low")]),
        ("ANN: hi\n- no", [("hi", "ANN"), ("no", None)]),
        ("- hi\n-you", [("hi", None), ("you", None)]),
        ("ANN: (sobbing) hi", [("hi", "ANN")]),
        ("It is 10:30: go", [(w, None) for w in ("It", "is", "10:30:", "go")]),
        ("Remember: never", [("Remember:", None), ("never", None)]),
        ("He said: go", [("He", None), ("said:", None), ("go", None)]),
        ("-5 is cold", [("-5", None), ("is", None), ("cold", None)]),
        ("well - made…", [("well", None), ("made…", None)]),
    ],
)
def test_speakers_are_kept_beside_the_words(
    tmp_path: Path, text: str, expected: list[tuple[str, str | None]]
) -> None:
    assert [(w.text, w.speaker) for w in read(tmp_path, text).words] == expected


def test_a_name_holds_for_its_cue(tmp_path: Path) -> None:
    found = read(tmp_path, "ANN: one", "two")
    assert [w.speaker for w in found.words] == ["ANN", None]


def test_what_is_left_out_is_told_once(tmp_path: Path) -> None:
    found = read(
        tmp_path, "[a long, long description of a sound that nobody made] x", "[b]", "♪ c ♪"
    )
    assert len(found.notices) == 1
    assert "3 times (such as [a long, long description of a sound th…)" in found.notices[0]
